"""From a list of clusters to their Terraform JSON: what `main.py` runs."""

import gc
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from traceback import extract_tb
from types import TracebackType
from typing import Any, NoReturn

from stacks.config import ClusterConfig, LocalBackend
from stacks.config.backends import OUTPUT
from stacks.config.fields import documented
from stacks.config.fleet import refuse_mistakes, refuse_replaced_settings, warnings
from stacks.config.pools import chosen_by
from stacks.operations.output import forgotten_states, keep_lock_files, place_lock_file, refuse_old_workspaces
from stacks.operations.terminal import coloured

PROJECT = Path(__file__).resolve().parents[1]


def synthesize(clusters: Sequence[ClusterConfig]) -> None:
    """Write the Terraform JSON of the clusters to `cdktf.out`, or to the cdktf CLI's folder, and end the process on an error.

    An error that the user can fix is printed as a sentence, without a traceback.
    """
    gc.disable()  # the process is short: a collection costs time and frees little
    try:
        outdir = Path(os.environ.get("CDKTF_OUTDIR", PROJECT / OUTPUT))
        write(clusters, outdir, PROJECT)
        for line in (*warnings(clusters, date.today()), *_forgotten(clusters)):
            print(f"{coloured('Warning:', 'yellow', sys.stderr)} {line}", file=sys.stderr)
        if "CDKTF_OUTDIR" not in os.environ:  # the cdktf CLI prints its own next steps
            print("\n".join(_summary(clusters, outdir)))
    except KeyboardInterrupt:
        _stop("Interrupted. A synthesis deploys nothing; run it again at any time.", 130)
    except ModuleNotFoundError as error:
        if error.name not in ("cdktf", "constructs", "jsii"):
            raise
        _stop("This Python does not have the packages of the project. Run `make synth`, which installs them in .venv.")
    except OSError as error:
        _stop(f"{error.filename} cannot be used: {error.strerror}." if error.filename else str(error))
    except Exception as error:
        # jsii turns CDKTF's own errors into RuntimeError; errors of jsii itself have types of their own.
        if not isinstance(error, ValueError | RuntimeError) and type(error).__module__ != "jsii.errors":
            raise
        _stop(str(error))
    gc.freeze()  # Python would collect once more at exit
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # everything is written; an interrupt would only make jsii print a traceback


def write(clusters: Sequence[ClusterConfig], outdir: Path, project: Path) -> None:
    """Write the Terraform JSON of the clusters below `outdir`.

    Raises:
        ConfigurationError: the clusters have mistakes. The message names all of them.
        StateInOutputError: an earlier version left a state where this version would not see it.
    """
    refuse_replaced_settings(os.environ, _context(project / "cdktf.json"))
    refuse_mistakes(clusters, project)
    for cluster in clusters:
        if isinstance(cluster.backend, LocalBackend):
            refuse_old_workspaces(outdir / "stacks" / cluster.name, project / f"{cluster.backend.file(cluster.name)}.d")
    # The cdktf CLI deletes the folder of a stack that the app no longer has, after this.
    keep_lock_files(project, outdir)

    import imports  # noqa: F401  (before cdktf: CDKTF's packages load lazily)

    from cdktf import App

    from stacks.karpenter_stack import KarpenterStack

    outdir.mkdir(parents=True, exist_ok=True)
    # Without stack traces: nobody reads them, and each costs time.
    app = App(outdir=str(outdir), stack_traces=False)
    for cluster in clusters:
        KarpenterStack(app, cluster, project=project)
    app.synth()
    for cluster in clusters:
        place_lock_file(project, outdir, cluster.name)


def _context(file: Path) -> dict[str, Any]:
    """The context in `cdktf.json`.

    Raises:
        ValueError: the file does not hold a JSON object whose `context` is an object.
    """
    try:
        document = json.loads(file.read_text()) if file.exists() else {}
    except json.JSONDecodeError as error:
        raise ValueError(f"{file.name} must be valid JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
    context = document.get("context", {}) if isinstance(document, dict) else document
    if not isinstance(context, dict):
        raise ValueError(f'{file.name} must be a JSON object whose "context" is an object (got {json.dumps(context)}).')
    return context


def _forgotten(clusters: Sequence[ClusterConfig]) -> Iterator[str]:
    """States of clusters that are no longer on the list of main.py. Another app may have clusters of its own."""
    if Path(sys.argv[0]).resolve() != PROJECT / "main.py":
        return
    known = {cluster.backend.location(cluster.name, PROJECT) for cluster in clusters}
    for name, state in forgotten_states(PROJECT, known):
        yield (
            f"{state} has resources, and main.py has no cluster with this state. The cluster keeps running. To destroy the "
            f'cluster, put ClusterConfig("{name}") back and run `make synth` and `make destroy STACK={name}`.'
        )


def _summary(clusters: Sequence[ClusterConfig], outdir: Path) -> Iterator[str]:
    """What was written, and what a user runs next, from the project's folder."""
    folders = {cluster.name: os.path.relpath(outdir / "stacks" / cluster.name) for cluster in clusters}
    for cluster in clusters:
        yield coloured(f"Wrote {folders[cluster.name]}/cdk.tf.json", "green", sys.stdout)
        for pool in cluster.gpu_pools:
            yield f"  GPU pool {pool.name}: {', '.join(pool.types())} ({chosen_by(pool)})"
    first = clusters[0]
    yield "\nNext:"
    missing = [f.name for f in documented(ClusterConfig) if f.variable and f.variable.required and getattr(first, f.name) is None]
    variables = PROJECT / "terraform.tfvars"
    if missing and not variables.exists():
        yield f"  cp -n terraform.tfvars.example terraform.tfvars   # then set {' and '.join(missing)} in terraform.tfvars"
    given = f" -var-file={os.path.relpath(variables, outdir / 'stacks' / first.name)}" if missing or variables.exists() else ""
    yield f"  terraform -chdir={folders[first.name]} init"
    yield f"  terraform -chdir={folders[first.name]} plan{given}"


def _explain(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Report a mistake in the file that lists the clusters, such as a misspelt field, in one line instead of a traceback."""
    page = next(
        (frame for frame in extract_tb(traceback) if frame.filename == getattr(sys.modules["__main__"], "__file__", None)), None
    )
    if kind is KeyboardInterrupt:
        _stop("Interrupted. Nothing was written.", 130)
    if kind is not TypeError or "__init__()" not in str(error) or page is None:
        sys.__excepthook__(kind, error, traceback)
        return
    what = str(error).replace(".__init__()", "")
    _stop(f"{os.path.relpath(page.filename)}, line {page.lineno}: {what}. The fields are in docs/options.md.")


# Here and not in `synthesize`: a misspelt field fails before main.py calls it.
sys.excepthook = _explain


def _stop(message: str, code: int = 1) -> NoReturn:
    print(coloured(message.strip(), "red", sys.stderr), file=sys.stderr, flush=True)
    # Exit at once: if Node was interrupted or did not start, jsii would print a traceback.
    os._exit(code)
