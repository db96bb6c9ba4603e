"""The managed node group: the only nodes that Karpenter does not create. Plain Python."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from stacks.config.fields import Change, Variable
from stacks.hcl.expressions import Expression, is_expression
from stacks.hcl.rules import (
    DISTINCT,
    HAS_ELEMENTS,
    MOST,
    WITHOUT_NULLS,
    Elements,
    Rule,
    as_json,
    at_most,
    ending,
    found,
    match,
    matches,
    shown,
    types_if,
    well_formed,
    whole,
)
from stacks.knowledge.catalogue import GRAVITON, INSTANCE_TYPE_PATTERN
from stacks.knowledge.versions import RELEASE

GROUP = Change("R (the node group)")

# Four pods fit on a node of these sizes. Three are taken by the VPC CNI, kube-proxy and the Pod Identity agent; CoreDNS, Karpenter
# and the load balancer controller have two each. (`pods` in Karpenter's instance-type reference.)
SIZES_TOO_SMALL_FOR_KARPENTER = ("nano", "micro")


# Only the shape of the list. A requirement checks that the network has the zones.
ZONES = (WITHOUT_NULLS, DISTINCT)

# The release version of an EKS node group on Bottlerocket: the version, a hyphen and its commit. EKS knows which exist.
RELEASE_VERSION = (
    match(
        rf"^{RELEASE.pattern}-.",
        "be a Bottlerocket release version such as 1.53.0-4fc45e5a, or null for the latest",
        optional=True,
    ),
)

# Instance types with the node group's CPU architecture, and large enough for what runs there. Requirements, because a living node
# group may have others.
_TYPES = "karpenter_node_instance_types"
INSTANCE_TYPES = (
    well_formed(_TYPES, INSTANCE_TYPE_PATTERN, like="instance types such as m5.large"),
    Elements(
        f"{_TYPES}_with_arm64_cpus",
        types_if(matches("type", ARM64 := rf"^{GRAVITON}[.]")),
        lambda name: found(ARM64, name),
        f"{_TYPES} must have x86_64 CPUs, as the node group's AMI (got {{found}}, which have arm64 CPUs).",
    ),
    Elements(
        f"{_TYPES}_too_small",
        types_if(matches("type", SMALL := f"[.]({'|'.join(SIZES_TOO_SMALL_FOR_KARPENTER)})$")),
        lambda name: found(SMALL, name),
        f"{_TYPES} must have room for more than 4 pods (got {{found}}): the node group runs Karpenter, CoreDNS and the load "
        "balancer controller. m5.large is the default.",
    ),
)

SIZE = whole("be a whole number of at least 1")
# https://docs.aws.amazon.com/eks/latest/userguide/service-quotas.html
MOST_NODES = at_most(MOST, f"be at most {MOST}", tail=ending(". The default quota of EKS is 450 nodes in a node group."))
_SIZES = tuple(f"karpenter_node_{size}_size" for size in ("min", "desired", "max"))


def _not_in_order(low: str, desired: str, high: str) -> str:
    return f"{_SIZES[1]} must be between {_SIZES[0]} and {_SIZES[2]} (got {desired}, not between {low} and {high})."


def size_rules(low: Expression, desired: Expression, high: Expression) -> tuple[Rule, ...]:
    """Whole numbers of at least 1, in order."""
    sizes = (low, desired, high)
    return (
        *(SIZE.rule(name, size) for name, size in zip(_SIZES, sizes, strict=True)),
        MOST_NODES.rule(_SIZES[2], high),
        Rule(f"{low.hcl} <= {desired.hcl} && {desired.hcl} <= {high.hcl}", _not_in_order(*map(shown, sizes))),
    )


@dataclass(frozen=True, kw_only=True)
class NodeGroup:
    """The nodes that Karpenter itself runs on."""

    karpenter_node_instance_types: Annotated[Sequence[str], GROUP, Variable((HAS_ELEMENTS, WITHOUT_NULLS))] = ("m5.large",)
    """Instance types of the managed node group that Karpenter itself runs on (x86_64)."""
    karpenter_node_availability_zones: Annotated[Sequence[str], GROUP, Variable(ZONES)] = ()
    """Zones of the nodes for Karpenter itself; [] for every zone of the network."""
    karpenter_node_min_size: Annotated[int, Change.IN_PLACE, Variable()] = 2
    """Minimum number of nodes for Karpenter itself."""
    karpenter_node_max_size: Annotated[int, Change.IN_PLACE, Variable()] = 3
    """Maximum number of nodes for Karpenter itself."""
    karpenter_node_desired_size: Annotated[int, Change.NONE, Variable()] = 2
    """Number of nodes for Karpenter itself when the node group is created."""
    karpenter_node_release_version: Annotated[
        str | None,
        Change("Z at the current value; otherwise U, which rolls the node group"),
        Variable(RELEASE_VERSION),
    ] = None
    """Bottlerocket release of the nodes for Karpenter itself, such as 1.53.0-4fc45e5a; null for the latest that AWS recommends."""

    def mistakes(self) -> Iterator[str]:
        """What is wrong with literals that a plan would refuse."""
        types = self.karpenter_node_instance_types
        if not is_expression(types):
            if mistake := DISTINCT.mistake(_TYPES, types):
                yield mistake
            yield from (mistake for rule in INSTANCE_TYPES if (mistake := rule.mistake(types)))
        sizes = [(name, getattr(self, name)) for name in _SIZES]
        found = [mistake for name, size in sizes if not is_expression(size) and (mistake := SIZE.mistake(name, size))]
        yield from found
        low, desired, high = (size for _, size in sizes)
        if not is_expression(high) and (mistake := MOST_NODES.mistake(_SIZES[2], high)):
            yield mistake
        if not found and not any(is_expression(size) for _, size in sizes) and not low <= desired <= high:
            yield _not_in_order(*map(as_json, (low, desired, high)))
