"""The app: read the settings, make the stack, synthesize."""

import gc
import json
import os
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent

NEXT = """\
Written, with preset {preset}: {folder}/cdk.tf.json

Next: cp terraform.tfvars.example terraform.tfvars, name your region and GPU types in it, and
  terraform -chdir={folder} init
  terraform -chdir={folder} plan -var-file=../../../terraform.tfvars"""


def main() -> None:
    """Write the Terraform JSON to `cdktf.out`, or to where the cdktf CLI wants it."""
    from imports import lazy

    lazy.install()  # before cdktf, which starts Node

    from cdktf import App

    from stacks.karpenter_stack import KarpenterStack
    from stacks.settings import load

    context = json.loads((PROJECT / "cdktf.json").read_text()).get("context", {})
    settings = load(context, os.environ)
    # Without stack traces: nobody reads them, and each costs time.
    app = App(outdir=os.environ.get("CDKTF_OUTDIR", str(PROJECT / "cdktf.out")), stack_traces=False)
    KarpenterStack(app, settings)
    app.synth()
    if "CDKTF_OUTDIR" not in os.environ:  # the CLI has words of its own
        print(NEXT.format(folder=Path(app.outdir, "stacks", settings.stack).relative_to(PROJECT), preset=settings.preset))


if __name__ == "__main__":
    gc.disable()  # nothing here lives long enough to be worth collecting,
    try:
        main()
    except (ValueError, RuntimeError) as error:  # RuntimeError: what jsii makes of CDKTF's own refusals
        sys.exit(str(error).strip())
    gc.freeze()  # nor is it at exit, where Python would
