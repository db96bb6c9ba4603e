"""`make golden`: take what is synthesized now as the golden copy, and write the cases for `terraform test`."""

from pathlib import Path

from stacks.config import ClusterConfig
from stacks.testing import synth_cluster
from tests import cases

if __name__ == "__main__":
    Path(__file__).with_name("cdk.tf.json").write_text(synth_cluster(ClusterConfig("karpenter")))
    for name, text in cases.files().items():
        (cases.FOLDER / name).write_text(text)
