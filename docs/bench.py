"""Measure synthesis: `make bench`, and `make bench WRITE=docs/speed.md` for the page. Its figures are of one run on one machine.

Nothing here fails on a slow machine: the runs to compare are interleaved, and the page gives ratios.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

PROJECT = Path(__file__).resolve().parents[1]
BEGUN = time.monotonic()

EMPTY = "import sys; from cdktf import App; App(outdir=sys.argv[1]).synth()"
NAIVE = """
import sys; from cdktf import App; from stacks.karpenter_stack import KarpenterStack; from stacks.config import ClusterConfig
app = App(outdir=sys.argv[1]); KarpenterStack(app, ClusterConfig("karpenter")); app.synth()
"""
MAIN = """
import os, runpy, sys
os.environ["CDKTF_OUTDIR"] = sys.argv.pop(1)  # a synthesis takes no arguments
runpy.run_path("main.py", run_name="__main__")
"""
STACKS = """
import gc, sys; gc.disable(); import imports
from cdktf import App; from stacks.karpenter_stack import KarpenterStack; from stacks.config import ClusterConfig
app = App(outdir=sys.argv[1], stack_traces=False)
for number in range(int(sys.argv[2])): KarpenterStack(app, ClusterConfig(f"s{number}"))
app.synth(); gc.freeze()
"""


@dataclass(frozen=True)
class Subject:
    """What is measured: a name, Python code with its arguments, what is added to the environment, how many runs of all."""

    name: str
    code: str
    arguments: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    share: int = 1  # one run in so many


SUBJECTS = (
    Subject("empty app", EMPTY),
    Subject("this project", MAIN),
    Subject("this project, 10 stacks", STACKS, ("10",)),
    Subject("this project, 100 stacks", STACKS, ("100",), share=3),
    Subject("this project, naive imports", NAIVE, environment=(("EAGER_IMPORTS", "1"),), share=3),
)


@dataclass(frozen=True)
class Run:
    """Wall and CPU in seconds, peak memory of the process tree in MB."""

    wall: float
    cpu: float
    peak: float


def environment(**more: str) -> dict[str, str]:
    """An ordinary user's: Python may write its bytecode; jsii gets the Node that the project brings, if any, for every subject."""
    from imports.lazy.node import node

    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "CDKTF_"))}
    return {**kept, "JSII_NODE": os.environ.get("JSII_NODE") or node(), **more}


def run(subject: Subject, *, watched: bool = False) -> Run:
    """Run a subject once, in a process of its own. Watching its memory slows it, and is a run that is not timed."""
    with tempfile.TemporaryDirectory() as outdir, tempfile.TemporaryFile() as said:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begin = time.perf_counter()
        process = psutil.Popen(
            [sys.executable, "-c", subject.code, outdir, *subject.arguments],
            cwd=PROJECT,
            env=environment(**dict(subject.environment)),
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
        peak: list[float] = [0.0]
        watch = threading.Thread(target=_watch, args=(process, peak))
        if watched:
            watch.start()
        code = process.wait()
        wall = time.perf_counter() - begin
        if watched:
            watch.join()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if code:
            said.seek(0)
            raise SystemExit(f"{subject.name}: exit code {code}\n{said.read().decode(errors='replace').strip()}")
    return Run(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, peak[0])


def _watch(process: psutil.Popen, peak: list[float]) -> None:
    """Keep the highest sum of the tree's resident memory, looked at every 20 ms."""
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        total = 0
        for member in (process, *_children(process)):
            try:
                total += member.memory_info().rss
            except psutil.Error:
                continue
        peak[0] = max(peak[0], total / 1e6)
        time.sleep(0.02)


def _children(process: psutil.Popen) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.Error:
        return []


def interleaved(runs: int) -> dict[str, list[Run]]:
    """Every subject in turn, `runs` times; a turn before them warms the caches, and is watched for memory."""
    found: dict[str, list[Run]] = {subject.name: [] for subject in SUBJECTS}
    peaks: dict[str, float] = {}
    for turn in range(runs + 1):
        for subject in SUBJECTS:
            if turn % subject.share == 0:
                say(f"turn {turn} of {runs}: {subject.name}")
                made = run(subject, watched=turn == 0)
                if turn:
                    found[subject.name].append(replace(made, peak=peaks[subject.name]))
                else:
                    peaks[subject.name] = made.peak
    return found


def say(step: str) -> None:
    """What is measured now, with the time since the start."""
    print(f"{time.monotonic() - BEGUN:4.0f} s: {step}", file=sys.stderr)


def first_run() -> dict[str, float]:
    """Seconds from a fresh clone, with empty caches of pip and jsii, to the JSON."""
    with tempfile.TemporaryDirectory() as folder:
        ours, usual = Path(folder, "ours"), Path(folder, "usual")
        for clone in (ours, usual):
            subprocess.run(["git", "clone", "--quiet", str(PROJECT), str(clone)], check=True)
        return {"make synth": _timed(ours, _make_synth), "usual install, naive imports": _timed(usual, _usual)}


def _timed(clone: Path, fn: Callable[[Path, dict[str, str]], None]) -> float:
    cold = {"PIP_NO_CACHE_DIR": "1", "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(clone / "jsii"), "XDG_CACHE_HOME": str(clone / "cache")}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIPENV", "MAKE", "JSII_"))}
    say(f"a fresh clone with empty caches: {clone.name}")
    begin = time.perf_counter()
    fn(clone, {**kept, **cold})
    return time.perf_counter() - begin


def _make_synth(clone: Path, env: dict[str, str]) -> None:
    subprocess.run(["make", "synth", f"PYTHON={sys._base_executable}"], cwd=clone, env=env, check=True, stdout=subprocess.DEVNULL)  # type: ignore[attr-defined]


def _usual(clone: Path, env: dict[str, str]) -> None:
    """As an ordinary CDKTF project is set up: pip with bytecode, everything loaded."""
    pinned = subprocess.run(
        [sys.executable, "-m", "pipenv", "requirements", "--categories=packages"],
        cwd=PROJECT,
        env={**os.environ, "PIPENV_VERBOSITY": "-1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (clone / "requirements.txt").write_text("\n".join(line for line in pinned.splitlines() if not line.startswith("-i ")))
    python = str(clone / ".venv" / "bin" / "python")
    compiled = {name: value for name, value in env.items() if name != "PIP_COMPILE"}
    subprocess.run([sys._base_executable, "-m", "venv", ".venv"], cwd=clone, env=compiled, check=True)  # type: ignore[attr-defined]
    subprocess.run([python, "-m", "pip", "install", "-q", "-r", "requirements.txt"], cwd=clone, env=compiled, check=True)
    eager = {**compiled, "EAGER_IMPORTS": "1"}
    subprocess.run([python, "main.py"], cwd=clone, env=eager, check=True, stdout=subprocess.DEVNULL)


def page(found: dict[str, list[Run]], first: dict[str, float]) -> str:
    """The figures as a page."""
    medians = {
        name: Run(*(statistics.median(getattr(r, key) for r in runs) for key in ("wall", "cpu", "peak")))
        for name, runs in found.items()
    }
    floor, one = medians["empty app"], medians["this project"]
    ten, hundred = medians["this project, 10 stacks"], medians["this project, 100 stacks"]
    naive = medians["this project, naive imports"]
    rows = [
        f"| {name} | {m.wall:.2f} | {m.wall / floor.wall:.2f} | {m.cpu:.2f} | {m.peak:.0f} | {len(found[name])} |"
        for name, m in medians.items()
    ]
    shown = {"empty app": floor, "this project": one, "10 stacks": ten, "naive imports": naive}
    ours, usual = first["make synth"], first["usual install, naive imports"]
    return "\n".join(
        [
            "# How fast synthesis is",
            "",
            "Written by `make bench WRITE=docs/speed.md`. What makes synthesis fast is in",
            "[imports/lazy](../imports/lazy/__init__.py) and [stacks/terraform/addresses.py](../stacks/terraform/addresses.py).",
            "Medians of interleaved runs, each a process of its own, with warm caches; peak memory is that of the whole process",
            "tree, in a run of its own.",
            "",
            f"Machine: {os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB, {platform.system()} "
            f"{platform.machine()}, Python {platform.python_version()}, Node {_node_version()}.",
            "",
            "| what | wall s | times the empty app | CPU s | peak MB | runs |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            f"- A further stack: **{(hundred.wall - ten.wall) / 90 * 1000:.0f} ms**.",
            f"- **{naive.wall / one.wall:.0f} times** as fast as with naive imports.",
            f"- First run, from a fresh clone with empty caches of pip and jsii to the JSON: **{ours:.0f} s** with `make synth`, "
            f"{usual:.0f} s with the usual install and naive imports ({ours / usual:.2f}).",
            "",
            "```mermaid",
            "xychart-beta horizontal",
            '  title "Wall seconds"',
            f"  x-axis {json.dumps(list(shown))}",
            f'  y-axis "seconds" 0 --> {max(m.wall for m in shown.values()):.0f}',
            f"  bar [{', '.join(f'{m.wall:.2f}' for m in shown.values())}]",
            "```",
            "",
        ]
    )


def _node_version() -> str:
    return subprocess.run([environment()["JSII_NODE"], "--version"], capture_output=True, text=True, check=True).stdout.strip()


def main() -> None:
    """Measure, and print the page or write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9, help="turns that count (7 or more for a page)")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page to a file")
    options = parser.parse_args()
    if not shutil.which("make"):
        raise SystemExit("make is needed for the first run")
    text = page(interleaved(options.runs), first_run())
    if options.write:
        options.write.write_text(text)
    print(text)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("\nInterrupted. No page was written.") from None
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"The first run failed: {error}") from None
