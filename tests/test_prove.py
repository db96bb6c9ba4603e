"""`make prove`: what it says and asks, what it refuses, and that whatever ends it, nothing is left or it is named."""

import json
import re
import signal
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import yaml

from stacks.config import S3Backend
from stacks.operations.deployment import DeploymentError
from stacks.operations.prove import before, command, pods, report, steps
from stacks.operations.prove.before import CLEAN_UP_MINUTES
from stacks.operations.prove.ends import Ends
from stacks.operations.prove.record import Record, alone
from tests.prove import ACCOUNT, BACKEND, BUILT, FOLDER, NAME, REGION, SUFFIX, VPC, World, resource

RECORD, PAGE, REPORT = Path("proof.proof.json"), Path("proof.proof.md"), Path("proof.proof.report.json")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def verdicts() -> dict[str, str]:
    return {one["name"]: one["verdict"] for one in json.loads(REPORT.read_text())["steps"]}


def left_by_another_run(**changed: Any) -> Record:
    place = {"account": ACCOUNT, "region": REGION, "workspace": "default", "backend": BACKEND}
    given: dict[str, Any] = {**place, "lineage": "ours", "cluster": NAME, **changed}
    record = Record("examples/proof.py", "proof", begun="2026-11-25T10:00:00+00:00", hour_usd=2.4, **given)
    record.write()
    return record


def living(world: World) -> None:
    """A cluster of an earlier run."""
    world.state = {"lineage": "ours", "resources": BUILT}
    world.objects = {"nodepools": {"gpu-spot": {"metadata": {"name": "gpu-spot"}}}}
    world.instances = ["i-1 g6.xlarge"]
    world.living = {"describe-vpcs": [VPC]}


def listing(world: World, part: str, ids: list[str]) -> Callable[[str, list[str]], str]:
    """The AWS CLI of the world, with an answer to a further call."""
    aws: Callable[[str, list[str]], str] = world.aws
    return lambda call, given: json.dumps(ids) if part in call else aws(call, given)


# --- What it says and asks -----------------------------------------------------------------------------------------------------


def test_it_proves_and_leaves_nothing(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.prove() in (0, command.FAILED)  # the make-believe doctor finds a cluster without Karpenter
    printed = capsys.readouterr().out
    assert not world.state["resources"]
    assert not world.instances
    assert not RECORD.exists()
    assert {name for name, verdict in verdicts().items() if verdict == "passed"} >= {
        "Terraform applies the whole stack",
        "A second plan is empty",
        "A pod runs on the general pool",
        "A GPU pod runs nvidia-smi",
        "Images and pods are on the node's NVMe disks",
        "The node pulls images by SOCI",
        "Pods of two nodes reach each other below port 1025",
        "Everything is removed, and nothing with the cluster's tag is left",
    }
    assert "image 10.00 GB in 20.0 s, 0.50 GB/s" in printed
    assert "KMS key key-1: PendingDeletion, until 2026-12-26; it costs nothing" in printed


def test_it_says_what_it_builds_where_and_what_that_costs(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.prove("--timeout", "60")
    printed = capsys.readouterr().out
    assert "Cluster  proof: Kubernetes 1.35, Karpenter 1.14.1, pools gpu-spot (at most 2 GPU)" in printed
    assert f"Where    account {ACCOUNT}, us-west-2" in printed
    most = 2.4 * (60 + CLEAN_UP_MINUTES) / 60
    assert (
        f"$0.40 an hour without nodes of Karpenter, and at most $2.00 more with them. At most ${most:.2f} for 60 minutes" in printed
    )


@pytest.mark.parametrize("typed", ["", "210987654321", "proof"])
def test_without_the_number_of_the_account_nothing_is_built(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str
) -> None:
    monkeypatch.setattr("builtins.input", lambda _: typed)
    assert world.prove("--confirm", "") == command.NOT_BUILT
    assert f'(got "{typed}"). Nothing was built.' in capsys.readouterr().err
    assert not [one for one in world.calls if " apply " in one or " destroy " in one]
    assert not RECORD.exists()


def test_the_record_is_written_before_anything_is_applied_and_for_its_owner_alone(world: World) -> None:
    seen: list[Any] = []
    world.fails["-target="] = lambda: seen.append((RECORD.stat().st_mode & 0o777, json.loads(RECORD.read_text())))
    world.prove()
    ((mode, record),) = seen
    assert mode == 0o600
    assert record["account"] == ACCOUNT
    assert record["lineage"] == record["cluster"] == ""


def test_the_record_has_lineage_and_name_before_anything_costs(world: World) -> None:
    seen: list[Any] = []
    world.fails["-input=false /"] = lambda: seen.append(json.loads(RECORD.read_text()))  # the apply of the plan's file
    world.prove()
    assert (seen[0]["lineage"], seen[0]["cluster"]) == ("ours", NAME)


def test_the_report_has_no_account_number_unless_it_is_asked_for(world: World) -> None:
    world.codes["apply"] = [0, 1]
    world.fails["simulate-principal-policy"] = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/ci failed"
    world.prove()
    assert ACCOUNT not in PAGE.read_text() + REPORT.read_text()
    world.prove("--account")
    assert ACCOUNT in PAGE.read_text()


def test_the_report_names_no_person_and_no_folder(world: World) -> None:
    home, temporary = Path.home(), tempfile.gettempdir()
    person = "arn:aws:sts::123456789012:assumed-role/Admin/jane.doe@acme.com"
    said = f"User: {person} is not authorized; open {home}/.aws/config; {temporary}/x/objects.json; arn:aws:iam::1:user/jane."
    world.fails["apply --filename"] = said
    world.prove()
    written = PAGE.read_text() + REPORT.read_text()
    assert not [one for one in ("jane", "acme.com", f"{home}/.aws", f"{temporary}/x") if one in written]
    assert "assumed-role/Admin/NAME is not authorized; open ~/.aws/config; TMP/x/objects.json" in REPORT.read_text()


# --- What it refuses -----------------------------------------------------------------------------------------------------------


def test_a_state_with_resources_and_no_record_is_left_alone(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    living(world)
    assert world.prove() == command.NOT_BUILT
    assert (
        "The state of proof must be empty, or that of an earlier proof (got 4 resources, and no proof.proof.json)"
        in capsys.readouterr().err
    )
    assert not world.destroyed
    assert not [one for one in world.calls if " apply " in one or " plan " in one]


@pytest.mark.parametrize("lineage", ["theirs", None])
def test_a_record_does_not_open_a_state_of_another_lineage(
    world: World, capsys: pytest.CaptureFixture[str], lineage: str | None
) -> None:
    living(world)
    left_by_another_run()
    world.state["lineage"] = lineage
    assert world.prove() == command.NOT_BUILT
    assert (
        "must be the one that the proof made (got 4 resources of another lineage or suffix). It is not touched."
        in capsys.readouterr().err
    )
    assert not world.destroyed


def test_a_later_cluster_in_the_same_state_is_left_alone(world: World) -> None:
    """Somebody removed the kept cluster, and began to build another one with the same page."""
    world.state = {"lineage": "ours", "resources": [{**SUFFIX, "instances": [{"attributes": {"result": "aaaa"}}]}, BUILT[2]]}
    left_by_another_run()
    assert world.prove() == command.NOT_BUILT
    assert not world.destroyed


def test_a_record_without_a_lineage_opens_no_state_but_that_of_a_suffix(world: World) -> None:
    living(world)
    world.state["resources"] = BUILT[:2]
    left_by_another_run(lineage="", cluster="")
    assert world.prove() == command.NOT_BUILT
    assert not world.destroyed


def test_a_record_without_a_name_opens_no_state_but_that_of_a_suffix(world: World) -> None:
    """A run that was killed before its plan has a suffix, and somebody built a cluster from there."""
    living(world)
    left_by_another_run(cluster="")
    assert world.prove() == command.NOT_BUILT
    assert not world.destroyed


@pytest.mark.parametrize("changed", [{"stack": "other"}, {"stack": "../../other"}, {"hour_usd": "2"}])
def test_a_record_that_is_a_copy_or_was_edited_is_refused(
    world: World, capsys: pytest.CaptureFixture[str], changed: dict[str, Any]
) -> None:
    living(world)
    left_by_another_run()
    RECORD.write_text(json.dumps(json.loads(RECORD.read_text()) | changed))
    assert world.prove() == command.NOT_BUILT
    assert "proof.proof.json must be a record of make prove (got" in capsys.readouterr().err
    assert not world.destroyed


@pytest.mark.parametrize(
    ("name", "value"), [("region", "eu-west-1"), ("account", "210987654321"), ("workspace", "other"), ("backend", {"s3": {}})]
)
def test_a_record_of_another_place_stops_it_before_terraform_forgets_what_runs(
    world: World, capsys: pytest.CaptureFixture[str], name: str, value: Any
) -> None:
    living(world)
    left_by_another_run(**{name: value})
    assert world.prove() == command.NOT_BUILT
    assert f"The {name} must be that of proof.proof.json" in capsys.readouterr().err
    assert not world.destroyed


def test_a_cluster_of_another_name_in_the_state_is_not_touched(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    living(world)
    left_by_another_run(cluster="other-zz9x")
    assert world.prove() == command.LEFT
    assert "The cluster in the state must be other-zz9x, which the proof made (got proof-zz9x)" in capsys.readouterr().err
    assert not world.destroyed


def test_resources_that_another_made_meanwhile_are_left_alone(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    def race() -> None:
        if any("-target=" in one for one in world.calls) and not any(" plan " in one for one in world.calls):
            world.state = {"lineage": "theirs", "resources": BUILT}

    world.fails["state pull"] = race
    assert world.prove() == command.LEFT
    assert "has resources that this run did not make" in capsys.readouterr().err
    assert not world.destroyed


READS = re.compile(r"aws \S+ (describe|get|list|simulate|update-kubeconfig|create-vpc .*--dry-run|allocate-address .*--dry-run)")


def test_beside_terraform_and_karpenter_only_pods_of_its_own_are_made_and_removed(world: World) -> None:
    """Of AWS everything is only read; of Kubernetes, what Karpenter manages in the cluster of the record, and one namespace."""
    world.prove()
    assert all(READS.match(one) for one in world.calls if one.startswith("aws "))
    deleted = {one for one in world.calls if one.startswith("kubectl delete")}
    kinds = {one.split()[2] for one in deleted if "--namespace=make-prove" not in one and "namespace make-prove" not in one}
    assert kinds == {"nodeclaims.karpenter.sh"}  # the only ones that this world has


def test_terraform_never_looks_in_another_region(world: World) -> None:
    world.prove()
    commands = [one for one in world.calls if re.match(r"terraform -chdir=\S+ (apply|plan|destroy) ", one)]
    (saved,) = [one for one in commands if one.endswith(".tfplan") and " apply " in one]  # a plan has its variables
    assert len(commands) == 5
    assert all(f"-var=region={REGION}" in one for one in commands if one != saved)


@pytest.mark.parametrize("name", ["", "../proof", "Proof"])
def test_the_cluster_must_be_named(world: World, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert command.run(["main.py", name, "--confirm", ACCOUNT]) == command.NOT_BUILT
    assert f'STACK must be the name of a cluster of main.py (got "{name}"). Nothing was built.' in capsys.readouterr().err
    assert not list(world.project.glob("proof.*"))


def test_a_second_run_at_the_same_time_is_refused(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    with alone("proof"):
        assert world.prove() == command.NOT_BUILT
    assert "Another make prove of proof runs." in capsys.readouterr().err
    assert not world.calls


def test_a_record_that_cannot_be_read_stops_it(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    RECORD.write_text("{}")
    living(world)
    assert world.prove() == command.NOT_BUILT
    assert "proof.proof.json must be a record of make prove (got" in capsys.readouterr().err
    assert not world.destroyed


@pytest.mark.parametrize("minutes", ["0", "-5", "nan", "inf", "1e9", "soon"])
def test_a_run_has_a_deadline(world: World, capsys: pytest.CaptureFixture[str], minutes: str) -> None:
    with pytest.raises(SystemExit):
        world.prove(f"--timeout={minutes}")
    assert f"must be minutes, more than 0 and at most 1440 (got {minutes}). Nothing was built." in capsys.readouterr().err
    assert not world.calls


def test_arguments_of_terraform_that_nobody_sees_are_refused(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With `-state`, a destroy would remove what another state has."""
    monkeypatch.setenv("TF_CLI_ARGS_init", "-backend-config=team.hcl")
    monkeypatch.setenv("TF_CLI_ARGS_destroy", "-state=production.tfstate")
    assert world.prove() == command.NOT_BUILT
    assert "TF_CLI_ARGS_destroy must not be set" in capsys.readouterr().err
    assert not world.calls


def test_a_full_disk_before_anything_is_built_is_a_sentence(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Record, "write", full)
    assert world.prove() == command.NOT_BUILT
    assert "proof.proof.json.new: No space left on device. Nothing was built." in capsys.readouterr().err
    assert not [one for one in world.calls if " apply " in one]


def full(*_: Any, **__: Any) -> Any:
    raise OSError(28, "No space left on device", "proof.proof.json.new")


# --- Before it spends ----------------------------------------------------------------------------------------------------------


def no_quota(world: World) -> None:
    world.quotas["All G and VT Spot Instance Requests"] = 0


def no_role(world: World) -> None:
    world.fails["AWSServiceRoleForEC2Spot"] = "An error occurred (NoSuchEntity) when calling the GetRole operation"


def no_right(world: World) -> None:
    world.denied = [("eks:CreateCluster", "explicitDeny"), ("iam:PassRole", "implicitDeny")]


def no_dry_run(world: World) -> None:
    world.fails["create-vpc"] = "An error occurred (UnauthorizedOperation) when calling the CreateVpc operation"


def no_offering(world: World) -> None:
    world.fails["describe-instance-type-offerings"] = lambda: None
    world.quotas["Running On-Demand G and VT instances"] = 0


@pytest.mark.parametrize(
    ("lacks", "words"),
    [
        (no_quota, "All G and VT Spot Instance Requests: 0 vCPUs"),
        (no_role, "aws iam create-service-linked-role --aws-service-name spot.amazonaws.com"),
        (no_right, "Denied: eks:CreateCluster."),
        (no_dry_run, "aws ec2 create-vpc"),
    ],
)
def test_what_an_apply_would_meet_is_said_before_anything_costs(
    world: World, capsys: pytest.CaptureFixture[str], lacks: Callable[[World], None], words: str
) -> None:
    lacks(world)
    assert world.prove() == command.NOT_BUILT
    assert words in capsys.readouterr().err
    assert not [one for one in world.calls if " apply " in one and "-target=" not in one]
    assert not RECORD.exists()
    assert not world.state["resources"]


@pytest.mark.parametrize(
    ("planned", "words"),
    [
        ({"variables": {"gpu_limit": {"value": 64}}}, "gpu_limit must be what examples/proof.py says"),
        ({"variables": {"gpu_limit": {"value": 2}, "undeclared": {"value": 1}}}, ""),
        ({"variables": {"gpu_limit": {"value": "2"}}}, ""),  # from the environment
        (
            {"planned_values": {"root_module": {"child_modules": [{"resources": [{"values": {"deletion_protection": True}}]}]}}},
            "deletion_protection must be off for a proof, which removes its cluster (got true in the plan).",
        ),
    ],
)
def test_a_plan_that_is_not_what_was_announced_is_refused(tmp_path: Path, planned: dict[str, Any], words: str) -> None:
    """A variable file or TF_VAR_… would change the price."""
    file = tmp_path / "cdk.tf.json"
    file.write_text('{"variable": {"gpu_limit": {"default": 2}, "region": {}}}')
    with pytest.raises(DeploymentError) if words else nullcontext() as refused:
        before.refuse_another_plan(planned, file, "examples/proof.py")
    assert words in str(getattr(refused, "value", ""))


def test_a_right_for_some_resources_is_no_denial(world: World) -> None:
    """A role of few rights names the roles that it may pass, and IAM simulates for every resource."""
    world.denied = [("iam:PassRole", "implicitDeny")]
    world.prove()
    assert verdicts()["Terraform applies the whole stack"] == "passed"
    assert "The caller may build and remove: 1 of 32 actions" in json.loads(REPORT.read_text())["could_not_be_told"]


def test_a_caller_without_any_right_is_refused(world: World) -> None:
    world.denied = [(one, "implicitDeny") for one in before.ACTIONS]
    assert world.prove() == command.NOT_BUILT


def test_a_right_to_look_that_is_missing_stops_nothing(world: World) -> None:
    refusal = "An error occurred (AccessDenied) when calling the operation: not authorized"
    world.fails |= {"simulate-principal-policy": refusal, "list-service-quotas": refusal, "get-spot-placement": refusal}
    world.prove()
    assert verdicts()["Terraform applies the whole stack"] == "passed"
    untold = json.loads(REPORT.read_text())["could_not_be_told"]
    assert "The caller may build and remove: the right iam:SimulatePrincipalPolicy is missing" in untold


# --- Failures, and what is left ------------------------------------------------------------------------------------------------


def nothing_left(world: World) -> bool:
    return not world.state.get("resources") and not world.instances and not RECORD.exists()


def test_an_apply_that_fails_is_cleaned_up(world: World) -> None:
    world.codes["apply"] = [0, 1]
    assert world.prove() == command.FAILED
    assert nothing_left(world)
    assert list(verdicts().values()) == ["failed", "passed"]  # no step after it was made
    assert "creating EKS Cluster: AccessDenied" in PAGE.read_text()


def test_a_vpc_that_terraform_was_making_when_it_was_interrupted_is_removed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Terraform keeps the id alone, as seen with a real one."""
    monkeypatch.setattr("tests.prove.BUILT", [SUFFIX, resource("module.vpc", "aws_vpc", id=VPC, arn=None, tags={"Name": NAME})])
    world.codes["apply"] = [0, 1]
    assert world.prove() == command.FAILED
    assert nothing_left(world)


def test_a_second_plan_with_changes_fails_and_the_proof_goes_on(world: World) -> None:
    world.codes["plan"] = [0, 2]
    assert world.prove() == command.FAILED
    assert nothing_left(world)
    assert verdicts()["A second plan is empty"] == "failed"
    assert verdicts()["A GPU pod runs nvidia-smi"] == "passed"


def test_a_pod_that_hangs_fails_with_its_words_and_the_proof_goes_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "NODE_MINUTES", 0)
    monkeypatch.setattr(steps, "PULL_MINUTES", 0)
    world.nodes_come = False
    assert world.prove() == command.FAILED
    assert nothing_left(world)
    assert "Pod gpu is Succeeded: not after 0 minutes. its phase is Pending" in PAGE.read_text()


def test_a_login_that_ends_is_named_with_what_still_runs(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Every call fails from then on, and so does the clean-up."""
    expired = "An error occurred (ExpiredToken) when calling the operation: The security token included in the request is expired"

    def expires() -> None:
        world.fails |= {"kubectl": expired, "aws ": expired, "state pull": expired}

    world.fails["apply --filename"] = expires
    assert world.prove() == command.LEFT
    said = capsys.readouterr().err
    assert f"Of {NAME} in us-west-2 there still is: what the state of proof has. It costs at most $2.40 an hour." in said
    assert 'To remove it: make prove APP=examples/proof.py STACK=proof ARGS="--clean-up"' in said
    assert RECORD.exists()
    assert not world.destroyed


def test_an_api_that_goes_away_keeps_terraform_from_orphaning_nodes(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    def goes() -> None:
        world.fails["kubectl"] = "Unable to connect to the server: dial tcp: i/o timeout"

    world.fails["logs client"] = goes
    assert world.prove() == command.LEFT
    said = capsys.readouterr().err
    assert f"The Kubernetes API of {NAME} does not answer" in said
    assert "instances i-client, i-general, i-gpu" in said
    assert any(f"describe-nat-gateways --filter Name=vpc-id,Values={VPC}" in one for one in world.calls)
    assert not [one for one in world.destroyed if "terraform" in one]
    assert RECORD.exists()


@pytest.mark.parametrize(
    "during", ["-target=", " plan ", "show -json", "-input=false /", "apply --filename", "get pod gpu", "logs client", "get events"]
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGALRM])
def test_whenever_something_ends_it_everything_is_removed(
    world: World, monkeypatch: pytest.MonkeyPatch, during: str, number: signal.Signals
) -> None:
    monkeypatch.setattr(Ends, "limit", lambda *_: None)  # which leaves the deadline in the past

    def interrupted() -> None:
        world.fails.pop(during, None)
        signal.raise_signal(number)

    world.fails[during] = interrupted
    assert world.prove() in (command.ENDED, command.NOT_BUILT)
    assert nothing_left(world)


def test_an_end_before_anything_is_built_says_so(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.fails["show -json"] = lambda: signal.raise_signal(signal.SIGINT)
    assert world.prove() == command.NOT_BUILT
    assert "Ctrl-C. Nothing was built." in capsys.readouterr().err


def test_a_mistake_of_the_program_is_cleaned_up_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "versions", lambda *_: 1 / 0)
    assert world.prove() == command.ENDED
    assert nothing_left(world)
    assert "It ended early: ZeroDivisionError" in PAGE.read_text()


def test_a_ctrl_c_after_the_last_step_does_not_end_the_clean_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    hold = Ends.hold

    def held(ends: Ends) -> None:
        hold(ends)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Ends, "hold", held)
    world.prove()
    assert nothing_left(world)


def test_a_ctrl_c_between_the_steps_and_the_clean_up_is_one_of_the_steps(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Record.read

    def interrupted(stack: str) -> Record | None:
        if any("logs client" in one for one in world.calls):
            signal.raise_signal(signal.SIGINT)
        return read(stack)

    monkeypatch.setattr(Record, "read", interrupted)
    world.prove()
    assert nothing_left(world)


@pytest.mark.parametrize(("status", "waits"), [("CREATING", True), ("ACTIVE", False), ("DELETING", False)])
def test_a_cluster_that_eks_still_creates_is_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch, status: str, waits: bool
) -> None:
    aws = world.aws
    monkeypatch.setattr(world, "aws", lambda call, given: f"{status}\n" if "cluster.status" in call else aws(call, given))
    monkeypatch.setitem(BUILT[-1]["instances"][0]["attributes"], "endpoint", None)  # as after a Ctrl-C in its creation
    world.fails["-input=false /"] = lambda: signal.raise_signal(signal.SIGINT)
    assert world.prove() == command.ENDED
    assert nothing_left(world)
    destroy = next(at for at, one in enumerate(world.calls) if " destroy " in one)
    assert any(f"eks wait cluster-active --name {NAME}" in one for one in world.calls[:destroy]) is waits


def test_a_template_that_cannot_be_deleted_does_not_hide_a_ctrl_c_and_is_named(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stacks.operations.prove.cleanup.LOOKS", 1)
    world.fails["get-experiment"] = lambda: signal.raise_signal(signal.SIGINT)
    world.fails["delete-experiment-template"] = "An error occurred (AccessDeniedException)"
    monkeypatch.setattr(world, "aws", listing(world, "list-experiment-templates", ["EXT1"]))
    assert world.prove("--keep", "--fis-role", f"arn:aws:iam::{ACCOUNT}:role/fis") == command.LEFT
    assert not world.instances
    said = capsys.readouterr()
    assert "The template EXT1 of the experiment stays" in said.out
    assert "Ctrl-C." in said.err
    assert "templates of experiments EXT1. It costs nothing. To remove it: aws fis delete-experiment-template --id EXT1" in said.err


def test_experiments_are_looked_for_only_with_their_role(world: World) -> None:
    world.prove()
    assert not [one for one in world.calls if " fis " in one]


def test_a_signal_whose_error_a_step_swallowed_ends_the_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    waits_for = pods.waits_for

    def swallowed(pod: dict[str, Any]) -> str:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        return waits_for(pod)

    world.nodes_come = False
    monkeypatch.setattr(steps, "NODE_MINUTES", 0)
    monkeypatch.setattr(pods, "waits_for", swallowed)
    assert world.prove("--keep") == command.ENDED
    assert nothing_left(world)
    assert "A GPU pod runs nvidia-smi" not in verdicts()


def test_instances_that_outlived_their_cluster_keep_terraform_from_starting(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    living(world)
    world.state["resources"] = BUILT[:3]  # a destroy has removed EKS already
    left_by_another_run()
    assert world.prove("--clean-up") == command.LEFT
    assert "Instances of Karpenter outlived the cluster: i-1" in capsys.readouterr().err
    assert not world.destroyed


def test_volumes_of_the_proof_go_while_their_driver_runs(world: World) -> None:
    claimed = {"metadata": {"name": "pv"}, "spec": {"claimRef": {"namespace": "make-prove", "name": "disk"}}}
    world.objects["persistentvolumes"] = {"pv": claimed}
    waited: list[int] = []

    def gone() -> None:
        waited.append(len([one for one in world.calls if " destroy " in one or "delete nodepools" in one]))
        if len(waited) == 3:
            world.objects["persistentvolumes"] = {}

    world.fails["get persistentvolumes --all-namespaces -o json"] = gone
    world.prove()
    assert max(waited[:3]) == 0
    assert nothing_left(world)


def test_a_deadline_is_set_and_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    set_to: list[float] = []
    monkeypatch.setattr(Ends, "limit", lambda _, seconds: set_to.append(seconds))
    world.prove("--timeout", "5")
    assert set_to[0] == 300
    assert set(set_to[1:]) == {0}


def test_a_second_ctrl_c_in_the_clean_up_says_what_still_runs(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.fails[" destroy "] = lambda: signal.raise_signal(signal.SIGINT)
    world.codes["destroy"] = [1, 1]
    assert world.prove() == command.LEFT
    assert world.calls.count("signal 2") == 1
    said = capsys.readouterr().err
    assert "Ctrl-C during the clean-up." in said
    assert "networks vpc-1" in said
    assert RECORD.exists()


def test_a_ctrl_c_during_the_look_does_not_say_that_something_runs(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> None:
        world.fails.clear()
        signal.raise_signal(signal.SIGINT)

    world.fails["describe-addresses"] = interrupted
    assert world.prove() == command.LEFT
    said = capsys.readouterr().err
    assert "Ctrl-C during the clean-up. Terraform removed everything;" in said
    assert "there still is" not in said
    assert RECORD.exists()
    assert world.prove("--clean-up") == 0


def test_a_terraform_that_outlived_its_run_is_waited_for(world: World) -> None:
    left_by_another_run()
    living(world)
    world.prove("--clean-up")
    assert [one for one in world.calls if " destroy " in one and "-lock-timeout=5m" in one]


def test_the_day_of_a_keys_end_is_a_day_with_either_aws_cli(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.key = {"KeyState": "PendingDeletion", "DeletionDate": 1798257984.6}
    world.prove()
    assert "KMS key key-1: PendingDeletion, until 2026-12-26; it costs nothing" in capsys.readouterr().out


def test_a_destroy_that_fails_once_is_tried_again(world: World) -> None:
    world.codes["destroy"] = [1, 0]
    world.prove()
    assert nothing_left(world)


def test_a_destroy_that_fails_twice_is_named(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.codes["destroy"] = [1, 1]
    assert world.prove() == command.LEFT
    assert (
        "terraform destroy failed: DependencyViolation. Of proof-zz9x in us-west-2 there still is: clusters"
        in capsys.readouterr().err
    )
    assert RECORD.exists()


def test_a_lock_is_waited_for_and_one_that_stays_is_named_with_its_id(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """A Terraform that was killed leaves its lock in the bucket, and no clean-up would ever begin."""
    world.codes["destroy"] = [1, 1]
    world.refusal = "Error acquiring the state lock PreconditionFailed Lock Info:\n  ID:        0f3c-11\n  Path:      bucket/key"
    assert world.prove() == command.LEFT
    assert "run first: terraform -chdir=cdktf.out/stacks/proof force-unlock 0f3c-11. Of proof-zz9x" in capsys.readouterr().err
    assert all("-lock-timeout=5m" in one for one in world.calls if " destroy " in one)


def test_repositories_of_a_cache_are_named_and_stay(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    living(world)
    world.state["resources"] = [*BUILT, resource("", "aws_ecr_pull_through_cache_rule", ecr_repository_prefix="quay")]
    left_by_another_run()
    world.fails["describe-repositories"] = lambda: world.living.update({"describe-repositories": ["quay/acme"]})
    assert world.prove("--clean-up") == 0
    said = capsys.readouterr().out
    assert "Repository quay/acme of the image cache: its storage costs." in said
    assert "aws ecr delete-repository --repository-name quay/acme --force --region us-west-2" in said
    assert "Repository quay/acme" in PAGE.read_text()
    assert not [one for one in world.calls if "delete-repository" in one]


def test_what_a_destroy_leaves_is_named_with_its_ids(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stacks.operations.prove.cleanup.LOOKS", 2)
    world.fails["describe-volumes"] = lambda: world.living.update({"describe-volumes": ["vol-1"]})
    assert world.prove() == command.LEFT
    said = capsys.readouterr().err
    assert "there still is: volumes vol-1. It costs at most $2.40 an hour." in said
    assert "To remove it: aws ec2 delete-volume --volume-id vol-1 --region us-west-2; and then make prove APP=" in said
    assert RECORD.exists()


def test_what_costs_nothing_is_named_without_a_price(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stacks.operations.prove.cleanup.LOOKS", 1)
    world.fails["describe-network-interfaces --filters Name=vpc-id,Values=vpc-1 --query"] = lambda: world.living.update(
        {"describe-network-interfaces": ["eni-1"]}
    )
    assert world.prove() == command.LEFT
    assert "there still is: network interfaces eni-1. It costs nothing." in capsys.readouterr().err


def test_a_look_that_is_refused_is_said_and_does_not_block_the_next_run(world: World) -> None:
    world.fails["describe-addresses"] = "An error occurred (UnauthorizedOperation) when calling the operation: not authorized"
    world.prove()
    assert not RECORD.exists()
    assert verdicts()["Everything is removed, and nothing with the cluster's tag is left"] == "cannot be told"
    assert "addresses: a right is missing" in PAGE.read_text()


def test_a_full_disk_in_the_clean_up_hides_nothing_and_keeps_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fills() -> None:
        monkeypatch.setattr(Record, "write", full)
        monkeypatch.setattr(report, "write", full)

    world.fails["logs client"] = fills
    world.codes["destroy"] = [1, 1, 0]
    assert world.prove() == command.LEFT
    said = capsys.readouterr().err
    assert "The report could not be written: No space left on device" in said
    assert f"Of {NAME} in us-west-2 there still is: clusters {NAME}" in said
    assert world.prove("--clean-up") == 0
    assert nothing_left(world)


def test_a_record_that_somebody_edits_during_a_run_does_not_keep_the_cluster(world: World) -> None:
    def edited() -> None:
        RECORD.write_text("{")

    world.fails["logs client"] = edited
    world.prove()
    assert nothing_left(world)


def test_what_the_state_has_costs_where_the_look_sees_nothing(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.codes["destroy"] = [1, 1]
    world.fails[" destroy "] = lambda: world.living.clear()
    assert world.prove() == command.LEFT
    assert "there still is: what the state of proof has. It costs at most $2.40 an hour." in capsys.readouterr().err


def test_a_suffix_that_stays_costs_nothing(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.codes |= {"plan": [1], "destroy": [1, 1]}
    assert world.prove() == command.LEFT
    assert "Of proof in us-west-2 there still is: a random suffix in the state. It costs nothing." in capsys.readouterr().err


@pytest.mark.parametrize(("lineage", "serial", "pushed"), [("ours", 9, True), ("theirs", 9, False), ("ours", 1, False)])
def test_a_state_that_terraform_could_not_write_comes_to_its_place_first(
    world: World, lineage: str, serial: int, pushed: bool
) -> None:
    """A login that ends in the middle of an apply leaves most of what was built in this file alone."""
    left_by_another_run()
    world.state = {"lineage": "ours", "serial": 1, "resources": [SUFFIX]}
    unwritten = FOLDER / "errored.tfstate"
    unwritten.write_text(json.dumps({"lineage": lineage, "serial": serial, "resources": BUILT}))
    world.fails["state push errored.tfstate"] = lambda: world.state.update(json.loads(unwritten.read_text()))
    assert world.prove("--clean-up") == 0
    assert any("state push" in one for one in world.calls) is pushed
    assert unwritten.exists() is not pushed
    assert any(f"describe-nat-gateways --filter Name=vpc-id,Values={VPC}" in one for one in world.calls) is pushed


def test_load_balancers_of_a_user_stop_the_clean_up(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    living(world)
    left_by_another_run()
    world.objects["services"] = {"web": {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"type": "LoadBalancer"}}}
    assert world.prove() == command.LEFT
    assert "Service shop/web" in capsys.readouterr().err
    assert not world.destroyed


def test_nodes_go_before_terraform_destroys(world: World) -> None:
    world.prove()
    gone = [world.destroyed.index(one) for one in world.destroyed if "delete nodeclaims" in one or "delete namespace" in one]
    assert max(gone) < next(n for n, one in enumerate(world.destroyed) if " destroy " in one)


# --- The next run --------------------------------------------------------------------------------------------------------------


def test_a_next_run_that_cannot_begin_says_what_is_still_there(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    living(world)
    left_by_another_run()
    world.fails["get-caller-identity"] = "An error occurred (ExpiredToken) when calling the operation"
    assert world.prove("--clean-up") == command.NOT_BUILT
    said = capsys.readouterr().err
    assert f"proof.proof.json says that {NAME} in us-west-2 is still there; it costs at most $2.40 an hour." in said


def test_the_next_run_finishes_the_clean_up_first(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    living(world)
    left_by_another_run()
    assert world.prove() in (0, command.FAILED)
    assert (
        "says that a run of 2026-11-25T10:00:00+00:00 left proof-zz9x in us-west-2. It is removed first." in capsys.readouterr().out
    )
    kinds = [one.split()[2] for one in world.calls if re.search(r"-chdir=\S+ (apply|destroy) ", one)]
    assert kinds == ["destroy", "apply", "apply", "destroy"]
    assert nothing_left(world)


def test_what_is_built_after_a_leftover_can_be_kept_and_has_a_report_of_its_own(world: World) -> None:
    living(world)
    left_by_another_run()
    world.codes["apply"] = [0, 1]
    assert world.prove("--keep") == command.FAILED
    assert nothing_left(world)
    left_by_another_run()
    world.prove("--keep")
    assert json.loads(RECORD.read_text())["kept"] is True
    assert "Everything is removed, and nothing with the cluster's tag is left" not in verdicts()


def test_a_ctrl_c_at_the_end_of_a_leftovers_clean_up_builds_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    living(world)
    left_by_another_run()
    write = report.write

    def interrupted(*given: Any, **options: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return write(*given, **options)

    monkeypatch.setattr(report, "write", interrupted)
    assert world.prove() == command.ENDED
    assert nothing_left(world)
    assert not [one for one in world.calls if " apply " in one]


def test_a_leftover_that_cannot_be_removed_stops_the_next_run(world: World) -> None:
    living(world)
    left_by_another_run()
    world.codes["destroy"] = [1, 1]
    assert world.prove() == command.LEFT
    assert not [one for one in world.calls if " apply " in one]


def test_clean_up_alone_builds_nothing(world: World) -> None:
    living(world)
    left_by_another_run()
    assert world.prove("--clean-up") == 0
    assert nothing_left(world)
    assert not [one for one in world.calls if " apply " in one]


def test_clean_up_without_a_record_removes_nothing(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.prove("--clean-up") == command.NOT_BUILT
    assert "There is no proof.proof.json" in capsys.readouterr().err


def test_a_record_whose_cluster_make_destroy_removed_is_forgotten(world: World) -> None:
    left_by_another_run()
    assert world.prove("--clean-up") == 0
    assert not RECORD.exists()
    assert not world.destroyed


def test_a_state_that_was_lost_is_named_by_its_tags(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stacks.operations.prove.cleanup.LOOKS", 1)
    left_by_another_run()
    world.living = {"describe-vpcs": [VPC], "list-clusters": [NAME]}
    assert world.prove("--clean-up") == command.LEFT
    assert f"there still is: clusters {NAME}; networks {VPC}" in capsys.readouterr().err
    assert RECORD.exists()


def test_the_workflow_finishes_what_a_dead_runner_left_and_removes_the_lock_of_its_state() -> None:
    """Not after a week: a second job has the same steps, and a record to go by."""
    workflow = yaml.safe_load(Path(command.__file__).parents[3].joinpath("examples/prove.yml").read_text())
    jobs = workflow["jobs"]
    assert jobs["clean-up"]["if"] == "always() && needs.prove.result != 'success'"
    fetch, *_, keep = (one for one in jobs["clean-up"]["steps"] if "aws s3" in one.get("run", ""))
    assert {fetch["name"], keep["name"]} <= {one.get("name") for one in jobs["prove"]["steps"]}
    assert f"/{S3Backend(bucket='states', region=REGION).object('proof')}.tflock" in fetch["run"]


# --- To keep it ----------------------------------------------------------------------------------------------------------------


def test_what_is_kept_is_said_with_its_price_and_the_command(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.prove("--keep") in (0, command.FAILED)
    said = capsys.readouterr().out
    assert f"Kept: {NAME} in us-west-2. It costs at least $0.40 an hour, and at most $2.40. To remove it: make prove APP=" in said
    assert json.loads(RECORD.read_text())["kept"] is True
    assert not [one for one in world.destroyed if "terraform" in one]
    assert world.prove("--clean-up") == 0
    assert nothing_left(world)


def test_a_run_that_was_ended_is_not_kept(world: World) -> None:
    world.fails["logs client"] = lambda: signal.raise_signal(signal.SIGINT)
    assert world.prove("--keep") == command.ENDED
    assert nothing_left(world)


def test_an_apply_that_failed_is_not_kept(world: World) -> None:
    world.codes["apply"] = [0, 1]
    assert world.prove("--keep") == command.FAILED
    assert nothing_left(world)
