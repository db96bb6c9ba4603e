"""What an hour of the cluster's pools may cost. Plain Python."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from stacks.config.checks import at_least
from stacks.config.fields import Change
from stacks.config.node_pools import NodePoolOptions
from stacks.config.pools import (
    DEFAULT_CPU_LIMIT,
    GENERAL_POOL,
    GPU_POOL,
    GPU_TAINT,
    Budget,
    GeneralPool,
    GpuPool,
    Pool,
    Sharing,
    Taint,
)
from stacks.hcl.expressions import is_expression
from stacks.knowledge import prices
from stacks.knowledge.catalogue import gpus_by_type

Value = TypeVar("Value")

# Without a requirement, Karpenter launches spot, and on-demand where EC2 has no spot capacity.
DEFAULT = GeneralPool(GENERAL_POOL, cpu_limit=DEFAULT_CPU_LIMIT, capacity_types=("spot", "on-demand"))


def cents(usd: float) -> float:
    """Dollars to the cent, half a cent up: a float does not hold 117.235 exactly."""
    return round(usd + 1e-9, 2)


def known(value: Value) -> Value | None:
    """A value, or None if Terraform alone knows the value."""
    return None if is_expression(value) else value


@dataclass(frozen=True, kw_only=True)
class Spending:
    """What the cluster may cost."""

    max_hourly_usd: Annotated[float | None, Change.NONE, at_least(1)] = None
    """Dollars that an hour of the nodes of all pools may cost at most, at list prices; None for no bound. A synthesis refuses
    limits that allow more. Python is judged alone: not what `-var` sets later."""


@dataclass(frozen=True, kw_only=True)
class KnownPool:
    """A pool, a default one too, as far as Python decides about it.

    Attributes:
        pool: its configuration; of pool gpu-spot, what no variable decides.
        place: the field that decides about the instance types.
        types: those that are known; () if a variable gives them at plan.
        limits: the most that all nodes have together, in whole GPUs; {} for no limit, or if a variable gives it at plan.
        sharing: how pods share a GPU.
        budgets, taints: those of the object.
        usd: dollars of the most expensive hour, to the cent; None if something is missing.
        not_priced: types and families without a list price.
    """

    pool: Pool
    place: str
    types: Sequence[str]
    limits: Mapping[str, int]
    sharing: Sharing | None
    budgets: Sequence[Budget]
    taints: Sequence[Taint]
    usd: float | None
    not_priced: Sequence[str]

    @property
    def gpu(self) -> bool:
        """Whether the nodes have GPUs."""
        return GPU_TAINT in [taint.key for taint in self.taints]


def known_pools(options: NodePoolOptions, region: str | None) -> list[KnownPool]:
    """The pools, in the order in which Karpenter tries them, those without GPUs first; priced as in us-east-1 without a region."""
    priced = region or prices.PRICED_REGION
    found = [_known(DEFAULT, "default_pool", (), priced)] if options.default_pool else []
    drift = known(options.gpu_drift_budget)
    budgets = [Budget(nodes="10%"), Budget(nodes=drift, reasons=["Drifted"])] if drift else []
    if options.gpu_spot_pool:
        found.append(_gpu_spot(options, budgets, priced))
    for pool in options.gpu_pools:
        found.append(_known(pool, f'gpu_pools["{pool.name}"].{pool.types_field()}', budgets, priced))
    for other in options.general_pools:
        field = "families" if other.families else "instance_types" if other.instance_types else "categories"
        found.append(_known(other, f'general_pools["{other.name}"].{field}', (), priced))
    # By weight, then by name, the last first: OrderByWeight in pkg/utils/nodepool of kubernetes-sigs/karpenter.
    return sorted(sorted(found, key=lambda one: (one.pool.weight or 0, one.pool.name), reverse=True), key=lambda one: one.gpu)


def is_priced_elsewhere(pool: KnownPool, region: str | None) -> bool:
    """Whether the hour of a pool has prices of us-east-1 in it, because the table has none of the region."""
    return pool.usd is not None and not (region and all(prices.is_priced_in(name, region) for name in pool.types))


def _known(pool: Pool, place: str, budgets: Sequence[Budget], region: str) -> KnownPool:
    """A pool whose fields say everything; `budgets` for a pool that names none."""
    types = pool.known_types()
    return KnownPool(
        pool=pool,
        place=place,
        types=types,
        limits=pool.limits(),
        sharing=pool.sharing if isinstance(pool, GpuPool) else None,
        budgets=pool.budgets or budgets,
        taints=pool.all_taints(),
        usd=_rounded(pool.most_expensive_hour(region)),
        not_priced=[*pool.unknown().get("families", ()), *_not_priced(types, region)],
    )


def _gpu_spot(options: NodePoolOptions, budgets: Sequence[Budget], region: str) -> KnownPool:
    """The pool whose values are the defaults of variables."""
    capacity_types: Any = known(options.gpu_capacity_type) or ()  # a plan refuses other words
    types, limit = known(options.gpu_instance_types) or (), known(options.gpu_limit)
    return KnownPool(
        pool=Pool(GPU_POOL, instance_types=types, capacity_types=capacity_types),
        place="gpu_instance_types",
        types=types,
        limits={GPU_TAINT: limit} if limit else {},
        sharing=options.gpu_sharing,
        budgets=budgets,
        taints=[Taint(key=GPU_TAINT, value="true")],
        usd=_rounded(prices.most_expensive_hour(types, gpus_by_type(), limit, region)),
        not_priced=_not_priced(types, region),
    )


def _not_priced(types: Sequence[str], region: str) -> list[str]:
    return [name for name in types if prices.hourly_usd(name, region) is None]


def _rounded(usd: float | None) -> float | None:
    return None if usd is None else cents(usd)
