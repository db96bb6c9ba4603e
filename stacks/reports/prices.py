"""What an hour of a cluster may cost, and what an idle one costs. Plain Python."""

from datetime import date

from stacks.config.cluster import ClusterConfig
from stacks.config.spending import KnownPool
from stacks.hcl.expressions import is_expression
from stacks.knowledge.endpoints import INTERFACE_ENDPOINT_PRICE
from stacks.knowledge.prices import (
    NAT_GATEWAY_PRICE,
    PRICED_REGION,
    PUBLIC_ADDRESS_PRICE,
    hourly_usd,
    most_expensive_hour,
)
from stacks.knowledge.versions import EXTENDED_SUPPORT_PRICE, STANDARD_SUPPORT_PRICE, kubernetes_version

__all__ = ["LEFT_OUT", "idle_hour", "most_expensive_hour", "why_not_priced"]

LEFT_OUT = ("disks", "traffic", "load balancers", "logs", "nodes while others replace them", "reservations", "discounts")
"""What no sum here has in it."""


def idle_hour(cluster: ClusterConfig, today: date) -> dict[str, float | None]:
    """Dollars of an hour without any node of Karpenter, by what they pay for; None where they are not known."""
    region, types = cluster.region or PRICED_REGION, cluster.karpenter_node_instance_types
    extended = kubernetes_version(cluster.kubernetes_version).standard_support_ends < today
    prices = [] if is_expression(types) else [hourly_usd(name, region) for name in types]
    known = [usd for usd in prices if usd is not None]
    zones = 0 if is_expression(cluster.availability_zones) else len(cluster.availability_zones)  # 0: the region's, which AWS knows
    gateways = zones if cluster.nat_gateway == "per_zone" else 1
    endpoints = len(cluster.interface_endpoints) * INTERFACE_ENDPOINT_PRICE
    return {
        "control plane": EXTENDED_SUPPORT_PRICE if extended else STANDARD_SUPPORT_PRICE,
        "NAT gateway": gateways * (NAT_GATEWAY_PRICE + PUBLIC_ADDRESS_PRICE) or None,
        **({"interface endpoints": zones * endpoints or None} if endpoints else {}),
        "node group": cluster.karpenter_node_desired_size * max(known) if known and len(known) == len(prices) else None,
    }


def why_not_priced(pool: KnownPool) -> str:
    """Why the most expensive hour of a pool is not known; "" if the hour is known."""
    if pool.usd is not None:
        return ""
    if pool.not_priced:
        return f"no list price of {', '.join(pool.not_priced)}"
    return "no limit" if pool.types else "instance types are given at plan"
