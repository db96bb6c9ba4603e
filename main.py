"""The app: read the settings, make the stack, synthesize."""

import gc
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent
STANDARD_OUTDIR = PROJECT / "cdktf.out"

NEXT = """\
Wrote {folder}/cdk.tf.json (preset {preset}).

Next:
{example}  terraform -chdir={folder} init
  terraform -chdir={folder} plan{variables}"""

EXAMPLE = "  cp -n terraform.tfvars.example terraform.tfvars   # then set your region and GPU types in terraform.tfvars\n"


def main() -> None:
    """Write the Terraform JSON to `cdktf.out`, or to where the cdktf CLI wants it."""
    from stacks.operations.output import keep_lock_files, place_lock_file, refuse_old_workspaces
    from stacks.settings import load

    settings = load(_context(), os.environ)
    outdir = Path(os.environ.get("CDKTF_OUTDIR", STANDARD_OUTDIR))
    if settings.backend == "local":
        refuse_old_workspaces(outdir / "stacks" / settings.stack, settings.local_workspaces)
    # The cdktf CLI deletes the folder of a stack that the app no longer has, after this.
    keep_lock_files(PROJECT, outdir)

    import imports  # noqa: F401  (before cdktf: see imports.lazy)

    from cdktf import App

    from stacks.karpenter_stack import KarpenterStack

    # Without stack traces: nobody reads them, and each costs time.
    app = App(outdir=str(outdir), stack_traces=False)
    KarpenterStack(app, settings)
    app.synth()
    place_lock_file(PROJECT, outdir, settings.stack)
    if outdir == STANDARD_OUTDIR and "CDKTF_OUTDIR" not in os.environ:  # the cdktf CLI says what comes next itself
        print(_next(outdir / "stacks" / settings.stack, settings.preset))


def _context() -> dict[str, Any]:
    """The settings in `cdktf.json`.

    Raises:
        ValueError: it does not hold a JSON object with an object `context`.
    """
    try:
        document = json.loads((PROJECT / "cdktf.json").read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"cdktf.json must be valid JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
    context = document.get("context", {}) if isinstance(document, dict) else document
    if not isinstance(context, dict):
        raise ValueError(f'cdktf.json must be a JSON object whose "context" is an object (got {json.dumps(context)}).')
    return context


def _next(folder: Path, preset: str) -> str:
    """What a user runs next, from the project's folder."""
    given = (PROJECT / "terraform.tfvars").exists()
    return NEXT.format(
        folder=folder.relative_to(PROJECT),
        preset=preset,
        example="" if given else EXAMPLE,
        variables=f" -var-file={os.path.relpath(PROJECT / 'terraform.tfvars', folder)}",
    )


def run() -> None:
    """Run `main`; an error that its reader can correct is a sentence and not a traceback."""
    try:
        main()
    except KeyboardInterrupt:
        _stop("Interrupted. A synthesis deploys nothing; run it again at any time.", 130)
    except ModuleNotFoundError as error:
        if error.name not in ("cdktf", "constructs", "jsii"):
            raise
        _stop("This Python does not have the packages of the project. Run `make synth`, which installs them in .venv.")
    except OSError as error:
        _stop(f"{error.filename} cannot be used: {error.strerror}." if error.filename else str(error))
    except Exception as error:
        # RuntimeError is what jsii makes of CDKTF's own refusals; errors of jsii itself have its own type.
        if not isinstance(error, ValueError | RuntimeError) and type(error).__module__ != "jsii.errors":
            raise
        _stop(str(error))


def _stop(message: str, code: int = 1) -> None:
    print(message.strip(), file=sys.stderr, flush=True)
    # At once: where Node was interrupted or did not start, jsii would end with a traceback.
    os._exit(code)


if __name__ == "__main__":
    gc.disable()  # nothing here lives long enough to be worth collecting,
    run()
    gc.freeze()  # nor is it at exit, where Python would
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is written; interrupted from here on, jsii would end with a traceback
