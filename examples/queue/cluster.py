"""A cluster whose GPU jobs wait in a queue of Kueue: for Spot nodes first, then for nodes on demand.

`make synth APP=examples/queue/cluster.py`. README.md beside this program has the rest.
"""

from dataclasses import replace

from stacks.app import synthesize
from stacks.config import Budget, GeneralPool, GpuPool, recommended

REGION = "us-west-2"

# A pool for each flavor, because Kueue counts each flavor for itself, and chooses its nodes by the label `nodepool`.
SPOT = GpuPool(
    "queue-spot",
    instance_types=["g6e.2xlarge", "g6e.4xlarge"],
    capacity_types=["spot"],
    limit=8,  # the quota in queue.yaml
    weight=20,
    consolidation_policy="WhenEmpty",
    consolidate_after="10m",
    budgets=[Budget(nodes="10%"), Budget(nodes="0", reasons=["Drifted"])],
    expire_after="Never",
)
ON_DEMAND = replace(SPOT, name="queue-on-demand", capacity_types=["on-demand"], limit=4, weight=10)

CLUSTERS = [
    recommended(
        "queue",
        region=REGION,
        gpu_spot_pool=False,
        default_pool=False,
        general_pools=[GeneralPool("general", cpus=[4], capacity_types=["on-demand"], cpu_limit=8)],  # for Kueue's controller
        gpu_pools=[SPOT, ON_DEMAND],
    ),
]

if __name__ == "__main__":
    synthesize(CLUSTERS)
