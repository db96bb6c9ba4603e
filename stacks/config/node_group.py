"""The managed node group: the only nodes that Karpenter does not create. Plain Python."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from stacks.config.checks import at_least
from stacks.config.fields import Change, U, Variable, Z
from stacks.hcl.expressions import Expression
from stacks.hcl.rules import EmptyList, Rule, given, has_elements, matches, no_duplicates, shown, well_formed, without_nulls
from stacks.knowledge.catalogue import GRAVITON, INSTANCE_TYPE

GROUP = Change("R (the node group)")

# Four pods fit on a node of these sizes. Three are taken by the VPC CNI, kube-proxy and the Pod Identity agent; CoreDNS, Karpenter
# and the load balancer controller have two each. (`pods` in Karpenter's instance-type reference.)
SIZES_TOO_SMALL_FOR_KARPENTER = ("nano", "micro")


def zone_rules() -> tuple[Rule, ...]:
    """Only the shape of the list. A requirement checks that the network has the zones."""
    name = "karpenter_node_availability_zones"
    return (*without_nulls(name), no_duplicates(name, Expression(f"var.{name}")))


def release_version_rules(variable: str) -> tuple[Rule, ...]:
    """The release version of an EKS node group on Bottlerocket: the version, a hyphen and its commit. EKS knows which exist."""
    return (
        Rule(
            f"var.{variable} == null ? true : " + matches(f"var.{variable}", r"^[0-9]+[.][0-9]+[.][0-9]+-."),
            f"{variable} must be a Bottlerocket release version such as 1.53.0-4fc45e5a, or null for the latest "
            f"(got {given(variable)}).",
        ),
    )


def instance_type_rules(types: Expression) -> tuple[Rule | EmptyList, ...]:
    """Instance types with the node group's CPU architecture, and large enough for what runs there."""
    name = "karpenter_node_instance_types"
    small = "|".join(SIZES_TOO_SMALL_FOR_KARPENTER)
    return (
        no_duplicates(name, types),
        well_formed(name, types, INSTANCE_TYPE, like="instance types such as m5.large"),
        EmptyList(
            f"{name}_with_arm64_cpus",
            f"[for type in {types.hcl} : type if {matches('type', rf'^{GRAVITON}[.]')}]",
            f"{name} must have x86_64 CPUs, as the node group's AMI (got {{found}}, which have arm64 CPUs).",
        ),
        EmptyList(
            f"{name}_too_small",
            f'[for type in {types.hcl} : type if can(regex("[.]({small})$", type))]',
            f"{name} must have room for more than 4 pods (got {{found}}): the node group runs Karpenter, CoreDNS and the load "
            "balancer controller. m5.large is the default.",
        ),
    )


def size_rules(low: Expression, desired: Expression, high: Expression) -> tuple[Rule, ...]:
    """Whole numbers of at least 1, in order."""
    names = [f"karpenter_node_{size}_size" for size in ("min", "desired", "max")]
    sizes = (low, desired, high)
    return (
        *(
            Rule(
                f"{size.hcl} >= 1 && floor({size.hcl}) == {size.hcl}",
                f"{name} must be a whole number of at least 1 (got {shown(size)}).",
            )
            for name, size in zip(names, sizes, strict=True)
        ),
        Rule(
            f"{low.hcl} <= {desired.hcl} && {desired.hcl} <= {high.hcl}",
            f"{names[1]} must be between {names[0]} and {names[2]} (got {shown(desired)}, not between {shown(low)} and "
            f"{shown(high)}).",
        ),
    )


@dataclass(frozen=True, kw_only=True)
class NodeGroup:
    """The nodes that Karpenter itself runs on."""

    karpenter_node_instance_types: Annotated[Sequence[str], GROUP, Variable(has_elements("karpenter_node_instance_types"))] = (
        "m5.large",
    )
    """Instance types of the managed node group that Karpenter itself runs on (x86_64)."""
    karpenter_node_availability_zones: Annotated[Sequence[str], GROUP, Variable(zone_rules())] = ()
    """Zones of the nodes for Karpenter itself; [] for every zone of the network."""
    karpenter_node_min_size: Annotated[int, U, at_least(1), Variable()] = 2
    """Minimum number of nodes for Karpenter itself."""
    karpenter_node_max_size: Annotated[int, U, at_least(1), Variable()] = 3
    """Maximum number of nodes for Karpenter itself."""
    karpenter_node_desired_size: Annotated[int, Z, at_least(1), Variable()] = 2
    """Number of nodes for Karpenter itself when the node group is created."""
    karpenter_node_release_version: Annotated[
        str | None,
        Change("Z at the current value; otherwise U, which rolls the node group"),
        Variable(release_version_rules("karpenter_node_release_version")),
    ] = None
    """Bottlerocket release of the nodes for Karpenter itself, such as 1.53.0-4fc45e5a; null for the latest that AWS recommends."""
