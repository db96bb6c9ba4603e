"""Two clusters with three GPU pools of their own, their states in one bucket.

`make synth APP=examples/fleet.py`, or `cdktf deploy 'prod-*' --app '.venv/bin/python -m stacks examples/fleet.py'`.
"""

import os

from stacks.app import synthesize
from stacks.config import Budget, ClusterConfig, GpuPool, LocalBackend, S3Backend, Taint, recommended

# In CI, the environment decides where the states are; on a laptop they are in the project.
BUCKET = os.environ.get("STATE_BUCKET")
BACKEND = S3Backend(bucket=BUCKET, region="us-west-2") if BUCKET else LocalBackend()

# On-demand nodes for services. The taint keeps pods that only ask for a GPU off them: a weight or a label would not. Of several
# budgets the strictest counts: drifted nodes are replaced between 2 and 6 UTC, one at a time.
INFERENCE = GpuPool(
    "inference",
    families=["g6e"],
    capacity_types=["on-demand"],
    limit=16,
    taints=[Taint(key="team", value="inference")],
    budgets=[Budget(nodes="1"), Budget(nodes="0", reasons=["Drifted"], schedule="0 6 * * *", duration="20h")],
)


def cluster(name: str, region: str, vpc_cidr: str, *pools: GpuPool) -> ClusterConfig:
    """What the clusters have in common."""
    return recommended(
        name,
        region=region,
        vpc_cidr=vpc_cidr,
        gpu_instance_types=["p5.48xlarge", "p5en.48xlarge"],
        backend=BACKEND,
        gpu_pools=pools,
    )


CLUSTERS = [
    cluster(
        "prod-usw2",
        "us-west-2",
        "10.0.0.0/16",
        INFERENCE,
        GpuPool(
            "research",
            gpu_names=["a100", "h100"],
            min_gpu_memory_gib=80,
            limit=32,
            labels={"team": "research"},
            taints=[Taint(key="team", value="research")],
            expire_after="Never",  # jobs of weeks; `recommended` also stops drift, by gpu_drift_budget
        ),
    ),
    cluster("prod-eun1", "eu-north-1", "10.1.0.0/16", INFERENCE),
]

if __name__ == "__main__":
    synthesize(CLUSTERS)
