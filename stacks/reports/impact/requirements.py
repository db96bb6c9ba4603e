"""Which nodes a change of a pool's requirements makes drift, in words. Plain Python.

Karpenter compares the labels of a node with the requirements; a requirement that is gone or wider leaves nodes alone:
areRequirementsDrifted in pkg/controllers/nodeclaim/disruption/drift.go of kubernetes-sigs/karpenter, and measured with 1.12.2.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from stacks.reports.impact.quantities import quantity

Requirement: TypeAlias = Mapping[str, Any]

TYPE = "node.kubernetes.io/instance-type"
ZONE = "topology.kubernetes.io/zone"
CAPACITY = "karpenter.sh/capacity-type"

# Labels that every node has. `In` on a label that nodes lack makes all drift (kubernetes-sigs/karpenter#2549).
OF_EVERY_NODE = ("kubernetes.io/", "node.kubernetes.io/", "topology.kubernetes.io/", "karpenter.sh/", "karpenter.k8s.aws/")

ALL = "all nodes"


def narrowed(before: Sequence[Requirement], after: Sequence[Requirement]) -> Iterator[str]:
    """The nodes that no longer fit, such as "nodes of type p5.48xlarge"; `ALL` for all."""
    for one in after:
        key, operator, values = one["key"], one["operator"], list(map(str, one.get("values") or ()))
        earlier = [
            set(map(str, other.get("values") or ())) for other in before if (other["key"], other["operator"]) == (key, operator)
        ]
        if operator == "In":
            if earlier:
                gone = set.intersection(*earlier) - set(values)
                if gone:
                    yield _with(key, sorted(gone))
            elif key.startswith(OF_EVERY_NODE):
                yield _outside(key, values)
            else:
                yield ALL
        elif operator == "NotIn" and (excluded := set(values) - set().union(*earlier)):
            yield _with(key, sorted(excluded))
        elif operator in ("Gt", "Gte", "Lt", "Lte"):
            bounds, (bound,) = [quantity(min(values)) for values in earlier], map(quantity, values)
            if not bounds or (bound > max(bounds) if operator.startswith("G") else bound < min(bounds)):
                sign = {"Gt": "at most", "Gte": "less than", "Lt": "at least", "Lte": "more than"}[operator]
                yield f"nodes whose {_name(key)} is {sign} {values[0]}"
        elif operator == "DoesNotExist" and not earlier:
            yield f"nodes that have the label {key}"
        elif operator == "Exists" and not earlier and not key.startswith(OF_EVERY_NODE):
            yield f"nodes without the label {key}"


def widened(before: Sequence[Requirement], after: Sequence[Requirement]) -> str:
    """What Karpenter may launch in addition, in words; "" for nothing."""
    said = []
    for key, values in _in(before).items():
        added = [value for value in _in(after).get(key, []) if value not in values]
        if added:
            said.append(_launched(key, added))
        elif key not in {one["key"] for one in after}:
            said.append(f"any {_name(key)}")
    return ", ".join(said)


def types(requirements: Sequence[Requirement]) -> list[str]:
    """The instance types of a pool that names them."""
    return _in(requirements).get(TYPE, [])


def capacity_types(requirements: Sequence[Requirement]) -> list[str]:
    """How nodes of the pool are bought; without a requirement any way, Spot before on demand.

    `getCapacityType` in pkg/providers/instance/instance.go of aws/karpenter-provider-aws, v1.6.0 to v1.14.1.
    """
    return _in(requirements).get(CAPACITY, ["reserved", "spot", "on-demand"])


def _in(requirements: Sequence[Requirement]) -> dict[str, list[str]]:
    return {one["key"]: list(map(str, one.get("values") or ())) for one in requirements if one["operator"] == "In"}


def _name(key: str) -> str:
    return key.rpartition("/")[2].replace("-", " ")


def _with(key: str, values: Sequence[str]) -> str:
    listed = _or(values)
    return {TYPE: f"nodes of type {listed}", ZONE: f"nodes in {listed}", CAPACITY: f"{listed} nodes"}.get(
        key, f"nodes whose {_name(key)} is {listed}"
    )


def _outside(key: str, values: Sequence[str]) -> str:
    listed = _or(values)
    return {TYPE: f"nodes of other types than {listed}", ZONE: f"nodes outside {' and '.join(values)}"}.get(
        key, f"nodes whose {_name(key)} is not {listed}"
    )


def _launched(key: str, values: Sequence[str]) -> str:
    listed = ", ".join(values)
    return {TYPE: listed, ZONE: f"nodes in {listed}", CAPACITY: f"{listed} nodes"}.get(key, f"{_name(key)} {listed}")


def _or(values: Sequence[str]) -> str:
    return f"{', '.join(values[:-1])} or {values[-1]}" if len(values) > 1 else "".join(values)


def shape(requirements: Sequence[Requirement]) -> tuple[list[str], list[int]]:
    """The categories and numbers of vCPUs of a pool that names no types."""
    found = _in(requirements)
    cpus = [int(quantity(number)) for number in found.get("karpenter.k8s.aws/instance-cpu", [])]
    return found.get("karpenter.k8s.aws/instance-category", []), cpus
