"""A small cluster to prove in an account of your own: `make prove APP=examples/proof.py STACK=proof`."""

import os

from stacks.app import synthesize
from stacks.config import GeneralPool, LocalBackend, S3Backend, recommended

# In CI, the environment decides where the state is: it must outlive the runner, or a run that dies leaves what nothing can remove.
BUCKET = os.environ.get("STATE_BUCKET")

CLUSTERS = [
    recommended(
        "proof",
        region="us-west-2",
        gpu_instance_types=["g6.xlarge", "g5.xlarge"],
        gpu_capacity_type=["spot", "on-demand"],
        gpu_limit=2,
        default_pool=False,  # whose limit of 1,000 vCPUs would be in the price
        # Two nodes, for a connection between them.
        general_pools=[GeneralPool("general", cpus=[4], cpu_limit=8, capacity_types=["spot", "on-demand"])],
        max_hourly_usd=5,
        aws_profile=None if BUCKET else "default",
        backend=S3Backend(bucket=BUCKET, region="us-west-2") if BUCKET else LocalBackend(),
    ),
]

if __name__ == "__main__":
    synthesize(CLUSTERS)
