"""For tests of what is built with the constructs: their JSON, without files and without Terraform."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import imports  # noqa: F401  (before cdktf: CDKTF's packages load lazily)

from cdktf import App, TerraformStack, Testing

from stacks.config import ClusterConfig
from stacks.config.backends import OUTPUT
from stacks.config.checks import refuse
from stacks.karpenter_stack import KarpenterStack


def synth_scope(fn: Callable[[TerraformStack], object]) -> str:
    """The JSON of what `fn` makes on a bare stack: CDKTF's `Testing.synth_scope`, which takes no Python function.

    ```python
    document = json.loads(synth_scope(lambda stack: Network(stack, "network", name="gpu", cidr="10.0.0.0/16")))
    assert document["module"]["vpc"]["enable_nat_gateway"] is True
    ```
    """
    stack = TerraformStack(Testing.app(), "stack")
    fn(stack)
    synthesized: str = Testing.synth(stack)
    return synthesized


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
