"""What an hour costs: list prices of AWS in dollars, without discounts. Plain Python.

`prices.csv` has on-demand prices of Linux instances, of the types in the catalogues:

- us-east-1: pkg/providers/pricing/zz_generated.pricing_aws.go of aws/karpenter-provider-aws at 6fc13b523, generated on 2026-07-20.
- Other regions, of GPU types: catalogs/v8/aws/vms.csv of skypilot-org/skypilot-catalog at 00148f2. All sizes of a family cost the
  same multiple of us-east-1's price there (to 1 in 200,000, where several were compared), so most rows are computed from one size.

p5e.48xlarge and the HPC types have no on-demand price in either list.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path

PRICES = Path(__file__).with_name("prices.csv")
PRICES_OF = date(2026, 7, 20)

# A region that has no price in the table is priced as this region, whose list is complete.
PRICED_REGION = "us-east-1"
# Each of the 36 types, of 19 families, that were compared costs as much in us-west-2 as in us-east-1.
LIKE_PRICED_REGION = (PRICED_REGION, "us-west-2")

# In us-east-1. https://aws.amazon.com/vpc/pricing/ (the second is for its public address)
NAT_GATEWAY_PRICE, PUBLIC_ADDRESS_PRICE = 0.045, 0.005


@cache
def _prices() -> dict[str, float]:
    """By `instance_type,region`."""
    return {key: float(usd) for key, _, usd in (row.rpartition(",") for row in PRICES.read_text().splitlines()[1:])}


def is_priced_in(instance_type: str, region: str) -> bool:
    """Whether the price of a type is that of the region itself."""
    return region in LIKE_PRICED_REGION or f"{instance_type},{region}" in _prices()


def hourly_usd(instance_type: str, region: str) -> float | None:
    """Dollars that an instance costs an hour on demand, in the region or else in us-east-1; None if no list has a price.

    EC2 never charges more for a Spot instance whose request names no price, and Karpenter names none:
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/how-spot-instances-work.html
    """
    return _prices().get(f"{instance_type},{region}", _prices().get(f"{instance_type},{PRICED_REGION}"))


def most_expensive_hour(types: Sequence[str], gpus: Mapping[str, int], limit: int | None, region: str) -> float | None:
    """Dollars of the most expensive hour that a limit of GPUs allows: whole nodes, whose GPUs are at most the limit together.

    Karpenter launches no type that has more GPUs than the limit has left (filterByRemainingResources in
    pkg/controllers/provisioning/scheduling/scheduler.go of kubernetes-sigs/karpenter).

    Args:
        types: the instance types that a pool may launch.
        gpus: GPUs by type.
        limit: of GPUs; None for no limit.
        region: the AWS region. Types that the table does not price there have the price of us-east-1.

    Returns:
        None if there is no limit or no type, or if a type has no price.
    """
    priced = [(gpus.get(name), hourly_usd(name, region)) for name in types]
    best: dict[int, float] = {}  # the highest price by number of GPUs
    for count, usd in priced:
        if not count or usd is None:
            return None
        best[count] = max(usd, best.get(count, 0.0))
    if limit is None or not best:
        return None
    filler = max(best, key=lambda count: best[count] / count)
    # Of other sizes, fewer than `filler` nodes are enough: some of so many have together a multiple of its GPUs.
    searched = min(limit, filler * (max(best) + 1))
    filled = -((searched - limit) // filler)
    table = [0.0]
    for left in range(1, limit - filled * filler + 1):
        table.append(max([table[-1], *(usd + table[left - count] for count, usd in best.items() if count <= left)]))
    return table[-1] + filled * best[filler]


def most_expensive_vcpus(types: Sequence[str], vcpus: Mapping[str, int], limit: int, region: str) -> float | None:
    """Dollars that an hour costs at most with a limit of vCPUs, all at the highest price of a vCPU among the types.

    Returns:
        None if there is no type, or if a type has no price.
    """
    prices = [(hourly_usd(name, region), vcpus.get(name)) for name in types]
    per_vcpu = [usd / count for usd, count in prices if usd is not None and count]
    return limit * max(per_vcpu) if per_vcpu and len(per_vcpu) == len(types) else None
