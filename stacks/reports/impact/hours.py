"""The most expensive hour that the limits of pools allow, before and after a plan. Plain Python."""

from collections.abc import Mapping
from typing import Any

from stacks.reports.impact.drift import template
from stacks.reports.impact.plan import Plan, Values
from stacks.reports.impact.requirements import types

GPU = "nvidia.com/gpu"


def most_expensive_hour(spec: Values, region: str) -> float | None:
    """Dollars for an hour of the most nodes that a NodePool allows; None where that is not known."""
    names = types(template(spec).get("requirements") or ())
    limit = (spec.get("limits") or {}).get(GPU)
    return _most_expensive_hour(names, None if limit is None else int(limit), region) if names else None


def prices(plan: Plan) -> dict[str, Any]:
    """The hour of each pool and of all that are priced, before and after."""
    pools: dict[str, dict[str, float | None]] = {}
    for name, pool in plan.pools.items():
        hours = [None if spec is None else most_expensive_hour(spec, plan.region) for spec in (pool.before, pool.after)]
        pools[name] = dict(zip(("before", "after"), hours, strict=True))
    return {
        "region": plan.region or None,
        **{when: _sum(pools, when) for when in ("before", "after")},
        "pools": pools,
        "not_priced": sorted(name for name, hours in pools.items() if set(hours.values()) == {None}),
    }


def dollars(hour: float) -> str:
    """Such as $1,253.18."""
    return f"${hour:,.2f}"


def _sum(pools: Mapping[str, Mapping[str, float | None]], when: str) -> float | None:
    known = [hour for hours in pools.values() if (hour := hours[when]) is not None]
    return round(sum(known), 2) if known else None


def _most_expensive_hour(names: list[str], limit: int | None, region: str) -> float | None:
    """stacks.reports.prices.most_expensive_hour, once it is there."""
    return None
