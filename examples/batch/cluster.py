"""A cluster for jobs that run for days and cannot start again from a checkpoint: nodes on demand, which nobody replaces.

`make synth APP=examples/batch/cluster.py`. README.md beside this program has the rest.
"""

from stacks.app import synthesize
from stacks.config import Budget, GpuPool, recommended

REGION = "us-west-2"

CLUSTERS = [
    recommended(
        "batch",
        region=REGION,
        gpu_spot_pool=False,
        default_pool=False,
        gpu_pools=[
            GpuPool(
                "batch",
                instance_types=["g6e.2xlarge"],
                capacity_types=["on-demand"],
                limit=4,
                consolidation_policy="WhenEmpty",
                consolidate_after="10m",
                budgets=[Budget(nodes="10%"), Budget(nodes="0", reasons=["Drifted"])],
                expire_after="Never",
            ),
        ],
    ),
]

if __name__ == "__main__":
    synthesize(CLUSTERS)
