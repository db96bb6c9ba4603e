"""main.py as a user meets it: what it prints, and the sentence where a user made a mistake."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stacks.app import PROJECT
from tests.synthesis import copy_program


@pytest.fixture
def project(tmp_path: Path) -> Path:
    copy_program(tmp_path)
    shutil.copy(PROJECT / "terraform.tfvars.example", tmp_path)
    return tmp_path


def start(project: Path, **environment: str) -> subprocess.Popen[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CDKTF")}
    return subprocess.Popen(
        [sys.executable, "main.py"],
        cwd=project,
        env={**clean, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(project: Path, **environment: str) -> tuple[int | None, str, str]:
    process = start(project, **environment)
    printed, error = process.communicate()
    return process.returncode, printed, error


def test_the_next_commands_do_not_overwrite_the_variables_that_a_user_has(project: Path) -> None:
    code, printed, error = run(project)
    # That a version of Kubernetes leaves support depends on the day.
    assert (code, [line for line in error.splitlines() if "standard support" not in line]) == (0, [])
    assert "cp -n terraform.tfvars.example terraform.tfvars" in printed
    (project / "terraform.tfvars").touch()
    _, printed, _ = run(project)
    assert "terraform.tfvars.example" not in printed
    assert "terraform -chdir=cdktf.out/stacks/karpenter plan -var-file=../../../terraform.tfvars" in printed


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


@pytest.mark.parametrize("function", ["refuse_mistakes", "place_lock_file"], ids=["before Node starts", "while Node runs"])
def test_an_interrupt_is_a_sentence(project: Path, function: str) -> None:
    (project / "main.py").write_text(INTERRUPTED.format(function=function))
    code, _, error = run(project)
    assert (code, error) == (130, "Interrupted. A synthesis deploys nothing; run it again at any time.\n")


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
    assert run(project)[0] == 0
    assert kept.read_text() == "after terraform init"
    assert (project / "terraform.renamed.lock.hcl").read_text() == "of a stack that the app no longer has"
