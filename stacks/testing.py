"""For tests of what is built with the constructs: their JSON, without files and without Terraform."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import imports  # noqa: F401  (before cdktf: CDKTF's packages load lazily)

from cdktf import App, TerraformStack
from cdktf import Testing as CdktfTesting

from stacks.config import ClusterConfig
from stacks.config.backends import OUTPUT
from stacks.config.checks import refuse
from stacks.karpenter_stack import KarpenterStack, import_further

import_further()  # a test may build any cluster


class Testing(CdktfTesting):
    """CDKTF's `Testing` with all its methods, and a `synth_scope` that takes a Python function.

    ```python
    text = Testing.synth_scope(lambda stack: S3Bucket(stack, "checkpoints", bucket="checkpoints"))
    assert Testing.to_have_resource_with_properties(text, S3Bucket.TF_RESOURCE_TYPE, {"bucket": "checkpoints"})
    ```
    """

    __test__ = False  # for pytest: not a class of tests, in spite of its name

    @classmethod
    def synth_scope(cls, fn: Callable[[TerraformStack], object]) -> str:  # type: ignore[override]  # jsii refuses a function
        """The JSON of what `fn` makes on a bare stack."""
        stack = TerraformStack(cls.app(), "stack")
        fn(stack)
        return cls.synth(stack)


def synth_cluster(config: ClusterConfig) -> str:
    """The JSON of a cluster's stack, as `make synth` writes it.

    Raises:
        ConfigurationError: the configuration has mistakes.
    """
    refuse(config.name, config)
    with TemporaryDirectory() as folder:
        project = Path(folder)
        app = App(outdir=str(project / OUTPUT), stack_traces=False)
        KarpenterStack(app, config, project=project)
        app.synth()
        return (project / OUTPUT / "stacks" / config.name / "cdk.tf.json").read_text()
