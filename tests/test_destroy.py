"""`make destroy` against programs that only pretend: the order of what it does, and that it stops rather than orphan a node."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from main import PROJECT

NAME = "gpu-zz9x"
ENDPOINT = "https://gpu.example"

# Takes the part of terraform, kubectl and aws. `world.json` says what is there; what is asked goes to `calls`.
FAKE = """
import json, os, sys
from pathlib import Path
folder = Path(os.environ["WORLD"])
world = json.loads((folder / "world.json").read_text())
program, arguments = Path(sys.argv[0]).name, sys.argv[1:]
line = " ".join([program, *arguments])
with (folder / "calls").open("a") as calls:
    calls.write(f"{line} KUBECONFIG={os.environ.get('KUBECONFIG', '')}\\n")
if world.get("fails") and world["fails"] in line:
    sys.exit("Unauthorized")
if program == "terraform":
    if "output" in line:
        outputs = {"cluster_name": "gpu-zz9x", "cluster_endpoint": "https://gpu.example", "region": "us-west-2",
                   "configure_kubectl": "aws eks update-kubeconfig --name gpu-zz9x --region us-west-2 --profile team"}
        print(json.dumps({name: {"value": value} for name, value in outputs.items()}))
    elif "state list" in line:
        print("\\n".join(world["addresses"]))
    elif "workspace show" in line:
        print("default")
elif program == "aws":
    if "update-kubeconfig" in line:
        Path(arguments[-1]).write_text("kubeconfig")
    else:
        print(json.dumps(world["instances"]))
elif "config view" in line:
    print(world["server"])
elif "get" in arguments:
    print(json.dumps({"items": world["objects"].get(arguments[1].partition(".")[0], [])}))
elif "delete" in arguments and world["obeys"]:
    world["objects"] = {"deployments": world["objects"]["deployments"]}
    world["instances"] = []
    (folder / "world.json").write_text(json.dumps(world))
"""


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
    def __init__(self, project: Path) -> None:
        self.project = project
        self.world = a_living_cluster()
        folder = project / "cdktf.out" / "stacks" / "karpenter"
        (folder / ".terraform").mkdir(parents=True)
        (folder / "cdk.tf.json").touch()
        (project / "terraform.tfvars").touch()
        self.programs = project / "bin"
        self.programs.mkdir()
        for program in ("terraform", "kubectl", "aws"):
            (self.programs / program).write_text(f"#!{sys.executable} -S{FAKE}")
            (self.programs / program).chmod(0o755)

    def run(self, *arguments: str, typed: str = "") -> tuple[int, str]:
        """The exit code, and what was printed."""
        (self.project / "world.json").write_text(json.dumps(self.world))
        run = subprocess.run(
            [sys.executable, "-m", "stacks.operations.destroy", *arguments],
            cwd=self.project,
            env={
                **os.environ,
                "PATH": str(self.programs),
                "PYTHONPATH": str(PROJECT),
                "WORLD": str(self.project),
                "KUBECONFIG": "mine",
            },
            input=typed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert "Traceback" not in run.stdout
        return run.returncode, run.stdout

    @property
    def calls(self) -> list[str]:
        file = self.project / "calls"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def destroyed(self) -> bool:
        return any(" destroy " in call for call in self.calls)


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(tmp_path)


def test_the_nodes_go_first_and_terraform_last(trial: Trial) -> None:
    code, printed = trial.run("karpenter", typed=f"{NAME}\n")
    assert code == 0
    for shown in (NAME, "us-west-2", ENDPOINT, "workspace default, 2 resources", "gpu-spot", "i-1 p5.48xlarge"):
        assert shown in printed
    last = trial.calls[-1]
    assert last.startswith("terraform -chdir=cdktf.out/stacks/karpenter destroy -auto-approve -var-file=../../../terraform.tfvars")
    deleted = [call for call in trial.calls if "delete" in call]
    assert deleted[0].startswith("kubectl delete nodepools.karpenter.sh --all --cascade=foreground")
    # After the pools: EC2 and Kubernetes were asked what is left.
    after = trial.calls[trial.calls.index(deleted[0]) :]
    assert any("aws ec2 describe-instances --region us-west-2 --profile team" in call for call in after)


def test_no_other_cluster_is_ever_reached(trial: Trial) -> None:
    trial.run("karpenter", "--confirm", NAME)
    used = {call.partition("KUBECONFIG=")[2] for call in trial.calls if call.startswith("kubectl")}
    assert len(used) == 1
    (kubeconfig,) = used
    assert kubeconfig not in ("", "mine")
    assert not Path(kubeconfig).exists()


def test_another_cluster_behind_the_kubeconfig_is_refused(trial: Trial) -> None:
    trial.world["server"] = "https://other.example"
    code, printed = trial.run("karpenter", "--confirm", NAME)
    assert code == 1
    assert f"kubectl must reach the stack's cluster at {ENDPOINT} (got https://other.example)." in printed
    assert not any("delete" in call for call in trial.calls)


@pytest.mark.parametrize("typed", ["", "\n", "gpu\n"])
def test_without_the_name_of_the_cluster_nothing_is_removed(trial: Trial, typed: str) -> None:
    code, printed = trial.run("karpenter", typed=typed)
    assert code == 1
    assert f"The name of the cluster must be {NAME}" in printed
    assert not trial.destroyed
    assert not any("delete" in call for call in trial.calls)


@pytest.mark.parametrize(
    "fails", ["kubectl delete", "get nodeclaims", "ec2 describe-instances", "update-kubeconfig", "terraform -chdir"]
)
def test_it_stops_at_any_error(trial: Trial, fails: str) -> None:
    trial.world["fails"] = fails
    code, printed = trial.run("karpenter", "--confirm", NAME)
    assert code == 1
    assert "Unauthorized" in printed
    assert not trial.destroyed


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
def test_it_says_what_blocks_and_stops_without_terraform(
    trial: Trial, kind: str, blocker: dict[str, Any] | None, words: str
) -> None:
    objects = trial.world["objects"]
    trial.world["obeys"] = False
    objects["pods"] = [item("train-0", "jobs", spec={"nodeName": "node-1"}, labels={"app": "train"})]
    objects[kind] = [*objects.get(kind, []), blocker] if blocker else []
    code, printed = trial.run("karpenter", "--confirm", NAME, "--timeout", "0")
    assert code == 1
    assert words in printed
    assert "Terraform was not started" in printed
    assert not trial.destroyed


def test_a_budget_of_other_pods_does_not_count(trial: Trial) -> None:
    objects = trial.world["objects"]
    trial.world["obeys"] = False
    objects["pods"] = [item("train-0", "jobs", spec={"nodeName": "node-1"}, labels={"app": "train"})]
    budget = {"selector": {"matchLabels": {"app": "web"}}}
    objects["poddisruptionbudgets"] = [item("keep", "jobs", spec=budget, status={"disruptionsAllowed": 0})]
    assert "PodDisruptionBudget" not in trial.run("karpenter", "--confirm", NAME, "--timeout", "0")[1]


def test_an_instance_that_outlives_its_nodeclaim_keeps_terraform_from_starting(trial: Trial) -> None:
    trial.world["obeys"] = False
    trial.world["objects"]["nodepools"] = trial.world["objects"]["nodeclaims"] = []
    code, printed = trial.run("karpenter", "--confirm", NAME, "--timeout", "0")
    assert (code, trial.destroyed) == (1, False)
    assert "1 instances left i-1 p5.48xlarge" in printed


@pytest.mark.parametrize(
    ("kind", "made", "words"),
    [
        ("services", item("web", "shop", spec={"type": "LoadBalancer"}), "service shop/web"),
        ("ingresses", item("front", "shop"), "ingress shop/front"),
    ],
)
def test_load_balancers_are_named_before_anything_is_removed(trial: Trial, kind: str, made: dict[str, Any], words: str) -> None:
    trial.world["objects"][kind] = [made]
    code, printed = trial.run("karpenter", "--confirm", NAME)
    assert (code, trial.destroyed) == (1, False)
    assert words in printed
    assert not any("delete" in call for call in trial.calls)


def test_a_destroy_that_got_as_far_as_the_cluster_goes_on(trial: Trial) -> None:
    trial.world["addresses"] = ["module.vpc.aws_vpc.this[0]"]
    trial.world["instances"] = []
    assert trial.run("karpenter", "--confirm", NAME)[0] == 0
    assert trial.destroyed
    assert not any(call.startswith("kubectl") for call in trial.calls)


def test_instances_that_outlived_their_cluster_are_named(trial: Trial) -> None:
    trial.world["addresses"] = ["module.vpc.aws_vpc.this[0]"]
    code, printed = trial.run("karpenter", "--confirm", NAME)
    assert (code, trial.destroyed) == (1, False)
    assert "aws ec2 terminate-instances --region us-west-2 --instance-ids i-1" in printed


@pytest.mark.parametrize("stack", ["", "other"])
def test_the_stack_must_be_named(trial: Trial, stack: str) -> None:
    assert trial.run(stack) == (1, f"Stopped. STACK must be a synthesized stack (got {stack!r}). There are: karpenter.\n")


def test_a_program_that_is_missing_is_named(trial: Trial) -> None:
    (trial.programs / "kubectl").unlink()
    assert trial.run("karpenter") == (1, "Stopped. kubectl is needed and is not on the PATH.\n")
