"""main.py as a user meets it: what it prints, and the sentence where a user made a mistake."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stacks.app import PROJECT
from tests.synthesis import MAIN, copy_program

pytestmark = pytest.mark.slow  # each test starts a program


@pytest.fixture
def project(tmp_path: Path) -> Path:
    copy_program(tmp_path)
    shutil.copy(PROJECT / "terraform.tfvars.example", tmp_path)
    return tmp_path


RUNNER, DIRECT = ("-m", "stacks", "main.py"), ("main.py",)


def start(project: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CDKTF")}
    return subprocess.Popen(
        [sys.executable, *(arguments or RUNNER)],
        cwd=project,
        env={**clean, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(project: Path, *arguments: str, **environment: str) -> tuple[int | None, str, str]:
    process = start(project, *arguments, **environment)
    printed, error = process.communicate()
    return process.returncode, printed, error


def test_the_next_commands_do_not_overwrite_the_variables_that_a_user_has(project: Path) -> None:
    code, printed, error = run(project)
    # That a version of Kubernetes leaves support depends on the day.
    assert (code, [line for line in error.splitlines() if "standard support" not in line]) == (0, [])
    assert "cp -n terraform.tfvars.example terraform.tfvars" in printed
    assert "\033" not in printed + error  # colours are for terminals
    (project / "terraform.tfvars").touch()
    code, printed, _ = run(project, *DIRECT)
    assert code == 0
    assert "terraform.tfvars.example" not in printed
    assert printed.endswith("  make plan STACK=karpenter\n  make apply STACK=karpenter\n")
    for command in (RUNNER, DIRECT):
        code, printed, _ = run(project, *command, "--json")
        assert (code, json.loads(printed)["clusters"][0]["name"]) == (0, "karpenter")


# --- What runs the page -----------------------------------------------------------------------------------------------------------

NOTHING = (
    "main.py has written nothing: cdktf.out is as before. End main.py with synthesize(CLUSTERS), which needs its parentheses.\n"
)


@pytest.mark.parametrize("end", ["", "synthesize", "sys.exit()", "from main import CLUSTERS"])
def test_a_page_that_writes_nothing_fails_although_an_earlier_run_has_written(project: Path, end: str) -> None:
    """The cdktf CLI would deploy the old JSON."""
    old = project / "cdktf.out" / "manifest.json"
    old.parent.mkdir()
    old.write_text("{}")
    (project / "main.py").write_text(f"import sys\nfrom stacks.app import synthesize\nCLUSTERS = []\n{end}\n")
    assert run(project) == (1, "", NOTHING)


def test_a_page_that_writes_nothing_fails_in_a_fresh_clone_too(project: Path) -> None:
    (project / "main.py").write_text("CLUSTERS = []")
    assert run(project) == (1, "", NOTHING)


def test_a_page_writes_where_the_cdktf_cli_says_and_leaves_the_next_steps_to_the_cli(project: Path) -> None:
    (project / "main.py").write_text(f"{MAIN}    raise SystemExit\n")
    assert run(project, CDKTF_OUTDIR="out")[:2] == (0, "")
    assert (project / "out" / "stacks" / "karpenter" / "cdk.tf.json").exists()


def test_the_exit_code_of_a_page_is_kept(project: Path) -> None:
    (project / "main.py").write_text("raise SystemExit(3)")
    assert run(project) == (3, "", "")


def test_a_page_that_is_missing_is_named(project: Path) -> None:
    said = "APP must be a Python file that lists clusters, such as main.py (got pages/main.py).\n"
    assert run(project, "-m", "stacks", "pages/main.py") == (1, "", said)


def test_a_page_may_import_what_lies_beside_it(project: Path) -> None:
    (project / "pages").mkdir()
    (project / "pages" / "team.py").write_text("raise SystemExit('found')")
    (project / "pages" / "main.py").write_text("import team")
    assert run(project, "-m", "stacks", "pages/main.py") == (1, "", "found\n")


@pytest.mark.parametrize("command", [(*RUNNER, "--help"), (*DIRECT, "--help"), ("-m", "stacks", "-h")], ids=" ".join)
def test_help_says_what_a_synthesis_reads_and_writes_nothing(project: Path, command: tuple[str, ...]) -> None:
    code, printed, error = run(project, *command)
    assert (code, error) == (0, "")
    assert "APP=" in printed
    assert "CDKTF_OUTDIR" in printed
    assert len(printed.splitlines()) < 10
    assert not (project / "cdktf.out").exists()


@pytest.mark.parametrize("command", [RUNNER, DIRECT, ("-m", "stacks")], ids=" ".join)
def test_an_argument_is_refused(project: Path, command: tuple[str, ...]) -> None:
    said = "A synthesis takes no argument but --json (got --outdir x). What it reads: make synth ARGS=--help\n"
    assert run(project, *command, "--outdir", "x") == (1, "", said)
    assert not (project / "cdktf.out").exists()


@pytest.mark.parametrize("command", [RUNNER, DIRECT], ids=" ".join)
def test_a_mistake_in_the_page_is_a_line(project: Path, command: tuple[str, ...]) -> None:
    (project / "main.py").write_text(
        "from stacks.app import synthesize\nfrom stacks.config import *\nrecommended('a', regoin='b')\n"
    )
    said = "main.py, line 3: recommended does not have the field regoin. Did you mean region? The fields are in docs/options.md.\n"
    assert run(project, *command) == (1, "", said)


@pytest.mark.parametrize("command", [RUNNER, DIRECT], ids=" ".join)
def test_another_error_has_a_traceback_that_begins_in_the_page(project: Path, command: tuple[str, ...]) -> None:
    (project / "main.py").write_text("from stacks.app import synthesize\ndef f():\n    return 1 / 0\nf()\n")
    code, _, error = run(project, *command)
    first = error.splitlines()[1]
    assert code == 1
    assert first.endswith('main.py", line 4, in <module>')
    assert error.endswith("ZeroDivisionError: division by zero\n")


def test_the_app_of_the_cdktf_cli_and_make_synth_run_the_same() -> None:
    app = json.loads((PROJECT / "cdktf.json").read_text())["app"]
    assert app == ".venv/bin/python -m stacks main.py"
    assert "$(BIN)/python -m stacks $(APP)" in (PROJECT / "Makefile").read_text()


# --- Mistakes in files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"context": {},}', "cdktf.json must be valid JSON: "),
        ('{"context": []}', 'cdktf.json must be a JSON object whose "context" is an object (got []).'),
        ("[]", 'cdktf.json must be a JSON object whose "context" is an object (got []).'),
    ],
)
def test_a_mistake_in_cdktf_json_is_a_sentence_that_names_the_file(project: Path, text: str, sentence: str) -> None:
    (project / "cdktf.json").write_text(text)
    code, printed, error = run(project)
    assert (code, printed) == (1, "")
    assert error.startswith(sentence)
    assert error.count("\n") == 1


@pytest.mark.parametrize("missing", ["stacks/knowledge/gpu_instance_types.csv"])
def test_a_file_that_is_missing_is_named(project: Path, missing: str) -> None:
    (project / missing).unlink()
    (project / "main.py").write_text(MAIN.replace('"karpenter"', '"karpenter", gpu_instance_types=["p5.48xlarge"]'))
    code, _, error = run(project)
    assert (code, error) == (1, f"{project / missing} cannot be used: No such file or directory.\n")


@pytest.mark.parametrize("node", ["/nonexistent/node", "/bin/false"])
def test_a_jsii_node_that_is_not_node_is_refused(project: Path, node: str) -> None:
    code, _, error = run(project, JSII_NODE=node)
    assert (code, error) == (1, f"JSII_NODE must be the path of Node 22 or 24 (got {node}). Unset it to use the Node in .venv.\n")


def test_a_home_that_cannot_be_written_is_said_in_a_sentence(project: Path) -> None:
    home = project / "home"
    home.touch()
    environment = {"HOME": str(home), "JSII_RUNTIME_PACKAGE_CACHE_ROOT": "", "XDG_CACHE_HOME": ""}
    code, _, error = run(project, **environment)
    assert code == 1
    assert "JSII_RUNTIME_PACKAGE_CACHE_ROOT" in error
    assert error.count("\n") == 1


# A program that is interrupted when it calls one of its functions.
INTERRUPTED = """\
import os, signal
from stacks import app
from stacks.config import ClusterConfig

called = app.{function}

def interrupt(*arguments):
    os.kill(os.getpid(), signal.SIGINT)
    return called(*arguments)

app.{function} = interrupt
app.synthesize([ClusterConfig("karpenter")])
"""


@pytest.mark.parametrize(
    "function",
    [
        pytest.param("refuse_mistakes", id="before Node starts"),
        pytest.param("place_lock_file", id="while Node runs", marks=pytest.mark.slow),
    ],
)
def test_an_interrupt_is_a_sentence(project: Path, function: str) -> None:
    (project / "main.py").write_text(INTERRUPTED.format(function=function))
    code, _, error = run(project)
    assert (code, error) == (130, "Interrupted. A synthesis deploys nothing; run it again at any time.\n")


def test_an_interrupt_while_python_loads_the_program_is_a_sentence(project: Path) -> None:
    (project / "stacks" / "app.py").write_text("raise KeyboardInterrupt")
    assert run(project) == (130, "", "Interrupted. Nothing was written.\n")


def test_a_python_without_the_packages_is_told_what_installs_them(project: Path) -> None:
    ran = subprocess.run([sys.executable, "-S", "main.py"], cwd=project, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
    assert "Run `make synth`" in ran.stderr


def test_states_of_workspaces_in_the_output_are_refused_and_not_overlooked(project: Path) -> None:
    """A plan that does not see them would create a second cluster."""
    state = project / "cdktf.out" / "stacks" / "karpenter" / "terraform.tfstate.d" / "staging" / "terraform.tfstate"
    state.parent.mkdir(parents=True)
    state.write_text("{}")
    code, _, error = run(project)
    assert code == 1
    assert f"mv {state.parents[1]} {project / 'terraform.karpenter.tfstate.d'}" in error
    assert "init -reconfigure" in error
    shutil.move(state.parents[1], project / "terraform.karpenter.tfstate.d")
    assert run(project)[0] == 0
    document = json.loads((project / "cdktf.out" / "stacks" / "karpenter" / "cdk.tf.json").read_text())
    assert document["terraform"]["backend"]["local"]["workspace_dir"] == "../../../terraform.karpenter.tfstate.d"


def test_the_newer_lock_file_of_providers_is_kept_and_placed(project: Path) -> None:
    kept = project / "terraform.karpenter.lock.hcl"
    kept.write_text("committed")
    assert run(project)[0] == 0
    used = project / "cdktf.out" / "stacks" / "karpenter" / ".terraform.lock.hcl"
    assert used.read_text() == "committed"
    used.write_text("after terraform init")
    os.utime(used, (kept.stat().st_mtime + 10,) * 2)
    renamed = project / "cdktf.out" / "stacks" / "renamed" / ".terraform.lock.hcl"
    renamed.parent.mkdir()
    renamed.write_text("of a stack that the app no longer has")
    assert run(project)[0] == 0  # the same JSON again, which counts as written
    assert kept.read_text() == "after terraform init"
    assert (project / "terraform.renamed.lock.hcl").read_text() == "of a stack that the app no longer has"
