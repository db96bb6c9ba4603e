"""What programs answer about a healthy cluster: a node group, Karpenter, a GPU node with a pod.

Objects as a Kubernetes 1.35 API and Karpenter 1.14.0 had them, without what no check reads. The answers of AWS have the shapes of
the AWS CLI's reference, https://docs.aws.amazon.com/cli/latest/reference/: list-service-quotas, list-aws-default-service-quotas,
get-spot-placement-scores, describe-instance-type-offerings, describe-capacity-reservations, describe-network-interfaces,
describe-addon, describe-nodegroup.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from stacks.operations.checks.facts import Facts, Missing

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
REGION = "us-west-2"


def ago(**time: float) -> str:
    """A time before now, as Kubernetes writes it."""
    return (NOW - timedelta(**time)).isoformat().replace("+00:00", "Z")


def condition(kind: str, status: str = "True", reason: str = "", message: str = "") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def item(
    name: str, *, namespace: str = "", spec: Any = None, status: Any = None, age: float = 2, **metadata: Any
) -> dict[str, Any]:
    """An object that is `age` hours old."""
    place = {"namespace": namespace} if namespace else {}
    made = {"name": name, "creationTimestamp": ago(hours=age), **place, **metadata}
    return {"metadata": made, "spec": spec or {}, "status": status or {}}


def node(
    name: str, image: str = "Bottlerocket OS 1.62.0 (aws-k8s-1.35)", *, ready: str = "True", age: float = 2, labels: Any = None
) -> Any:
    status = {
        "conditions": [condition("Ready", ready, "KubeletReady")],
        "nodeInfo": {"osImage": image, "kubeletVersion": "v1.35.5"},
    }
    return item(name, status=status, age=age, labels=labels or {})


def pod(name: str, namespace: str = "kube-system", image: str = "", *, app: str = "", at: str = "group-0", **given: Any) -> Any:
    status = {
        "phase": "Running",
        "conditions": [condition("PodScheduled"), condition("Ready")],
        "containerStatuses": [{"name": "main", "ready": True, "restartCount": 0, "state": {"running": {}}, "lastState": {}}],
    }
    spec = {"nodeName": at, "containers": [{"name": "main", "image": image or "registry/app:1"}]}
    return item(name, namespace=namespace, spec=spec, status=status, labels={"app.kubernetes.io/name": app}, **given)


def pool(name: str, node_class: str, requirements: dict[str, list[str]], **spec: Any) -> Any:
    listed = [{"key": key, "operator": "In", "values": values} for key, values in requirements.items()]
    template = {
        "expireAfter": "720h",
        "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": node_class},
        "requirements": listed,
    }
    budgets = {"disruption": {"budgets": [{"nodes": "10%"}]}}
    status = {"conditions": [condition("NodeRegistrationHealthy", "Unknown"), condition("NodeClassReady"), condition("Ready")]}
    return item(name, spec={**budgets, "template": {"spec": template}, **spec}, status=status)


def node_class(name: str, alias: str = "bottlerocket@v1.62.0", **status: Any) -> Any:
    subnets = [{"id": f"subnet-{zone}", "zone": f"us-west-2{zone}"} for zone in "abc"]
    found = {"conditions": [condition("SubnetsReady"), condition("Ready")], "subnets": subnets, **status}
    return item(name, spec={"amiSelectorTerms": [{"alias": alias}]}, status=found)


def claim(name: str, *, at: str = "gpu-0", pool: str = "gpu-spot", expires: str = "720h", **given: Any) -> Any:
    steps = ("Launched", "Registered", "Initialized", "Ready")
    conditions = given.pop("conditions", [condition(step) for step in steps])
    return item(
        name,
        spec={"expireAfter": expires, "nodeClassRef": {"name": "gpu"}},
        status={"nodeName": at, "conditions": conditions},
        labels={"karpenter.sh/nodepool": pool},
        **given,
    )


def event(reason: str, message: str, *, minutes: float = 1) -> Any:
    return {"metadata": {"name": "e"}, "reason": reason, "message": message, "count": 1, "lastTimestamp": ago(minutes=minutes)}


def items(*objects: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "List", "items": list(objects)}


SPOT_P5, SPOT_STANDARD = "All P5 Spot Instance Requests", "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests"
STANDARD = "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances"


def quota(name: str, value: Any) -> dict[str, Any]:
    return {"ServiceCode": "ec2", "QuotaName": name, "QuotaCode": "L-00000000", "Value": value, "Unit": "None", "Adjustable": True}


def quotas(**values: float) -> dict[str, Any]:
    """Quotas that suffice, and others."""
    known = {
        SPOT_P5: 768.0,
        "All P4, P3 and P2 Spot Instance Requests": 0.0,
        "All G and VT Spot Instance Requests": 64.0,
        SPOT_STANDARD: 1000.0,
        "Running On-Demand P instances": 192.0,
        "Running On-Demand G and VT instances": 64.0,
        STANDARD: 1152.0,
        "Running Dedicated p5 Hosts": 0.0,
    }
    return {"Quotas": [quota(name, value) for name, value in (known | values).items()]}


def scores(**by_zone: int) -> dict[str, Any]:
    zones = [{"Region": REGION, "AvailabilityZoneId": zone.replace("_", "-"), "Score": score} for zone, score in by_zone.items()]
    return {"SpotPlacementScores": zones}


def offerings(**by_zone: list[str]) -> dict[str, Any]:
    found = [
        {"InstanceType": kind, "LocationType": "availability-zone", "Location": zone.replace("_", "-")}
        for zone, kinds in by_zone.items()
        for kind in kinds
    ]
    return {"InstanceTypeOfferings": found}


KARPENTER = "public.ecr.aws/karpenter/controller:1.13.1@sha256:0123456789abcdef"
CONTROLLER = "public.ecr.aws/eks/aws-load-balancer-controller:v3.5.0"
TYPES = ["p5.48xlarge", "p5en.48xlarge", "p5e.48xlarge"]


def healthy() -> dict[str, Any]:
    """The answers about a healthy cluster."""
    gpu_labels = {"karpenter.sh/nodepool": "gpu-spot", "karpenter.k8s.aws/ec2nodeclass": "gpu"}
    return {
        "reach": {"gitVersion": "v1.36.1-eks-0123456"},
        "nodes": items(node("group-0", labels={"eks.amazonaws.com/nodegroup": "karpenter"}), node("gpu-0", labels=gpu_labels)),
        "pods": items(
            pod("karpenter-1", image=KARPENTER, app="karpenter"),
            pod("aws-load-balancer-controller-1", image=CONTROLLER, app="aws-load-balancer-controller"),
            pod("coredns-1"),
            pod("train-0", "jobs", at="gpu-0"),
        ),
        "nodepools": items(
            pool(
                "default",
                "default",
                {"karpenter.k8s.aws/instance-category": ["c", "m", "r"], "karpenter.k8s.aws/instance-cpu": ["4", "8"]},
                limits={"cpu": 1000},
            ),
            pool(
                "gpu-spot",
                "gpu",
                {"node.kubernetes.io/instance-type": TYPES, "karpenter.sh/capacity-type": ["spot"]},
                limits={"nvidia.com/gpu": 32},
            ),
        ),
        "nodeclasses": items(node_class("default", "bottlerocket@latest"), node_class("gpu")),
        "nodeclaims": items(claim("gpu-spot-x1")),
        "events": items(event("Unconsolidatable", "NodePool has consolidation policy WhenEmpty")),
        "services": items(item("web", namespace="shop", spec={"type": "ClusterIP"})),
        "ingresses": items(),
        "gateways": items(),
        "volumes": items(),
        "snapshots": items(),
        "karpenter_log": '{"level":"INFO","time":"2026-11-26T11:59:00.000Z","message":"launched nodeclaim"}\n',
        "load_balancer_controller_log": '{"level":"info","ts":"2026-11-26T11:59:00Z","msg":"successfully built model"}\n',
        "cluster": {
            "cluster": {
                "name": "gpu-zz9x",
                "version": "1.36",
                "status": "ACTIVE",
                "health": {"issues": []},
                "resourcesVpcConfig": {"vpcId": "vpc-1"},
                "certificateAuthority": {"data": "Y2E="},
            }
        },
        "root_ca": {"data": {"ca.crt": "ca"}},
        "addons": {"addons": ["coredns"]},
        "nodegroups": {"nodegroups": ["karpenter"]},
        "nodegroup/karpenter": {"nodegroup": {"nodegroupName": "karpenter", "status": "ACTIVE", "health": {"issues": []}}},
        "addon/coredns": {"addon": {"addonName": "coredns", "status": "ACTIVE", "health": {"issues": []}}},
        "instances": [["m5.large", None, "owned", None], ["p5.48xlarge", "spot", "owned", "gpu-spot"]],
        "zones": {
            "AvailabilityZones": [
                {"ZoneName": f"us-west-2{zone}", "ZoneId": f"usw2-az{n}"} for n, zone in enumerate("bac", start=1)
            ]
        },
        "quotas": quotas(),
        "default_quotas": {"Quotas": [quota(SPOT_P5, 0.0)]},
        "offerings": offerings(us_west_2a=TYPES[:2], us_west_2b=TYPES, us_west_2d=TYPES),
        "scores/gpu-spot": scores(usw2_az1=7, usw2_az2=3),
        "interfaces": {"NetworkInterfaces": [{"Description": "aws-K8S-i-0123", "InterfaceType": "interface"}]},
    }


def facts(answers: dict[str, Any] | None = None, missing: dict[str, Missing] | None = None, **changed: Any) -> Facts:
    """Facts of a healthy cluster, with other answers."""
    gone = missing or {}
    return Facts(
        "gpu-zz9x",
        REGION,
        NOW,
        {name: answer for name, answer in (healthy() | (answers or {}) | changed).items() if name not in gone},
        gone,
    )
