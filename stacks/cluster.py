"""The cluster: EKS, and the node group that Karpenter itself runs on."""

from collections.abc import Mapping
from dataclasses import dataclass

from constructs import Construct

from imports.eks import Eks
from imports.expressions import Expression, hcl
from stacks.addresses import Addressed
from stacks.arguments import check_arguments, check_positive
from stacks.network import Network
from stacks.offerings import Offerings
from stacks.rules import Rule

KUBERNETES_VERSION = "1.33"


@dataclass(frozen=True, kw_only=True)
class NodeGroup:
    """The managed node group: the only nodes that Karpenter does not make.

    Attributes:
        instance_types: a list of x86_64 instance types.
        min_size, max_size, desired_size: numbers of nodes. A live group's desired size is left to who changed it.
        availability_zones: a list of zones; an empty one stands for all of the network.

    Raises:
        ValueError: a number is none, or less than 1.
    """

    instance_types: Expression
    min_size: Expression | int
    max_size: Expression | int
    desired_size: Expression | int
    availability_zones: Expression

    def __post_init__(self) -> None:
        for size in ("min_size", "max_size", "desired_size"):
            check_positive(f"NodeGroup: {size}", getattr(self, size))


class Cluster(Addressed):
    """An EKS cluster with its control plane in the intra subnets and its nodes in the private ones.

    Args:
        name: the name of the cluster, and the value of the tag by which Karpenter finds the nodes' security group.
        network: where it is.
        node_group: the nodes that Karpenter runs on.
        offering_checks: whether a plan asks EC2 if it offers the node group's types in its zones.
        tags: the tags of all that is made.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: Expression,
        network: Network,
        node_group: NodeGroup,
        offering_checks: bool,
        tags: Mapping[str, str],
    ) -> None:
        super().__init__(scope, id)
        check_arguments(self, locals())
        self.network = network
        chosen = hcl(node_group.availability_zones)
        zones = f"(length({chosen}) > 0 ? tolist({chosen}) : local.azs)"
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
                "coredns": {},
                "kube-proxy": {},
                # Before the nodes: a node is ready only with its network, and Karpenter gets its credentials from the agent.
                "eks-pod-identity-agent": {"before_compute": True},
                "vpc-cni": {"before_compute": True},
            },
            vpc_id=network.vpc.vpc_id,
            subnet_ids=network.vpc.private_subnets,
            control_plane_subnet_ids=network.control_plane_subnets,
            eks_managed_node_groups={
                "karpenter": {
                    "ami_type": "BOTTLEROCKET_x86_64",
                    "instance_types": node_group.instance_types,
                    "subnet_ids": network.private_subnets_in(zones),
                    "min_size": node_group.min_size,
                    "max_size": node_group.max_size,
                    "desired_size": node_group.desired_size,
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
                f"{hcl(node_group.min_size)} >= 2",
                "karpenter_node_min_size: one node alone takes Karpenter with it when it is replaced; 2 or more keep it available.",
            ),
        )
        if offering_checks:
            self._check_offerings(node_group, zones)

    def _check_offerings(self, node_group: NodeGroup, zones: str) -> None:
        """EKS refuses a node group with a zone that does not offer its instance type, when half of the rest is made."""
        offered = Offerings(self, "node_group", node_group.instance_types)
        pairs = f"setproduct({hcl(node_group.instance_types)}, setintersection({zones}, local.azs))"
        missing = f'[for pair in {pairs} : join(" in ", pair) if !{offered.includes("pair[0]", "pair[1]")}]'
        self.add_check(
            "node_group_types_are_offered",
            Rule(
                f"length({missing}) == 0",
                f'karpenter_node_instance_types: EC2 does not offer ${{join(", ", {missing})}}; EKS refuses a node group there. '
                "Name other zones in karpenter_node_availability_zones (which replaces a living node group).",
            ),
        )
