"""A cluster whose GPU jobs wait in a queue of Kueue: for Spot nodes first, then for nodes on demand.

`make synth APP=examples/queue/cluster.py`. README.md beside this program has the rest.
"""

from stacks.app import synthesize
from stacks.config import Budget, GeneralPool, GpuPool, recommended
from stacks.config.pools import CapacityType

REGION = "us-west-2"
LIMITS: dict[CapacityType, int] = {"spot": 8, "on-demand": 4}  # GPUs, as the quotas in queue.yaml


def pool(capacity_type: CapacityType, limit: int) -> GpuPool:
    """The nodes of a flavor. Two pools, because Kueue counts a flavor for itself, and chooses by the label `nodepool`."""
    return GpuPool(
        f"queue-{capacity_type}",
        instance_types=["g6e.2xlarge", "g6e.4xlarge"],
        capacity_types=[capacity_type],
        limit=limit,
        weight=20 if capacity_type == "spot" else 10,
        consolidation_policy="WhenEmpty",
        consolidate_after="10m",
        budgets=[Budget(nodes="10%"), Budget(nodes="0", reasons=["Drifted"])],
        expire_after="Never",
    )


CLUSTERS = [
    recommended(
        "queue",
        region=REGION,
        gpu_spot_pool=False,
        default_pool=False,
        general_pools=[GeneralPool("general", cpus=[4], capacity_types=["on-demand"], cpu_limit=8)],  # for Kueue's controller
        gpu_pools=[pool(capacity_type, limit) for capacity_type, limit in LIMITS.items()],
    ),
]

if __name__ == "__main__":
    synthesize(CLUSTERS)
