"""What the Makefile says where something fails, and what it leaves alone."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from docs import bench
from stacks.app import PROJECT

# Makes a virtual environment whose pip fails as without a network.
PYTHON = """\
#!/bin/sh
test "$1" = -m || exit 0
mkdir -p .venv/bin
printf '#!/bin/sh\\necho "WARNING: Retrying"\\necho "ERROR: no hash matches" >&2\\nexit 1\\n' > .venv/bin/pip
chmod +x .venv/bin/pip
"""


def test_an_installation_that_fails_is_a_sentence_and_the_reasons_are_in_a_file(tmp_path: Path) -> None:
    shutil.copy(PROJECT / "Makefile", tmp_path)
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    ran = subprocess.run(
        ["make", f"PYTHON={python}", "synth"], cwd=tmp_path, env=clean, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert ran.stdout == (
        "Setting up .venv, which takes half a minute\n"
        "The packages could not be installed. Is PyPI, or the mirror in pip's settings, reachable? See .venv/install.log\n"
    )
    assert ran.stderr.count("\n") == 1  # make's own line
    assert (tmp_path / ".venv" / "install.log").read_text() == "WARNING: Retrying\nERROR: no hash matches\n"


def test_the_measurements_say_what_they_measure(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bench, "SUBJECTS", [bench.Subject("nothing", "pass"), bench.Subject("rare", "pass", share=2)])
    assert {name: len(runs) for name, runs in bench.interleaved(1).items()} == {"nothing": 1, "rare": 0}
    said = [line.partition(" s: ")[2] for line in capsys.readouterr().err.splitlines()]
    assert said == ["turn 0 of 1: nothing", "turn 0 of 1: rare", "turn 1 of 1: nothing"]


# Not measured here: 100 stacks differ from 10 by a number, and naive imports take half a minute.
CHEAP = [subject for subject in bench.SUBJECTS if subject.share == 1]


@pytest.mark.slow
@pytest.mark.parametrize("subject", CHEAP, ids=lambda subject: subject.name)
def test_what_is_measured_runs(subject: bench.Subject) -> None:
    few = replace(subject, arguments=tuple("1" for _ in subject.arguments))
    assert bench.run(few).wall > 0


def test_a_subject_that_fails_shows_why() -> None:
    with pytest.raises(SystemExit, match=r"^broken: exit code 1\na reason$"):
        bench.run(bench.Subject("broken", "import sys; sys.exit('a reason')"))


def test_measurements_that_are_interrupted_end_in_a_sentence() -> None:
    process = subprocess.Popen(
        [sys.executable, "docs/bench.py", "--runs", "1"],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": "."},
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    assert process.stderr
    assert "turn 0 of 1" in process.stderr.readline()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    assert (process.stderr.read(), process.wait()) == ("\nInterrupted. No page was written.\n", 1)


@pytest.mark.parametrize("asked", [True, False])
def test_the_measurements_are_written_only_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: bool) -> None:
    for name, result in (("interleaved", {}), ("first_run", {}), ("page", "figures")):
        monkeypatch.setattr(bench, name, lambda *_, result=result: result)
    file = tmp_path / "page.md"
    tracked = (PROJECT / "docs" / "speed.md").read_text()
    monkeypatch.setattr(sys, "argv", ["bench.py", *(["--write", str(file)] if asked else [])])
    bench.main()
    assert (file.read_text() if file.exists() else None) == ("figures" if asked else None)
    assert (PROJECT / "docs" / "speed.md").read_text() == tracked
