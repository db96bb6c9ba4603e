"""Which instance types the pools of a living cluster may launch, where, and how many. Plain Python."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from operator import ge, gt, le, lt

from stacks.knowledge.catalogue import FAMILY_SCHEME, GpuInstanceType, category, family, gpu_instance_types, vcpus_of_all_types
from stacks.operations.checks.facts import Facts, at, listed, name_of, text, texts, whole
from stacks.operations.deployment import Object

TYPE = "node.kubernetes.io/instance-type"
FAMILY = "karpenter.k8s.aws/instance-family"
CATEGORY = "karpenter.k8s.aws/instance-category"
CPUS = "karpenter.k8s.aws/instance-cpu"
GENERATION = "karpenter.k8s.aws/instance-generation"
GPU_NAME, GPU_COUNT = "karpenter.k8s.aws/instance-gpu-name", "karpenter.k8s.aws/instance-gpu-count"
ZONE = "topology.kubernetes.io/zone"
CAPACITY_TYPE = "karpenter.sh/capacity-type"
GPU = "nvidia.com/gpu"


@dataclass(frozen=True)
class LivePool:
    """A pool as Kubernetes has it.

    Attributes:
        name: of the NodePool.
        node_class: the name of its EC2NodeClass.
        types: the instance types that it may launch, as far as this program knows them.
        names_types: whether the pool names its types, and does not only describe them.
        capacity_types: spot, on-demand, reserved.
        zones: those of its node class that its requirements allow; None if neither says.
        limits: the limits that are numbers, by resource; those of a pool with `replicas` have nodes.
    """

    name: str
    node_class: str
    types: tuple[str, ...]
    names_types: bool
    capacity_types: tuple[str, ...]
    zones: tuple[str, ...] | None
    limits: dict[str, int]

    def vcpus(self, types: Sequence[str]) -> int | None:
        """The most vCPUs that nodes of some types have together at the limits; None without a limit that counts.

        Raises:
            KeyError: a type is not in the catalogue.
        """
        known = {one: (vcpus_of_all_types()[one], _gpus().get(one, 0)) for one in types}
        most = []
        if (limit := self.limits.get("cpu")) is not None:
            most.append(limit)
        if (limit := self.limits.get("nodes")) is not None:
            most.append(limit * max(cpus for cpus, _ in known.values()))
        if (limit := self.limits.get(GPU)) is not None and all(gpus for _, gpus in known.values()):
            most.append(max(limit // gpus * cpus for cpus, gpus in known.values()))
        return min(most, default=None)

    @property
    def nodes_at_limit(self) -> int | None:
        """How many nodes of the largest type the limits allow, at least one; None if they do not say."""
        gpus = max((_gpus().get(one, 0) for one in self.types), default=0)
        found = [self.limits[GPU] // gpus] if gpus and GPU in self.limits else []
        found += [self.limits["nodes"]] if "nodes" in self.limits else []
        return max(1, min(found)) if found else None


def pools_of(facts: Facts) -> list[LivePool]:
    """The pools.

    Raises:
        NotKnownError: there is no answer about pools.
    """
    return [_pool(facts, item) for item in facts.objects("nodepools")]


def reservations_of(facts: Facts) -> Iterator[str]:
    """The ids of the capacity reservations that node classes found.

    Raises:
        NotKnownError: there is no answer about node classes.
    """
    for item in facts.objects("nodeclasses"):
        yield from filter(None, (text(one, "id") for one in listed(item, "status", "capacityReservations")))


def _pool(facts: Facts, item: Object) -> LivePool:
    template = at(item, "spec", "template", "spec")
    requirements = [one for one in listed(template, "requirements") if isinstance(one, dict)]
    node_class = text(template, "nodeClassRef", "name")
    limits = at(item, "spec", "limits")
    counted = {name: whole(value) for name, value in limits.items()} if isinstance(limits, dict) else {}
    if isinstance(replicas := at(item, "spec", "replicas"), int):
        counted.setdefault("nodes", replicas)
    named = _values(requirements, TYPE)
    markets = _values(requirements, CAPACITY_TYPE) or ("on-demand", "spot")  # a pool that does not say takes both, Spot first
    return LivePool(
        name=name_of(item),
        node_class=node_class,
        types=_allowed(requirements, TYPE, named) if named is not None else _of_shape(json.dumps(requirements)),
        names_types=bool(named),
        capacity_types=_allowed(requirements, CAPACITY_TYPE, markets),
        zones=_allowed(requirements, ZONE, zones) if (zones := _zones(facts, node_class)) else _values(requirements, ZONE),
        limits={name: value for name, value in counted.items() if value is not None},
    )


def _values(requirements: Sequence[Object], key: str) -> tuple[str, ...] | None:
    """The values that a label may have; None if the pool does not list any."""
    found = [texts(one, "values") for one in requirements if one.get("key") == key and one.get("operator") == "In"]
    return tuple(value for value in found[0] if all(value in other for other in found[1:])) if found else None


def _allowed(requirements: Sequence[Object], key: str, values: Iterable[str]) -> tuple[str, ...]:
    """Those of some values of a label that all requirements allow."""
    mine = [one for one in requirements if one.get("key") == key]
    return tuple(value for value in values if all(_allows(one, value) for one in mine))


def _allows(requirement: Object, value: str) -> bool:
    """Whether a requirement allows a value of its label; "" is a label that is not there."""
    values, number = texts(requirement, "values"), int(value) if value.isdecimal() else None
    limit = int(values[0]) if values and values[0].isdecimal() else None
    match requirement.get("operator"):
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return bool(value)
        case "DoesNotExist":
            return not value
        case "Gt" | "Lt" | "Gte" | "Lte" as operator:
            compare = {"Gt": gt, "Lt": lt, "Gte": ge, "Lte": le}[operator]
            return limit is None or (number is not None and compare(number, limit))
    return True


@cache
def _of_shape(asked: str) -> tuple[str, ...]:
    """The types of the catalogue that have what requirements ask for, as far as the program knows these labels."""
    requirements, found = json.loads(asked), []
    for one, cpus in vcpus_of_all_types().items():
        gpus, scheme = _gpu_rows().get(one), FAMILY_SCHEME.match(one)
        has = {TYPE: one, FAMILY: family(one), CATEGORY: category(one), CPUS: str(cpus)}
        has |= {
            GENERATION: scheme[2] if scheme else "",
            GPU_NAME: gpus.gpu if gpus else "",
            GPU_COUNT: str(gpus.gpus) if gpus else "",
        }
        if all(_allowed(requirements, key, (value,)) for key, value in has.items()):
            found.append(one)
    return tuple(found)


def _zones(facts: Facts, node_class: str) -> tuple[str, ...]:
    classes = [one for one in listed(facts.answers.get("nodeclasses"), "items") if name_of(one) == node_class]
    found = [text(subnet, "zone") for one in classes for subnet in listed(one, "status", "subnets")]
    return tuple(sorted(filter(None, set(found))))


@cache
def _gpu_rows() -> dict[str, GpuInstanceType]:
    return {row.instance_type: row for row in gpu_instance_types()}


@cache
def _gpus() -> dict[str, int]:
    return {name: row.gpus for name, row in _gpu_rows().items()}
