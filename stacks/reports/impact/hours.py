"""The most expensive hour that the limits of pools allow, before and after a plan. Plain Python."""

import tomllib
from typing import Any

from stacks.config.spending import cents
from stacks.knowledge.catalogue import gpus_by_type, types_in_shape, vcpus_by_type
from stacks.knowledge.prices import PRICED_REGION, hourly_usd, most_expensive_vcpus
from stacks.knowledge.prices import most_expensive_hour as most_expensive_gpus
from stacks.reports.impact.drift import class_of, template
from stacks.reports.impact.plan import KubernetesObject, Plan, Values
from stacks.reports.impact.quantities import quantity
from stacks.reports.impact.requirements import shape, types

GPU, CPU, NODES = "nvidia.com/gpu", "cpu", "nodes"


def limits_of(plan: Plan, pool: KubernetesObject) -> tuple[dict[str, Any], dict[str, Any]]:
    """The limits of a NodePool before and after, in whole GPUs: where pods share GPUs, the object has shares, and their vCPUs.

    The user data of the node class says how many. Where the plan does not know the class, each share counts as a GPU: too many
    rather than too few.
    """
    before, after = (
        _in_gpus(spec or {}, pods) for spec, pods in zip((pool.before, pool.after), shares_of(plan, pool), strict=True)
    )
    return before, after


def shares_of(plan: Plan, pool: KubernetesObject) -> tuple[int, int]:
    """How many pods share a GPU of a pool before and after, where the plan knows the node class; else 1."""
    node_class = class_of(plan, pool)
    classes = (node_class.before, node_class.after) if node_class else (None, None)
    before, after = (pods_per_gpu((made or {}).get("userData") or "") for made in classes)
    return before, after


def _in_gpus(spec: Values, pods: int) -> dict[str, Any]:
    limits = dict(spec.get("limits") or {})
    if GPU in limits and pods > 1:
        limits.pop(CPU, None)  # says the same
        limits[GPU] = int(quantity(limits[GPU])) // pods
    return limits


def pods_per_gpu(user_data: str) -> int:
    """How many pods share a GPU of a node with Bottlerocket settings; 1 if none do, or if the text is not TOML."""
    try:
        plugin = tomllib.loads(user_data).get("settings", {}).get("kubelet-device-plugins", {}).get("nvidia", {})
    except tomllib.TOMLDecodeError:
        return 1
    return int(plugin.get(plugin.get("device-sharing-strategy"), {}).get("replicas", 1))


def most_expensive_hour(spec: Values, limits: Values, region: str) -> float | None:
    """Dollars for an hour of the most nodes that a NodePool allows, by its limits in whole GPUs; None where that is not known."""
    requirements = template(spec).get("requirements") or ()
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
            when: most_expensive_hour(spec, limits, plan.region) if spec is not None else None if pool.unknown else 0.0
            for when, spec, limits in zip(("before", "after"), (pool.before, pool.after), limits_of(plan, pool), strict=True)
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
