"""Which instance types the pools of a living cluster may launch, where, and how many. Plain Python."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from stacks.knowledge.catalogue import category, family, gpu_instance_types, vcpus_of_all_types
from stacks.operations.checks.facts import Facts, at, listed, name_of, text, texts, whole
from stacks.operations.deployment import Object

TYPE = "node.kubernetes.io/instance-type"
FAMILY = "karpenter.k8s.aws/instance-family"
CATEGORY = "karpenter.k8s.aws/instance-category"
CPUS = "karpenter.k8s.aws/instance-cpu"
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
        zones: those of its requirements, or else of its node class; () if neither says.
        limits: the limits that are whole numbers, by resource.
    """

    name: str
    node_class: str
    types: tuple[str, ...]
    names_types: bool
    capacity_types: tuple[str, ...]
    zones: tuple[str, ...]
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
    named = _values(requirements, TYPE)
    return LivePool(
        name=name_of(item),
        node_class=node_class,
        types=named if named is not None else _of_shape(*((key, _values(requirements, key)) for key in (FAMILY, CATEGORY, CPUS))),
        names_types=bool(named),
        # A pool that does not say takes both, Spot first.
        capacity_types=_values(requirements, CAPACITY_TYPE) or ("on-demand", "spot"),
        zones=_values(requirements, ZONE) or _zones(facts, node_class),
        limits={name: value for name, value in counted.items() if value is not None},
    )


def _values(requirements: Sequence[Object], key: str) -> tuple[str, ...] | None:
    """The values that a label may have; None if the pool does not list any."""
    found = [texts(one, "values") for one in requirements if one.get("key") == key and one.get("operator") == "In"]
    return tuple(value for value in found[0] if all(value in other for other in found[1:])) if found else None


@cache
def _of_shape(*asked: tuple[str, tuple[str, ...] | None]) -> tuple[str, ...]:
    """The types of the catalogue that have what a pool asks for, as far as families, categories and vCPUs say."""
    found = []
    for one, cpus in vcpus_of_all_types().items():
        has = {FAMILY: family(one), CATEGORY: category(one), CPUS: str(cpus)}
        if all(values is None or has[key] in values for key, values in asked):
            found.append(one)
    return tuple(found)


def _zones(facts: Facts, node_class: str) -> tuple[str, ...]:
    classes = [one for one in listed(facts.answers.get("nodeclasses"), "items") if name_of(one) == node_class]
    found = [text(subnet, "zone") for one in classes for subnet in listed(one, "status", "subnets")]
    return tuple(sorted(filter(None, set(found))))


@cache
def _gpus() -> dict[str, int]:
    return {row.instance_type: row.gpus for row in gpu_instance_types()}
