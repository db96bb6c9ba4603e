"""The cluster: EKS, and the node group that Karpenter itself runs on."""

from collections.abc import Mapping
from dataclasses import dataclass

from imports.eks import Eks
from imports.expressions import Expression, hcl

from constructs import Construct

from stacks import rules
from stacks.addresses import Addressed
from stacks.arguments import check_arguments, check_positive
from stacks.network import Network
from stacks.offerings import Offerings
from stacks.rules import Rule, given

KUBERNETES_VERSION = "1.33"

ADDONS: dict[str, dict[str, bool]] = {
    "coredns": {},
    "kube-proxy": {},
    # Before the nodes: a node is ready only with its network, and Karpenter gets its credentials from the agent.
    "eks-pod-identity-agent": {"before_compute": True},
    "vpc-cni": {"before_compute": True},
}


@dataclass(frozen=True, kw_only=True)
class NodeGroup:
    """The managed node group: the only nodes that Karpenter does not make.

    Attributes:
        instance_types: a list of x86_64 instance types.
        min_size, max_size, desired_size: numbers of nodes. A live group's desired size is left to who changed it.
        availability_zones: a list of zones; an empty one stands for all of the network.
        release_version: the Bottlerocket release, as `1.53.0-4fc45e5a`; null for the latest.

    Raises:
        ValueError: a number is none, or less than 1.
    """

    instance_types: Expression
    min_size: Expression | int
    max_size: Expression | int
    desired_size: Expression | int
    availability_zones: Expression
    release_version: Expression

    def __post_init__(self) -> None:
        for size in ("min_size", "max_size", "desired_size"):
            check_positive(f"NodeGroup: {size}", getattr(self, size))


class Cluster(Addressed):
    """An EKS cluster with its control plane in the intra subnets and its nodes in the private ones.

    Args:
        name: the name of the cluster, and the value of the tag by which Karpenter finds the nodes' security group.
        network: where it is.
        node_group: the nodes that Karpenter runs on.
        addon_versions: a map, the versions of some of `ADDONS`; the latest that AWS offers for the others.
        offering_checks: whether a plan asks EC2 if it offers the node group's types in its zones.
        tags: the tags of all that is made.

    Attributes:
        requirements: what must hold before the cluster is created.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: Expression,
        network: Network,
        node_group: NodeGroup,
        addon_versions: Expression,
        offering_checks: bool,
        tags: Mapping[str, str],
    ) -> None:
        super().__init__(scope, id)
        check_arguments(self, locals())
        self.network = network
        chosen, release = hcl(node_group.availability_zones), hcl(node_group.release_version)
        azs = self.add_local("karpenter_node_azs", f"${{length({chosen}) > 0 ? tolist({chosen}) : {hcl(network.azs)}}}")
        self.requirements = [
            *rules.karpenter_node_instance_types(),
            *rules.karpenter_node_sizes(),
            _zones_are_the_networks(chosen),
            rules.addon_versions(ADDONS),
        ]
        self.eks = self.add(
            Eks,
            "module.eks",
            name=name,
            kubernetes_version=KUBERNETES_VERSION,
            # Who makes the cluster administers it: the same run installs Karpenter in it.
            enable_cluster_creator_admin_permissions=True,
            endpoint_public_access=True,
            control_plane_scaling_config={"tier": "standard"},
            addons={
                name: {**arguments, "addon_version": f'${{lookup({hcl(addon_versions)}, "{name}", null)}}'}
                for name, arguments in ADDONS.items()
            },
            vpc_id=network.vpc.vpc_id,
            subnet_ids=network.vpc.private_subnets,
            control_plane_subnet_ids=network.control_plane_subnets,
            eks_managed_node_groups={
                "karpenter": {
                    "ami_type": "BOTTLEROCKET_x86_64",
                    "instance_types": node_group.instance_types,
                    "subnet_ids": network.private_subnets_in(hcl(azs)),
                    "min_size": node_group.min_size,
                    "max_size": node_group.max_size,
                    "desired_size": node_group.desired_size,
                    "ami_release_version": node_group.release_version,
                    "use_latest_ami_release_version": f"${{{release} == null}}",
                    # Karpenter must not run on nodes that Karpenter may remove.
                    "labels": {"karpenter.sh/controller": "true"},
                    "taints": {"karpenter": {"key": "CriticalAddonsOnly", "value": "true", "effect": "NO_SCHEDULE"}},
                }
            },
            node_security_group_tags={**tags, "karpenter.sh/discovery": name},
            tags=tags,
        )
        self.add_check(
            "karpenter_is_highly_available",
            Rule(
                f"{hcl(node_group.min_size)} != 1",
                f"karpenter_node_min_size should be at least 2 (got {given('karpenter_node_min_size')}): Karpenter "
                "stops when a single node is replaced.",
            ),
        )
        if offering_checks:
            self._require_offerings(node_group)

    def _require_offerings(self, node_group: NodeGroup) -> None:
        """EKS refuses a node group with a zone that does not offer its instance types, after half of the rest was created."""
        zones_of = Offerings(self, "node_group", instance_types=node_group.instance_types, azs=self.network.azs).zones
        offered = f"[for zone in local.azs : zone if alltrue([for zones in values({zones_of}) : contains(zones, zone)])]"
        possible = hcl(self.add_local("karpenter_node_azs_that_work", f"${{{offered}}}"))
        # Of the network's zones that AWS answers: other rules judge the rest.
        zones = "setintersection(local.karpenter_node_azs, local.azs, data.aws_availability_zones.available.names)"
        missing = f"setsubtract({zones}, {possible})"
        what = f'${{join(", ", {hcl(node_group.instance_types)})}} in ${{join(", ", {missing})}}'
        fix = (
            f'${{length({possible}) > 0 ? "Set karpenter_node_availability_zones = ${{jsonencode({possible})}}" : '
            '"Choose other karpenter_node_instance_types"}'
        )
        self.requirements.append(
            Rule(
                f"length({missing}) == 0",
                "karpenter_node_instance_types must be offered in every zone of the node group: EC2 does not offer "
                f"{what}, and EKS would refuse the node group. {fix} (this replaces a living node group).",
            )
        )


def _zones_are_the_networks(zones: str) -> Rule:
    others = f"setsubtract({zones}, local.azs)"
    return Rule(
        f"length({others}) == 0",
        f"karpenter_node_availability_zones must be zones of the network (got ${{jsonencode({others})}}). Its zones are "
        '${join(", ", local.azs)}.',
    )
