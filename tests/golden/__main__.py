"""`make golden`: take what is synthesized now as the golden copy."""

from pathlib import Path

from stacks.config import ClusterConfig
from stacks.testing import synth_cluster

if __name__ == "__main__":
    Path(__file__).with_name("cdk.tf.json").write_text(synth_cluster(ClusterConfig("karpenter")))
