"""The stack: the whole system, in the order in which it is built."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from cdktf import App, TerraformOutput, TerraformStack
from cdktf_cdktf_provider_random.string_resource import StringResource
from constructs import Construct

from stacks.aws.cluster import Cluster
from stacks.aws.network import Network
from stacks.aws.registry import Registry
from stacks.aws.version_check import VersionCheck
from stacks.config import ClusterConfig
from stacks.config.common import Common, karpenter_policy_length, longest_cluster_name_prefix
from stacks.config.health import HEALTH_ADDONS
from stacks.hcl.expressions import Expression
from stacks.kubernetes.karpenter import Karpenter
from stacks.kubernetes.load_balancer_controller import LoadBalancerController
from stacks.kubernetes.node_pools import NodePools
from stacks.kubernetes.providers import add_cluster_providers
from stacks.terraform.addresses import Addressed, add_requirements
from stacks.terraform.backend import add_terraform
from stacks.terraform.providers import add_cloud_providers, add_ecr_public_provider
from stacks.terraform.variables import add_variables

PROJECT = Path(__file__).resolve().parents[1]


# Constructs that few clusters have, by the fields that ask for them: each costs a synthesis several milliseconds.
FURTHER = {
    "stacks.aws.secondary_subnets": ("secondary_cidr",),
    "stacks.aws.endpoints": ("gateway_endpoints", "interface_endpoints"),
    "stacks.aws.image_cache": ("image_cache",),
    "stacks.aws.placement_groups": ("placement_groups",),
    "stacks.aws.pod_identities": ("pod_identities",),
    "stacks.kubernetes.storage": ("storage",),
    "stacks.kubernetes.health": tuple(HEALTH_ADDONS),
}


def import_further(clusters: Sequence[ClusterConfig] | None = None) -> None:
    """Import the constructs that these clusters need and most do not, or all of them, before CDKTF first uses the provider.

    After that, `imports/lazy` would load all of the provider. A program of several clusters calls this before the first stack.
    """
    for module, fields in FURTHER.items():
        if clusters is None or any(getattr(cluster, field) for cluster in clusters for field in fields):
            import_module(module)


class KarpenterStack(Addressed, TerraformStack):
    """An EKS cluster for GPU Spot work. `config` decides what exists; Terraform variables decide the values inside.

    Args:
        config: the cluster.
        project: the folder where a local state is, and from which its path starts.

    Attributes:
        config: as given.
        options: `config` with the expressions of the Terraform variables.
        common: what every construct takes.
        network, cluster, karpenter, load_balancer_controller, node_pools: the constructs.
    """

    def __init__(self, scope: Construct, config: ClusterConfig, *, project: Path = PROJECT) -> None:
        super().__init__(scope, config.name)
        import_further([config])

        # Terraform: versions, the state, variables, names and providers.
        self.config = config
        add_terraform(self, config=config, folder=Path(App.of(self).outdir, "stacks", config.name), project=project)
        self.options = options = add_variables(self, config)
        suffix = self.add(StringResource, "random_string.suffix", length=4, special=False, upper=False)
        self.common = common = self._common(f"{options.cluster_name_prefix}-{suffix.result}")
        add_cloud_providers(self, login=options)
        registry = None
        if config.registry_login:
            registry = Registry(self, "registry", provider=add_ecr_public_provider(self, login=options))

        # AWS: the network, and the cluster in it.
        self.network = Network(self, "network", common, options=options)
        self._extend_network()
        self.cluster = Cluster(
            self,
            "cluster",
            common,
            network=self.network,
            control_plane=options,
            administrators=options,
            node_group=options,
            node_policies=self._node_policies(),
            efa=bool(options.efa_pools),
            further_addons=config.further_addons(),
        )
        placement_groups = self._placement_groups()

        # Kubernetes: the controllers, and the nodes that Karpenter may create.
        add_cluster_providers(self, cluster=self.cluster, login=options, registry=registry)
        self.karpenter = Karpenter(
            self,
            "karpenter",
            common,
            cluster=self.cluster,
            options=options,
            registry=registry,
            static_capacity=bool(options.fixed_pools()),
            placement_groups=list(placement_groups.values()),
            node_repair=options.node_repair,
        )
        self.load_balancer_controller = LoadBalancerController(self, "alb", common, karpenter=self.karpenter, options=options)
        self._add_pools(placement_groups)

        # The suffix is the first resource to be created.
        add_requirements(self, on=suffix)
        version = self._add_outputs()
        if config.version_check:
            prefix = options.cluster_name_prefix
            VersionCheck(self, "version_check", common, name_prefix=prefix, control_plane=options, on=version)

    def _extend_network(self) -> None:
        """What few networks have."""
        if self.config.secondary_cidr:
            from stacks.aws.secondary_subnets import SecondarySubnets

            SecondarySubnets(self, "secondary_subnets", self.common, network=self.network, options=self.options)
        if self.config.gateway_endpoints or self.config.interface_endpoints:
            from stacks.aws.endpoints import Endpoints

            Endpoints(self, "endpoints", self.common, network=self.network, options=self.options)

    def _node_policies(self) -> dict[str, str]:
        """What every node may do beside the modules' policies, by name."""
        if not self.config.image_cache:
            return {}
        from stacks.aws.image_cache import ImageCache

        return ImageCache(self, "image_cache", self.common, options=self.config.image_cache).node_policies

    def _placement_groups(self) -> dict[str, str]:
        """The names of the placement groups, by the name of their pool."""
        if not self.config.placement_groups:
            return {}
        from stacks.aws.placement_groups import PlacementGroups

        return PlacementGroups(self, "placement_groups", self.common, pools=self.config.placement_groups).names

    def _add_pools(self, placement_groups: Mapping[str, str]) -> None:
        """The pools, between what their nodes need and what needs their nodes."""
        storage, before = None, []
        if self.config.pod_identities:
            from stacks.aws.pod_identities import PodIdentities

            before += PodIdentities(self, "pod_identities", self.common, cluster=self.cluster, options=self.options).credentials
        if self.config.storage:
            from stacks.kubernetes.storage import Storage

            storage = Storage(self, "storage", self.common, cluster=self.cluster, options=self.options)
            before += storage.before_pools
        self.node_pools = NodePools(
            self,
            "nodepools",
            self.common,
            karpenter=self.karpenter,
            options=self.options,
            placement_groups=placement_groups,
            after=before,
        )
        if self.options.efa_pools:
            from stacks.kubernetes.efa_device_plugin import EfaDevicePlugin

            EfaDevicePlugin(self, "efa_device_plugin", self.common, node_pools=self.node_pools)
        if storage:
            storage.add_s3(self.node_pools)
        if self.config.health_addons():
            from stacks.kubernetes.health import Health

            Health(self, "health", self.common, load_balancer_controller=self.load_balancer_controller, options=self.options)

    def _common(self, name: str) -> Common:
        prefix, region = Expression("var.cluster_name_prefix"), Expression("var.region")
        longest = self.add_local("longest_cluster_name_prefix", longest_cluster_name_prefix(region))
        self.require(karpenter_policy_length(prefix, region, longest))
        name = self.add_local("name", name)
        return Common(
            name=name,
            region=region,
            tags={"Example": name, "GithubRepo": "terraform-aws-eks", "GithubOrg": "terraform-aws-modules"},
            permissions_boundary=self.config.permissions_boundary,
            offering_checks=self.config.offering_checks,
        )

    def _add_outputs(self) -> TerraformOutput:
        """The HCL's outputs; returns that of the version."""
        eks, login = self.cluster.eks, self.options
        # --role-arn is the identity in the kubeconfig, --assume-role-arn that of the command itself.
        assume = ["--assume-role-arn", login.assume_role_arn] if login.assume_role_arn else []
        configure = " ".join(["aws eks update-kubeconfig --name", eks.cluster_name, *login.arguments, *assume])
        made = {
            # Not with `add`: straight below the stack, an id is the address as it is.
            name: TerraformOutput(self, name, description=description, value=value)
            for name, description, value in (
                ("cluster_name", "Name of the cluster.", eks.cluster_name),
                ("cluster_endpoint", "URL of the Kubernetes API.", eks.cluster_endpoint),
                ("cluster_version", "Kubernetes version of the cluster.", eks.cluster_version),
                ("region", "AWS region of the cluster.", self.common.region),
                ("configure_kubectl", "The command that points kubectl at the cluster.", configure),
            )
        }
        return made["cluster_version"]
