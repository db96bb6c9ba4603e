"""The cdktf CLI as a user's shell would run it, in a project folder of its own."""

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from stacks.app import PROJECT
from tests.synthesis import copy_program
from tests.terraform import needs_modules, needs_terraform

CLI = PROJECT / "node_modules" / ".bin" / "cdktf"

needs_cli = pytest.mark.skipif(not CLI.exists(), reason="the cdktf CLI is not here: `make test-cli` brings it from npm")
pytestmark = [pytest.mark.cli, needs_cli, needs_terraform]

Cdktf = Callable[..., str]

ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project's files in another folder, as a fresh clone has them, with the set-up of this one."""
    copy_program(tmp_path)
    shutil.copytree(PROJECT / "examples", tmp_path / "examples")
    for name in (".venv", "node_modules"):
        (tmp_path / name).symlink_to(PROJECT / name)
    (tmp_path / "terraform.tfvars").write_text('region = "us-west-2"\ngpu_instance_types = ["p5.48xlarge"]\n')
    return tmp_path


@pytest.fixture
def cdktf(project: Path) -> Cdktf:
    """Run the CLI in the project; returns what it prints."""

    def run(*arguments: str, fails: bool = False) -> str:
        command = [str(CLI), *arguments]
        done = subprocess.run(
            command,
            cwd=project,
            env={**os.environ, "CI": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stdout[-4000:]
        return ANSI.sub("", done.stdout)

    return run


# Without a provider lock: under the rig, no provider is downloaded that could be locked.
NO_LOCK = "--skip-provider-lock"


def test_synth_writes_the_golden_copy(cdktf: Cdktf, project: Path) -> None:
    assert "Generated Terraform code for the stacks: karpenter" in cdktf("synth")
    written = project / "cdktf.out" / "stacks" / "karpenter" / "cdk.tf.json"
    assert written.read_text() == (PROJECT / "tests" / "golden" / "cdk.tf.json").read_text()
    # Unless CHECKPOINT_DISABLE is set, the CLI writes a new projectId for its telemetry into a cdktf.json that has none.
    assert json.loads((project / "cdktf.json").read_text())["projectId"]


def test_a_page_that_writes_nothing_stops_the_cli_before_the_old_json_is_deployed(cdktf: Cdktf, project: Path) -> None:
    cdktf("synth")
    page = project / "main.py"
    page.write_text(page.read_text().replace("synthesize([", "print(["))
    assert "main.py has written nothing" in cdktf("deploy", "--auto-approve", NO_LOCK, fails=True)
    assert not (project / "terraform.karpenter.tfstate").exists()


def test_an_app_of_ones_own_passes(cdktf: Cdktf) -> None:
    printed = cdktf("synth", "--app", ".venv/bin/python -m stacks examples/own_stack.py")
    assert "Generated Terraform code for the stacks: services, training" in printed


@needs_modules
def test_deploy_makes_all_output_shows_it_diff_finds_nothing_and_destroy_removes_it(cdktf: Cdktf, project: Path) -> None:
    # The CLI reads the project's terraform.tfvars by itself.
    cdktf("diff", NO_LOCK)
    assert planned(project) == {"create": 107}

    cdktf("deploy", "--auto-approve", NO_LOCK)
    assert in_state(project) == 107

    shutil.rmtree(project / "cdktf.out")  # the state is not in it
    shown = cdktf("output", NO_LOCK)
    for name in ("cluster_endpoint", "cluster_name", "cluster_version", "configure_kubectl", "region"):
        assert f"{name} = " in shown

    cdktf("diff", NO_LOCK)
    assert planned(project) == {"no-op": 107}
    cdktf("destroy", "--auto-approve", NO_LOCK)
    assert in_state(project) == 0


@needs_modules
def test_variables_may_be_given_with_var(cdktf: Cdktf, project: Path) -> None:
    (project / "terraform.tfvars").unlink()  # it would win
    cdktf("diff", NO_LOCK, "--var", "region=us-west-1", "--var", 'gpu_instance_types=["p5.48xlarge"]')
    assert planned(project) == {"create": 95}


FLEET = ("--app", ".venv/bin/python -m stacks examples/fleet.py")


def test_another_app_goes_to_another_folder_and_its_states_stay_in_the_project(cdktf: Cdktf, project: Path) -> None:
    (project / "terraform.tfvars").unlink()  # the fleet gives the variables
    cdktf("synth", *FLEET, "--output", "out/json")
    for name in ("prod-usw2", "prod-eun1"):
        folder = project / "out" / "json" / "stacks" / name
        backend = json.loads((folder / "cdk.tf.json").read_text())["terraform"]["backend"]["local"]
        assert (folder / backend["path"]).resolve() == (project / f"terraform.{name}.tfstate").resolve()


@needs_modules
def test_a_pattern_deploys_and_destroys_several_clusters(cdktf: Cdktf, project: Path) -> None:
    (project / "terraform.tfvars").unlink()
    cdktf("deploy", "prod-*", *FLEET, "--auto-approve", NO_LOCK)
    made = {name: in_state(project, name) for name in ("prod-usw2", "prod-eun1")}
    assert made["prod-usw2"] > made["prod-eun1"] > 100  # four zones and three
    cdktf("destroy", "prod-*", *FLEET, "--auto-approve", NO_LOCK)
    assert [in_state(project, name) for name in made] == [0, 0]


def planned(project: Path) -> dict[str, int]:
    """How many resources the CLI's last plan would do what to. (The CLI breaks what it shows anywhere.)"""
    shown = subprocess.run(
        ["terraform", "show", "-json", "plan"],
        cwd=project / "cdktf.out" / "stacks" / "karpenter",
        capture_output=True,
        check=True,
    )
    changes = json.loads(shown.stdout)["resource_changes"]
    return Counter("+".join(change["change"]["actions"]) for change in changes if change["mode"] == "managed")


def in_state(project: Path, stack: str = "karpenter") -> int:
    """How many resources the state of a stack holds."""
    state = json.loads((project / f"terraform.{stack}.tfstate").read_text())
    return sum(len(resource["instances"]) for resource in state["resources"] if resource["mode"] == "managed")
