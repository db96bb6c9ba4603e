"""A make-believe world for `make prove`: Terraform, kubectl and the AWS CLI, and what is in the account."""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from stacks.operations import deployment, destroy
from stacks.operations.deployment import DeploymentError
from stacks.operations.prove import before, cleanup, command, ends, pods, step, steps
from tests.facts import item, items, pool

ACCOUNT, NAME, REGION, VPC, KEY = "123456789012", "proof-zz9x", "us-west-2", "vpc-1", "key-1"
CALLER = f"arn:aws:sts::{ACCOUNT}:assumed-role/ci/session"
ENDPOINT = "https://proof.example"
FOLDER = Path("cdktf.out", "stacks", "proof")
BACKEND = {"local": {"path": "../../../terraform.proof.tfstate"}}
ARGUMENTS = ["examples/proof.py", "proof", "--confirm", ACCOUNT]

SUMMARY = {
    "name": "proof",
    "region": REGION,
    "kubernetes": {"version": "1.35"},
    "karpenter_version": "1.14.1",
    "most_expensive_hour_usd": 2.0,
    "idle_hour_usd": {"control plane": 0.1, "NAT gateway": 0.05, "node group": 0.25},
    "pools": [{"name": "gpu-spot", "limits": {"nvidia.com/gpu": 2}}],
    "left_out": ["disks"],
    "prices_of": "2026-07-20",
}

GENERAL = pool("general", "general", {"node.kubernetes.io/instance-type": ["m7i.xlarge"], "karpenter.sh/capacity-type": ["spot"]})
GPU = pool("gpu-spot", "gpu", {"node.kubernetes.io/instance-type": ["g6.xlarge"], "karpenter.sh/capacity-type": ["spot"]})
GPU["spec"]["limits"] = {"nvidia.com/gpu": 2}
GENERAL["spec"]["limits"] = {"cpu": 16}
GPU["spec"]["template"]["spec"]["taints"] = [{"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}]
for one, kind in ((GENERAL, "NodePool"), (GPU, "NodePool")):
    one |= {"apiVersion": "karpenter.sh/v1", "kind": kind}

QUOTAS = {
    "All G and VT Spot Instance Requests": 64,
    "Running On-Demand G and VT instances": 64,
    "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests": 640,
    "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances": 640,
}


def resource(module: str, kind: str, **attributes: Any) -> dict[str, Any]:
    return {"module": module, "mode": "managed", "type": kind, "instances": [{"attributes": attributes}]}


SUFFIX = {"mode": "managed", "type": "random_string", "instances": [{"attributes": {"result": "zz9x"}}]}
BUILT = [
    SUFFIX,
    resource("module.vpc", "aws_vpc", id=VPC, arn=f"arn:aws:ec2:{REGION}:{ACCOUNT}:vpc/{VPC}", tags={"Name": NAME}),
    resource("module.eks.module.kms", "aws_kms_key", key_id=KEY),
    resource("module.eks", "aws_eks_cluster", endpoint=ENDPOINT),
]


class World:
    """What is there, what was run, and what fails.

    Attributes:
        state: as Terraform has it.
        instances: those of Karpenter.
        living: ids by `aws` command: what a look finds.
        objects: of Kubernetes, by kind.
        calls: every command, in order.
        fails: by a part of a command: what it says, or what happens then.
        codes: Terraform's exit codes by command, for as many times as there are.
        nodes_come: whether pods get nodes.
        events: how many of a reason there are.
        refusal: why a destroy fails.
        smi: what nvidia-smi prints.
        key: what AWS says about the KMS key.
    """

    def __init__(self, project: Path, patch: pytest.MonkeyPatch) -> None:
        self.state: dict[str, Any] = {}
        self.instances: list[str] = []
        self.living: dict[str, list[str]] = {}
        self.objects: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.fails: dict[str, str | Callable[[], None]] = {}
        self.codes: dict[str, list[int]] = {}
        self.denied: list[tuple[str, str]] = []
        self.quotas = dict(QUOTAS)
        self.nodes_come = True
        self.events: dict[str, int] = {}
        self.refusal = "DependencyViolation"
        self.smi = "NVIDIA L4, 580.126.09, 23034 MiB\n"
        self.key: dict[str, Any] = {"KeyState": "PendingDeletion", "DeletionDate": "2026-12-26T10:00:00+00:00"}
        self.project = project
        patch.chdir(project)
        FOLDER.mkdir(parents=True)
        Path("cdktf.out", "manifest.json").write_text('{"stacks": {"proof": {}}}')
        (FOLDER / "cdk.tf.json").write_text(
            json.dumps({"provider": {"aws": [{"profile": "team"}]}, "terraform": {"backend": BACKEND}})
        )
        patch.setattr(deployment, "_run", self.program)
        patch.setattr("subprocess.Popen", self.terraform)
        patch.setattr("shutil.which", lambda program: program)
        patch.setattr(before, "synthesize", lambda *_: dict(SUMMARY))
        self.config = SimpleNamespace(node_traffic_all=True, deletion_protection=False, gpu_pools=())
        patch.setattr(before, "configured", lambda *_: self.config)
        patch.setattr(destroy, "POLL_SECONDS", 0)
        patch.setattr(step, "POLL_SECONDS", 0)
        patch.setattr(steps, "READY_MINUTES", 0)
        patch.setattr(cleanup, "PAUSE_SECONDS", 0)
        patch.setattr(ends, "ECHO_SECONDS", 0)

    @property
    def destroyed(self) -> list[str]:
        """What was asked to be removed."""
        return [
            one
            for one in self.calls
            if " destroy " in one or (" delete " in one and "delete pod " not in one) or "delete-" in one or "terminate" in one
        ]

    def prove(self, *arguments: str) -> int:
        return command.run([*ARGUMENTS, *arguments])

    # --- Terraform -------------------------------------------------------------------------------------------------------------

    def terraform(self, given: list[str], stdout: Any = None, **_: Any) -> Any:
        self.calls.append(" ".join(given))
        name = given[2]
        code = self.codes.get(name, [0]).pop(0) if self.codes.get(name) else 0

        def poll() -> int:
            stdout.write("\n".join(self._terraform(given, name, code)).encode())
            stdout.flush()
            return code

        return SimpleNamespace(poll=poll, wait=lambda: code, send_signal=lambda number: self.calls.append(f"signal {number:d}"))

    def _terraform(self, given: list[str], name: str, code: int) -> Iterator[str]:
        self._fail(" ".join(given))
        yield '{"type": "apply_start", "hook": {}}'
        if name == "apply" and any("-target" in one for one in given):
            self.state = {"lineage": "ours", "resources": [SUFFIX]}
        elif name == "apply":
            self.state = {"lineage": "ours", "resources": BUILT if not code else BUILT[:2]}
            self.living = {"describe-vpcs": [VPC], "list-clusters": [NAME]}
            if code:
                yield json.dumps(
                    {"type": "diagnostic", "@level": "error", "diagnostic": {"summary": "creating EKS Cluster: AccessDenied"}}
                )
        elif name == "destroy" and not code:
            self.state = {"lineage": "ours", "resources": []}
            self.living = {}
        elif name == "destroy":
            yield json.dumps({"type": "diagnostic", "@level": "error", "diagnostic": {"summary": self.refusal}})

    # --- the others ------------------------------------------------------------------------------------------------------------

    def _fail(self, call: str) -> None:
        for part, how in list(self.fails.items()):
            if part in call:
                if callable(how):
                    how()
                else:
                    raise DeploymentError(f"`{call[:24]} …` failed: {how}")

    def program(self, program: str, *arguments: str, environment: dict[str, str] | None = None) -> str:
        call = " ".join([program, *arguments])
        self.calls.append(call)
        self._fail(call)
        if program == "terraform":
            return self._reads(arguments)
        return self.kubectl(list(arguments)) if program == "kubectl" else self.aws(call, list(arguments))

    def _reads(self, arguments: tuple[str, ...]) -> str:
        if "state" in arguments:
            return json.dumps(self.state) if self.state else ""
        if arguments[1:3] == ("show", "-json"):
            return json.dumps(plan())
        if "version" in arguments:
            return json.dumps(
                {"terraform_version": "1.14.0", "provider_selections": {"registry.terraform.io/hashicorp/aws": "6.58.0"}}
            )
        if "output" in arguments:
            return json.dumps({"quay.io": f"{ACCOUNT}.dkr.ecr.us-west-2.amazonaws.com/quay"})
        return "default\n"

    def aws(self, call: str, arguments: list[str]) -> str:
        answers = {
            "sts get-caller-identity": {"Account": ACCOUNT, "Arn": CALLER},
            "simulate-principal-policy": self.denied,
            "list-service-quotas": {"Quotas": [{"QuotaName": name, "Value": value} for name, value in self.quotas.items()]},
            "list-aws-default-service-quotas": {"Quotas": []},
            "get-spot-placement-scores": {"SpotPlacementScores": [{"AvailabilityZoneId": "usw2-az1", "Score": 3}]},
            "describe-instance-type-offerings": {
                "InstanceTypeOfferings": [{"InstanceType": kind, "Location": "us-west-2a"} for kind in ("g6.xlarge", "m7i.xlarge")]
            },
            "describe-instance-types": {"InstanceTypes": [{"InstanceStorageInfo": {"TotalSizeInGB": 250}}]},
            "describe-instance-attribute": {"UserData": {"Value": base64.b64encode(b'snapshotter = "soci"\nmax = 1').decode()}},
            "describe-key": {"KeyMetadata": self.key},
            "create-experiment-template": {"experimentTemplate": {"id": "EXT1"}},
            "start-experiment": {"experiment": {"id": "EXP1"}},
            "get-experiment": {"experiment": {"state": {"status": "running"}}},
        }
        if "--dry-run" in call:
            raise DeploymentError("An error occurred (DryRunOperation) when calling the operation: Request would have succeeded")
        if "update-kubeconfig" in call:
            Path(arguments[arguments.index("--kubeconfig") + 1]).touch()
            return ""
        if "iam get-role" in call:
            return "arn:aws:iam::123456789012:role/path/ci\n"
        if "Reservations[].Instances[].[InstanceId" in call:
            return json.dumps([one.split() for one in self.instances])
        for part, answer in answers.items():
            if part in call:
                return json.dumps(answer)
        found = next((ids for part, ids in self.living.items() if part in call), [])
        return json.dumps(found + [one.split()[0] for one in self.instances if "describe-instances" in call])

    def kubectl(self, arguments: list[str]) -> str:
        match arguments:
            case ["config", *_]:
                return ENDPOINT
            case ["apply", file]:
                for one in json.loads(Path(file.partition("=")[2]).read_text())["items"]:
                    self._made(one)
            case ["logs", "gpu", *_]:
                return self.smi
            case ["logs", "client", *_]:
                return "proved\n"
            case ["get", "--raw=/version", *_]:
                return '{"gitVersion": "v1.35.5-eks"}'
            case ["get", "--raw", *_]:
                return '{"kubeletconfig": {"imageServiceEndpoint": "unix:///run/soci-snapshotter/soci-snapshotter.sock"}}'
            case ["get", "events", _, selector, *_] if "SpotInterrupted" in selector:
                return json.dumps(items(*[{}] * self.events.get("SpotInterrupted", 0)))
            case ["get", "events", *_]:
                said = f'Successfully pulled image "x" in 20s ({20}s including waiting). Image size: 10000000000 bytes.'
                return json.dumps(items({"reason": "Pulled", "message": said}))
            case ["get", ("pod" | "node" | "persistentvolumeclaim") as kind, name, *_]:
                return json.dumps(self.objects[f"{kind}s"][name])
            case ["get", kind, *_]:
                return json.dumps(items(*self.objects.get(kind.partition(".")[0], {}).values()))
            case ["delete", kind, "--all", *_]:
                self.objects.pop(kind.partition(".")[0], None)
                self.instances = []
        return ""

    def _made(self, one: dict[str, Any]) -> None:
        name, spec = one["metadata"]["name"], one.get("spec", {})
        if one["kind"] != "Pod":
            return
        made = item(name, namespace=pods.NAMESPACE, spec=dict(spec), status={"phase": "Pending"}, labels=one["metadata"]["labels"])
        self.objects.setdefault("pods", {})[name] = made
        if not self.nodes_come:
            return
        node = f"node-{name}"
        made["spec"]["nodeName"] = node
        ends = "httpd" not in json.dumps(spec)
        state = "terminated" if ends else "running"
        made["status"] = {
            "phase": "Succeeded" if ends else "Running",
            "podIP": "10.0.0.1",
            "conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-26T10:01:00Z"}],
            "containerStatuses": [{"name": "main", "state": {state: {"startedAt": "2026-11-26T10:01:30Z"}}}],
        }
        labels = {"node.kubernetes.io/instance-type": "g6.xlarge", "karpenter.k8s.aws/instance-gpu-count": "1"}
        capacity = {"ephemeral-storage": "240000Mi", "nvidia.com/gpu": "1"}
        self.objects.setdefault("nodes", {})[node] = item(
            node,
            spec={"providerID": f"aws:///us-west-2a/i-{name}"},
            status={"capacity": capacity, "allocatable": capacity, "nodeInfo": {"osImage": "Bottlerocket OS 1.62.0"}},
            labels=labels,
        )
        self.objects.setdefault("nodeclaims", {})[f"claim-{name}"] = item(
            f"claim-{name}",
            status={"nodeName": node, "providerID": f"aws:///us-west-2a/i-{name}", "conditions": []},
            labels={"karpenter.sh/capacity-type": "spot"},
        )
        self.instances.append(f"i-{name} g6.xlarge")


def plan() -> dict[str, Any]:
    """What `terraform show -json` says about the first plan."""
    manifests = [{"type": "kubectl_manifest", "values": {"yaml_body": yaml.safe_dump(one)}} for one in (GENERAL, GPU)]
    network = {"address": "module.vpc", "resources": [{"type": "aws_vpc", "values": {"tags": {"Name": NAME}}}]}
    return {"planned_values": {"root_module": {"resources": manifests, "child_modules": [network]}}}
