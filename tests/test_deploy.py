"""`make plan` and `make apply` with a terraform that only pretends: what is applied is what was planned."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from stacks.app import PROJECT
from stacks.operations import deploy
from stacks.operations.deployment import Stack
from stacks.operations.record import forget_synthesis, record_synthesis
from tests.cases import DEFAULTS
from tests.plans import change, document
from tests.synthesis import copy_program
from tests.terraform import needs_modules, needs_terraform

STACK = Path("cdktf.out", "stacks", "karpenter")
SAVED = STACK / "saved.tfplan"

# Writes its arguments to a file of calls, and a plan where `-out` says; ends as the file `<command>-ends` says.
PRETENDS = """\
#!/bin/sh
trap 'echo interrupt >> calls' INT
echo "$@" >> calls
for argument; do
  case "$argument" in
    -chdir=*) folder=${argument#-chdir=} ;;
    -out=/*) echo plan > "${argument#-out=}" ;;
    -out=*) echo plan > "$folder/${argument#-out=}" ;;
    init | plan | apply | show) command=$argument ;;
  esac
done
test "$command" = show && cat shown.json && exit
echo "says $command"
test -z "$WAITS" || sleep "$WAITS"
exit "$(cat "$command-ends" 2>/dev/null || echo 0)"
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a synthesized stack, and a terraform first on the PATH."""
    monkeypatch.chdir(tmp_path)
    program = tmp_path / "bin" / "terraform"
    program.parent.mkdir()
    program.write_text(PRETENDS)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(deploy, "explain", lambda *_: 0)  # another Python; the tests of the explanation start it
    synthesize("karpenter")
    return tmp_path


def synthesize(name: str) -> None:
    """As `make synth` does: one more stack, of a main.py."""
    file = STACK.parent / name / "cdk.tf.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("{}")
    Path("main.py").touch()
    names: dict[str, object] = {path.parent.name: {} for path in STACK.parent.glob("*/cdk.tf.json")}
    Path("cdktf.out", "manifest.json").write_text(json.dumps({"stacks": names}))
    record_synthesis(Path("cdktf.out").resolve(), Path("main.py"), Path().resolve())


def calls() -> list[str]:
    file = Path("calls")
    return [line.partition(f"-chdir={STACK} ")[2] for line in file.read_text().splitlines()] if file.exists() else []


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The sentence that a command ends with; Terraform did not start then."""
    before = calls()
    assert deploy.run(list(arguments)) == 1
    assert calls() == before
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_a_plan_initializes_takes_the_variable_files_and_is_applied_as_it_was_saved(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("terraform.tfvars", "b.auto.tfvars", "other.tfvars"):
        (project / name).touch()
    assert deploy.run(["plan", "karpenter", "-var", "gpu_limit=8"]) == 0
    assert calls() == [
        "init -input=false",
        "plan -var-file=../../../terraform.tfvars -var-file=../../../b.auto.tfvars -out=saved.tfplan -var gpu_limit=8",
    ]
    printed = capsys.readouterr().out
    assert [line for line in printed.splitlines() if line.startswith("$ ")] == [
        f"$ terraform -chdir={STACK} {call}" for call in calls()
    ]
    assert printed.endswith("\nNext: make apply STACK=karpenter\n")
    assert deploy.run(["apply", "karpenter", "-lock-timeout=5m"]) == 0
    assert calls()[2:] == ["apply -lock-timeout=5m saved.tfplan"]
    assert not SAVED.exists()


def test_only_the_owner_reads_a_plan(project: Path) -> None:
    assert deploy.run(["plan", "karpenter"]) == 0
    assert SAVED.stat().st_mode & 0o777 == 0o600
    ignored = (PROJECT / ".gitignore").read_text().splitlines()
    assert f"*{SAVED.suffix}" in ignored


def test_the_only_stack_needs_no_name(project: Path) -> None:
    assert [deploy.run([command, ""]) for command in ("plan", "apply")] == [0, 0]


def test_what_init_prints_is_shown_only_where_it_fails(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert deploy.run(["plan", "karpenter"]) == 0
    assert "says init" not in "".join(capfd.readouterr())
    (project / "init-ends").write_text("1")
    assert deploy.run(["plan", "karpenter"]) == 1
    assert "says init" in capfd.readouterr().err
    assert not SAVED.exists()


@pytest.mark.parametrize(("code", "saved"), [(0, True), (2, True), (1, False)])
def test_a_plan_ends_as_terraform_does_and_leaves_nothing_to_apply_where_it_failed(project: Path, code: int, saved: bool) -> None:
    """2 is what -detailed-exitcode makes of changes."""
    SAVED.touch()
    (project / "plan-ends").write_text(str(code))
    assert (deploy.run(["plan", "karpenter"]), SAVED.exists()) == (code, saved)


def test_an_apply_ends_as_terraform_does_and_its_plan_is_gone(project: Path) -> None:
    deploy.run(["plan", "karpenter"])
    (project / "apply-ends").write_text("1")
    assert (deploy.run(["apply", "karpenter"]), SAVED.exists()) == (1, False)


def test_without_a_plan_nothing_is_applied(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert refusal(capsys, "apply", "karpenter") == (
        f"There must be a plan that make plan saved (got none in {STACK}). Run: make plan STACK=karpenter\n"
    )


@pytest.mark.parametrize("changed", [STACK / "cdk.tf.json", Path("terraform.tfvars"), Path("new.auto.tfvars.json")])
def test_a_plan_of_another_configuration_is_not_applied(project: Path, capsys: pytest.CaptureFixture[str], changed: Path) -> None:
    Path("terraform.tfvars").touch()
    deploy.run(["plan", "karpenter"])
    changed.write_text("{ }")
    capsys.readouterr()
    assert refusal(capsys, "apply", "karpenter") == (
        f"The saved plan must be newer than what it was made from ({changed} changed since). Run: make plan STACK=karpenter\n"
    )
    deploy.run(["plan", "karpenter"])


def test_a_variable_file_that_is_gone_is_a_change(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("terraform.tfvars").touch()
    deploy.run(["plan", "karpenter"])
    Path("terraform.tfvars").unlink()
    capsys.readouterr()
    assert "(terraform.tfvars changed since)" in refusal(capsys, "apply", "karpenter")


def test_the_same_json_again_is_not_a_change(project: Path) -> None:
    deploy.run(["plan", "karpenter"])
    synthesize("karpenter")
    os.utime(STACK / "cdk.tf.json", ns=(time.time_ns() + 10**9,) * 2)
    assert deploy.run(["apply", "karpenter"]) == 0


def test_a_change_while_terraform_plans_is_newer_than_the_plan(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Stack.run

    def change(stack: Stack, *arguments: str, **options: Any) -> int:
        if arguments[0] == "plan":
            (STACK / "cdk.tf.json").write_text("{ }")
        return runs(stack, *arguments, **options)

    monkeypatch.setattr(Stack, "run", change)
    deploy.run(["plan", "karpenter"])
    capsys.readouterr()
    assert "cdk.tf.json changed since" in refusal(capsys, "apply", "karpenter")


def test_an_apply_that_fails_says_that_it_needs_a_new_plan(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deploy.run(["plan", "karpenter"])
    (project / "apply-ends").write_text("1")
    deploy.run(["apply", "karpenter"])
    assert capsys.readouterr().err == (
        "\nThe apply did not finish, and a plan can be applied once. Run: make plan STACK=karpenter\n"
    )


# --- What a plan does to running jobs ---------------------------------------------------------------------------------------------

EXPLAIN = deploy.explain
SHOWN = document(change("module.vpc.aws_vpc.this[0]", {}, None))
SAYS = "loses: module.vpc.aws_vpc.this[0]: The network goes, and everything in it ends: nodes, pods and load balancers.\n"


@pytest.fixture
def explains(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose plans delete a network."""
    monkeypatch.setattr(deploy, "explain", EXPLAIN)
    (project / "shown.json").write_text(json.dumps(SHOWN))
    return project


def test_a_plan_ends_with_what_it_does_to_running_jobs(explains: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert deploy.run(["plan", "karpenter"]) == 0
    assert capfd.readouterr().out.endswith(f"\nWhat this plan does to running jobs:\n{SAYS}\nNext: make apply STACK=karpenter\n")
    assert calls()[-1] == "show -json saved.tfplan"


def test_impact_prints_the_explanation_alone_and_keeps_no_plan(explains: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Path("terraform.tfvars").touch()
    assert deploy.run(["impact", "karpenter", "-var", "gpu_limit=8", "--fail-on", "loses"]) == 3
    assert capfd.readouterr().out == SAYS
    _, planned, shown = calls()
    file = Path(shown.removeprefix("show -json "))
    assert planned == f"plan -var-file=../../../terraform.tfvars -input=false -out={file} -var gpu_limit=8"
    assert not file.parent.exists()
    assert not SAVED.exists()


@pytest.mark.slow
def test_impact_leaves_a_saved_plan_alone(explains: Path) -> None:
    deploy.run(["plan", "karpenter"])
    deploy.run(["impact", "karpenter"])
    assert deploy.run(["apply", "karpenter"]) == 0


def test_impact_ends_as_terraform_does_where_the_plan_fails(explains: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (explains / "plan-ends").write_text("1")
    assert deploy.run(["impact", "karpenter"]) == 1
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "says plan" in printed.err


@pytest.mark.slow
def test_a_plan_without_a_refresh_is_named_incomplete(explains: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The JSON of a plan does not say so."""
    assert deploy.run(["impact", "karpenter", "-refresh=false"]) == 1
    assert "The plan is incomplete, because of -refresh=false: " in capfd.readouterr().err


def test_nobody_else_reads_the_plan_of_an_impact(explains: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes = []
    monkeypatch.setattr(
        deploy, "explain", lambda _, file, *__: modes.append((Path(file).stat().st_mode, Path(file).parent.stat().st_mode))
    )
    deploy.run(["impact", "karpenter"])
    assert [(file & 0o777, folder & 0o777) for file, folder in modes] == [(0o600, 0o700)]


# --- The JSON is what the page writes now -----------------------------------------------------------------------------------------


def test_json_older_than_main_py_is_not_planned(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("main.py").write_text("changed")
    said = "The JSON must be newer than what it was made from (main.py changed since). Run: make synth\n"
    assert refusal(capsys, "plan", "karpenter") == said
    synthesize("karpenter")
    assert deploy.run(["plan", "karpenter"]) == 0


def test_json_that_a_failed_synthesis_left_is_not_planned(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    forget_synthesis(Path("cdktf.out"))
    assert refusal(capsys, "plan", "karpenter") == (
        "The last synthesis must have succeeded (got no record of it in cdktf.out). Run: make synth, with APP=... for another file "
        "than main.py\n"
    )


def test_a_stack_that_another_app_left_is_not_planned(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("cdktf.out", "manifest.json").write_text('{"stacks": {"prod": {}}}')
    assert 'STACK must be a synthesized stack (got "karpenter"). There are: prod.' in refusal(capsys, "plan", "karpenter")


def test_a_file_that_is_touched_or_checked_out_again_is_not_a_change(project: Path) -> None:
    os.utime("main.py", ns=(time.time_ns() + 10**9,) * 2)
    assert deploy.run(["plan", "karpenter"]) == 0


@pytest.mark.slow
def test_the_synthesis_of_another_app_is_planned_until_what_it_imports_changes(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the program itself: what is recorded is what Python loaded."""
    copy_program(project)
    (project / "teams").mkdir()
    (project / "teams" / "shared.py").write_text("NAME = 'karpenter'\n")
    page = project / "teams" / "all.py"
    page.write_text(
        "from shared import NAME\nfrom stacks.app import synthesize\nfrom stacks.config import ClusterConfig\n"
        "synthesize([ClusterConfig(NAME)])\n"
    )
    synth = [sys.executable, "-m", "stacks", "teams/all.py"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CDKTF")}
    subprocess.run(synth, check=True, capture_output=True, env=clean)
    (project / "main.py").write_text("another page")
    assert deploy.run(["plan", "karpenter"]) == 0
    capsys.readouterr()

    catalogue = project / "stacks" / "knowledge" / "gpu_instance_types.csv"
    catalogue.write_text(catalogue.read_text() + "\n")
    (project / "teams" / "shared.py").write_text("NAME = 'other'\n")
    changed = "stacks/knowledge/gpu_instance_types.csv, teams/shared.py"
    said = f"The JSON must be newer than what it was made from ({changed} changed since). Run: make synth APP=teams/all.py\n"
    assert refusal(capsys, "plan", "karpenter") == said

    page.write_text("raise SystemExit(1)\n")
    subprocess.run(synth, check=False, capture_output=True, env=clean)
    assert refusal(capsys, "plan", "karpenter").startswith("The last synthesis must have succeeded")


def test_the_lock_file_of_an_init_is_kept_at_once(project: Path) -> None:
    (STACK / ".terraform.lock.hcl").write_text("hashes")
    deploy.run(["plan", "karpenter"])
    assert Path("terraform.karpenter.lock.hcl").read_text() == "hashes"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-destroy"], "Karpenter could be gone before its nodes. Run: make destroy STACK=karpenter"),
        (["--destroy=true"], "Karpenter could be gone before its nodes. Run: make destroy STACK=karpenter"),
        (["-out=mine"], "make plan chooses the file"),
    ],
)
def test_arguments_that_lead_elsewhere_are_refused(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert sentence in refusal(capsys, "plan", "karpenter", *arguments)


@pytest.mark.parametrize(
    ("stacks", "name", "sentence"),
    [
        ([], "other", 'STACK must be a synthesized stack (got "other"). There are: karpenter.\n'),
        (["services"], "", 'STACK must be a synthesized stack (got ""). There are: karpenter, services.\n'),
    ],
)
def test_the_stack_must_be_known(
    project: Path, capsys: pytest.CaptureFixture[str], stacks: list[str], name: str, sentence: str
) -> None:
    for stack in stacks:
        synthesize(stack)
    assert refusal(capsys, "plan", name) == sentence


def test_a_stack_with_a_state_is_told_what_to_do(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("terraform.training.tfstate").touch()
    assert refusal(capsys, "plan", "training").endswith(
        "There are: karpenter. terraform.training.tfstate is the state of such a stack: with training on the list of main.py, run "
        "`make synth` first.\n"
    )


def test_before_a_synthesis_there_is_nothing_to_plan(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree("cdktf.out")
    assert refusal(capsys, "plan", "").endswith("There are: none; run `make synth`.\n")


def test_terraform_must_be_installed(project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(project))
    assert refusal(capsys, "plan", "karpenter") == "terraform must be on the PATH. Install it, and run this command again.\n"


@pytest.mark.slow
def test_ctrl_c_reaches_terraform_once_and_its_exit_code_is_kept(project: Path) -> None:
    (project / "init-ends").write_text("7")
    process = subprocess.Popen(
        [sys.executable, "-m", "stacks.operations.deploy", "plan", "karpenter"],
        env={**os.environ, "PYTHONPATH": str(PROJECT), "WAITS": "0.5"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    while not Path("calls").exists():
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    process.communicate()
    assert (process.returncode, Path("calls").read_text().count("interrupt")) == (7, 1)


@pytest.mark.terraform
@needs_terraform
@needs_modules
def test_a_cluster_is_planned_and_applied_for_real(
    tmp_path: Path, stack_file: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    synthesize("karpenter")
    shutil.copy(stack_file, STACK)
    Path("terraform.tfvars.json").write_text(json.dumps(DEFAULTS))
    assert deploy.run(["plan", "", "-no-color"]) == 0
    printed = capfd.readouterr().out
    assert "107 to add, 0 to change, 0 to destroy." in printed
    assert "\nWhat this plan does to running jobs:\ndefault: A new pool, limit 1000 vCPUs. Most expensive hour $117.24." in printed
    assert "terraform apply" not in printed  # the next step is ours alone
    assert SAVED.stat().st_mode & 0o777 == 0o600
    assert deploy.run(["apply", "", "-no-color"]) == 0
    assert "Apply complete! Resources: 107 added" in capfd.readouterr().out
    assert deploy.run(["plan", "", "-detailed-exitcode"]) == 0
    assert "No changes." in capfd.readouterr().out
    assert deploy.run(["impact", "", "-var=gpu_limit=32"]) == 0
    assert (
        capfd.readouterr().out == "gpu-spot: limit none to 32 GPUs. Most expensive hour not known to $220.16. Running nodes stay.\n"
    )
    assert deploy.run(["apply", ""]) == 0
    assert not SAVED.exists()
