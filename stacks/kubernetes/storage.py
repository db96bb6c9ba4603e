"""Volumes of pods: EKS add-ons with pod identities of their own, and the default StorageClass."""

from collections.abc import Sequence

from imports.kubectl import KubectlManifest

from cdktf import ITerraformDependable
from cdktf_cdktf_provider_aws.eks_addon import EksAddon
from constructs import Construct

from stacks.aws.addon import add_addon
from stacks.aws.cluster import Cluster
from stacks.aws.pod_identity import TRUST, OwnPolicy, PodIdentity
from stacks.config.checks import ConfigurationError
from stacks.config.common import Common
from stacks.config.pod_identities import ServiceAccount
from stacks.config.storage import NAMESPACE, S3, Ebs, Snapshots, StorageKind, StorageOptions
from stacks.hcl.expressions import Expression
from stacks.knowledge.storage_addons import EBS
from stacks.kubernetes.node_pools import NodePools
from stacks.terraform.addresses import Addressed
from stacks.terraform.arguments import check_arguments

# What the add-ons do not do by themselves: run on the node group, and mount on the tainted nodes of GPU pools.
SETTINGS: dict[type[StorageKind], dict[str, object]] = {
    Snapshots: {"tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}]},
    S3: {"node": {"tolerateAllTaints": True}},
}


class Storage(Addressed):
    """The drivers of volumes.

    EBS, EFS and FSx run on the node group. Their drivers stand before the pools and outlive them, because Karpenter removes a node
    when its volumes are detached. The controller of S3 needs a node of a pool: `add_s3` comes after the pools.

    Args:
        cluster: where the drivers run; its `further_addons` name them.

    Attributes:
        before_pools: what the nodes of pools need until they are gone.

    Raises:
        ConfigurationError: an argument cannot be right.
    """

    def __init__(self, scope: Construct, id: str, common: Common, *, cluster: Cluster, options: StorageOptions) -> None:
        super().__init__(scope, id)
        check_arguments(Storage, common=common, cluster=cluster, options=options)
        if missing := [addon for addon in options.storage_addons() if addon not in cluster.further_addons]:
            raise ConfigurationError(f"Storage needs Cluster(..., further_addons=[...]) with {', '.join(missing)}.")
        self._common, self._cluster, self._options = common, cluster, options
        self._trust = self.add_json("storage_trust", TRUST) if options.storage_accounts() else ""
        self._identities = {type(one): self._identity(one) for one in options.storage if one.addon.account}
        # The driver of EBS looks for the definitions of snapshots when it is installed.
        first = [self._addon(one) for one in options.storage if isinstance(one, Snapshots)]
        drivers = {type(one): self._addon(one, after=first) for one in options.storage if not isinstance(one, Snapshots | S3)}
        self.before_pools = [*first, *drivers.values()]
        for one in options.storage:
            if isinstance(one, Ebs) and one.storage_class:
                self._storage_class(one.storage_class, drivers[Ebs])

    def add_s3(self, node_pools: NodePools) -> None:
        """Add the driver of S3 after the pools, if the options have it.

        Raises:
            ConfigurationError: no pool takes the driver's controller.
        """
        for one in self._options.storage:
            if isinstance(one, S3):
                if found := list(self._options.without_a_pool(takes_any_pod=node_pools.takes_any_pod)):
                    raise ConfigurationError("\n".join(f"Storage.options.{mistake}" for mistake in found))
                # Pods keep their mounts while a destroy ends their nodes.
                self._addon(one, after=node_pools.pools, preserve=True)

    def _identity(self, one: StorageKind) -> PodIdentity:
        addon, own = one.addon, None
        if isinstance(one, S3):
            text = self.add_json(f"{addon.address}_policy", one.document())
            own = OwnPolicy(name=addon.name, description="Lets pods mount buckets", text=text)
        return PodIdentity(
            self,
            self._common,
            cluster=self._cluster,
            name=addon.address,
            role=addon.name,
            trust=self._trust,
            account=ServiceAccount(NAMESPACE, addon.account),
            policies={} if own else {addon.address: addon.policy},
            own_policy=own,
        )

    def _addon(self, one: StorageKind, *, after: Sequence[ITerraformDependable] = (), preserve: bool | None = None) -> EksAddon:
        """An add-on after its identity: its pods take the role when they start."""
        identity = self._identities.get(type(one))
        return add_addon(
            self,
            self._common,
            cluster=self._cluster,
            name=one.addon.name,
            settings=SETTINGS.get(type(one)),
            after=[*(identity.credentials if identity else ()), *after],
            preserve=preserve,
        )

    def _storage_class(self, name: str, addon: ITerraformDependable) -> None:
        """The default class of the cluster, which Kubernetes does not let anybody change."""
        self.reserve(f"StorageClass {name}")
        manifest = self.add_local(
            f"storageclass_{name}",
            {
                "apiVersion": "storage.k8s.io/v1",
                "kind": "StorageClass",
                "metadata": {"name": name, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
                "provisioner": EBS.driver,
                "parameters": {"type": "gp3", "encrypted": "true"},
                "volumeBindingMode": "WaitForFirstConsumer",
                "allowVolumeExpansion": True,
            },
        )
        address = f"kubectl_manifest.storageclass_{name}"
        self.add(KubectlManifest, address, yaml_body=Expression(f"yamlencode({manifest.hcl})"), force_new=True, depends_on=[addon])
        self.explain(address, force_new="Kubernetes refuses other parameters for a class. Volumes do not depend on their class.")
