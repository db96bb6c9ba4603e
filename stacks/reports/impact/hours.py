"""The most expensive hour that the limits of pools allow, before and after a plan. Plain Python."""

from typing import Any

from stacks.reports.impact.plan import Plan, Values


def most_expensive_hour(spec: Values, region: str) -> float | None:
    """Dollars for an hour of the most nodes that a NodePool allows; None where that is not known."""
    return None


def prices(plan: Plan) -> dict[str, Any]:
    """The hour of each pool, and of all together that are priced before and after; a pool that is not there costs nothing."""
    pools = {
        name: {when: 0.0 if spec is None else most_expensive_hour(spec, plan.region) for when, spec in sides.items()}
        for name, sides in ((pool, {"before": one.before, "after": one.after}) for pool, one in plan.pools.items())
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
