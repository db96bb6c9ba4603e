"""The cluster: EKS, and the node group that Karpenter itself runs on."""

from collections.abc import Mapping, Sequence

from imports.eks import Eks

from cdktf_cdktf_provider_aws.data_aws_eks_cluster_versions import DataAwsEksClusterVersions
from constructs import Construct

from stacks.aws.network import Network
from stacks.aws.offerings import zones_by_type
from stacks.config.administrators import Administrators
from stacks.config.checks import ConfigurationError
from stacks.config.common import Common
from stacks.config.control_plane import ADDONS, MALFORMED_VERSIONS, ControlPlane, other_addons
from stacks.config.node_group import INSTANCE_TYPES, NodeGroup, size_rules
from stacks.hcl.expressions import Expression, hcl
from stacks.hcl.rules import DISTINCT, EmptyList, Rule, shown
from stacks.knowledge.versions import EXTENDED_SUPPORT_PRICE, STANDARD_SUPPORT_PRICE
from stacks.terraform.addresses import Addressed
from stacks.terraform.arguments import check_arguments

# The module's own rules between nodes are TCP from port 1025 up, and DNS.
NODE_TRAFFIC = {
    "description": "Node to node all ports and protocols",
    "protocol": "-1",
    "from_port": 0,
    "to_port": 0,
    "type": "ingress",
    "self": True,
}

# EFA's traffic passes only if the rules name the group itself, both ways: the module's rule of 0.0.0.0/0 does not count.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/efa-start.html#efa-start-security
EFA_TRAFFIC = {**NODE_TRAFFIC, "description": "Node to node EFA", "type": "egress"}


class Cluster(Addressed):
    """An EKS cluster with its control plane in the intra subnets and its nodes in the private ones.

    Args:
        node_policies: the ARNs of IAM policies that every node has in addition, by name; Karpenter's nodes have them too.
        efa: whether the security group of the nodes lets EFA's traffic pass.
        further_addons: the names of EKS add-ons that other constructs make; `addon_versions` may name them.

    Attributes:
        eks: the module.
        network, control_plane, node_policies, efa, further_addons: as given.
        addon_versions: the versions by add-on.

    Raises:
        ConfigurationError: a literal argument cannot be right.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        common: Common,
        *,
        network: Network,
        control_plane: ControlPlane | None = None,
        administrators: Administrators | None = None,
        node_group: NodeGroup | None = None,
        node_policies: Mapping[str, str] | None = None,
        efa: bool = False,
        further_addons: Sequence[str] = (),
    ) -> None:
        super().__init__(scope, id)
        self.control_plane = control_plane = control_plane or ControlPlane()
        administrators, node_group = administrators or Administrators(), node_group or NodeGroup()
        check_arguments(
            Cluster,
            common=common,
            network=network,
            control_plane=control_plane,
            administrators=administrators,
            node_group=node_group,
        )
        if found := list(control_plane.other_addons(further_addons)):
            raise ConfigurationError("\n".join(f"Cluster.control_plane.{mistake}" for mistake in found))
        boundary = common.permissions_boundary
        bounded = {"iam_role_permissions_boundary": boundary} if boundary else {}
        self.network, self.node_policies = network, dict(node_policies or {})
        self.efa, self.further_addons = efa, further_addons
        types = self.as_expression("karpenter_node_instance_types", node_group.karpenter_node_instance_types)
        chosen = self.as_expression("karpenter_node_availability_zones", node_group.karpenter_node_availability_zones)
        release = self.as_expression("karpenter_node_release_version", node_group.karpenter_node_release_version)
        self.addon_versions = versions = self.as_expression("addon_versions", control_plane.addon_versions)
        low, desired, high = (
            self.as_expression(name, getattr(node_group, name))
            for name in (f"karpenter_node_{size}_size" for size in ("min", "desired", "max"))
        )
        azs = self.add_local(
            "karpenter_node_azs", Expression(f"length({chosen.hcl}) > 0 ? tolist({chosen.hcl}) : {network.azs.hcl}")
        )
        self.require(
            DISTINCT.rule("karpenter_node_instance_types", types),
            *(rule.rule(types) for rule in INSTANCE_TYPES),
            *size_rules(low, desired, high),
            _zones_of_other_networks(chosen, network.azs),
            other_addons([*ADDONS, *further_addons]).rule(versions),
            MALFORMED_VERSIONS.rule(versions),
        )
        rules = {"ingress_self_all": NODE_TRAFFIC} if network.options.node_traffic_all or efa else {}
        rules |= {"egress_self_all": EFA_TRAFFIC} if efa else {}
        settings: dict[str, dict[str, Expression]] = {}
        if cni := control_plane.vpc_cni:
            settings["vpc-cni"] = {"configuration_values": Expression(f"jsonencode({hcl(cni.settings())})")}
        self.eks = self.add(
            Eks,
            "module.eks",
            name=common.name,
            kubernetes_version=control_plane.kubernetes_version,
            upgrade_policy={"support_type": support} if (support := control_plane.cluster_support_type) else None,
            deletion_protection=control_plane.deletion_protection,
            enable_cluster_creator_admin_permissions=administrators.cluster_admin_arn is None,
            access_entries=administrators.access_inputs(),
            kms_key_administrators=administrators.key_administrators(),
            iam_role_permissions_boundary=boundary,
            endpoint_public_access=control_plane.endpoint_public_access,
            endpoint_public_access_cidrs=list(control_plane.endpoint_public_access_cidrs) or None,
            enabled_log_types=None if control_plane.control_plane_logs is None else list(control_plane.control_plane_logs),
            control_plane_scaling_config={"tier": "standard"},
            addons={
                addon: {
                    **arguments,
                    "addon_version": Expression(f'lookup({versions.hcl}, "{addon}", null)'),
                    **settings.get(addon, {}),
                }
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
                    **({"iam_role_additional_policies": self.node_policies} if self.node_policies else {}),
                }
            },
            node_security_group_additional_rules=rules or None,
            node_security_group_tags={**common.tags, "karpenter.sh/discovery": common.name},
            tags=common.tags,
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
        if common.offering_checks:
            self._require_offerings(types, azs)
        if control_plane.support_check:
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

    def _require_offerings(self, types: Expression, azs: Expression) -> None:
        """EKS refuses a node group in a zone that does not offer its instance types, but only after half of the rest exists."""
        zones_of = zones_by_type(self, "node_group", instance_types=types, azs=self.network.azs)
        every = f"alltrue([for zones in values({zones_of.hcl}) : contains(zones, zone)])"
        possible = self.add_local(
            "karpenter_node_azs_that_work", Expression(f"[for zone in {self.network.azs.hcl} : zone if {every}]")
        )
        # Only the zones of the network that AWS returns: other rules refuse the others.
        zones = f"setintersection({azs.hcl}, {self.network.azs.hcl}, {self.network.available.hcl}.names)"
        missing = EmptyList(
            "karpenter_node_azs_without_the_types",
            f"setsubtract({zones}, {possible.hcl})",
            "karpenter_node_instance_types must be offered in every zone of the node group: EC2 does not offer "
            f'${{join(", ", {types.hcl})}} in ${{join(", ", local.karpenter_node_azs_without_the_types)}}, and EKS would refuse '
            f'the node group. ${{length({possible.hcl}) > 0 ? "Set karpenter_node_availability_zones = '
            f'${{jsonencode({possible.hcl})}}" : "Choose other karpenter_node_instance_types"}} (this replaces a living node '
            "group).",
        )
        self.require(missing)


def _zones_of_other_networks(zones: Expression, azs: Expression) -> EmptyList:
    return EmptyList(
        "karpenter_node_azs_of_other_networks",
        f"setsubtract({zones.hcl}, {azs.hcl})",
        "karpenter_node_availability_zones must be zones of the network (got {found}). Its zones are "
        f'${{join(", ", {azs.hcl})}}.',
    )
