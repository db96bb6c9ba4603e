"""Other uses of the constructs: a stack with only the network and the cluster, and the whole stack with an extra bucket."""

from pathlib import Path

import imports  # noqa: F401  (before cdktf: CDKTF's packages load lazily)

from cdktf import App, LocalBackend, TerraformOutput, TerraformStack
from cdktf_cdktf_provider_aws.provider import AwsProvider
from cdktf_cdktf_provider_aws.s3_bucket import S3Bucket
from constructs import Construct

from stacks.aws.cluster import Cluster, NodeGroup
from stacks.aws.network import Network
from stacks.config import ClusterConfig
from stacks.karpenter_stack import KarpenterStack


class ClusterOnly(TerraformStack):
    """A network and an EKS cluster, without Karpenter. Its nodes only take pods that tolerate `CriticalAddonsOnly`."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        AwsProvider(self, "aws", region="us-west-2")
        LocalBackend(self, path=f"../../../terraform.{id}.tfstate", workspace_dir=f"../../../terraform.{id}.tfstate.d")
        network = Network(self, "network", name="services", cidr="10.8.0.0/18")
        cluster = Cluster(self, "cluster", name="services", network=network, node_group=NodeGroup(instance_types=["m6i.large"]))
        TerraformOutput(self, "cluster_name", value=cluster.eks.cluster_name)


class WithBucket(KarpenterStack):
    """The whole stack, and a bucket for checkpoints."""

    def __init__(self, scope: Construct, config: ClusterConfig) -> None:
        super().__init__(scope, config)
        self.add_variable("bucket", {"type": "string", "description": "Name of the bucket for checkpoints."})
        self.add(S3Bucket, "aws_s3_bucket.checkpoints", bucket="${var.bucket}", tags={"cluster": self.name})


def main(outdir: Path) -> None:
    """Write both stacks below `outdir`."""
    app = App(outdir=str(outdir))
    ClusterOnly(app, "services")
    WithBucket(app, ClusterConfig("training", region="us-west-2", gpu_instance_types=["p5.48xlarge"]))
    app.synth()


if __name__ == "__main__":
    main(Path("cdktf.out"))
