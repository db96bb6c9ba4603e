"""The app: read the settings, make the stack, synthesize."""

import gc
import json
import os
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent


def main() -> None:
    """Write the Terraform JSON to `cdktf.out`, or to where the cdktf CLI wants it."""
    from imports import lazy

    lazy.install()  # before cdktf, which starts Node

    from cdktf import App

    from stacks.karpenter_stack import KarpenterStack
    from stacks.settings import load

    context = json.loads((PROJECT / "cdktf.json").read_text()).get("context", {})
    settings = load(context, os.environ)
    # Without stack traces: they hold paths of this machine, and nobody reads them in the JSON.
    app = App(outdir=str(PROJECT / "cdktf.out"), stack_traces=False)
    KarpenterStack(app, settings)
    app.synth()
    if "CDKTF_OUTDIR" not in os.environ:  # the CLI has words of its own
        print(f"{Path(app.outdir, 'stacks', settings.stack, 'cdk.tf.json').relative_to(PROJECT)} is written.")


if __name__ == "__main__":
    gc.disable()  # nothing here lives long enough to be worth collecting
    try:
        main()
    except ValueError as error:
        sys.exit(str(error))
