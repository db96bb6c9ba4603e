"""`make destroy` with programs that only pretend: the order of what it does, and that it stops rather than orphan a node."""

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stacks.operations import destroy

NAME = "gpu-zz9x"
ENDPOINT = "https://gpu.example"
OUTPUTS = {
    "cluster_name": {"value": NAME},
    "cluster_endpoint": {"value": ENDPOINT},
    "region": {"value": "us-west-2"},
    "configure_kubectl": {"value": f"aws eks update-kubeconfig --name {NAME} --region us-west-2 --profile team"},
}


def item(name: str, namespace: str = "", spec: Any = None, status: Any = None, **metadata: Any) -> dict[str, Any]:
    place = {"namespace": namespace} if namespace else {}
    return {"metadata": {"name": name, **place, **metadata}, "spec": spec or {}, "status": status or {}}


def a_living_cluster() -> dict[str, Any]:
    claim = item("gpu-spot-1", status={"nodeName": "node-1"}, finalizers=["karpenter.sh/termination"])
    return {
        "addresses": ["random_string.suffix", "module.eks.aws_eks_cluster.this[0]"],
        "server": ENDPOINT,
        "instances": [["i-1", "p5.48xlarge"]],
        "objects": {
            "nodepools": [item("gpu-spot")],
            "nodeclaims": [claim],
            "deployments": [item("karpenter", "kube-system", status={"availableReplicas": 2})],
        },
        "obeys": True,
    }


class Trial:
    """Takes the part of terraform, kubectl and aws: `world` says what is there, `calls` what was run."""

    def __init__(self, project: Path, patch: pytest.MonkeyPatch) -> None:
        self.project = project
        self.patch = patch
        self.world = a_living_cluster()
        self.calls: list[str] = []
        self.kubeconfigs: set[str] = set()
        self.missing = ""
        folder = project / "cdktf.out" / "stacks" / "karpenter"
        (folder / ".terraform").mkdir(parents=True)
        (folder / "cdk.tf.json").touch()
        (project / "terraform.tfvars").touch()
        patch.chdir(project)
        patch.setattr(destroy, "_run", self.program)
        patch.setattr(destroy, "POLL_SECONDS", 0)
        patch.setattr("subprocess.Popen", self.terminal)
        patch.setattr("shutil.which", lambda program: None if program == self.missing else program)

    def run(self, *arguments: str, typed: str = "") -> None:
        self.patch.setattr("sys.stdin", io.StringIO(typed))
        assert destroy.main(list(arguments)) == 0

    def stops(self, *arguments: str, typed: str = "") -> str:
        """Why it stopped; Terraform has not destroyed anything then."""
        with pytest.raises(destroy.DestroyError) as stopped:
            self.run(*arguments, typed=typed)
        assert not any(" destroy " in call for call in self.calls)
        return str(stopped.value)

    @property
    def deleted(self) -> list[str]:
        return [call for call in self.calls if " delete " in call]

    def terminal(self, command: list[str]) -> Any:
        self.calls.append(" ".join(command))
        return SimpleNamespace(wait=lambda: 0)

    def program(self, program: str, *arguments: str, environment: dict[str, str] | None = None) -> str:
        call = " ".join([program, *arguments])
        self.calls.append(call)
        if self.world.get("fails", "nothing") in call:
            raise destroy.DestroyError("Unauthorized")
        if program == "kubectl":
            return self.kubectl(arguments, (environment or {})["KUBECONFIG"])
        if program == "terraform":
            answers = {"output": json.dumps(OUTPUTS), "state": "\n".join(self.world["addresses"]), "workspace": "default\n"}
            return answers[arguments[1]]
        if "update-kubeconfig" in call:
            Path(arguments[-1]).touch()
            return ""
        return json.dumps(self.world["instances"])

    def kubectl(self, arguments: tuple[str, ...], kubeconfig: str) -> str:
        assert Path(kubeconfig).exists()
        self.kubeconfigs.add(kubeconfig)
        match arguments:
            case ["config", *_]:
                return str(self.world["server"])
            case ["get", kind, *_]:
                return json.dumps({"items": self.world["objects"].get(kind.partition(".")[0], [])})
            case ["delete", *_] if self.world["obeys"]:
                self.world |= {"objects": {"deployments": self.world["objects"]["deployments"]}, "instances": []}
        return ""


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trial:
    return Trial(tmp_path, monkeypatch)


def test_the_nodes_go_first_and_terraform_last(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    trial.run("karpenter", typed=f"{NAME}\n")
    printed = capsys.readouterr().out
    for shown in (NAME, "us-west-2", ENDPOINT, "workspace default, 2 resources", "gpu-spot", "i-1 p5.48xlarge"):
        assert shown in printed
    assert trial.calls[-1] == (
        "terraform -chdir=cdktf.out/stacks/karpenter destroy -auto-approve -var-file=../../../terraform.tfvars"
    )
    assert trial.deleted == ["kubectl delete nodepools.karpenter.sh --all --cascade=foreground --wait=false"]
    # After the pools: Kubernetes and EC2 were asked what is left.
    after = trial.calls[trial.calls.index(trial.deleted[0]) :]
    assert any("get nodeclaims" in call for call in after)
    assert any("aws ec2 describe-instances --region us-west-2 --profile team" in call for call in after)


def test_no_other_cluster_is_ever_reached(trial: Trial) -> None:
    trial.run("karpenter", "--confirm", NAME)
    (kubeconfig,) = trial.kubeconfigs
    assert f"aws eks update-kubeconfig --name {NAME} --region us-west-2 --profile team --kubeconfig {kubeconfig}" in trial.calls
    assert not Path(kubeconfig).exists()


def test_another_cluster_behind_the_kubeconfig_is_refused(trial: Trial) -> None:
    trial.world["server"] = "https://other.example"
    why = trial.stops("karpenter", "--confirm", NAME)
    assert why == f"kubectl must reach the stack's cluster at {ENDPOINT} (got https://other.example)."
    assert not trial.deleted


@pytest.mark.parametrize("typed", ["", "\n", "gpu\n"])
def test_without_the_name_of_the_cluster_nothing_is_removed(trial: Trial, typed: str) -> None:
    assert f"The name of the cluster must be {NAME}" in trial.stops("karpenter", typed=typed)
    assert not trial.deleted


@pytest.mark.parametrize("fails", ["kubectl delete", "get nodeclaims", "ec2 describe-instances", "update-kubeconfig", "terraform"])
def test_it_stops_at_any_error(trial: Trial, fails: str) -> None:
    trial.world["fails"] = fails
    assert trial.stops("karpenter", "--confirm", NAME) == "Unauthorized"


@pytest.mark.parametrize(
    ("kind", "blocker", "words"),
    [
        (
            "poddisruptionbudgets",
            item("keep", "jobs", spec={"selector": {"matchLabels": {"app": "train"}}}, status={"disruptionsAllowed": 0}),
            "PodDisruptionBudget jobs/keep allows no disruption",
        ),
        (
            "pods",
            item("precious", "jobs", spec={"nodeName": "node-1"}, annotations={"karpenter.sh/do-not-disrupt": "true"}),
            "Pod jobs/precious has karpenter.sh/do-not-disrupt",
        ),
        (
            "nodeclaims",
            item("stuck", finalizers=["example.com/hold"], deletionTimestamp="2026-01-01T00:00:00Z"),
            "NodeClaim stuck has the finalizers example.com/hold",
        ),
        ("deployments", None, "Karpenter is not running"),
    ],
)
def test_it_says_what_blocks_and_stops(trial: Trial, kind: str, blocker: dict[str, Any] | None, words: str) -> None:
    objects = trial.world["objects"]
    trial.world["obeys"] = False
    objects["pods"] = [item("train-0", "jobs", spec={"nodeName": "node-1"}, labels={"app": "train"})]
    objects[kind] = [*objects.get(kind, []), blocker] if blocker else []
    why = trial.stops("karpenter", "--confirm", NAME, "--timeout", "0")
    assert words in why
    assert "Terraform was not started" in why


def test_a_budget_of_other_pods_is_not_named(trial: Trial) -> None:
    objects = trial.world["objects"]
    trial.world["obeys"] = False
    objects["pods"] = [item("train-0", "jobs", spec={"nodeName": "node-1"}, labels={"app": "train"})]
    budget = {"selector": {"matchLabels": {"app": "web"}}}
    objects["poddisruptionbudgets"] = [item("keep", "jobs", spec=budget, status={"disruptionsAllowed": 0})]
    assert "PodDisruptionBudget" not in trial.stops("karpenter", "--confirm", NAME, "--timeout", "0")


def test_an_instance_that_outlives_its_nodeclaim_keeps_terraform_from_starting(
    trial: Trial, capsys: pytest.CaptureFixture[str]
) -> None:
    trial.world["obeys"] = False
    trial.world["objects"]["nodepools"] = trial.world["objects"]["nodeclaims"] = []
    trial.stops("karpenter", "--confirm", NAME, "--timeout", "0")
    assert "1 instances left i-1 p5.48xlarge" in capsys.readouterr().out


def test_a_nodeclaim_without_a_pool_is_deleted_too(trial: Trial) -> None:
    trial.world["objects"]["nodepools"] = []
    trial.run("karpenter", "--confirm", NAME)
    assert trial.deleted == ["kubectl delete nodeclaims.karpenter.sh --all --wait=false"]


@pytest.mark.parametrize(
    ("kind", "made", "words"),
    [
        ("services", item("web", "shop", spec={"type": "LoadBalancer"}), "service shop/web"),
        ("ingresses", item("front", "shop"), "ingress shop/front"),
    ],
)
def test_load_balancers_are_named_before_anything_is_removed(trial: Trial, kind: str, made: dict[str, Any], words: str) -> None:
    trial.world["objects"][kind] = [made]
    assert words in trial.stops("karpenter", "--confirm", NAME)
    assert not trial.deleted


def test_a_destroy_that_got_as_far_as_the_cluster_goes_on(trial: Trial) -> None:
    trial.world |= {"addresses": ["module.vpc.aws_vpc.this[0]"], "instances": []}
    trial.run("karpenter", "--confirm", NAME)
    assert " destroy " in trial.calls[-1]
    assert not any(call.startswith("kubectl") for call in trial.calls)


def test_instances_that_outlived_their_cluster_are_named(trial: Trial) -> None:
    trial.world["addresses"] = ["module.vpc.aws_vpc.this[0]"]
    assert "aws ec2 terminate-instances --region us-west-2 --instance-ids i-1" in trial.stops("karpenter", "--confirm", NAME)


@pytest.mark.parametrize("stack", ["", "other"])
def test_the_stack_must_be_named(trial: Trial, stack: str) -> None:
    assert trial.stops(stack) == f"STACK must be a synthesized stack (got {stack!r}). There are: karpenter."


def test_a_program_that_is_missing_is_named(trial: Trial) -> None:
    trial.missing = "kubectl"
    assert trial.stops("karpenter") == "kubectl is needed and is not on the PATH."
