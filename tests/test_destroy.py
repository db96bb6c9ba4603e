"""`make destroy` with programs that only pretend: the order of what it does, and that it stops rather than orphan a node."""

import io
import json
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from stacks.operations import deployment, destroy

NAME = "gpu-zz9x"
ENDPOINT = "https://gpu.example"
VPC = ("module.vpc", "aws_vpc", {"arn": "arn:aws:ec2:us-west-2:123456789012:vpc/vpc-1", "tags": {"Name": NAME}})
CLUSTER = ("module.eks", "aws_eks_cluster", {"endpoint": ENDPOINT})
FOLDER = Path("cdktf.out", "stacks", "karpenter")


def state(*resources: tuple[str, str, Any]) -> str:
    entries = [{"module": module, "type": kind, "instances": [{"attributes": values}]} for module, kind, values in resources]
    return json.dumps({"resources": entries})


def item(name: str, namespace: str = "", spec: Any = None, status: Any = None, kind: str = "", **metadata: Any) -> dict[str, Any]:
    place = {"namespace": namespace} if namespace else {}
    return {"kind": kind, "metadata": {"name": name, **place, **metadata}, "spec": spec or {}, "status": status or {}}


def budget(**spec: Any) -> dict[str, Any]:
    return item("keep", "jobs", spec=spec, status={"disruptionsAllowed": 0})


def a_living_cluster() -> dict[str, Any]:
    claim = item("gpu-spot-1", status={"nodeName": "node-1"}, finalizers=["karpenter.sh/termination"])
    return {
        "state": state(CLUSTER, VPC),
        "server": ENDPOINT,
        "instances": [["i-1", "p5.48xlarge"]],
        "objects": {
            "nodepools": [item("gpu-spot")],
            "nodeclaims": [claim],
            "ec2nodeclasses": [item("gpu")],
            "pods": [item("train-0", "jobs", spec={"nodeName": "node-1"}, labels={"app": "train"})],
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
        self.environments: list[dict[str, str]] = []
        self.kubeconfigs: set[str] = set()
        self.missing = ""
        patch.chdir(project)
        FOLDER.mkdir(parents=True)
        Path("cdktf.out", "manifest.json").write_text('{"stacks": {"karpenter": {}}}')
        self.variables: dict[str, Any] = {}
        self.synthesize(profile="team")
        patch.setattr(deployment, "_run", self.program)
        patch.setattr(destroy, "POLL_SECONDS", 0)
        patch.setattr("subprocess.Popen", self.terminal)
        patch.setattr("shutil.which", lambda program: None if program == self.missing else program)

    def synthesize(self, **provider: Any) -> None:
        aws = [{"alias": "virginia", "profile": "other"}, {"region": "${var.region}", **provider}]
        (FOLDER / "cdk.tf.json").write_text(json.dumps({"provider": {"aws": aws}, "variable": self.variables}))

    def run(self, *arguments: str, typed: str = "") -> None:
        self.patch.setattr("sys.stdin", io.StringIO(typed))
        assert destroy.main(list(arguments)) == 0

    def stops(self, *arguments: str, typed: str = "") -> str:
        """Why it stopped; Terraform has not destroyed anything then."""
        with pytest.raises(deployment.DeploymentError) as stopped:
            self.run(*arguments, typed=typed)
        assert not any(" destroy " in call for call in self.calls)
        return str(stopped.value)

    @property
    def deleted(self) -> list[str]:
        return [call for call in self.calls if " delete " in call]

    def terminal(self, command: list[str], **_: Any) -> Any:
        self.calls.append(" ".join(command))
        self.environments.append({})
        ends = self.world.get("init" if "init" in command else "ends", [0])
        return SimpleNamespace(wait=Mock(side_effect=ends))

    def program(self, program: str, *arguments: str, environment: dict[str, str] | None = None) -> str:
        call = " ".join([program, *arguments])
        self.calls.append(call)
        self.environments.append(environment or {})
        if self.world.get("fails", "nothing") in call:
            raise self.world.get("error", deployment.DeploymentError("Unauthorized"))
        if program == "kubectl":
            return self.kubectl(arguments, (environment or {})["KUBECONFIG"])
        if program == "terraform":
            return str(self.world["state"]) if "state" in arguments else "default\n"
        if "assume-role" in call:
            return json.dumps({"AccessKeyId": "key", "SecretAccessKey": "secret", "SessionToken": "token"})
        if "update-kubeconfig" in call:
            Path(arguments[arguments.index("--kubeconfig") + 1]).touch()
            return ""
        return json.dumps(self.world["instances"])

    def kubectl(self, arguments: tuple[str, ...], kubeconfig: str) -> str:
        assert Path(kubeconfig).exists()
        self.kubeconfigs.add(kubeconfig)
        match arguments:
            case ["config", *_]:
                return str(self.world["server"])
            case ["get", kind, *_]:
                if kind in self.world.get("unknown", []):
                    raise deployment.DeploymentError(f"error: the server doesn't have a resource type {kind}")
                return json.dumps({"items": self.world["objects"].get(kind.partition(".")[0], [])})
            case ["delete", *_] if self.world["obeys"]:
                del self.world["objects"][arguments[1].partition(".")[0]]
                self.world["instances"] = []
        return ""


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trial:
    return Trial(tmp_path, monkeypatch)


def test_the_nodes_go_first_and_terraform_last(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    trial.run("karpenter", typed=f"{NAME}\n")
    printed = capsys.readouterr().out
    for shown in (NAME, "us-west-2", ENDPOINT, "Workspace  default", "i-1 p5.48xlarge"):
        assert shown in printed
    assert trial.calls[-1] == f"terraform -chdir={FOLDER} destroy -auto-approve"
    assert trial.deleted == [
        f"kubectl delete {kind} --all --cascade=foreground --wait=false"
        for kind in ("nodepools.karpenter.sh", "nodeclaims.karpenter.sh", "ec2nodeclasses.karpenter.k8s.aws")
    ]
    # After that, Kubernetes and EC2 were asked what is left.
    after = trial.calls[trial.calls.index(trial.deleted[-1]) :]
    assert any("get nodeclaims" in call for call in after)
    assert any("aws ec2 describe-instances" in call for call in after)


def test_the_variable_files_of_the_project_reach_terraform(trial: Trial) -> None:
    for name in ("b.auto.tfvars", "a.auto.tfvars.json", "terraform.tfvars", "terraform.tfvars.json", "other.tfvars"):
        (trial.project / name).touch()
    trial.run("karpenter", "--confirm", NAME, "-var", "gpu_limit=8")
    files = ("terraform.tfvars", "terraform.tfvars.json", "b.auto.tfvars", "a.auto.tfvars.json")
    assert trial.calls[-1].split()[4:] == [*(f"-var-file=../../../{name}" for name in files), "-var", "gpu_limit=8"]


@pytest.mark.parametrize(("provider", "profile"), [({"profile": "team"}, " --profile team"), ({}, "")])
def test_no_other_cluster_is_ever_reached(trial: Trial, provider: dict[str, str], profile: str) -> None:
    trial.synthesize(**provider)
    trial.run("karpenter", "--confirm", NAME)
    (kubeconfig,) = trial.kubeconfigs
    times = " ".join(deployment.AWS_TIMES)
    login = f"aws eks update-kubeconfig --name {NAME} --kubeconfig {kubeconfig} {times} --region us-west-2{profile}"
    asked = {call for call in trial.calls if call.startswith("aws")}
    assert login in asked
    assert all(call.endswith(f"--region us-west-2{profile}") for call in asked)
    assert any(f"Name=tag:kubernetes.io/cluster/{NAME},Values=owned" in call for call in asked)
    assert not Path(kubeconfig).exists()


def test_another_cluster_of_the_same_name_is_refused(trial: Trial) -> None:
    trial.world["server"] = "https://other.example"
    assert f"must be the one in the state, {ENDPOINT} (got https://other.example)" in trial.stops("karpenter", "--confirm", NAME)
    assert not trial.deleted


@pytest.mark.parametrize("typed", ["", "\n", "gpu\n"])
def test_without_the_name_of_the_cluster_nothing_is_removed(trial: Trial, typed: str) -> None:
    why = trial.stops("karpenter", typed=typed)
    assert why == f'The name of the cluster must be {NAME} (got "{typed.strip()}"). Nothing was removed.'
    assert not trial.deleted


@pytest.mark.parametrize("fails", ["kubectl delete", "get nodeclaims", "ec2 describe-instances", "update-kubeconfig", "terraform"])
def test_it_stops_at_any_error(trial: Trial, fails: str) -> None:
    trial.world["fails"] = fails
    assert trial.stops("karpenter", "--confirm", NAME) == "Unauthorized"


@pytest.mark.parametrize(
    ("kind", "blocker", "words"),
    [
        ("poddisruptionbudgets", budget(selector={"matchLabels": {"app": "train"}}), "PodDisruptionBudget jobs/keep allows no"),
        ("poddisruptionbudgets", budget(selector={}), "PodDisruptionBudget jobs/keep allows no"),
        (
            "poddisruptionbudgets",
            budget(selector={"matchExpressions": [{"key": "app", "operator": "Exists"}]}),
            "PodDisruptionBudget jobs/keep allows no",
        ),
        (
            "pods",
            item("precious", "jobs", spec={"nodeName": "node-1"}, annotations={"karpenter.sh/do-not-disrupt": "true"}),
            "Pod jobs/precious has the annotation karpenter.sh/do-not-disrupt",
        ),
        (
            "nodeclaims",
            item("stuck", kind="NodeClaim", finalizers=["example.com/hold"], deletionTimestamp="2026-01-01T00:00:00Z"),
            "NodeClaim stuck has the finalizer example.com/hold",
        ),
        (
            "nodes",
            item("node-1", kind="Node", finalizers=["example.com/hold"], deletionTimestamp="2026-01-01T00:00:00Z"),
            "Node node-1 has the finalizer example.com/hold",
        ),
        ("deployments", item("karpenter", "kube-system", status={"replicas": 2}), "Karpenter is not running"),
        ("deployments", None, "Karpenter is not running"),
    ],
)
def test_it_says_what_blocks_and_stops(trial: Trial, kind: str, blocker: dict[str, Any] | None, words: str) -> None:
    objects = trial.world["objects"]
    trial.world["obeys"] = False
    objects[kind] = [*(objects.get(kind, []) if kind != "deployments" else []), *([blocker] if blocker else [])]
    why = trial.stops("karpenter", "--confirm", NAME, "--timeout", "0")
    assert words in why
    assert "Terraform was not started" in why


@pytest.mark.parametrize(
    ("kind", "harmless"),
    [
        ("poddisruptionbudgets", budget(selector={"matchLabels": {"app": "web"}})),
        ("poddisruptionbudgets", budget(selector={}) | {"status": {"disruptionsAllowed": 1}}),
        ("poddisruptionbudgets", item("keep", "other", spec={"selector": {}}, status={"disruptionsAllowed": 0})),
        ("pods", item("other", "jobs", spec={"nodeName": "node-2"}, annotations={"karpenter.sh/do-not-disrupt": "true"})),
        ("nodes", item("node-2", kind="Node", finalizers=["example.com/hold"])),
        ("nodes", item("node-1", kind="Node", finalizers=["karpenter.sh/termination"], deletionTimestamp="2026-01-01T00:00:00Z")),
    ],
)
def test_what_does_not_block_is_not_named(trial: Trial, kind: str, harmless: dict[str, Any]) -> None:
    trial.world["obeys"] = False
    trial.world["objects"].setdefault(kind, []).append(harmless)
    assert "No known cause was found" in trial.stops("karpenter", "--confirm", NAME, "--timeout", "0")


def test_after_a_while_without_progress_it_says_what_blocks(
    trial: Trial, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(destroy, "QUIET_SECONDS", 0)
    trial.world["obeys"] = False
    trial.world["objects"]["poddisruptionbudgets"] = [budget(selector={})]
    trial.stops("karpenter", "--confirm", NAME, "--timeout", "0.0001")
    assert " s: What may block:\n  PodDisruptionBudget jobs/keep" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["nodepools", "nodeclaims", "ec2nodeclasses"])
def test_whatever_is_left_keeps_terraform_from_starting(trial: Trial, kind: str) -> None:
    trial.world |= {"obeys": False, "instances": [], "objects": {kind: [item("left")]}}
    assert "Nothing changed" in trial.stops("karpenter", "--confirm", NAME, "--timeout", "0")
    assert [call.split()[2].partition(".")[0] for call in trial.deleted] == [kind]


def test_a_cluster_that_never_got_karpenter_goes(trial: Trial) -> None:
    trial.world |= {"unknown": destroy.KINDS, "instances": []}
    trial.run("karpenter", "--confirm", NAME)
    assert not trial.deleted


def test_an_instance_without_a_nodeclaim_keeps_terraform_from_starting(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    trial.world["objects"] = {}
    trial.stops("karpenter", "--confirm", NAME, "--timeout", "0")
    assert "instances i-1 p5.48xlarge" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("kind", "made", "words"),
    [
        ("services", item("web", "shop", spec={"type": "LoadBalancer"}), "Service shop/web"),
        ("ingresses", item("front", "shop"), "Ingress shop/front"),
    ],
)
def test_load_balancers_are_named_before_anything_is_removed(trial: Trial, kind: str, made: dict[str, Any], words: str) -> None:
    trial.world["objects"][kind] = [made]
    assert words in trial.stops("karpenter", "--confirm", NAME)
    assert not trial.deleted


def test_a_service_without_a_load_balancer_does_not_stop_it(trial: Trial) -> None:
    trial.world["objects"]["services"] = [item("web", "shop", spec={"type": "ClusterIP"})]
    trial.run("karpenter", "--confirm", NAME)


def volume(name: str, *, policy: str = "Delete", **spec: Any) -> dict[str, Any]:
    return item(name, spec={"persistentVolumeReclaimPolicy": policy, **spec})


CLAIM = {"namespace": "jobs", "name": "data"}


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (volume("pvc-1", csi={"driver": "ebs.csi.aws.com"}, claimRef=CLAIM), "pvc-1 (claim jobs/data)."),
        (volume("pvc-2", csi={"driver": "efs.csi.aws.com"}), "pvc-2."),
        (volume("pvc-3", csi={"driver": "fsx.csi.aws.com"}), "pvc-3."),
        (volume("pvc-4", awsElasticBlockStore={"volumeID": "vol-1"}), "pvc-4."),
    ],
)
def test_volumes_that_would_outlive_the_cluster_are_named_before_anything_is_removed(
    trial: Trial, made: dict[str, Any], words: str
) -> None:
    trial.world["objects"]["persistentvolumes"] = [made]
    said = trial.stops("karpenter", "--confirm", NAME)
    assert f"what they have in AWS would outlive the cluster: {words} Delete their claims first" in said
    assert """kubectl patch persistentvolume NAME --patch '{"spec":{"persistentVolumeReclaimPolicy":"Retain"}}'""" in said
    assert not trial.deleted


def snapshot(policy: str) -> dict[str, Any]:
    return {"metadata": {"name": "snapcontent-1"}, "spec": {"deletionPolicy": policy, "driver": "ebs.csi.aws.com"}}


def test_snapshots_that_would_outlive_the_cluster_are_named_before_anything_is_removed(trial: Trial) -> None:
    trial.world["objects"]["volumesnapshotcontents"] = [snapshot("Delete")]
    said = trial.stops("karpenter", "--confirm", NAME)
    assert "their snapshots in AWS would outlive the cluster: snapcontent-1. Delete their VolumeSnapshots first" in said
    assert not trial.deleted


def test_a_snapshot_that_is_kept_does_not_stop_it(trial: Trial) -> None:
    trial.world["objects"]["volumesnapshotcontents"] = [snapshot("Retain")]
    trial.run("karpenter", "--confirm", NAME)


def test_terraform_destroys_in_the_region_of_the_state_whatever_main_py_says_now(trial: Trial) -> None:
    trial.variables = {"region": {"default": "eu-west-1"}}
    trial.synthesize()
    trial.run("karpenter", "--confirm", NAME)
    assert trial.calls[-1] == f"terraform -chdir={FOLDER} destroy -auto-approve -var=region=us-west-2"


@pytest.mark.parametrize(
    "made",
    [
        volume("kept", policy="Retain", csi={"driver": "ebs.csi.aws.com"}),
        volume("bucket", csi={"driver": "s3.csi.aws.com"}),
        volume("of-another-driver", csi={"driver": "nfs.csi.k8s.io"}),
    ],
)
def test_a_volume_that_leaves_nothing_behind_does_not_stop_it(trial: Trial, made: dict[str, Any]) -> None:
    trial.world["objects"]["persistentvolumes"] = [made]
    trial.run("karpenter", "--confirm", NAME)


def test_a_destroy_that_already_removed_the_cluster_is_continued(trial: Trial) -> None:
    trial.world |= {"state": state(VPC), "instances": []}
    trial.run("karpenter", "--confirm", NAME)
    assert " destroy " in trial.calls[-1]
    assert not any(call.startswith("kubectl") for call in trial.calls)


def test_instances_that_outlived_their_cluster_are_named(trial: Trial) -> None:
    trial.world["state"] = state(VPC)
    assert "aws ec2 terminate-instances --region us-west-2 --instance-ids i-1" in trial.stops("karpenter", "--confirm", NAME)


INTERRUPTED = ("module.vpc", "aws_vpc", {"id": "vpc-1", "arn": None, "tags": {"Name": NAME}})


@pytest.mark.parametrize("pulled", ["", "{}", state(("module.eks", "aws_kms_key", {})), state(INTERRUPTED)])
def test_a_state_without_a_deployment_is_named_with_its_workspace(trial: Trial, pulled: str) -> None:
    trial.world["state"] = pulled
    assert trial.stops("karpenter").startswith("Workspace default has no VPC in its state")


def test_ctrl_c_does_not_leave_terraform_alone(trial: Trial) -> None:
    def interrupted() -> int:
        signal.raise_signal(signal.SIGINT)
        return 0

    before = signal.getsignal(signal.SIGINT)
    trial.world["ends"] = interrupted
    trial.run("karpenter", "--confirm", NAME)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("during", ["get services", "delete", "describe-instances"])
def test_ctrl_c_before_terraform_is_a_sentence(trial: Trial, capsys: pytest.CaptureFixture[str], during: str) -> None:
    trial.world |= {"fails": during, "error": KeyboardInterrupt()}
    assert destroy.run(["karpenter", "--confirm", NAME]) == 130
    assert "Interrupted. Terraform was not started." in capsys.readouterr().err


def test_an_error_is_a_sentence(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    assert destroy.run(["karpenter", "--confirm", "other"]) == 1
    assert capsys.readouterr().err.startswith("Stopped. The name of the cluster must be")


@pytest.mark.parametrize("stack", ["", "other"])
def test_the_stack_must_be_named(trial: Trial, stack: str) -> None:
    assert trial.stops(stack) == f'STACK must be a synthesized stack (got "{stack}"). There are: karpenter.'


def test_terraform_is_initialized_first_and_nothing_else_is_done_where_that_fails(trial: Trial) -> None:
    trial.run("karpenter", "--confirm", NAME)
    assert trial.calls[0] == f"terraform -chdir={FOLDER} init -input=false"
    trial.calls.clear()
    trial.world["init"] = [1]
    assert destroy.main(["karpenter", "--confirm", NAME]) == 1
    assert len(trial.calls) == 1


def test_a_program_that_is_missing_is_named(trial: Trial) -> None:
    trial.missing = "kubectl"
    assert trial.stops("karpenter") == "kubectl must be on the PATH. Install it, and run this command again."


def test_a_role_that_terraform_assumes_is_assumed(trial: Trial) -> None:
    """The cluster may be in another account than the caller, where the caller sees no instance."""
    trial.synthesize(profile="team", assume_role=[{"role_arn": "arn:aws:iam::123456789012:role/ci"}])
    trial.run("karpenter", "--confirm", NAME)
    (assumed,) = [call for call in trial.calls if "assume-role" in call]
    assert "--role-arn arn:aws:iam::123456789012:role/ci --role-session-name make-destroy --profile team" in assumed
    others = [
        (c, e) for c, e in zip(trial.calls, trial.environments, strict=False) if c.startswith(("aws eks", "aws ec2", "kubectl"))
    ]
    assert len(others) > 5
    assert all("--profile" not in call and environment["AWS_SESSION_TOKEN"] == "token" for call, environment in others)  # noqa: S105


def test_a_protected_cluster_is_refused_before_a_node_is_touched(trial: Trial) -> None:
    trial.world["state"] = state((*CLUSTER[:2], {"endpoint": ENDPOINT, "deletion_protection": True}), VPC)
    assert "deletion_protection is on. Set deletion_protection=False in main.py" in trial.stops("karpenter", "--confirm", NAME)
    assert not trial.deleted


def test_a_program_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clean-up must come to the sentence that says what is left."""
    monkeypatch.setattr(deployment, "PATIENCE_SECONDS", 0.05)
    with pytest.raises(deployment.DeploymentError, match=r"^`sleep 9 …` failed: no answer in"):
        deployment._run("sleep", "9")
