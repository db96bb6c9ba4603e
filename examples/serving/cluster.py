"""A cluster that serves a model of one GPU with vLLM, on Spot nodes, and on demand where EC2 has no Spot capacity.

`make synth APP=examples/serving/cluster.py`. README.md beside this program has the rest.
"""

from stacks.app import synthesize
from stacks.config import Budget, GpuPool, PodIdentity, Statement, recommended

REGION = "us-west-2"
BUCKET = "acme-models"  # with the model's files under gpt-oss-20b/

CLUSTERS = [
    recommended(
        "serving",
        region=REGION,
        gpu_spot_pool=False,
        default_pool=False,
        gpu_pools=[
            GpuPool(
                "serving",
                # One GPU each: an interruption takes a single replica. Several sizes: EC2 has Spot capacity for each by itself.
                instance_types=["g6e.2xlarge", "g6e.4xlarge", "g6e.8xlarge"],
                capacity_types=["spot", "on-demand"],
                limit=4,
                consolidation_policy="WhenEmpty",
                consolidate_after="10m",
                budgets=[Budget(nodes="10%"), Budget(nodes="0", reasons=["Drifted"])],
                expire_after="Never",
            ),
        ],
        pod_identities=[
            PodIdentity(
                namespace="serving",
                service_account="vllm",
                policies=[
                    Statement(actions=["s3:ListBucket"], resources=[f"arn:aws:s3:::{BUCKET}"]),
                    Statement(actions=["s3:GetObject"], resources=[f"arn:aws:s3:::{BUCKET}/*"]),
                ],
            ),
        ],
    ),
]

if __name__ == "__main__":
    synthesize(CLUSTERS)
