import tomllib
from dataclasses import replace
from typing import Any

import pytest
from cdktf import TerraformStack

from stacks.config import Budget, ClusterConfig, DataVolume, GeneralPool, GpuPool, SociParallelPull, recommended
from stacks.config.checks import mistakes
from stacks.config.node_pools import NodePoolOptions
from stacks.kubernetes.node_pools import NodePools
from tests.constructs import COMMON, karpenter, var
from tests.synthesis import Json, addresses, synth, synth_stack

BIND = ["apiclient", "ephemeral-storage", "bind", "--dirs"]


def nodepools(stack: TerraformStack) -> NodePools:
    options = NodePoolOptions(
        gpu_instance_types=var("gpu_instance_types"),
        gpu_capacity_type=var("gpu_capacity_type"),
        gpu_limit=var("gpu_limit").value,
        gpu_drift_budget=var("gpu_drift_budget"),
        gpu_expire_after=var("gpu_expire_after"),
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
    assert pool["template"]["spec"]["expireAfter"] == "${var.gpu_expire_after}"


def test_only_the_manifest_whose_fields_may_be_null_is_merged(document: Json) -> None:
    bodies = {name: made["yaml_body"] for name, made in document["resource"]["kubectl_manifest"].items()}
    assert bodies == {
        "ec2nodeclass_default": "${yamlencode(local.ec2nodeclass_default)}",
        "ec2nodeclass_gpu": "${yamlencode(local.ec2nodeclass_gpu)}",
        "nodepool_default": "${yamlencode(local.nodepool_default)}",
        "nodepool_gpu": (
            "${yamlencode(merge(local.nodepool_gpu, {spec = merge({for k, v in local.nodepool_gpu.spec : k => v if v != null}, "
            "{disruption = {for k, v in local.nodepool_gpu.spec.disruption : k => v if v != null}, template = merge("
            "local.nodepool_gpu.spec.template, {spec = {for k, v in local.nodepool_gpu.spec.template.spec : k => v if v != null}})"
            "})}))}"
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


# --- Without the default pools --------------------------------------------------------------------------------------------------


def without(**options: Any) -> Json:
    return synth_stack(ClusterConfig("karpenter", **options))


def names(document: Json) -> set[str]:
    return set(document["resource"].get("kubectl_manifest", {}))


def test_a_default_pool_can_be_left_out() -> None:
    assert names(without(default_pool=False)) == {"ec2nodeclass_gpu", "nodepool_gpu"}
    assert names(without(gpu_spot_pool=False)) == {"ec2nodeclass_default", "nodepool_default"}
    assert names(without(default_pool=False, gpu_spot_pool=False)) == set()


def test_without_gpu_spot_nothing_of_it_is_in_the_json(stack: Json) -> None:
    made = without(gpu_spot_pool=False)
    assert stack["variable"].keys() - made["variable"].keys() == {
        "gpu_instance_types",
        "gpu_capacity_type",
        "gpu_limit",
        "gpu_drift_budget",
        "gpu_expire_after",
    }
    assert not any("gpu" in name for block in ("locals", "check") for name in made[block])
    assert "gpu" not in made["data"]["aws_ec2_instance_type_offerings"]
    rules = made["resource"]["random_string"]["suffix"]["lifecycle"]["precondition"]
    assert rules == [rule for rule in stack["resource"]["random_string"]["suffix"]["lifecycle"]["precondition"] if rule in rules]
    assert not any("gpu" in rule["condition"] for rule in rules)
    assert {name: stack["variable"][name] for name in made["variable"]} == made["variable"]


def test_the_drift_budget_stays_for_gpu_pools_without_budgets() -> None:
    pool = GpuPool("a", instance_types=["p5.48xlarge"], limit=8)
    made = without(gpu_spot_pool=False, gpu_pools=[pool])
    assert "gpu_drift_budget" in made["variable"]
    assert spec(made, "nodepool_a")["disruption"]["budgets"] == "${local.gpu_drift_budgets}"
    assert made["locals"]["gpu_drift_budgets"] == (
        '${var.gpu_drift_budget == null ? null : [{nodes = "10%"}, {nodes = var.gpu_drift_budget, reasons = ["Drifted"]}]}'
    )
    rules = made["resource"]["random_string"]["suffix"]["lifecycle"]["precondition"]
    assert any("length(var.gpu_drift_budget) <= 9" in rule["condition"] for rule in rules)
    own = without(gpu_spot_pool=False, gpu_pools=[replace(pool, budgets=[Budget(nodes="1")])])
    assert "gpu_drift_budget" not in own["variable"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gpu_instance_types", ["p5.48xlarge"]),
        ("gpu_capacity_type", ["on-demand"]),
        ("gpu_limit", 8),
        ("gpu_drift_budget", "0"),
        ("gpu_expire_after", "48h"),
    ],
)
def test_an_option_of_a_pool_that_is_off_is_refused(name: str, value: Any) -> None:
    (text,) = mistakes("c", ClusterConfig("c", gpu_spot_pool=False, **{name: value}))
    assert text == f"c.{name} must not be set if gpu_spot_pool is False (got {value!r}): nothing would use the value."


@pytest.mark.parametrize(
    ("name", "value", "pool", "got"),
    [
        ("default_data_volume", DataVolume(size_gib=100), "default_pool", "DataVolume(...)"),
        ("default_soci", None, "default_pool", "None"),
        ("gpu_soci", SociParallelPull(downloads=9, chunk_size="8mb", unpacks=9), "gpu_spot_pool", "SociParallelPull(...)"),
    ],
)
def test_a_volume_or_soci_of_a_pool_that_is_off_is_refused(name: str, value: Any, pool: str, got: str) -> None:
    (text,) = mistakes("c", ClusterConfig("c", **{pool: False, name: value}))
    assert text == f"c.{name} must not be set if {pool} is False (got {got}): nothing would use the value."


def test_the_default_pools_have_the_volume_and_the_figures_of_soci_that_are_given() -> None:
    pull = SociParallelPull(downloads=7, chunk_size="8mb", unpacks=4)
    made = without(default_data_volume=DataVolume(size_gib=99, iops=4000, throughput_mib=600), default_soci=pull, gpu_soci=None)
    (_, volume) = spec(made, "ec2nodeclass_default")["blockDeviceMappings"]
    assert {"volumeSize": "99Gi", "iops": 4000, "throughput": 600}.items() <= volume["ebs"].items()
    assert "max-concurrent-downloads-per-image = 7\n" in spec(made, "ec2nodeclass_default")["userData"]
    gpu = spec(made, "ec2nodeclass_gpu")
    assert (gpu.get("userData"), gpu["instanceStorePolicy"], "blockDeviceMappings" in gpu) == (None, "RAID0", False)


@pytest.mark.parametrize(
    ("options", "minimum"),
    [
        ({}, "1.50.0"),
        ({"gpu_soci": None}, "1.44.0"),
        ({"gpu_soci": None, "default_soci": None}, None),
        ({"default_soci": None}, "1.50.0"),
        ({"gpu_spot_pool": False, "default_soci": None}, None),
    ],
)
def test_an_older_bottlerocket_suffices_where_the_default_pools_do_not_use_soci(options: dict[str, Any], minimum: Any) -> None:
    found = list(mistakes("c", ClusterConfig("c", bottlerocket_version="v1.43.0", **options)))
    assert [text for text in found if "SOCI" in text or "NVMe" in text] == [
        text for text in found if minimum and f'must be at least "v{minimum}"' in text
    ]
    assert bool(found) == (minimum is not None)


def test_recommended_has_no_value_for_a_pool_that_is_off() -> None:
    assert list(mistakes("c", recommended("c", gpu_spot_pool=False))) == []
    assert recommended("c", gpu_spot_pool=False).gpu_limit is None
    pools = [GpuPool("a", instance_types=["p5.48xlarge"], limit=8)]
    assert recommended("c", gpu_spot_pool=False, gpu_pools=pools).gpu_drift_budget == "0"


def test_a_pool_needs_no_weight_where_the_default_pool_is_off() -> None:
    gpu, general = [GpuPool("a", instance_types=["p5.48xlarge"], limit=8)], [GeneralPool("b", cpu_limit=64)]
    off = ClusterConfig("c", default_pool=False, gpu_spot_pool=False, gpu_pools=gpu, general_pools=general)
    assert list(mistakes("c", off)) == []
    assert len(list(mistakes("c", ClusterConfig("c", gpu_pools=gpu, general_pools=general)))) == 2
