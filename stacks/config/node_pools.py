"""Karpenter's node pools: the default ones, and those that a user adds. Plain Python."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Annotated, get_args

from stacks.config.checks import user_tags
from stacks.config.fields import Change, D, U, Variable
from stacks.config.pools import BOTTLEROCKET, NODES, TYPES, CapacityType, GeneralPool, GpuPool, overlaps
from stacks.config.tags import wrong_node_tags
from stacks.hcl.expressions import Expression
from stacks.hcl.rules import EmptyList, Rule, given, has_elements, matches, no_duplicates, shown
from stacks.knowledge.catalogue import family
from stacks.knowledge.gpu_drivers import mismatches
from stacks.knowledge.versions import bottlerocket_mistake, mounts_all_disks

POOL = Change("R (the pool): its nodes end")

MOST_LIMIT = 2**63 - 1  # the API server refuses a larger integer


def gpu_limit_rules() -> tuple[Rule, ...]:
    """No limit, or a number of GPUs."""
    return (
        Rule(
            "var.gpu_limit == null ? true : var.gpu_limit >= 1 && floor(var.gpu_limit) == var.gpu_limit",
            f"gpu_limit must be a whole number of at least 1, or null for no limit (got {given('gpu_limit')}).",
        ),
        Rule(
            f"var.gpu_limit == null ? true : var.gpu_limit <= {MOST_LIMIT}",
            f"gpu_limit must be at most {MOST_LIMIT}, the largest number in Kubernetes (got {given('gpu_limit')}).",
        ),
    )


def gpu_drift_budget_rules() -> tuple[Rule, ...]:
    """Karpenter's own rule for `budgets[].nodes`."""
    return (
        Rule(
            "var.gpu_drift_budget == null ? true : " + matches("var.gpu_drift_budget", f"^{NODES}$"),
            'gpu_drift_budget must be a number of nodes such as "1", a percentage such as "10%", or null '
            f"(got {given('gpu_drift_budget')}).",
        ),
    )


def gpu_drift_budget_size(budget: Expression) -> Rule:
    """A number that Karpenter can count. A requirement, because Kubernetes accepts any: what is deployed can be destroyed."""
    return Rule(
        f"{budget.hcl} == null ? true : length({budget.hcl}) <= 9",
        f"gpu_drift_budget must have at most nine digits (got {shown(budget)}): Karpenter keeps the lowest 32 bits of a number.",
    )


def gpu_capacity_type_rules(types: Expression) -> tuple[Rule | EmptyList, ...]:
    """What Karpenter calls the ways to buy a node."""
    return (
        no_duplicates("gpu_capacity_type", types),
        EmptyList(
            "gpu_capacity_types_unknown",
            f"setsubtract({types.hcl}, {json.dumps(get_args(CapacityType))})",
            'gpu_capacity_type must contain only "spot", "on-demand" and "reserved" (got {found}).',
        ),
        Rule(
            f'join(",", {types.hcl}) != "reserved"',
            'gpu_capacity_type must contain "spot" or "on-demand" (got ["reserved"]): the GPU node class selects no capacity '
            "reservation, so Karpenter would never launch a node.",
        ),
    )


@dataclass(frozen=True, kw_only=True)
class NodePoolOptions:
    """Which nodes Karpenter may create."""

    default_pool: Annotated[bool, POOL] = True
    """Whether there is the pool default, for pods that do not need a GPU. Without the pool, its nodes end."""
    gpu_spot_pool: Annotated[bool, POOL] = True
    """Whether there is the pool gpu-spot, to which `gpu_instance_types`, `gpu_capacity_type` and `gpu_limit` belong. Without the
    pool, its nodes end."""
    gpu_instance_types: Annotated[
        Sequence[str] | None,
        TYPES,
        Variable(has_elements("gpu_instance_types"), required=True),
    ] = None
    """Instance types of the GPU node pool, such as p5.48xlarge (8 H100). Karpenter launches a type that has capacity."""
    gpu_capacity_type: Annotated[Sequence[str], TYPES, Variable(has_elements("gpu_capacity_type"))] = ("spot",)
    """How GPU nodes are bought: spot, on-demand, reserved. Karpenter prefers reserved, then spot, then on-demand."""
    gpu_limit: Annotated[int | None, U, Variable(gpu_limit_rules())] = None
    """Maximum number of GPUs of all nodes of the GPU pool together; null for no limit."""
    gpu_drift_budget: Annotated[str | None, U, Variable(gpu_drift_budget_rules())] = None
    """GPU nodes that Karpenter may replace at a time because they drifted, for example from an older Bottlerocket release: a
    number, a percentage, or null for Karpenter's own 10%. Applies to gpu-spot, and to each of gpu_pools without budgets."""
    gpu_pools: Annotated[Sequence[GpuPool], U] = ()
    """GPU node pools in addition to the default pool gpu-spot."""
    general_pools: Annotated[Sequence[GeneralPool], U] = ()
    """Node pools without GPUs in addition to the default pool default."""
    bottlerocket_version: Annotated[str, D, BOTTLEROCKET] = "latest"
    """Bottlerocket release of Karpenter's nodes: latest, or a version such as v1.53.0."""
    node_tags: Annotated[Mapping[str, str], D, user_tags] = field(default_factory=dict)
    """Tags of the EC2 instances that Karpenter creates."""
    wait_for_nodes: Annotated[bool, U] = False
    """Make a destroy wait until Karpenter has removed the nodes of a pool. Takes effect after an apply."""

    def mistakes(self) -> Iterator[str]:
        """What is wrong between fields."""
        yield from self._wrong_tags()
        defaults = {field.name: field.default for field in fields(NodePoolOptions)}
        for name in sorted(self.unused_variables()):
            if (given := getattr(self, name)) != defaults[name]:
                yield f"{name} must not be set if gpu_spot_pool is False (got {given!r}): nothing would use the value."
        pools = [*self.gpu_pools, *self.general_pools]
        names = [pool.name for pool in pools]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield f"gpu_pools and general_pools must not contain two pools named {name!r}."
        for kind, listed in (("gpu_pools", self.gpu_pools), ("general_pools", self.general_pools)):
            there = self.gpu_spot_pool if kind == "gpu_pools" else self.default_pool
            for pool, other in overlaps(listed, beside="the default pool" if there else None):
                yield (
                    f'{kind}["{pool.name}"] must differ from {other} in weight, or in a label or taint, because both could take '
                    "the same pod. Set a weight, for example."
                )

    def unused_variables(self) -> frozenset[str]:
        """The variables that only a pool has that is off."""
        if self.gpu_spot_pool:
            return frozenset()
        unused = {"gpu_instance_types", "gpu_capacity_type", "gpu_limit"}
        return frozenset(unused if any(not pool.budgets for pool in self.gpu_pools) else unused | {"gpu_drift_budget"})

    def _wrong_tags(self) -> Iterator[str]:
        """Tags that AWS refuses together on an instance."""
        of_all = list(wrong_node_tags(self.node_tags))
        yield from (f"node_tags {text}." for text in of_all)
        for kind, pools in (("gpu_pools", self.gpu_pools), ("general_pools", self.general_pools)):
            for pool in pools:
                together = wrong_node_tags({**self.node_tags, **pool.tags}) if pool.tags else ()
                yield from (f'{kind}["{pool.name}"].tags with node_tags {text}.' for text in together if text not in of_all)

    def wrong_bottlerocket(self, *, kubernetes: str, karpenter: str) -> Iterator[str]:
        """Bottlerocket releases that these versions of Kubernetes and Karpenter, or the GPUs of a pool, cannot use."""
        used = []
        if self.gpu_spot_pool or self.default_pool:
            used.append(("", self.gpu_spot_pool, True, self.bottlerocket_version))
        for kind, gpu, pools in (("gpu_pools", True, self.gpu_pools), ("general_pools", False, self.general_pools)):
            # The pool gpu-spot needs what any pool needs, and so is the first to be refused.
            of_cluster = "latest" if self.gpu_spot_pool else self.bottlerocket_version
            used += [(f'{kind}["{p.name}"].', gpu, p.soci is not None, p.bottlerocket_version or of_cluster) for p in pools]
        for place, gpu, soci, version in used:
            if BOTTLEROCKET(version):
                continue  # the check of the field reports it
            mistake = bottlerocket_mistake(
                version,
                kubernetes=kubernetes,
                soci=soci,
                nvme=gpu,
                mounts_disks_itself=soci and not mounts_all_disks(karpenter),
            )
            if mistake:
                yield f"{place}{mistake}"
        yield from self._without_drivers(kubernetes)

    def _without_drivers(self, kubernetes: str) -> Iterator[str]:
        """GPU pools whose nodes would not have a driver for their GPUs. A plan judges `gpu_instance_types`, which is a variable."""
        for pool in self.gpu_pools:
            bottlerocket = pool.bottlerocket_version or self.bottlerocket_version
            if BOTTLEROCKET(bottlerocket):
                continue
            for mismatch in mismatches(kubernetes=kubernetes, bottlerocket=bottlerocket):
                if found := [name for name in pool.types() if family(name) in mismatch.families]:
                    yield (
                        f'gpu_pools["{pool.name}"].{pool.types_field()} must have GPUs that the driver of Bottlerocket supports '
                        f"(got {found!r}): {mismatch.why}"
                    )
