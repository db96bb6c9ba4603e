"""The most expensive hour that the limits of pools allow, before and after a plan. Plain Python."""

from typing import Any

from stacks.config.spending import cents
from stacks.knowledge.catalogue import gpus_by_type, types_in_shape, vcpus_by_type
from stacks.knowledge.prices import PRICED_REGION, hourly_usd, most_expensive_vcpus
from stacks.knowledge.prices import most_expensive_hour as most_expensive_gpus
from stacks.reports.impact.drift import template
from stacks.reports.impact.plan import Plan, Values
from stacks.reports.impact.quantities import quantity
from stacks.reports.impact.requirements import shape, types

GPU, CPU, NODES = "nvidia.com/gpu", "cpu", "nodes"


def most_expensive_hour(spec: Values, region: str) -> float | None:
    """Dollars for an hour of the most nodes that a NodePool allows; None where that is not known."""
    requirements, limits = template(spec).get("requirements") or (), spec.get("limits") or {}
    names, where = types(requirements) or types_in_shape(*shape(requirements)), region or PRICED_REGION
    usd = [hourly_usd(name, where) for name in names]
    known = [one for one in usd if one is not None]
    if not known or len(known) < len(usd):
        return None
    hours = [
        most_expensive_gpus(names, gpus_by_type(), int(quantity(limits[GPU])), where) if GPU in limits else None,
        most_expensive_vcpus(names, vcpus_by_type(), int(quantity(limits[CPU])), where) if CPU in limits else None,
        int(quantity(nodes)) * max(known) if (nodes := limits.get(NODES) or spec.get("replicas")) else None,
    ]
    return min((cents(hour) for hour in hours if hour is not None), default=None)


def prices(plan: Plan) -> dict[str, Any]:
    """The hour of each pool, and of all together that are priced before and after; a pool that is not there costs nothing."""
    pools = {
        name: {
            when: most_expensive_hour(spec, plan.region) if spec is not None else None if pool.unknown else 0.0
            for when, spec in (("before", pool.before), ("after", pool.after))
        }
        for name, pool in plan.pools.items()
    }
    priced = [hours for hours in pools.values() if None not in hours.values()]
    return {
        "region": plan.region or None,
        **{when: round(sum(hours[when] or 0.0 for hours in priced), 2) if priced else None for when in ("before", "after")},
        "pools": pools,
        "not_priced": sorted(name for name, hours in pools.items() if None in hours.values()),
    }


def dollars(hour: float) -> str:
    """Such as $1,253.18."""
    return f"${hour:,.2f}"
