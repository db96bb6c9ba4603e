"""Whether what runs on the node group fits there. Plain Python.

`requests.csv` has what a pod of each component requests, all containers together; the EKS add-on that brings the component, unless
every cluster has it; and the ports that the pod takes of its node. A component without `replicas` is a DaemonSet. What requests
nothing has 0: Karpenter and the load balancer controller use what the others leave.
"""

import csv
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from stacks.knowledge.catalogue import GeneralInstanceType, general_instance_types

REQUESTS = Path(__file__).with_name("requests.csv")

# What the hypervisor and the kernel take of the memory that EC2 names, as Karpenter estimates it (VM_MEMORY_OVERHEAD_PERCENT).
MEMORY_OVERHEAD = 0.075
# kube_reserve_memory in sources/api/schnauzer/src/helpers/mod.rs of bottlerocket-os/bottlerocket-core-kit (a10182f9), and the
# kubelet's own eviction threshold.
RESERVED_MEMORY_MIB, RESERVED_MEMORY_MIB_PER_POD, EVICTION_MIB = 255, 11, 100
# kube_cpu_helper there: for one to four cores, and for each further core.
RESERVED_MILLICORES, RESERVED_MILLICORES_PER_CORE = (60, 70, 75, 80), 2.5


@dataclass(frozen=True, kw_only=True)
class Component:
    """What runs on the node group, by pod."""

    name: str
    addon: str
    """The EKS add-on that brings the component; "" if every cluster has the component."""
    replicas: int | None
    """None for a pod on each node."""
    most_per_node: int | None
    cpu_millicores: int
    memory_mib: int
    host_ports: tuple[int, ...]
    source: str

    def pods(self, nodes: int) -> int:
        """The pods that run on a number of nodes. Others wait, as Karpenter's second one does on a single node."""
        most = None if self.most_per_node is None else self.most_per_node * nodes
        return min(number for number in (self.replicas, most) if number is not None)


@dataclass(frozen=True, kw_only=True)
class Room:
    """CPU, memory and pods: what nodes have, or what pods request."""

    cpu_millicores: int
    memory_mib: int
    pods: int


@cache
def components() -> tuple[Component, ...]:
    """All rows."""
    with REQUESTS.open(newline="") as file:
        return tuple(
            Component(
                name=row["component"],
                addon=row["further_addon"],
                replicas=int(row["replicas"]) if row["replicas"] else None,
                most_per_node=int(row["most_per_node"]) if row["most_per_node"] else None,
                cpu_millicores=int(row["cpu_millicores"]),
                memory_mib=int(row["memory_mib"]),
                host_ports=tuple(map(int, row["host_ports"].split())),
                source=row["source"],
            )
            for row in csv.DictReader(file)
        )


def requested(addons: Collection[str], *, nodes: int) -> Room:
    """What the components of a cluster request together on a number of nodes of the node group."""
    running = [(row, row.pods(nodes)) for row in components() if row.addon in ("", *addons)]
    return Room(
        cpu_millicores=sum(row.cpu_millicores * pods for row, pods in running),
        memory_mib=sum(row.memory_mib * pods for row, pods in running),
        pods=sum(pods for _, pods in running),
    )


def room(node: GeneralInstanceType, *, nodes: int = 1) -> Room:
    """What Bottlerocket nodes of a type leave to pods (`Allocatable`)."""
    further = max(node.vcpus - len(RESERVED_MILLICORES), 0)
    cpu = RESERVED_MILLICORES[min(node.vcpus, len(RESERVED_MILLICORES)) - 1] + int(further * RESERVED_MILLICORES_PER_CORE)
    memory = RESERVED_MEMORY_MIB + RESERVED_MEMORY_MIB_PER_POD * node.pods + EVICTION_MIB
    return Room(
        cpu_millicores=nodes * (1000 * node.vcpus - cpu),
        memory_mib=nodes * (int(node.memory_mib * (1 - MEMORY_OVERHEAD)) - memory),
        pods=nodes * node.pods,
    )


def shortages(addons: Collection[str], *, instance_type: str, nodes: int) -> list[str]:
    """What nodes of a type have too little of, such as "11 of 13 pods"; [] if all fits, or the type is not known."""
    node = next((row for row in general_instance_types() if row.instance_type == instance_type), None)
    if node is None:
        return []
    needed, available = requested(addons, nodes=nodes), room(node, nodes=nodes)
    figures = (
        (available.cpu_millicores, needed.cpu_millicores, "millicores"),
        (available.memory_mib, needed.memory_mib, "MiB"),
        (available.pods, needed.pods, "pods"),
    )
    return [f"{most} of {least} {unit}" for most, least, unit in figures if least > most]
