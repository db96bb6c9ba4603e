import tomllib
from typing import Any

import pytest
from cdktf import TerraformStack

from stacks.config.node_pools import NodePoolOptions
from stacks.kubernetes.node_pools import NodePools
from tests.constructs import COMMON, karpenter, var
from tests.synthesis import Json, addresses, synth

BIND = ["apiclient", "ephemeral-storage", "bind", "--dirs"]


def nodepools(stack: TerraformStack) -> NodePools:
    options = NodePoolOptions(
        gpu_instance_types=var("gpu_instance_types"),
        gpu_capacity_type=var("gpu_capacity_type"),
        gpu_limit=var("gpu_limit"),  # type: ignore[arg-type]
        gpu_drift_budget=var("gpu_drift_budget"),
    )
    return NodePools(stack, "nodepools", COMMON, karpenter=karpenter(stack), options=options)


@pytest.fixture(scope="module")
def document() -> Json:
    return synth(nodepools)


def spec(document: Json, name: str) -> dict[str, Any]:
    found: dict[str, Any] = document["locals"][name]["spec"]
    return found


def test_a_pool_comes_after_its_class_and_a_class_after_karpenter(document: Json) -> None:
    objects = document["resource"]["kubectl_manifest"]
    assert {name: made["depends_on"] for name, made in objects.items()} == {
        "ec2nodeclass_default": ["helm_release.karpenter"],
        "ec2nodeclass_gpu": ["helm_release.karpenter"],
        "nodepool_default": ["kubectl_manifest.ec2nodeclass_default"],
        "nodepool_gpu": ["kubectl_manifest.ec2nodeclass_gpu"],
    }
    assert all(f"local.{name}" in made["yaml_body"] for name, made in objects.items())
    assert {f"kubectl_manifest.{name}" for name in objects} <= addresses(document)


def test_the_gpu_pool_takes_the_given_types_as_they_are_bought(document: Json) -> None:
    template = spec(document, "nodepool_gpu")["template"]
    assert template["spec"]["requirements"] == [
        {"key": "karpenter.sh/capacity-type", "operator": "In", "values": "${var.gpu_capacity_type}"},
        {"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64"]},
        {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": "${var.gpu_instance_types}"},
    ]
    assert template["spec"]["taints"] == [{"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}]
    assert template["metadata"]["labels"] == {"gpu-type": "nvidia", "nodepool": "gpu-spot"}


def test_the_gpu_pool_is_limited_and_drifts_as_its_variables_say(document: Json) -> None:
    """What Terraform makes of the expressions is in tests/test_conformance.py."""
    pool = spec(document, "nodepool_gpu")
    assert pool["limits"] == '${var.gpu_limit == null ? null : {"nvidia.com/gpu" = var.gpu_limit}}'
    assert pool["disruption"] == {
        "consolidationPolicy": "WhenEmpty",
        "consolidateAfter": "1h",
        "budgets": (
            '${var.gpu_drift_budget == null ? null : [{nodes = "10%"}, {nodes = var.gpu_drift_budget, reasons = ["Drifted"]}]}'
        ),
    }
    assert "expireAfter" not in pool["template"]["spec"]


def test_only_the_manifest_whose_fields_may_be_null_is_merged(document: Json) -> None:
    bodies = {name: made["yaml_body"] for name, made in document["resource"]["kubectl_manifest"].items()}
    assert bodies == {
        "ec2nodeclass_default": "${yamlencode(local.ec2nodeclass_default)}",
        "ec2nodeclass_gpu": "${yamlencode(local.ec2nodeclass_gpu)}",
        "nodepool_default": "${yamlencode(local.nodepool_default)}",
        "nodepool_gpu": (
            "${yamlencode(merge(local.nodepool_gpu, {spec = merge({for k, v in local.nodepool_gpu.spec : k => v if v != null}, "
            "{disruption = {for k, v in local.nodepool_gpu.spec.disruption : k => v if v != null}})}))}"
        ),
    }


def test_the_general_pool_is_limited_and_goes_when_empty(document: Json) -> None:
    pool = spec(document, "nodepool_default")
    assert pool["limits"] == {"cpu": 1000}
    assert pool["disruption"] == {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "30s"}


@pytest.mark.parametrize(("name", "downloads", "chunk"), [("default", 10, "16mb"), ("gpu", 30, "32mb")])
def test_images_are_pulled_in_parallel(document: Json, name: str, downloads: int, chunk: str) -> None:
    settings = tomllib.loads(spec(document, f"ec2nodeclass_{name}")["userData"])["settings"]
    assert settings["container-runtime"] == {"snapshotter": "soci"}
    assert settings["container-runtime-plugins"]["soci-snapshotter"]["parallel-pull-unpack"] == {
        "max-concurrent-downloads-per-image": downloads,
        "concurrent-download-chunk-size": chunk,
        "max-concurrent-unpacks-per-image": downloads,
        "discard-unpacked-layers": True,
    }


def test_only_gpu_nodes_keep_images_and_pods_on_their_nvme_disks(document: Json) -> None:
    gpu, general = spec(document, "ec2nodeclass_gpu"), spec(document, "ec2nodeclass_default")
    assert gpu["instanceStorePolicy"] == "RAID0"
    init, bind = tomllib.loads(gpu["userData"])["settings"]["bootstrap-commands"]["k8s-ephemeral-storage"]["commands"]
    assert init == ["apiclient", "ephemeral-storage", "init"]
    assert bind[:4] == BIND
    assert bind[4:] == [
        "/var/lib/containerd",
        "/var/lib/kubelet",
        "/var/log/pods",
        "/var/lib/soci-snapshotter",
    ]
    assert "instanceStorePolicy" not in general
    assert "bootstrap-commands" not in tomllib.loads(general["userData"])["settings"]


@pytest.mark.parametrize("name", ["default", "gpu"])
def test_nodes_get_subnets_security_groups_and_role_by_the_clusters_name(document: Json, name: str) -> None:
    node_class = spec(document, f"ec2nodeclass_{name}")
    discovery = [{"tags": {"karpenter.sh/discovery": "gpu"}}]
    assert node_class["subnetSelectorTerms"] == discovery
    assert node_class["securityGroupSelectorTerms"] == discovery
    assert node_class["role"] == "gpu"
    assert node_class["amiSelectorTerms"] == [{"alias": "bottlerocket@latest"}]
