"""GPUs that pods share: the settings of the nodes, what is refused, and what counts whole GPUs or shares of them."""

import json
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from stacks.config import ClusterConfig, GpuPool, Mps, TimeSlicing
from stacks.config.checks import mistakes
from stacks.config.pools import Sharing
from stacks.kubernetes.bottlerocket import user_data
from stacks.reports.impact.explanation import explain
from stacks.reports.impact.hours import pods_per_gpu
from stacks.reports.impact.plan import read
from stacks.reports.summary import as_json, summary
from stacks.reports.warnings import warnings
from stacks.testing import synth_cluster
from tests.plans import document, node_class, node_pool
from tests.pools import gpu, spec, wrong
from tests.synthesis import Json, synth_stack
from tests.terraform import Workspace, needs_modules, needs_terraform

TODAY = date(2026, 1, 1)
FOUR = Mps(replicas=4)


def cluster(**fields: Any) -> ClusterConfig:
    """A cluster with the pool a alone, of single GPUs that four pods share."""
    given: dict[str, Any] = {"instance_types": ["g6e.xlarge"], "limit": 8, "sharing": FOUR} | fields
    return ClusterConfig("c", region="us-west-2", default_pool=False, gpu_spot_pool=False, gpu_pools=[GpuPool("a", **given)])


@pytest.fixture(scope="module")
def made() -> Json:
    pools = [
        gpu("single", instance_types=["g6e.xlarge"], sharing=FOUR, soci=None, weight=1),
        gpu("several", instance_types=["g6e.xlarge", "g6e.12xlarge", "p5.48xlarge"], sharing=TimeSlicing(replicas=3), weight=2),
        gpu("unknown", instance_types=["p9.48xlarge"], sharing=FOUR, node_limit=1, weight=3),
        gpu("fixed", limit=24, replicas=2, sharing=FOUR, weight=None),
    ]
    return synth_stack(ClusterConfig("karpenter", karpenter_version="1.14.1", gpu_sharing=TimeSlicing(replicas=2), gpu_pools=pools))


@pytest.mark.parametrize(
    ("name", "plugin"),
    [
        ("gpu", {"device-sharing-strategy": "time-slicing", "time-slicing": {"replicas": 2, "rename-by-default": False}}),
        ("several", {"device-sharing-strategy": "time-slicing", "time-slicing": {"replicas": 3, "rename-by-default": False}}),
        ("single", {"device-sharing-strategy": "mps", "mps": {"replicas": 4, "rename-by-default": False}}),
    ],
)
def test_nodes_offer_each_share_as_a_gpu_of_the_usual_name(made: Json, name: str, plugin: Json) -> None:
    settings = tomllib.loads(spec(made, f"ec2nodeclass_{name}")["userData"])["settings"]
    assert settings["kubelet-device-plugins"] == {"nvidia": plugin}
    assert ("container-runtime" in settings) == (name != "single")


def test_only_the_class_of_a_shared_pool_has_the_settings(made: Json, stack: Json) -> None:
    assert "kubelet-device-plugins" not in spec(made, "ec2nodeclass_default")["userData"]
    assert "kubelet-device-plugins" not in json.dumps(stack)
    assert "vcpus_per_gpu" not in stack["locals"]


def test_karpenter_counts_shares_and_the_vcpus_of_the_limit(made: Json) -> None:
    """The most vCPUs for each GPU: 4 of g6e.xlarge, 12 of g6e.12xlarge, 24 of p5.48xlarge."""
    limits = {name: spec(made, f"nodepool_{name}")["limits"] for name in ("single", "several", "unknown", "fixed")}
    assert limits == {
        "single": {"nvidia.com/gpu": 32, "cpu": 32},
        "several": {"nvidia.com/gpu": 24, "cpu": 192},
        "unknown": {"nvidia.com/gpu": 32, "cpu": 8000, "nodes": 1},
        "fixed": {"nodes": 3},
    }
    assert made["locals"]["vcpus_per_gpu"]["p5.48xlarge"] == 24
    assert spec(made, "nodepool_gpu")["limits"] == (
        '${var.gpu_limit == null ? null : {"nvidia.com/gpu" = var.gpu_limit * 2, cpu = var.gpu_limit * max([for type in '
        "var.gpu_instance_types : lookup(local.vcpus_per_gpu, type, 1000)]...)}}"
    )


@pytest.mark.parametrize("sharing", [TimeSlicing, Mps])
def test_a_share_is_at_most_half_a_gpu(sharing: type[TimeSlicing | Mps]) -> None:
    (text,) = wrong(gpu(sharing=sharing(replicas=1)))
    least = {TimeSlicing: "between 2 and 69905", Mps: "between 2 and 48"}[sharing]
    assert text == f'gpu_pools["a"].sharing.replicas must be {least} (got 1).'
    assert wrong(gpu(sharing=sharing(replicas=2))) == []
    assert wrong(gpu(sharing=sharing(replicas=48))) == []


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"gpu_sharing": TimeSlicing(replicas=0)}, "c.gpu_sharing.replicas must be between 2 and 69905 (got 0)."),
        ({"gpu_sharing": TimeSlicing(replicas=69906)}, "c.gpu_sharing.replicas must be between 2 and 69905 (got 69906)."),
        ({"gpu_sharing": Mps(replicas=49)}, "c.gpu_sharing.replicas must be between 2 and 48 (got 49)."),
        ({"gpu_sharing": 4}, "c.gpu_sharing must be a TimeSlicing or an Mps or None (got 4)."),
        (
            {"gpu_sharing": FOUR, "bottlerocket_version": "v1.54.0"},
            'c.bottlerocket_version must be at least "v1.55.0" for GPU sharing by MPS (got "v1.54.0").',
        ),
        (
            {"gpu_sharing": TimeSlicing(replicas=2), "bottlerocket_version": "v1.24.1", "gpu_soci": None, "default_soci": None},
            'c.bottlerocket_version must be at least "v1.39.0" for Kubernetes 1.33 (got "v1.24.1").',
        ),
        (
            {"gpu_pools": [gpu(sharing=FOUR)], "bottlerocket_version": "v1.54.0"},
            'c.gpu_pools["a"].bottlerocket_version must be at least "v1.55.0" for GPU sharing by MPS (got "v1.54.0").',
        ),
        (
            {"gpu_pools": [gpu(sharing=FOUR, bottlerocket_version="v1.54.9")]},
            'c.gpu_pools["a"].bottlerocket_version must be at least "v1.55.0" for GPU sharing by MPS (got "v1.54.9").',
        ),
        (
            {"gpu_spot_pool": False, "gpu_sharing": FOUR},
            "c.gpu_sharing must not be set if gpu_spot_pool is False (got Mps(...)): nothing would use the value.",
        ),
    ],
)
def test_a_mistake_is_said_once(config: dict[str, Any], said: str) -> None:
    assert list(mistakes("c", ClusterConfig("c", **config))) == [said]


def test_a_pool_with_efa_has_whole_gpus() -> None:
    assert wrong(gpu(efa=True, zones=["us-west-2a"], sharing=FOUR)) == [
        'gpu_pools["a"].sharing must be None if efa is True (got Mps(...)): a job over EFA has a process for each whole GPU, and '
        "NCCL refuses two on one GPU. Use a pool of its own for shared GPUs."
    ]
    assert wrong(gpu(efa=True, zones=["us-west-2a"])) == []


def test_a_bottlerocket_with_the_setting_is_accepted() -> None:
    pools = [gpu(sharing=FOUR, bottlerocket_version="v1.55.0"), gpu("b", sharing=TimeSlicing(replicas=2), weight=2)]
    assert list(mistakes("c", ClusterConfig("c", bottlerocket_version="v1.53.0", gpu_pools=pools))) == []
    assert list(mistakes("c", ClusterConfig("c", gpu_sharing=FOUR, gpu_pools=[gpu(sharing=FOUR)]))) == []


def test_prices_and_the_summary_count_whole_gpus(tmp_path: Any) -> None:
    alone, shared = cluster(sharing=None), cluster()
    documents = [json.loads(as_json([one], outdir=tmp_path, today=TODAY)) for one in (alone, shared)]
    assert documents[0]["most_expensive_hour_usd"] == documents[1]["most_expensive_hour_usd"] > 0
    pools = [one["clusters"][0]["pools"][0] for one in documents]
    assert [(pool["limits"], pool["pods_per_gpu"]) for pool in pools] == [({"nvidia.com/gpu": 8}, 1), ({"nvidia.com/gpu": 8}, 4)]
    lines = "\n".join(summary([shared], page=tmp_path / "main.py", outdir=tmp_path, project=tmp_path, today=TODAY))
    assert "  8 GPUs, 4 pods per GPU  " in lines
    most = documents[1]["most_expensive_hour_usd"]
    assert list(mistakes("c", ClusterConfig(**{**vars(shared), "max_hourly_usd": most}))) == []
    (text,) = mistakes("c", ClusterConfig(**{**vars(shared), "max_hourly_usd": most - 1}))
    assert f"must be at least {most}, which an hour can cost" in text


def test_what_a_zone_has_addresses_for_are_whole_nodes(made: Json, stack: Json) -> None:
    """The rules for gpu_limit are those of a pool whose GPUs nobody shares."""
    names = [name for name in stack["check"] if name.startswith("gpu_")]
    assert "gpu_limit_has_addresses" in names
    assert {name: made["check"][name] for name in names} == {name: stack["check"][name] for name in names}
    rules = [one["resource"]["random_string"]["suffix"]["lifecycle"]["precondition"] for one in (made, stack)]
    shared, alone = ([rule for rule in found if "gpu_limit" in rule["condition"]] for found in rules)
    assert shared == alone != []
    many = dict[str, Any](instance_types=["g6e.12xlarge"], limit=276)
    (text,) = warnings([cluster(**many)], TODAY)
    assert "68 of 69 nodes g6e.12xlarge fit" in text
    assert list(warnings([cluster(**many, sharing=None)], TODAY)) == [text]


@pytest.mark.parametrize(
    ("fields", "got"),
    [
        (
            {"instance_types": (), "families": ["g6e"]},
            "families should have equal vCPUs for each GPU where pods share GPUs (got 4 to 64)",
        ),
        ({"instance_types": ["p9.48xlarge"]}, "(got types that this program does not know)"),
    ],
)
def test_a_limit_that_may_not_hold_at_first_is_a_warning(fields: dict[str, Any], got: str) -> None:
    (text,) = (text for text in warnings([cluster(**fields)], TODAY) if "vCPUs for each GPU" in text)
    assert got in text
    assert text.endswith(
        ": otherwise Karpenter may at first launch up to 32 GPUs instead of 8, because a GPU counts as 4 only when its node is "
        "there. See docs/gpu-sharing.md."
    )
    assert "launch" not in "".join(warnings([cluster(**fields, sharing=None)], TODAY))


def test_a_limit_that_holds_is_not_worth_a_warning() -> None:
    for types in (["g6e.xlarge"], ["p5.48xlarge", "p5en.48xlarge"]):
        assert list(warnings([cluster(instance_types=types)], TODAY)) == []
    spot = ClusterConfig("c", region="us-west-2", gpu_sharing=FOUR, gpu_instance_types=["g6e.xlarge", "g6e.2xlarge"], gpu_limit=8)
    assert any(text.startswith("c.gpu_instance_types should have equal vCPUs") for text in warnings([spot], TODAY))


@pytest.mark.parametrize(
    ("fields", "missing"),
    [
        ({}, "gpu_limit and gpu_instance_types"),
        ({"gpu_limit": 8}, "gpu_instance_types"),
        ({"gpu_instance_types": ["g6e.xlarge"]}, "gpu_limit"),
        ({"gpu_instance_types": ["g6e.xlarge"], "gpu_limit": 8}, ""),
        ({"gpu_sharing": None}, ""),
        ({"gpu_sharing": None, "gpu_pools": [gpu(limit=24, replicas=2, sharing=FOUR)], "karpenter_version": "1.14.1"}, ""),
    ],
)
def test_sharing_whose_limit_python_does_not_know_is_a_warning(fields: dict[str, Any], missing: str) -> None:
    config = ClusterConfig("c", **{"gpu_sharing": FOUR, **fields})
    found = [text for text in warnings([config], TODAY) if "gpu_sharing" in text]
    words = (
        f"c.gpu_sharing is set without {missing} in Python: Karpenter launches a GPU for each pod that comes at the same "
        "time, because it knows the shares of a node only when the node is there. A gpu_limit caps that, with types of equal vCPUs "
        "for each GPU. See docs/gpu-sharing.md#too-many-nodes-at-first."
    )
    assert found == ([words] if missing else [])


# --- What a plan does -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sharing", [TimeSlicing(replicas=7), FOUR])
def test_a_plan_says_how_many_pods_share_a_gpu(sharing: Sharing) -> None:
    assert pods_per_gpu(user_data(None, mounts_disks=False, sharing=sharing)) == sharing.replicas


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not = = toml",
        "[settings.kubelet-device-plugins.nvidia.time-slicing]\nreplicas = 4\n",
        '[settings.kubelet-device-plugins.nvidia]\ndevice-sharing-strategy = "none"\n',
    ],
)
def test_without_a_strategy_nobody_shares(text: str) -> None:
    assert pods_per_gpu(text) == 1


def planned(before: ClusterConfig, after: ClusterConfig) -> tuple[str, str]:
    """The class and the words of pool a in a plan that changes one configuration into another."""
    specs = [
        (lambda made: (spec(made, "nodepool_a"), spec(made, "ec2nodeclass_a")))(synth_stack(config)) for config in (before, after)
    ]
    for pool, _ in specs:
        pool["disruption"].pop("budgets")  # of a variable
    (old, old_class), (new, new_class) = specs
    plan = document(node_pool(old, new, name="a"), node_class(old_class, new_class, name="a"))
    (change,) = explain(read(json.dumps(plan | {"variables": {"region": {"value": "us-west-2"}}}))).changes
    return change.change, change.words


def test_sharing_replaces_the_nodes_and_leaves_the_limit_and_the_price() -> None:
    letter, words = planned(cluster(sharing=None), cluster())
    assert letter == "D"
    assert words.startswith("all nodes drift (user data).")
    assert not any(word in words for word in ("GPUs", "vCPUs", "expensive hour"))
    assert not any(word in planned(cluster(), cluster(sharing=None))[1] for word in ("GPUs", "vCPUs", "expensive hour"))


def test_a_limit_of_shares_is_told_and_priced_in_whole_gpus() -> None:
    letter, words = planned(cluster(), cluster(limit=16))
    assert letter == "U"
    assert words.startswith("limit 8 to 16 GPUs. Most expensive hour $14.89 to $29.78.")


@pytest.mark.terraform
@needs_terraform
@needs_modules
@pytest.mark.parametrize("limit", [None, 16])
def test_on_the_state_that_the_hcl_left_a_plan_updates_the_class_and_a_limit(
    tmp_path: Path, reference: Path, limit: int | None
) -> None:
    stack = tmp_path / "cdk.tf.json"
    stack.write_text(synth_cluster(ClusterConfig("karpenter", gpu_sharing=FOUR)))
    workspace = Workspace(tmp_path, stack)
    workspace.adopt(reference)
    (workspace.folder / "limit.auto.tfvars.json").write_text(json.dumps({"gpu_limit": limit}))
    changes = [one for one in workspace.plan()["resource_changes"] if one["change"]["actions"] not in (["no-op"], ["read"])]
    assert {one["address"]: one["change"]["actions"] for one in changes} == {
        "kubectl_manifest.ec2nodeclass_gpu": ["update"],
        **({} if limit is None else {"kubectl_manifest.nodepool_gpu": ["update"]}),
    }
    for pool in (yaml.safe_load(one["change"]["after"]["yaml_body"]) for one in changes if "nodepool" in one["address"]):
        assert pool["spec"]["limits"] == {"nvidia.com/gpu": 64, "cpu": 384}  # p5.48xlarge has 24 vCPUs for each GPU
