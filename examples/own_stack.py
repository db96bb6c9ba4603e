"""Other uses of the constructs: a stack with only the network and the cluster, and the whole stack with an extra bucket."""

from pathlib import Path

import imports  # noqa: F401  (before cdktf: CDKTF's packages load lazily)

from cdktf import App, LocalBackend, TerraformOutput, TerraformStack
from cdktf_cdktf_provider_aws.provider import AwsProvider
from cdktf_cdktf_provider_aws.s3_bucket import S3Bucket
from constructs import Construct

from stacks.aws.cluster import Cluster
from stacks.aws.network import Network
from stacks.config import ClusterConfig
from stacks.config.common import Common
from stacks.config.network import NetworkOptions
from stacks.config.node_group import NodeGroup
from stacks.karpenter_stack import KarpenterStack
from stacks.terraform.addresses import add_requirements


class ClusterOnly(TerraformStack):
    """A network and an EKS cluster, without Karpenter. Its nodes only take pods that tolerate `CriticalAddonsOnly`."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        AwsProvider(self, "aws", region="us-west-2")
        LocalBackend(self, path=f"../../../terraform.{id}.tfstate", workspace_dir=f"../../../terraform.{id}.tfstate.d")
        common = Common(name="services", region="us-west-2")
        network = Network(self, "network", common, options=NetworkOptions(vpc_cidr="10.8.0.0/18"))
        group = NodeGroup(karpenter_node_instance_types=["m6i.large"])
        cluster = Cluster(self, "cluster", common, network=network, node_group=group)
        name = TerraformOutput(self, "cluster_name", value=cluster.eks.cluster_name)
        # What the constructs require holds before anything is created, as in the whole stack.
        add_requirements(self, on=name)


class WithBucket(KarpenterStack):
    """The whole stack, and a bucket for checkpoints."""

    def __init__(self, scope: Construct, config: ClusterConfig) -> None:
        super().__init__(scope, config)
        self.add_variable("bucket", {"type": "string", "description": "Name of the bucket for checkpoints."})
        self.add(S3Bucket, "aws_s3_bucket.checkpoints", bucket="${var.bucket}", tags={"cluster": self.common.name})


def main(outdir: Path) -> None:
    """Write both stacks below `outdir`."""
    app = App(outdir=str(outdir))
    ClusterOnly(app, "services")
    WithBucket(app, ClusterConfig("training", region="us-west-2", gpu_instance_types=["p5.48xlarge"]))
    app.synth()


if __name__ == "__main__":
    main(Path("cdktf.out"))
