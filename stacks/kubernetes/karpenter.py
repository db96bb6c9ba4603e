"""Karpenter: what it needs of AWS, and its Helm release."""

from collections.abc import Sequence
from typing import Any

from imports.eks import KarpenterAws

from cdktf import ITerraformDependable, TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.data_aws_iam_roles import DataAwsIamRoles
from cdktf_cdktf_provider_aws.iam_policy import IamPolicy
from cdktf_cdktf_provider_helm.release import Release
from constructs import Construct

from stacks.aws.cluster import Cluster
from stacks.aws.registry import PUBLIC_ECR, Registry
from stacks.config.checks import ConfigurationError
from stacks.config.common import Common
from stacks.config.karpenter import ACCOUNT, KarpenterOptions
from stacks.hcl.rules import Rule
from stacks.knowledge.regions import PARTITION
from stacks.knowledge.versions import (
    FINDS_PLACEMENT_GROUPS,
    LAUNCHES_INSTANCES,
    has_crds_apart,
    hashes_the_ca,
    karpenter_mistake,
    karpenter_permissions,
)
from stacks.terraform.addresses import Addressed
from stacks.terraform.arguments import check_arguments


class Karpenter(Addressed):
    """The Karpenter controller, on the cluster's managed node group.

    Args:
        cluster: where the controller runs.
        registry: the login to public ECR; None to pull the chart anonymously.
        static_capacity: whether there are pools with replicas, which Karpenter otherwise ignores without a word.
        placement_groups: the names of the placement groups into which Karpenter may launch nodes.
        node_repair: whether Karpenter replaces broken nodes.

    Attributes:
        aws: the module with the roles, the queue and the rules.
        cluster, version, static_capacity: as given.
        node_role_name: the name of the IAM role of the nodes that Karpenter creates. Node classes name the role.
        release: the Helm release.

    Raises:
        ConfigurationError: an argument cannot be right.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        common: Common,
        *,
        cluster: Cluster,
        options: KarpenterOptions | None = None,
        registry: Registry | None = None,
        static_capacity: bool = False,
        placement_groups: Sequence[str] = (),
        node_repair: bool = False,
    ) -> None:
        super().__init__(scope, id)
        options = options or KarpenterOptions()
        check_arguments(
            Karpenter, common=common, cluster=cluster, options=options, static_capacity=static_capacity, node_repair=node_repair
        )
        if mistake := karpenter_mistake(cluster.control_plane.kubernetes_version, options.karpenter_version):
            raise ConfigurationError(f"Karpenter.options.{mistake}")
        self.cluster = cluster
        self.node_role_name = common.name
        self.version = options.karpenter_version
        self.static_capacity = static_capacity
        self._gates = {"staticCapacity": static_capacity, "nodeRepair": node_repair}
        self._registry = registry
        policy = self._further_policy(common, placement_groups)
        self.aws = self.add(
            KarpenterAws,
            "module.karpenter",
            cluster_name=cluster.eks.cluster_name,
            node_iam_role_use_name_prefix=False,
            node_iam_role_name=self.node_role_name,
            create_pod_identity_association=True,
            node_iam_role_additional_policies={
                "AmazonSSMManagedInstanceCore": f"arn:{PARTITION}:iam::aws:policy/AmazonSSMManagedInstanceCore",
                **cluster.node_policies,
            },
            iam_role_permissions_boundary_arn=common.permissions_boundary,
            node_iam_role_permissions_boundary=common.permissions_boundary,
            iam_role_policies={"additional": policy.arn} if policy else None,
            tags=common.tags,
        )
        self.explain(
            "module.karpenter",
            node_iam_role_use_name_prefix="Node classes name the role, so its name must be known in advance.",
            node_iam_role_additional_policies="A shell on a node without SSH: Bottlerocket's control container is an SSM agent.",
        )
        crds = self._crds() if has_crds_apart(self.version) else None
        self.release = self._release(
            "karpenter",
            wait_for_jobs=True,
            values=VALUES.format(
                cluster_name=cluster.eks.cluster_name,
                cluster_endpoint=cluster.eks.cluster_endpoint,
                interruption_queue=self.aws.queue_name,
                further=self._further_settings(options.disable_dry_run),
            ),
            depends_on=[self.aws, cluster.eks, *cluster.network.way_out, *([crds] if crds else [])],
        )
        self.explain(
            "helm_release.karpenter",
            depends_on="A destroy follows this order in reverse. While Karpenter removes its nodes, Karpenter needs its IAM roles, "
            "its queue, its own nodes, and the route from the VPC to AWS.",
        )
        if options.spot_role_check:
            self._check_spot_role()

    def _further_settings(self, disable_dry_run: bool) -> str:
        """Settings of newer releases, as lines of YAML."""
        settings: dict[str, str] = {}
        if hashes_the_ca(self.version):
            # What Karpenter would find itself, in base64. Set, a change shows in a plan before it makes every node drift (KA#9485).
            settings["clusterCABundle"] = self.cluster.eks.cluster_certificate_authority_data
        if disable_dry_run:
            settings["disableDryRun"] = "true"
        if gates := [f"{name}: true" for name, on in self._gates.items() if on]:
            settings["featureGates"] = f"{{{', '.join(gates)}}}"
        return "".join(f"  {name}: {value}\n" for name, value in settings.items())

    def _release(
        self,
        chart: str,
        *,
        values: str,
        depends_on: Sequence[ITerraformDependable],
        wait_for_jobs: bool | None = None,
        take_ownership: bool | None = None,
    ) -> Release:
        """A Helm release of one of Karpenter's charts."""
        registry = self._registry
        address = f"helm_release.{chart.replace('-', '_')}"
        if registry:
            # From 3.1.2 on, the provider does not try the expired token. (OCIRegistryPerformLogin)
            self.explain(
                address,
                lifecycle="Every plan reads a new token; the state keeps the token of the first apply, which expires after 12 "
                "hours. The Helm provider logs in with the new token, from its registries.",
            )
        return self.add(
            Release,
            address,
            namespace=ACCOUNT.namespace,
            name=chart,
            repository=f"{PUBLIC_ECR}/karpenter",
            repository_username=registry.user if registry else None,
            repository_password=registry.password if registry else None,
            chart=chart,
            version=self.version,
            wait=True,
            wait_for_jobs=wait_for_jobs,
            take_ownership=take_ownership,
            values=[values],
            depends_on=depends_on,
            lifecycle=TerraformResourceLifecycle(ignore_changes=["repository_password"]) if registry else None,
        )

    def _crds(self) -> Release:
        """Karpenter's custom resource definitions: Helm installs those of the main chart once, and never upgrades them.

        The release takes over the definitions that the main chart installed, and leaves them when it is destroyed: to delete a
        definition would delete all objects of its kind, and so every node.
        """
        return self._release(
            "karpenter-crd",
            take_ownership=True,
            values="additionalAnnotations:\n  helm.sh/resource-policy: keep\n",
            depends_on=[self.cluster.eks],
        )

    def _further_policy(self, common: Common, placement_groups: Sequence[str]) -> IamPolicy | None:
        """What newer releases need in addition to the module's policy, which is too close to IAM's size limit to be extended."""
        actions = [permission.action for permission in karpenter_permissions(self.version)]
        actions += [FINDS_PLACEMENT_GROUPS] if placement_groups else []
        if not actions:
            return None
        statement: dict[str, Any] = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        if common.region:
            statement["Condition"] = {"StringEquals": {"aws:RequestedRegion": common.region}}
        groups = [f"arn:{PARTITION}:ec2:{common.region}:*:placement-group/{name}" for name in placement_groups]
        launch = {"Effect": "Allow", "Action": list(LAUNCHES_INSTANCES), "Resource": groups}
        statements = [statement, launch] if groups else [statement]
        return self.add(
            IamPolicy,
            "aws_iam_policy.karpenter_additional",
            name=f"{common.name}-KarpenterAdditional",
            description="What this release of Karpenter needs beside the policy of the module",
            policy=self.add_json("karpenter_additional_policy", {"Version": "2012-10-17", "Statement": statements}),
            tags=common.tags,
        )

    def _check_spot_role(self) -> None:
        """Only a check: the role belongs to the account, and a resource would be destroyed with this cluster."""
        role = "data.aws_iam_roles.spot"
        self.add(DataAwsIamRoles, role, path_prefix="/aws-service-role/spot.amazonaws.com/")
        self.add_check(
            "spot_service_linked_role_exists",
            Rule(
                f"length({role}.names) > 0",
                "This account does not have the service-linked role for Spot, and Karpenter cannot launch Spot instances without "
                "the role. Create it once per account: aws iam create-service-linked-role --aws-service-name spot.amazonaws.com",
            ),
        )


# Byte for byte what the HCL wrote: a different spelling of the same values would create a new revision of the release.
VALUES = """\
nodeSelector:
  karpenter.sh/controller: 'true'
tolerations:
  - key: CriticalAddonsOnly
    operator: Exists
dnsPolicy: Default
settings:
  clusterName: {cluster_name}
  clusterEndpoint: {cluster_endpoint}
  interruptionQueue: {interruption_queue}
{further}webhook:
  enabled: false
"""
