"""How many addresses of its subnet a GPU node takes. Plain Python.

The rule is the VPC CNI's (isDatastorePoolTooLow, datastoreTargetState and GetENIResourcesToAllocate in pkg/ipamd/ipamd.go of
aws/amazon-vpc-cni-k8s at b521883, 2026-08-20). The CNI uses the interfaces of the first network card, and the first address of each
is not for pods. Without targets the CNI fills interfaces, and keeps as many free addresses as one interface has.
"""

from math import ceil

from stacks.knowledge.catalogue import GpuInstanceType, gpu_instance_types
from stacks.knowledge.efa import EfaInterface, layout

# The first four addresses of a subnet, and the last: https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
RESERVED_ADDRESSES = 5


def addresses_of_subnet(prefix: int) -> int:
    """The addresses that AWS leaves of a subnet, by its prefix length."""
    return int(2 ** (32 - prefix)) - RESERVED_ADDRESSES


def addresses_of_node(
    node: GpuInstanceType, *, warm_ip_target: int = 0, minimum_ip_target: int = 0, efa: EfaInterface | None = None
) -> int:
    """The addresses that a busy node takes: its own, and those for its pods and ready for more.

    Args:
        node: its type. A busy node has a pod for each GPU; pods of the host's network, as most DaemonSets have, need no address.
        warm_ip_target: the CNI's `WARM_IP_TARGET`; 0 if it is not set.
        minimum_ip_target: the CNI's `MINIMUM_IP_TARGET`; 0 if it is not set.
        efa: the interfaces of EFA. For pods that request `vpc.amazonaws.com/efa`, Karpenter makes those of type efa, with an
            address on each further network card. Those of type efa-only have none, but take one of the first card from the CNI.
    """
    per_interface = node.addresses_per_interface - 1
    most = node.interfaces - (1 if efa == "efa-only" and node.efa and layout(node).first else 0)
    if warm_ip_target or minimum_ip_target:
        for_pods = min(max(minimum_ip_target, node.gpus + warm_ip_target), most * per_interface)
        interfaces = ceil(for_pods / per_interface)
    else:
        interfaces = min(ceil(node.gpus / per_interface) + 1, most)
        for_pods = interfaces * per_interface
    return interfaces + for_pods + (node.network_cards - 1 if efa == "efa" and node.efa else 0)


def addresses_by_type(*, warm_ip_target: int = 0, minimum_ip_target: int = 0, efa: EfaInterface | None = None) -> dict[str, int]:
    """The types that a GPU pool can use, with the addresses that a node takes."""
    targets = {"warm_ip_target": warm_ip_target, "minimum_ip_target": minimum_ip_target}
    return {row.instance_type: addresses_of_node(row, **targets, efa=efa) for row in gpu_instance_types() if row.usable}
