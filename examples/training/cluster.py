"""A cluster that trains on two p5.48xlarge, with NCCL over EFA, on Spot.

`make synth APP=examples/training/cluster.py`. README.md beside this program has the rest.
"""

from stacks.app import synthesize
from stacks.config import Budget, GeneralPool, GpuPool, PodIdentity, Statement, recommended

ZONE = "us-west-2c"  # EFA's traffic does not cross zones
BUCKET = "acme-checkpoints"

CLUSTERS = [
    recommended(
        "training",
        region=ZONE[:-1],
        gpu_spot_pool=False,
        default_pool=False,
        general_pools=[GeneralPool("general", cpus=[4], capacity_types=["on-demand"], cpu_limit=8)],  # for JobSet's controller
        gpu_pools=[
            GpuPool(
                "train",
                instance_types=["p5.48xlarge"],
                zones=[ZONE],
                limit=16,
                efa=True,
                consolidation_policy="WhenEmpty",
                consolidate_after="10m",  # longer than a restart of the job, which leaves the nodes empty for seconds
                budgets=[Budget(nodes="10%"), Budget(nodes="0", reasons=["Drifted"])],
                expire_after="Never",
            ),
        ],
        pod_identities=[
            PodIdentity(
                namespace="training",
                service_account="trainer",
                policies=[
                    Statement(actions=["s3:ListBucket"], resources=[f"arn:aws:s3:::{BUCKET}"]),
                    Statement(
                        actions=["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"],
                        resources=[f"arn:aws:s3:::{BUCKET}/*"],
                    ),
                    # s3torchconnector writes .metadata under this name, copies it, and deletes it: a checkpoint is whole or absent.
                    Statement(actions=["s3:DeleteObject"], resources=[f"arn:aws:s3:::{BUCKET}/*/.metadata.tmp"]),
                ],
            ),
        ],
    ),
]

if __name__ == "__main__":
    synthesize(CLUSTERS)
