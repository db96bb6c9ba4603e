"""What the pools of a configuration become."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from cdktf import App, TerraformStack

from stacks.config import Budget, ClusterConfig, GpuPool
from stacks.config.node_pools import NodePoolOptions
from stacks.config.pools import Pool
from stacks.karpenter_stack import KarpenterStack
from stacks.kubernetes.node_pools import NodePools
from tests.constructs import COMMON, karpenter
from tests.pools import DRIFT_BUDGETS, general, gpu, spec, synth_pools
from tests.synthesis import Json, synth, synth_stack, write_stack
from tests.terraform import Workspace, needs_terraform


@pytest.fixture(scope="module")
def document() -> Json:
    return synth_pools()


def test_a_gpu_pool_asks_karpenter_for_explicit_types_only(document: Json) -> None:
    requirements = {
        r["key"]: (r["operator"], r["values"]) for r in spec(document, "nodepool_research")["template"]["spec"]["requirements"]
    }
    assert requirements == {
        "karpenter.sh/capacity-type": ("In", ["on-demand", "spot", "reserved"]),
        "kubernetes.io/arch": ("In", ["amd64"]),
        "topology.kubernetes.io/zone": ("In", ["us-west-2b", "us-west-2c"]),
        "node.kubernetes.io/instance-type": ("In", ["p4de.24xlarge", "p5.4xlarge", "p5.48xlarge"]),
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "build",
            {
                "karpenter.k8s.aws/instance-category": ("In", ["c"]),
                "karpenter.k8s.aws/instance-cpu": ("In", ["8"]),
                "karpenter.k8s.aws/instance-hypervisor": ("In", ["nitro"]),
                "karpenter.k8s.aws/instance-generation": ("Gt", ["2"]),
            },
        ),
        ("web", {"karpenter.k8s.aws/instance-family": ("In", ["m7i", "m7a"])}),
        ("db", {"node.kubernetes.io/instance-type": ("In", ["r7i.4xlarge"])}),
    ],
)
def test_a_general_pool_is_given_by_shape_by_family_or_by_type(document: Json, name: str, expected: dict[str, Any]) -> None:
    requirements = spec(document, f"nodepool_{name}")["template"]["spec"]["requirements"]
    found = {r["key"]: (r["operator"], r["values"]) for r in requirements}
    assert {key: value for key, value in found.items() if "instance-" in key} == expected
    assert found["kubernetes.io/arch"] == ("In", ["amd64"])


def test_each_pool_has_an_object_and_a_node_class_of_its_own_at_an_address_with_its_name(document: Json) -> None:
    names = ("research", "small", "build", "web", "db")
    objects = document["resource"]["kubectl_manifest"]
    assert objects.keys() == {f"{kind}_{name}" for kind in ("ec2nodeclass", "nodepool") for name in ("default", "gpu", *names)}
    for name in names:
        pool, node_class = document["locals"][f"nodepool_{name}"], document["locals"][f"ec2nodeclass_{name}"]
        assert (pool["metadata"], node_class["metadata"]) == ({"name": name}, {"name": name})
        assert pool["spec"]["template"]["spec"]["nodeClassRef"] == {
            "group": "karpenter.k8s.aws",
            "kind": "EC2NodeClass",
            "name": name,
        }
        assert objects[f"nodepool_{name}"]["depends_on"] == [f"kubectl_manifest.ec2nodeclass_{name}"]
        assert objects[f"ec2nodeclass_{name}"]["depends_on"] == ["helm_release.karpenter"]
        if name != "small":  # whose budgets may be null
            assert objects[f"nodepool_{name}"]["yaml_body"] == f"${{yamlencode(local.nodepool_{name})}}"


def test_the_objects_of_the_reference_stay_as_they_are(document: Json, stack: Json) -> None:
    for name in ("default", "gpu"):
        for kind in ("ec2nodeclass", "nodepool"):
            assert document["locals"][f"{kind}_{name}"] == stack["locals"][f"{kind}_{name}"]
            assert (
                document["resource"]["kubectl_manifest"][f"{kind}_{name}"]
                == stack["resource"]["kubectl_manifest"][f"{kind}_{name}"]
            )
    assert document["variable"] == stack["variable"]


def test_every_field_of_a_pool_reaches_karpenter(document: Json) -> None:
    pool, node_class = spec(document, "nodepool_research"), spec(document, "ec2nodeclass_research")
    assert pool["weight"] == 7
    assert pool["limits"] == {"nvidia.com/gpu": 32}
    assert pool["disruption"] == {
        "consolidationPolicy": "WhenEmptyOrUnderutilized",
        "consolidateAfter": "1h30m",
        "budgets": [
            {"nodes": "1"},
            {"nodes": "0", "reasons": ["Drifted", "Empty"], "schedule": "0 6 * * *", "duration": "20h30m"},
        ],
    }
    assert pool["template"]["metadata"]["labels"] == {"gpu-type": "nvidia", "nodepool": "research", "team": "research"}
    assert pool["template"]["spec"]["expireAfter"] == "Never"
    assert pool["template"]["spec"]["terminationGracePeriod"] == "90s"
    assert node_class["capacityReservationSelectorTerms"] == [{"id": "cr-0a1"}, {"tags": {"team": "*"}, "ownerID": "210987654321"}]
    assert pool["template"]["spec"]["taints"] == [
        {"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"},
        {"key": "team", "value": "research", "effect": "NoExecute"},
        {"key": "example.com/batch", "effect": "NoSchedule"},
    ]
    assert node_class["amiSelectorTerms"] == [{"alias": "bottlerocket@v1.53.0"}]
    assert node_class["instanceStorePolicy"] == "RAID0"
    assert node_class["tags"] == {"karpenter.sh/discovery": "${local.name}", "gpu-type": "nvidia", "cost-center": "42"}
    settings = tomllib.loads(node_class["userData"])["settings"]
    assert settings["container-runtime-plugins"]["soci-snapshotter"]["parallel-pull-unpack"] == {
        "max-concurrent-downloads-per-image": 20,
        "concurrent-download-chunk-size": "8mb",
        "max-concurrent-unpacks-per-image": 12,
        "discard-unpacked-layers": True,
    }
    assert "bootstrap-commands" in settings


def test_a_general_pool_has_neither_gpu_taint_nor_gpu_label_nor_raid(document: Json) -> None:
    pool, node_class = spec(document, "nodepool_build"), spec(document, "ec2nodeclass_build")
    assert pool["limits"] == {"cpu": 128}
    assert "taints" not in pool["template"]["spec"]
    assert pool["template"]["metadata"]["labels"] == {"nodepool": "build"}
    assert pool["template"]["spec"]["expireAfter"] == "720h"
    assert "budgets" not in pool["disruption"]
    assert "replicas" not in pool
    assert "terminationGracePeriod" not in pool["template"]["spec"]
    assert node_class.keys().isdisjoint({"instanceStorePolicy", "blockDeviceMappings", "capacityReservationSelectorTerms"})
    assert node_class["tags"] == {"karpenter.sh/discovery": "${local.name}"}
    assert node_class["amiSelectorTerms"] == [{"alias": "bottlerocket@latest"}]
    assert "bootstrap-commands" not in tomllib.loads(node_class["userData"])["settings"]


def test_a_gpu_pool_without_budgets_drifts_as_gpu_drift_budget_says(document: Json) -> None:
    assert spec(document, "nodepool_small")["disruption"]["budgets"] == DRIFT_BUDGETS
    body = document["resource"]["kubectl_manifest"]["nodepool_small"]["yaml_body"]
    assert body == document["resource"]["kubectl_manifest"]["nodepool_gpu"]["yaml_body"].replace("nodepool_gpu", "nodepool_small")
    assert DRIFT_BUDGETS not in json.dumps([spec(document, f"nodepool_{name}") for name in ("research", "build", "web", "db")])


@pytest.mark.parametrize("karpenter_version", ["1.6.0", "1.9.2"])
@pytest.mark.parametrize("pool", [gpu(soci=None), general(soci=None)], ids=["gpu", "general"])
def test_a_pool_without_soci_has_no_user_data(pool: Pool, karpenter_version: str) -> None:
    """Karpenter itself mounts /var/lib/containerd on the NVMe disks, in every release."""
    kind = "gpu_pools" if isinstance(pool, GpuPool) else "general_pools"
    made = synth_stack(ClusterConfig("karpenter", karpenter_version=karpenter_version, **{kind: [pool]}))  # type: ignore[arg-type]
    node_class = spec(made, "ec2nodeclass_a")
    assert "userData" not in node_class
    assert node_class.get("instanceStorePolicy") == ("RAID0" if isinstance(pool, GpuPool) else None)
    assert "userData" in spec(made, "ec2nodeclass_gpu")


def test_a_data_volume_replaces_both_volumes_of_bottlerocket(document: Json) -> None:
    """Any entry of blockDeviceMappings replaces all of Karpenter's defaults."""
    assert spec(document, "ec2nodeclass_db")["blockDeviceMappings"] == [
        {
            "deviceName": "/dev/xvda",
            "ebs": {"volumeType": "gp3", "encrypted": True, "deleteOnTermination": True, "volumeSize": "4Gi"},
        },
        {
            "deviceName": "/dev/xvdb",
            "ebs": {
                "volumeType": "gp3",
                "encrypted": True,
                "deleteOnTermination": True,
                "volumeSize": "200Gi",
                "iops": 4000,
                "throughput": 600,
            },
        },
    ]


def test_zones_of_a_pool_must_be_zones_of_the_network(document: Json) -> None:
    assert document["locals"]["nodepool_research_zones_of_other_networks"] == (
        '${setsubtract(["us-west-2b", "us-west-2c"], local.azs)}'
    )
    (rule,) = (
        rule
        for rule in document["resource"]["random_string"]["suffix"]["lifecycle"]["precondition"]
        if "nodepool_research" in rule["condition"]
    )
    assert rule["condition"] == "${length(local.nodepool_research_zones_of_other_networks) == 0}"
    assert rule["error_message"] == (
        "The zones of pool research must be zones of the network (got "
        '${jsonencode(local.nodepool_research_zones_of_other_networks)}). Its zones are ${join(", ", local.azs)}.'
    )
    assert "nodepool_small_zones_of_other_networks" not in document["locals"]


OPTIONS = NodePoolOptions(gpu_instance_types=("p5.48xlarge",))


def test_two_objects_with_one_kind_and_name_are_refused(tmp_path: Path) -> None:
    stack = KarpenterStack(App(outdir=str(tmp_path)), ClusterConfig("karpenter"), project=tmp_path)
    with pytest.raises(ValueError, match="EC2NodeClass default must be unique in its stack"):
        NodePools(stack, "more", COMMON, karpenter=stack.karpenter, options=OPTIONS)


@pytest.mark.parametrize("name", ["NodePool default", "NodePool gpu-spot", "EC2NodeClass default", "EC2NodeClass gpu"])
def test_the_names_of_the_reference_are_taken(name: str) -> None:
    def make(stack: TerraformStack) -> None:
        NodePools(stack, "pools", COMMON, karpenter=karpenter(stack), options=OPTIONS).reserve(name)

    with pytest.raises(ValueError, match=f"{name} must be unique in its stack"):
        synth(make)


def test_pools_can_be_made_with_literals_alone() -> None:
    """Terraform refuses a condition that refers to nothing, so what is given becomes locals."""

    def make(stack: TerraformStack) -> NodePools:
        options = replace(OPTIONS, gpu_limit=8, gpu_drift_budget="0", wait_for_nodes=True)
        return NodePools(stack, "pools", COMMON, karpenter=karpenter(stack), options=options)

    made = synth(make)
    assert {
        name: made["locals"][name] for name in ("gpu_instance_types", "gpu_capacity_type", "gpu_limit", "gpu_drift_budget")
    } == {
        "gpu_instance_types": ["p5.48xlarge"],
        "gpu_capacity_type": ["spot"],
        "gpu_limit": 8,
        "gpu_drift_budget": "0",
    }
    assert spec(made, "nodepool_gpu")["limits"] == '${local.gpu_limit == null ? null : {"nvidia.com/gpu" = local.gpu_limit}}'
    assert all(resource["wait"] is True for resource in made["resource"]["kubectl_manifest"].values())


@pytest.mark.terraform
@needs_terraform
@pytest.mark.parametrize(
    ("budget", "budgets"), [(None, None), ("0", [{"nodes": "10%"}, {"nodes": "0", "reasons": ["Drifted"]}])], ids=["null", "0"]
)
def test_terraform_gives_a_gpu_pool_the_budgets_of_gpu_spot(tmp_path: Path, budget: str | None, budgets: Any) -> None:
    config = ClusterConfig(
        "karpenter",
        region="us-west-2",
        gpu_instance_types=["g6e.xlarge"],
        gpu_drift_budget=budget,
        gpu_pools=[gpu("train"), gpu("own", budgets=[Budget(nodes="2")], weight=2)],
    )
    workspace = Workspace(tmp_path / "project", write_stack(tmp_path, config))
    workspace.run("apply", "-auto-approve", "-input=false")
    state = json.loads(workspace.state.read_text())
    made = {
        resource["name"]: yaml.safe_load(resource["instances"][0]["attributes"]["yaml_body"])["spec"]["disruption"]
        for resource in state["resources"]
        if resource["type"] == "kubectl_manifest" and resource["name"].startswith("nodepool_")
    }
    for name in ("nodepool_gpu", "nodepool_train"):
        assert made[name].get("budgets") == budgets
    assert made["nodepool_own"]["budgets"] == [{"nodes": "2"}]
