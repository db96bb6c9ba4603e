"""The cluster: EKS, and the node group that Karpenter itself runs on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from imports.eks import Eks
from imports.expressions import Expression

from cdktf_cdktf_provider_aws.data_aws_eks_cluster_versions import DataAwsEksClusterVersions
from constructs import Construct

from stacks.aws.network import Network
from stacks.aws.offerings import zones_by_type
from stacks.config import AccessEntry, rules
from stacks.config.checks import at_least, not_empty, whole
from stacks.config.rules import Finding, Rule, shown
from stacks.config.versions import EXTENDED_SUPPORT_PRICE, STANDARD_SUPPORT_PRICE
from stacks.terraform.addresses import Addressed
from stacks.terraform.arguments import check_arguments

ADDONS: dict[str, dict[str, bool]] = {
    "coredns": {},
    "kube-proxy": {},
    "eks-pod-identity-agent": {"before_compute": True},
    "vpc-cni": {"before_compute": True},
}


@dataclass(frozen=True, kw_only=True)
class NodeGroup:
    """The managed node group: the only nodes that Karpenter does not create.

    Attributes:
        instance_types: x86_64 instance types.
        min_size, max_size, desired_size: numbers of nodes. Terraform ignores later changes of the desired size.
        availability_zones: a list of zones; an empty list stands for all of the network.
        release_version: the Bottlerocket release, such as `1.53.0-4fc45e5a`; None for the latest.
    """

    instance_types: Annotated[Sequence[str], not_empty] = ("m5.large",)
    min_size: Annotated[float | Expression, whole, at_least(1)] = 2
    max_size: Annotated[float | Expression, whole, at_least(1)] = 3
    desired_size: Annotated[float | Expression, whole, at_least(1)] = 2
    availability_zones: Sequence[str] = ()
    release_version: str | None = None


@dataclass(frozen=True, kw_only=True)
class ControlPlane:
    """Versions, endpoints and logs of the control plane.

    Attributes:
        kubernetes_version: such as `1.33`.
        support_type: STANDARD upgrades the cluster when standard support ends, EXTENDED costs more from then on; None as it is.
        public_access: whether the API has a public endpoint.
        public_access_cidrs: the networks that reach the public endpoint; () for every address.
        log_types: logs in CloudWatch; None for the module's audit, api and authenticator.
        deletion_protection: whether EKS refuses to delete the cluster.
    """

    kubernetes_version: str = "1.33"
    support_type: Literal["STANDARD", "EXTENDED"] | None = None
    public_access: bool = True
    public_access_cidrs: Sequence[str] = ()
    log_types: Sequence[str] | None = None
    deletion_protection: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Administrators:
    """Who reaches the Kubernetes API, and who administers the key of its secrets.

    Attributes:
        admin_arn: an IAM role or user that administers both; None for whoever runs Terraform.
        entries: further roles and users that reach the API.
        key_administrator_arns: further administrators of the key.
    """

    admin_arn: str | None = None
    entries: Sequence[AccessEntry] = ()
    key_administrator_arns: Sequence[str] = ()

    def access_entries(self) -> dict[str, dict[str, object]] | None:
        """The entries in the module's shape; None where there are none."""
        entries = {entry.name: entry.inputs() for entry in self.entries}
        if self.admin_arn:
            # The key and the association are the module's own for the creator, so that the addresses stay.
            admin = AccessEntry("cluster_creator", principal_arn=self.admin_arn, policy="ClusterAdmin")
            entries["cluster_creator"] = admin.inputs()
        return entries or None

    def key_administrators(self) -> list[str] | None:
        """All administrators of the key; None for whoever runs Terraform."""
        return [self.admin_arn, *self.key_administrator_arns] if self.admin_arn else None


class Cluster(Addressed):
    """An EKS cluster with its control plane in the intra subnets and its nodes in the private ones.

    Args:
        name: the name of the cluster, and the value of the tag by which Karpenter finds the nodes' security group.
        network: where the cluster is.
        node_group: the nodes that Karpenter runs on.
        addon_versions: the versions of some of `ADDONS`; the others have the latest that AWS offers.
        control_plane: versions, endpoints and logs.
        administrators: who reaches the Kubernetes API.
        permissions_boundary: the ARN of the IAM policy that bounds the roles.
        offering_checks: whether a plan asks EC2 if it offers the node group's types in its zones.
        support_check: whether a plan asks EKS if the Kubernetes version is in standard support.
        tags: the tags of all that is made.

    Attributes:
        eks: the module.
        network: as given.
        requirements: what must hold before the cluster is created, as preconditions.

    Raises:
        ConfigurationError: a literal argument cannot be right.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: str,
        network: Network,
        node_group: NodeGroup | None = None,
        addon_versions: Mapping[str, str] | Expression | None = None,
        control_plane: ControlPlane | None = None,
        administrators: Administrators | None = None,
        permissions_boundary: str | None = None,
        offering_checks: bool = True,
        support_check: bool = False,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(scope, id)
        node_group, control_plane = node_group or NodeGroup(), control_plane or ControlPlane()
        administrators = administrators or Administrators()
        check_arguments(self, locals())
        bounded = {"iam_role_permissions_boundary": permissions_boundary} if permissions_boundary else {}
        self.network = network
        types = self.bind("karpenter_node_instance_types", node_group.instance_types)
        chosen = self.bind("karpenter_node_availability_zones", node_group.availability_zones)
        release = self.bind("karpenter_node_release_version", node_group.release_version)
        versions = self.bind("addon_versions", addon_versions or {})
        low, desired, high = (
            self.bind(f"karpenter_node_{size}_size", getattr(node_group, f"{size}_size")) for size in ("min", "desired", "max")
        )
        azs = self.add_local(
            "karpenter_node_azs", Expression(f"length({chosen.hcl}) > 0 ? tolist({chosen.hcl}) : {network.azs.hcl}")
        )
        self.requirements = self.add_rules(
            *rules.karpenter_node_instance_types(types),
            *rules.karpenter_node_sizes(low, desired, high),
            _zones_of_other_networks(chosen, network.azs),
            *rules.addon_versions(versions, list(ADDONS)),
        )
        self.eks = self.add(
            Eks,
            "module.eks",
            name=name,
            kubernetes_version=control_plane.kubernetes_version,
            upgrade_policy={"support_type": control_plane.support_type} if control_plane.support_type else None,
            deletion_protection=control_plane.deletion_protection,
            enable_cluster_creator_admin_permissions=administrators.admin_arn is None,
            access_entries=administrators.access_entries(),
            kms_key_administrators=administrators.key_administrators(),
            iam_role_permissions_boundary=permissions_boundary,
            endpoint_public_access=control_plane.public_access,
            endpoint_public_access_cidrs=list(control_plane.public_access_cidrs) or None,
            enabled_log_types=None if control_plane.log_types is None else list(control_plane.log_types),
            control_plane_scaling_config={"tier": "standard"},
            addons={
                addon: {**arguments, "addon_version": Expression(f'lookup({versions.hcl}, "{addon}", null)')}
                for addon, arguments in ADDONS.items()
            },
            vpc_id=network.vpc.vpc_id,
            subnet_ids=network.vpc.private_subnets,
            control_plane_subnet_ids=network.control_plane_subnets,
            eks_managed_node_groups={
                "karpenter": {
                    "ami_type": "BOTTLEROCKET_x86_64",
                    "instance_types": types,
                    "subnet_ids": network.private_subnets_in(azs),
                    "min_size": low,
                    "max_size": high,
                    "desired_size": desired,
                    "ami_release_version": release,
                    "use_latest_ami_release_version": Expression(f"{release.hcl} == null"),
                    "labels": {"karpenter.sh/controller": "true"},
                    "taints": {"karpenter": {"key": "CriticalAddonsOnly", "value": "true", "effect": "NO_SCHEDULE"}},
                    **bounded,
                }
            },
            node_security_group_tags={**(tags or {}), "karpenter.sh/discovery": name},
            tags=tags or {},
        )
        self.explain(
            "module.eks",
            addons="before_compute: a node is ready only with its network, and Karpenter gets its credentials from the agent.",
            enable_cluster_creator_admin_permissions="Whoever creates the cluster also administers the cluster, unless "
            "cluster_admin_arn names another identity: the same run installs Karpenter.",
            eks_managed_node_groups="Label and taint: Karpenter must not run on nodes that Karpenter may remove.",
        )
        self.add_check(
            "karpenter_is_highly_available",
            Rule(
                f"{low.hcl} != 1",
                f"karpenter_node_min_size should be at least 2 (got {shown(low)}): Karpenter stops when a single node is replaced.",
            ),
        )
        if offering_checks:
            self.requirements += self._offering_rules(types, azs)
        if support_check:
            self._check_support(control_plane.kubernetes_version)

    def _check_support(self, version: str) -> None:
        """A warning from AWS's own data. https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html"""
        data = Expression("data.aws_eks_cluster_versions.available")
        self.add(DataAwsEksClusterVersions, data.hcl)
        ours = f'v.cluster_version == "{version}" && v.version_status != "STANDARD_SUPPORT"'
        ended = self.add_local(
            "kubernetes_versions_out_of_standard_support", Expression(f"[for v in {data.hcl}.cluster_versions : v if {ours}]")
        )
        self.add_check(
            "kubernetes_version_is_in_standard_support",
            Rule(
                f"length({ended.hcl}) == 0",
                f'Standard support of Kubernetes {version} ended on ${{join(", ", [for v in {ended.hcl} : '
                f"substr(v.end_of_standard_support_date, 0, 10)])}}. In extended support a cluster costs "
                f"${EXTENDED_SUPPORT_PRICE:.2f} an hour instead of ${STANDARD_SUPPORT_PRICE:.2f}. Raise kubernetes_version, one "
                "minor version at a time.",
            ),
        )

    def _offering_rules(self, types: Expression, azs: Expression) -> list[Rule]:
        """EKS refuses a node group in a zone that does not offer its instance types, but only after half of the rest exists."""
        zones_of = zones_by_type(self, "node_group", instance_types=types, azs=self.network.azs)
        every = f"alltrue([for zones in values({zones_of.hcl}) : contains(zones, zone)])"
        possible = self.add_local(
            "karpenter_node_azs_that_work", Expression(f"[for zone in {self.network.azs.hcl} : zone if {every}]")
        )
        # Only the zones of the network that AWS returns: other rules refuse the others.
        zones = f"setintersection({azs.hcl}, {self.network.azs.hcl}, {self.network.available.hcl}.names)"
        missing = Finding(
            "karpenter_node_azs_without_the_types",
            f"setsubtract({zones}, {possible.hcl})",
            "karpenter_node_instance_types must be offered in every zone of the node group: EC2 does not offer "
            f'${{join(", ", {types.hcl})}} in ${{join(", ", local.karpenter_node_azs_without_the_types)}}, and EKS would refuse '
            f'the node group. ${{length({possible.hcl}) > 0 ? "Set karpenter_node_availability_zones = '
            f'${{jsonencode({possible.hcl})}}" : "Choose other karpenter_node_instance_types"}} (this replaces a living node '
            "group).",
        )
        return self.add_rules(missing)


def _zones_of_other_networks(zones: Expression, azs: Expression) -> Finding:
    return Finding(
        "karpenter_node_azs_of_other_networks",
        f"setsubtract({zones.hcl}, {azs.hcl})",
        "karpenter_node_availability_zones must be zones of the network (got {found}). Its zones are "
        f'${{join(", ", {azs.hcl})}}.',
    )
