"""The cluster: EKS, and the node group that Karpenter itself runs on."""

from collections.abc import Mapping
from dataclasses import dataclass

from constructs import Construct

from imports.eks import Eks
from imports.expressions import Expression
from stacks.addresses import Addressed
from stacks.network import Network

KUBERNETES_VERSION = "1.33"


@dataclass(frozen=True, kw_only=True)
class NodeGroup:
    """The managed node group: the only nodes that Karpenter does not make.

    Attributes:
        instance_types: a list of x86_64 instance types.
        min_size, max_size, desired_size: numbers of nodes. A live group's desired size is left to who changed it.
    """

    instance_types: Expression
    min_size: Expression
    max_size: Expression
    desired_size: Expression


class Cluster(Addressed):
    """An EKS cluster with its control plane in the intra subnets and its nodes in the private ones.

    Args:
        name: the name of the cluster, and the value of the tag by which Karpenter finds the nodes' security group.
        network: where it is.
        node_group: the nodes that Karpenter runs on.
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
        tags: Mapping[str, str],
    ) -> None:
        super().__init__(scope, id)
        self.network = network
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
