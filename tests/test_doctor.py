"""`make doctor` and `make capacity` with programs that only pretend: what is asked, what a refusal takes away, what is printed."""

import json
import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from stacks.app import PROJECT
from stacks.operations import deployment, doctor
from stacks.operations.checks import CAPACITY, QUESTIONS, reader
from stacks.operations.checks.calls import REACH, Call, further, of_cluster
from stacks.operations.deployment import DeploymentError
from tests.facts import NOW, facts, healthy, item, items, node
from tests.test_destroy import CLUSTER, ENDPOINT, FOLDER, VPC, state
from tests.test_docs import anchors

ACCOUNT = "123456789012"


class Trial:
    """Takes the part of terraform, kubectl and aws. `answers` are theirs, `refuses` says what fails, and how."""

    def __init__(self, project: Path, patch: pytest.MonkeyPatch) -> None:
        self.answers = healthy()
        self.refuses: dict[str, str | BaseException] = {}
        self.state = state(CLUSTER, VPC)
        self.calls: list[str] = []
        self.inits: list[int] = [0]
        self.kubeconfig = Path()
        patch.chdir(project)
        FOLDER.mkdir(parents=True)
        Path("cdktf.out", "manifest.json").write_text('{"stacks": {"karpenter": {}}}')
        (FOLDER / "cdk.tf.json").write_text('{"provider": {"aws": [{"profile": "team"}]}}')
        patch.setattr(deployment, "_run", self.program)
        patch.setattr(reader, "datetime", SimpleNamespace(now=lambda _: NOW))
        patch.setattr("subprocess.Popen", lambda command, **_: self.terminal(command))
        patch.setattr("shutil.which", lambda program: program)
        known: list[Call] = [REACH, *of_cluster("gpu-zz9x"), *further(facts())]  # but for what make upgrade-plan alone asks
        self.by_command = {call.command: call.name for call in known if call.name != "root_ca"}

    def terminal(self, command: list[str]) -> Any:
        self.calls.append(" ".join(command))
        self.refuses.pop("state pull", None)
        return SimpleNamespace(wait=Mock(side_effect=[self.inits.pop()]))

    def program(self, program: str, *arguments: str, environment: dict[str, str] | None = None) -> str:
        command = " ".join([program, *arguments])
        self.calls.append(command)
        for part, error in self.refuses.items():
            if part in command:
                raise DeploymentError(f"`{command[:20]} …` failed: {error}") if isinstance(error, str) else error
        if program == "terraform":
            return self.state if "state" in arguments else "default\n"
        if "update-kubeconfig" in command:
            self.kubeconfig = Path(arguments[arguments.index("--kubeconfig") + 1])
            self.kubeconfig.touch()
            return ""
        if "config view" in command:
            return ENDPOINT
        if program == "kubectl":
            assert Path((environment or {})["KUBECONFIG"]).exists()
        name = next(name for start, name in self.by_command.items() if command.startswith(start))
        return str(self.answers[name]) if name.endswith("_log") else json.dumps(self.answers[name])


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trial:
    return Trial(tmp_path, monkeypatch)


def examined(capsys: pytest.CaptureFixture[str], *arguments: str, command: str = "doctor") -> Any:
    """The JSON of a run, with its exit code, its verdicts by check, and what it printed."""
    code = doctor.run([command, *arguments, "--format", "json"])
    printed = capsys.readouterr().out
    document = json.loads(printed)
    return SimpleNamespace(
        code=code, printed=printed, calls=document["calls"], checks={check["name"]: check for check in document["checks"]}
    )


def test_a_healthy_cluster_ends_with_0_and_every_call_is_made_once(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    run = examined(capsys, "karpenter")
    assert run.code == 0
    assert list(run.checks) == [question.name for question in QUESTIONS]
    asked = [call for call in trial.calls if call.startswith(tuple(trial.by_command))]
    assert len(asked) == len(set(asked)) == len(trial.by_command) == len(run.calls)
    assert all(call["answered"] for call in run.calls)


def test_nothing_is_run_but_what_reads(trial: Trial) -> None:
    assert doctor.run(["doctor", ""]) == 0
    others = [call for call in trial.calls if not call.startswith(tuple(trial.by_command))]
    assert [re.sub(r" --kubeconfig.*| -no-color| -o .*", "", call) for call in others] == [
        f"terraform -chdir={FOLDER} state pull",
        "aws eks update-kubeconfig --name gpu-zz9x",
        "kubectl config view --minify",
    ]


def test_programs_do_not_ask_and_show_no_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Mock(return_value=SimpleNamespace(returncode=0, stdout=""))
    monkeypatch.setattr("subprocess.run", run)
    monkeypatch.setenv("AWS_PAGER", "less")
    monkeypatch.setenv("AWS_CLI_AUTO_PROMPT", "on")
    cluster = deployment.DeployedCluster("x", "us-west-2", [], {}, "", protected=False, kubeconfig=Path("k"))
    cluster.aws("eks", "describe-cluster")
    environment = run.call_args.kwargs["env"]
    assert (environment["AWS_PAGER"], environment["AWS_CLI_AUTO_PROMPT"]) == ("", "off")


def test_what_terraform_only_reads_is_not_the_cluster(trial: Trial) -> None:
    pulled = json.loads(trial.state)
    pulled["resources"] += [{**one, "mode": "data", "instances": [{"attributes": {}}]} for one in pulled["resources"]]
    trial.state = json.dumps(pulled)
    assert doctor.run(["doctor", "karpenter"]) == 0


def test_the_login_has_an_end_too(trial: Trial) -> None:
    doctor.run(["doctor", "karpenter"])
    (login,) = [call for call in trial.calls if "update-kubeconfig" in call]
    assert "--cli-connect-timeout 5 --cli-read-timeout 20" in login


def test_the_kubeconfig_is_its_own_and_gone_afterwards(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "elsewhere/.kube/config")
    doctor.run(["doctor", "karpenter"])
    assert trial.kubeconfig.name == "kubeconfig"
    assert not trial.kubeconfig.parent.exists()


def test_every_call_has_the_region_the_profile_and_an_end(trial: Trial) -> None:
    doctor.run(["doctor", "karpenter"])
    asked = [call for call in trial.calls if call.startswith(tuple(trial.by_command))]
    for call in asked:
        end = "--cli-read-timeout 20 --region us-west-2 --profile team" if call.startswith("aws") else "--request-timeout=15s"
        assert call.endswith(end)


def test_a_failed_check_ends_with_3(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    trial.answers["addon/coredns"] = {"addon": {"status": "DEGRADED"}}
    assert doctor.run(["doctor", "karpenter"]) == 3
    printed = capsys.readouterr().out
    assert re.search(r"^failed +EKS add-ons are healthy +1 of 1 add-on\n +coredns is DEGRADED\n +Do: ", printed, re.MULTILINE)
    assert re.search(r"^21 passed, 1 failed, 4 not applicable. 26 calls in \d s, all read-only.$", printed, re.MULTILINE)


REFUSALS = [
    (
        "get-spot-placement-scores",
        "An error occurred (UnauthorizedOperation) when calling the GetSpotPlacementScores operation: You are not authorized to "
        f"perform this operation. User: arn:aws:sts::{ACCOUNT}:assumed-role/reader/me",
        {"Spot placement scores are not low": "ec2:GetSpotPlacementScores"},
    ),
    (
        "list-addons",
        f"An error occurred (AccessDeniedException) when calling the ListAddons operation: User: arn:aws:iam::{ACCOUNT}:user/me is "
        "not authorized to perform: eks:ListAddons",
        {"EKS add-ons are healthy": "eks:ListAddons"},
    ),
    (
        "kubectl get nodeclaims",
        'Error from server (Forbidden): nodeclaims.karpenter.sh is forbidden: User "me" cannot list resource "nodeclaims"',
        dict.fromkeys(
            (
                "NodeClaims become nodes",
                "Nodes are younger than their pool's expiry",
                "Deleted nodes are gone",
                "Drifted nodes are replaced",
            ),
            "AdminView",
        ),
    ),
]


@pytest.mark.parametrize(("call", "error", "taken"), REFUSALS, ids=[call for call, _, _ in REFUSALS])
def test_a_missing_right_takes_its_checks_away_and_ends_with_0(
    trial: Trial, capsys: pytest.CaptureFixture[str], call: str, error: str, taken: dict[str, str]
) -> None:
    trial.refuses[call] = error
    run = examined(capsys, "karpenter")
    assert run.code == 0
    untold = {name: check["figure"] for name, check in run.checks.items() if check["verdict"] == "cannot be told"}
    assert untold == {name: f"the right {right} is missing" for name, right in taken.items()}


def test_a_call_that_fails_for_another_reason_is_told_on_one_line(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    trial.refuses["list-service-quotas"] = "Unable to parse response\nFurther retries may succeed:\n" + "x" * 500
    run = examined(capsys, "karpenter")
    figure = run.checks["Limits of pools fit EC2's quotas"]["figure"]
    assert figure.startswith("aws service-quotas list-service-quotas failed: Unable to parse response Further retries")
    assert len(figure) < 250


def test_an_api_that_does_not_answer_is_asked_once(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    trial.refuses["--raw=/version"] = (
        "memcache.go: couldn't get group list\nUnable to connect to the server: net/http: TLS handshake timeout"
    )
    run = examined(capsys, "karpenter")
    assert run.code == 3
    for name in ("The Kubernetes API answers", "Nodes are Ready"):
        assert run.checks[name]["figure"] == (
            "kubectl get --raw=/version failed: Unable to connect to the server: net/http: TLS handshake timeout"
        )
    assert run.checks["EKS add-ons are healthy"]["verdict"] == "passed"
    assert [call for call in trial.calls if call.startswith(("kubectl get", "kubectl logs"))] == [
        "kubectl get --raw=/version --request-timeout=15s"
    ]


def test_a_hint_of_kubectl_is_not_its_reason(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    said = "Unable to connect to the server: getting credentials: exec: executable aws not found"
    trial.refuses["--raw=/version"] = f"{said}\n\nIt looks like you are trying to use a plugin that is not installed."
    assert examined(capsys, "karpenter").checks["The Kubernetes API answers"]["figure"].endswith(f"failed: {said}")


def test_what_to_do_about_a_missing_right_is_said_once(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    trial.refuses["kubectl get"] = "Error from server (Forbidden): no"
    doctor.run(["doctor", "karpenter"])
    assert capsys.readouterr().out.count("Do: Allow AdminView: docs/doctor.md#rights.") == 1


def test_a_kind_that_the_cluster_does_not_know_has_no_objects(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    trial.refuses["get gateways"] = 'error: the server doesn\'t have a resource type "gateways"'
    assert examined(capsys, "karpenter").checks["No load balancer blocks a destroy"]["verdict"] == "passed"


def test_without_the_right_to_connect_what_aws_says_is_examined(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    denied = "An error occurred (AccessDeniedException) when calling the DescribeCluster operation: no"
    trial.refuses |= {"update-kubeconfig": denied, "describe-cluster": denied}
    run = examined(capsys, "karpenter")
    assert run.checks["Nodes are Ready"]["figure"] == "the right eks:DescribeCluster is missing"
    assert run.checks["EKS add-ons are healthy"]["verdict"] == "passed"
    assert not any(call.startswith("kubectl") for call in trial.calls)


def test_without_any_answer_it_ends_with_1(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    trial.refuses |= dict.fromkeys(("kubectl get", "kubectl logs"), "Unable to connect to the server")
    trial.refuses |= dict.fromkeys(("describe-", "list-"), "Could not connect to the endpoint URL")
    assert doctor.run(["doctor", "karpenter"]) == 1
    assert capsys.readouterr().err == "Nothing could be examined.\n"


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("update-kubeconfig", "An error occurred (ExpiredTokenException) when calling the DescribeCluster operation: expired"),
        ("update-kubeconfig", "Unable to locate credentials"),
    ],
)
def test_without_a_login_it_ends_with_1_and_a_sentence(
    trial: Trial, capsys: pytest.CaptureFixture[str], call: str, error: str
) -> None:
    trial.refuses[call] = error
    assert doctor.run(["doctor", "karpenter"]) == 1
    printed = capsys.readouterr()
    assert error in printed.err
    assert (printed.out, printed.err.count("\n")) == ("", 1)


def test_a_namesake_in_another_account_is_refused(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    trial.state = state((*CLUSTER[:2], {"endpoint": "https://other"}), VPC)
    assert doctor.run(["doctor", "karpenter"]) == 1
    assert "must be the one in the state, https://other" in capsys.readouterr().err


@pytest.mark.parametrize(("pulled", "said"), [("{}", "has no VPC in its state"), (state(VPC), "its destroy began")])
def test_without_a_cluster_in_the_state_it_ends_with_1(
    trial: Trial, capsys: pytest.CaptureFixture[str], pulled: str, said: str
) -> None:
    trial.state = pulled
    assert doctor.run(["doctor", "karpenter"]) == 1
    assert said in capsys.readouterr().err
    assert not any(call.startswith(("aws", "kubectl")) for call in trial.calls)


def test_terraform_is_initialized_only_where_that_is_needed(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    trial.refuses["state pull"] = "Backend initialization required"
    assert examined(capsys, "karpenter").code == 0
    assert f"terraform -chdir={FOLDER} init -input=false" in trial.calls
    trial.refuses["state pull"], trial.inits = "Backend initialization required", [1]
    assert doctor.run(["doctor", "karpenter"]) == 1


def test_ctrl_c_is_a_sentence(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    trial.refuses["update-kubeconfig"] = KeyboardInterrupt()
    assert doctor.run(["doctor", "karpenter"]) == 130
    assert capsys.readouterr().err == "\nInterrupted. Nothing was changed.\n"


@pytest.mark.parametrize("format", ["text", "markdown", "json"])
def test_account_numbers_are_left_out_unless_they_are_asked_for(
    trial: Trial, capsys: pytest.CaptureFixture[str], format: str
) -> None:
    said = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/k is not allowed in {ACCOUNT}.dkr.ecr.us-west-2.amazonaws.com"
    trial.answers["addon/coredns"] = {
        "addon": {"status": "DEGRADED", "health": {"issues": [{"code": "AccessDenied", "message": said}]}}
    }
    doctor.run(["doctor", "karpenter", "--format", format])
    printed = capsys.readouterr().out
    assert ACCOUNT not in printed
    assert "arn:aws:sts::ACCOUNT:assumed-role/k" in printed
    doctor.run(["doctor", "karpenter", "--format", format, "--account"])
    assert ACCOUNT in capsys.readouterr().out


def test_markdown_is_a_table_in_which_words_of_others_are_text(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    evil = "| @team ![x](https://evil.example) <b> ```"
    trial.answers["addon/coredns"] = {"addon": {"status": "DEGRADED", "health": {"issues": [{"code": "X", "message": evil}]}}}
    doctor.run(["doctor", "karpenter", "--format", "markdown"])
    printed = capsys.readouterr().out
    assert "| EKS add-ons are healthy | failed | 1 of 1 add-on |" in printed
    assert "```text\ncoredns is DEGRADED: X: | @team ![x](https://evil.example) <b> \n```\n" in printed


def test_words_show_20_lines_of_a_check_and_json_all(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    """What failed comes before what cannot be told."""
    unknown = [item(f"unknown-{n}") for n in range(30)]
    trial.answers["nodes"] = items(*unknown, node("broken", ready="False"))
    doctor.run(["doctor", "karpenter"])
    printed = capsys.readouterr().out
    assert re.search(r"^ +broken: Ready is False.*(\n +unknown-.*){19}\n +and 11 more: --format json$", printed, re.MULTILINE)
    assert len(examined(capsys, "karpenter").checks["Nodes are Ready"]["found"]) == 31


def test_what_a_terminal_would_obey_is_left_out(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    trial.answers["addon/coredns"] = {"addon": {"status": "DEGRADED", "health": {"issues": [{"code": "\x1b[2Jcleared"}]}}}
    doctor.run(["doctor", "karpenter"])
    assert "DEGRADED: [2Jcleared" in capsys.readouterr().out


def test_a_reader_that_goes_away_changes_no_exit_code(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as gone:
        monkeypatch.setattr("sys.stdout", gone)
        assert doctor.run(["doctor", "karpenter"]) == 0


def test_capacity_is_the_part_about_capacity(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    run = examined(capsys, "karpenter", command="capacity")
    assert list(run.checks) == [question.name for question in CAPACITY]
    asked = {trial.by_command[call["command"]] for call in run.calls}
    assert asked == {"reach", "scores/gpu-spot", *(name for question in CAPACITY for name in question.of)} - {
        "scores",
        "reservations",
    }
    assert run.checks["Spot placement scores are not low"]["found"][0].startswith("gpu-spot, 4 nodes: us-west-2b 7 of 10")


def test_load_balancers_and_volumes_fail_only_before_a_destroy(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    trial.answers["ingresses"] = items(item("front", namespace="shop"))
    run = examined(capsys, "karpenter")
    check = run.checks["No load balancer blocks a destroy"]
    assert (run.code, check["verdict"]) == (0, "not applicable")
    assert check["figure"] == "1 object, no load balancers; no destroy is planned"
    assert check["found"] == ["Ingress shop/front may have a load balancer."]
    assert examined(capsys, "karpenter", "--before-destroy").code == 3


def test_the_documented_policy_has_the_rights_of_all_calls() -> None:
    page = (PROJECT / "docs" / "doctor.md").read_text()
    policy = json.loads(page.partition("```json\n")[2].partition("```")[0])
    allowed = [action for statement in policy["Statement"] for action in statement["Action"]]
    rights = {call.right for call in (*of_cluster("x"), *further(facts()))} - {"AdminView"}
    assert {right for right in rights if not any(re.fullmatch(one.replace("*", ".*"), right) for one in allowed)} == set()


def test_the_page_names_every_check() -> None:
    page = (PROJECT / "docs" / "doctor.md").read_text()
    assert [question.name for question in QUESTIONS if f"| {question.name} |" not in page] == []


def test_the_pages_and_headings_that_the_checks_name_exist() -> None:
    sources = "".join(path.read_text() for path in (PROJECT / "stacks" / "operations" / "checks").glob("*.py"))
    named = set(re.findall(r"(docs/[a-z-]+[.]md)(?:#([a-z0-9-]+))?", sources))
    assert len(named) > 8
    for page, anchor in named:
        assert not anchor or anchor in anchors((PROJECT / page).read_text()), (page, anchor)
