"""From a list of clusters to their Terraform JSON: what `main.py` runs."""

import gc
import os
import signal
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from runpy import run_path
from types import TracebackType
from typing import NoReturn

from stacks.config import ClusterConfig, LocalBackend
from stacks.config.backends import OUTPUT
from stacks.config.fleet import refuse_mistakes
from stacks.config.replaced_settings import context_in, refuse_replaced_settings
from stacks.operations.output import keep_lock_files, place_lock_file, refuse_old_workspaces
from stacks.operations.record import forget_synthesis, record_synthesis
from stacks.operations.terminal import coloured
from stacks.reports.calls import explain
from stacks.reports.forgotten import forgotten
from stacks.reports.summary import as_json, summary
from stacks.reports.warnings import warnings

PROJECT = Path(__file__).resolve().parents[1]

# Frames between Python and the page.
RUNNER = {__file__, str(Path(__file__).with_name("__main__.py")), "<frozen runpy>"}

JSON = "--json"
HELP = """\
Write the Terraform JSON of the clusters that main.py lists, to cdktf.out/stacks/<name>/cdk.tf.json. Nothing is deployed.

  make synth                          from main.py
  make synth APP=examples/fleet.py    from another file
  python -m stacks [FILE]             without make, with the Python in .venv
  python main.py --json               the summary as JSON, which is alone on the standard output

CDKTF_OUTDIR names another folder than cdktf.out; the cdktf CLI sets it. `make` lists the other commands."""


def synthesize(clusters: Sequence[ClusterConfig]) -> None:
    """Write the Terraform JSON of the clusters to `cdktf.out`, or to the cdktf CLI's folder, and end the process on an error.

    An error that the user can fix is printed as a sentence, without a traceback.
    """
    if hasattr(sys.modules["__main__"], "synthesize"):  # the page itself runs, and not a test
        _refuse_arguments(sys.argv[1:])
    gc.disable()  # the process is short: a collection costs time and frees little
    try:
        page, outdir, today = Path(sys.argv[0]), _outdir(), date.today()
        forget_synthesis(outdir)
        write(clusters, outdir, PROJECT)
        record_synthesis(outdir, page, PROJECT)
        for line in (*warnings(clusters, today), *forgotten(clusters, page=page, outdir=outdir, project=PROJECT)):
            print(f"{coloured('Warning:', 'yellow', sys.stderr)} {line}", file=sys.stderr)
        if JSON in sys.argv[1:]:
            print(as_json(clusters, outdir=outdir, today=today))
        elif "CDKTF_OUTDIR" not in os.environ:  # the cdktf CLI prints its own next steps
            print("\n".join(summary(clusters, page=page, outdir=outdir, project=PROJECT, today=today)))
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
    refuse_replaced_settings(os.environ, context_in(project / "cdktf.json"))
    refuse_mistakes(clusters, project)
    for cluster in clusters:
        if isinstance(cluster.backend, LocalBackend):
            refuse_old_workspaces(outdir / "stacks" / cluster.name, project / f"{cluster.backend.file(cluster.name)}.d")
    # The cdktf CLI deletes the folder of a stack that the app no longer has, after this.
    keep_lock_files(project, outdir)

    import imports  # noqa: F401  (before cdktf: CDKTF's packages load lazily)

    from cdktf import App

    from stacks.karpenter_stack import KarpenterStack, import_further

    outdir.mkdir(parents=True, exist_ok=True)
    # Without stack traces: nobody reads them, and each costs time.
    app = App(outdir=str(outdir), stack_traces=False)
    import_further(clusters)
    for cluster in clusters:
        KarpenterStack(app, cluster, project=project)
    app.synth()
    for cluster in clusters:
        place_lock_file(project, outdir, cluster.name)


def _refuse_arguments(arguments: Sequence[str]) -> None:
    """Print the help, or stop at an argument that a synthesis does not take."""
    if {"-h", "--help"} & set(arguments):
        print(HELP)
        sys.exit()
    if set(arguments) - {JSON}:
        _stop(f"A synthesis takes no argument but {JSON} (got {' '.join(arguments)}). What it reads: make synth ARGS=--help")


def run(page: Path, arguments: Sequence[str]) -> None:
    """Run a page as Python does, and end the process with an error if the page has written nothing.

    Raises:
        Exception: the page's own error. `sys.excepthook` reports it.
    """
    _refuse_arguments(arguments)
    if not page.is_file():
        _stop(f"APP must be a Python file that lists clusters, such as main.py (got {page}).")
    before = _written()
    forget_synthesis(_outdir())
    sys.argv, sys.path[:0] = [str(page), *arguments], [str(page.resolve().parent)]
    try:
        run_path(str(page), run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise
    if _written() == before:
        _stop(
            f"{page} has written nothing: {os.path.relpath(_outdir())} is as before. End {page} with synthesize(CLUSTERS), which "
            "needs its parentheses."
        )
    record_synthesis(_outdir(), page, PROJECT)  # of an app of one's own too


def _outdir() -> Path:
    """Where the JSON goes: the cdktf CLI names a folder."""
    return Path(os.environ.get("CDKTF_OUTDIR", PROJECT / OUTPUT))


def _written() -> int:
    """When an app last wrote its manifest, which every synthesis does, of an app of one's own too."""
    manifest = _outdir() / "manifest.json"
    return manifest.stat().st_mtime_ns if manifest.exists() else 0


def _report(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Print a mistake in the page that lists the clusters, such as a misspelt field, in one line instead of a traceback."""
    while traceback and traceback.tb_next and traceback.tb_frame.f_code.co_filename in RUNNER:
        traceback = traceback.tb_next
    if isinstance(error, KeyboardInterrupt):
        _stop("Interrupted. Nothing was written.", 130)
    if line := explain(error, traceback):
        _stop(line)
    sys.__excepthook__(kind, error.with_traceback(traceback), traceback)


# Here and not in `run` or `synthesize`: Python may run the page itself, and a misspelt field fails before main.py calls anything.
sys.excepthook = _report


def _stop(message: str, code: int = 1) -> NoReturn:
    print(coloured(message.strip(), "red", sys.stderr), file=sys.stderr, flush=True)
    # Exit at once: if Node was interrupted or did not start, jsii would print a traceback.
    os._exit(code)
