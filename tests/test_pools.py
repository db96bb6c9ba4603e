"""GPU and general pools of a configuration: what they become, and what is refused."""

import json
import os
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from cdktf import App, TerraformStack
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from stacks.config import Budget, ClusterConfig, DataVolume, GeneralPool, GpuPool, SociParallelPull, Taint
from stacks.config.checks import mistakes
from stacks.config.node_pools import NodePoolOptions
from stacks.config.pools import TAINT_KEYS, Pool
from stacks.hcl.expressions import Expression
from stacks.karpenter_stack import KarpenterStack
from stacks.knowledge.catalogue import gpu_instance_types, gpus_by_type, usable_families, usable_gpus
from stacks.kubernetes.manifests import NodePool
from stacks.kubernetes.node_pools import NodePools
from tests import karpenter_rules
from tests.conftest import SHARED, needs_crds
from tests.constructs import COMMON, karpenter
from tests.crd import Crd
from tests.synthesis import Json, synth, synth_stack, write_stack
from tests.terraform import Workspace, needs_terraform

# Where gpu-spot has the budgets that gpu_drift_budget gives.
DRIFT_BUDGETS = Expression("local.nodepool_gpu.spec.disruption.budgets")

VERSIONS = ("1.6.0", "1.9.2", "1.12.2", "1.14.1")


def gpu(name: str = "a", **fields: Any) -> GpuPool:
    """A GPU pool that is right, but for `fields`."""
    given: dict[str, Any] = {"instance_types": ["p5.48xlarge"], "limit": 8, "weight": 1} | fields
    return GpuPool(name, **given)


def general(name: str = "a", **fields: Any) -> GeneralPool:
    """A general pool that is right, but for `fields`."""
    given: dict[str, Any] = {"cpu_limit": 64, "weight": 1} | fields
    return GeneralPool(name, **given)


def wrong(*pools: Pool) -> list[str]:
    """What a cluster with these pools is refused for, without the cluster's name."""
    config = ClusterConfig(
        "c",
        gpu_pools=[pool for pool in pools if isinstance(pool, GpuPool)],
        general_pools=[pool for pool in pools if isinstance(pool, GeneralPool)],
    )
    return [text.removeprefix("c.") for text in mistakes("c", config)]


# Every field is set, and none to its default.
EVERY_GPU_FIELD = GpuPool(
    "research",
    families=["p5", "p4de"],
    min_gpu_memory_gib=80,
    limit=32,
    capacity_types=["on-demand", "spot"],
    zones=["us-west-2b", "us-west-2c"],
    taints=[Taint(key="team", value="research", effect="NoExecute"), Taint(key="example.com/batch")],
    labels={"team": "research"},
    weight=7,
    consolidation_policy="WhenEmptyOrUnderutilized",
    consolidate_after="1h30m",
    budgets=[Budget(nodes="1"), Budget(nodes="0", reasons=["Drifted", "Empty"], schedule="0 6 * * *", duration="20h30m")],
    expire_after="Never",
    tags={"cost-center": "42"},
    bottlerocket_version="v1.53.0",
    soci=SociParallelPull(downloads=20, chunk_size="8mb", unpacks=12),
)
GENERAL_BY_SHAPE = GeneralPool("build", cpu_limit=128, categories=["c"], cpus=[8], weight=2)
GENERAL_BY_FAMILY = GeneralPool("web", cpu_limit=64, families=["m7i", "m7a"], capacity_types=["on-demand"], weight=1)
GENERAL_BY_TYPE = GeneralPool(
    "db",
    cpu_limit=64,
    instance_types=["r7i.4xlarge"],
    data_volume=DataVolume(size_gib=200, iops=4000, throughput_mib=600),
    weight=3,
)


@pytest.fixture(scope="module")
def document() -> Json:
    """A cluster with four pools beside the reference's."""
    return synth_stack(
        ClusterConfig(
            "karpenter",
            gpu_pools=[EVERY_GPU_FIELD, gpu("small", instance_types=["g6e.xlarge"], limit=4)],
            general_pools=[GENERAL_BY_SHAPE, GENERAL_BY_FAMILY, GENERAL_BY_TYPE],
        )
    )


def spec(document: Json, name: str) -> Json:
    """The spec of an object, by the name of its resource."""
    found: Json = document["locals"][name]["spec"]
    return found


# --- Which instance types -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pool", "types"),
    [
        (gpu(instance_types=["p5.48xlarge", "p9.48xlarge"]), ["p5.48xlarge", "p9.48xlarge"]),
        (gpu(instance_types=(), families=["p5"]), ["p5.48xlarge", "p5.4xlarge"]),
        (gpu(instance_types=(), families=["p5e", "p4d"]), ["p4d.24xlarge", "p5e.48xlarge"]),
        (gpu(instance_types=(), gpu_names=["h200"]), ["p5e.48xlarge", "p5en.48xlarge"]),
        (gpu(instance_types=(), gpu_names=["a100"]), ["p4d.24xlarge", "p4de.24xlarge"]),
        (gpu(instance_types=(), gpu_names=["a100"], min_gpu_memory_gib=41), ["p4de.24xlarge"]),
        (gpu(instance_types=(), gpu_names=["a100"], min_gpu_memory_gib=40), ["p4d.24xlarge", "p4de.24xlarge"]),
        (gpu(instance_types=(), families=["p4d", "p4de"], min_gpu_memory_gib=80), ["p4de.24xlarge"]),
    ],
)
def test_families_and_gpu_names_become_the_types_of_the_catalogue(pool: GpuPool, types: list[str]) -> None:
    assert sorted(pool.types()) == types
    assert wrong(pool) == []


def test_every_family_and_every_gpu_of_the_catalogue_has_types_that_a_pool_can_use() -> None:
    """Neither types with AMD GPUs, nor arm64 ones, nor a fraction of a GPU."""
    assert set(gpu(instance_types=(), families=usable_families()).types()) == gpus_by_type().keys()
    assert set(gpu(instance_types=(), gpu_names=usable_gpus()).types()) == gpus_by_type().keys()
    unusable = {row.family for row in gpu_instance_types() if not row.usable} - set(usable_families())
    assert {"g4ad", "g5g", "g6f"} <= unusable
    assert gpu(instance_types=(), families=sorted(unusable)).types() == []


def test_a_gpu_pool_asks_karpenter_for_explicit_types_only(document: Json) -> None:
    requirements = {
        r["key"]: (r["operator"], r["values"]) for r in spec(document, "nodepool_research")["template"]["spec"]["requirements"]
    }
    assert requirements == {
        "karpenter.sh/capacity-type": ("In", ["on-demand", "spot"]),
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


# --- What is refused ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        (gpu(limit=0), 'gpu_pools["a"].limit must be at least 1 (got 0).'),
        (gpu(limit=1), "limit must be at least 8, the GPUs of the smallest instance type (got 1): "),
        (gpu(limit=7), 'gpu_pools["a"].limit must be at least 8, the GPUs of the smallest instance type (got 7): '),
        (gpu(instance_types=["g6e.xlarge", "p5.48xlarge"], limit=0), 'gpu_pools["a"].limit must be at least 1 (got 0).'),
        (
            gpu(instance_types=()),
            'gpu_pools["a"].instance_types, families or gpu_names must be set, and exactly one of',
        ),
        (
            gpu(families=["p5"]),
            'gpu_pools["a"].instance_types, families or gpu_names must be set, and exactly one of',
        ),
        (
            gpu(instance_types=(), families=["p5"], gpu_names=["h100"]),
            "families or gpu_names must be set, and exactly one of",
        ),
        (gpu(instance_types=(), families=["p9"]), "families must be in the catalogue (got ['p9']). Its families: g4dn, g5,"),
        (gpu(instance_types=(), families=["p5", "g6f"]), "families must be in the catalogue (got ['g6f'])."),
        (gpu(instance_types=(), gpu_names=["h1000"]), "gpu_names must be in the catalogue (got ['h1000']). Its GPUs: t4, a10g,"),
        (gpu(instance_types=(), gpu_names=["h100"], min_gpu_memory_gib=81), "must leave at least one instance type (got 81)."),
        (gpu(instance_types=(), gpu_names=["h100"], min_gpu_memory_gib=0), "min_gpu_memory_gib must be at least 1 (got 0)."),
        (gpu(min_gpu_memory_gib=80), "must not be set together with instance_types, which are used as they are."),
        (gpu(instance_types=["P5.48xlarge"]), "instance_types must be instance types such as p5.48xlarge (got ['P5.48xlarge'])."),
        (gpu(instance_types=["p5.48xlarge", "m5.large"]), "instance_types must have NVIDIA GPUs (got ['m5.large'])."),
        (gpu(instance_types=["g6f.large"]), "must have whole GPUs, because Karpenter counts a fraction of a GPU as 0"),
        (gpu(instance_types=["g5g.xlarge"]), "instance_types must have x86_64 CPUs (got ['g5g.xlarge'])."),
        (gpu(instance_types=["p5.48xlarge"] * 2), "must not contain duplicates (got ['p5.48xlarge', 'p5.48xlarge'])."),
        (gpu(instance_types=(), families=["p5", "p5"]), "families must not contain duplicates (got ['p5', 'p5'])."),
        (gpu(instance_types=(), gpu_names=["h100", "h100"]), "gpu_names must not contain duplicates (got ['h100', 'h100'])."),
        (gpu(capacity_types=["spot", "spot"]), "capacity_types must not contain duplicates (got ['spot', 'spot'])."),
        (gpu(zones=["us-west-2a", "us-west-2a"]), "zones must not contain duplicates (got ['us-west-2a', 'us-west-2a'])."),
        (general(categories=["c", "c"]), "categories must not contain duplicates (got ['c', 'c'])."),
        (general(cpus=[4, 4]), "cpus must not contain duplicates (got [4, 4])."),
        (gpu(capacity_types=[]), "capacity_types must have at least one element (got [])."),
        (
            gpu(capacity_types=["reserved"]),
            "capacity_types must not contain 'reserved' (got ['reserved']): node classes select no capacity",
        ),
        (gpu(capacity_types=["reserved", "spot"]), "must not contain 'reserved' (got ['reserved', 'spot'])"),
        (
            gpu(data_volume=DataVolume(size_gib=200)),
            "data_volume must be None for instance types with NVMe disks (got 200 GiB)",
        ),
        (general(families=["m7g"]), "families must have x86_64 CPUs, because the nodes are amd64 (got ['m7g'])."),
        (general(families=["c6gn"]), "families must have x86_64 CPUs"),
        (
            general(instance_types=["a1.large"]),
            "instance_types must have x86_64 CPUs, because the nodes are amd64",
        ),
        (general(instance_types=["p5.48xlarge"]), "instance_types must not have GPUs: use a GpuPool, which keeps other pods off"),
        (general(families=["g6e"]), "families must not have GPUs: use a GpuPool, which keeps other pods off (got ['g6e'])."),
        (general(families=["p3"]), "families must not have GPUs (got ['p3'])."),
        (general(families=["g4ad"]), "families must not have GPUs (got ['g4ad'])."),
        (general(instance_types=["g6f.large"]), "instance_types must not have GPUs (got ['g6f.large'])."),
        (general(instance_types=["p9.48xlarge"]), "instance_types must not have GPUs (got ['p9.48xlarge'])."),
        (
            general(families=["inf2", "trn1", "dl1", "f2", "vt1"]),
            "families must not have accelerators such as Inferentia, Trainium, Gaudi or FPGAs (got ['inf2', 'trn1', 'dl1', 'f2', ",
        ),
        (
            general(categories=["g", "p"]),
            "categories must contain only c, d, hpc, i, m, r, t, u, x; use a GpuPool for GPUs (got ['g', 'p']).",
        ),
        (general(categories=["C"]), "categories must contain only c, d, hpc, i, m, r, t, u, x (got ['C'])."),
        (general(categories=["inf"]), "categories must contain only c, d, hpc, i, m, r, t, u, x (got ['inf'])."),
        # Generation 1, and a shape begins with generation 3.
        (general(categories=["z"]), "categories must contain only c, d, hpc, i, m, r, t, u, x; for z1d, set families (got ['z'])."),
        (
            general(categories=["h", "g"]),
            "r, t, u, x; use a GpuPool for GPUs; for h1, set families (got ['h', 'g']).",
        ),
        (general(cpus=[3]), "cpus must contain only numbers that instance types have, 1, 2, 4, 8, 12, 16, "),
        (general(cpus=[-4]), "cpus must contain only numbers that instance types have, "),
        (
            general(categories=["t"], cpus=[16, 32]),
            "categories and cpus must leave at least one instance type (got ['t'] and [16, 32]). Nitro types of these "
            "categories with a generation above 2 have 2, 4, 8 vCPUs. Set cpus, instance_types or families.",
        ),
        (
            general(categories=["u"]),
            "(got ['u'] and [4, 8, 16, 32]). Nitro types of these categories with a generation above 2 have 448, 896 vCPUs.",
        ),
        (general(cpu_limit=2), "cpu_limit must be at least 4, the vCPUs of the smallest instance type (got 2): with a lower"),
        (general(cpu_limit=3, instance_types=["m7i.2xlarge", "m7i.xlarge"]), "cpu_limit must be at least 4, the vCPUs of the"),
        (general(cpu_limit=1, families=["m7i"]), "cpu_limit must be at least 2, the vCPUs of the smallest instance type (got 1)"),
        (general(families=["m7i"], cpus=[8]), "cpus must not be set together with instance_types or families, which are used as"),
        (
            general(instance_types=["m7i.large"], categories=["c"]),
            "categories must not be set together with instance_types or families, which are used as they are.",
        ),
        (
            gpu(instance_types=["g6.xlarge", "g7.2xlarge"], limit=1),
            "gpu_pools[\"a\"].instance_types must have GPUs that the driver of Bottlerocket supports (got ['g7.2xlarge']): the GPU "
            "rtx-pro-4500 needs NVIDIA driver R595, and the latest Bottlerocket has R580 for Kubernetes 1.33. Without a driver a "
            "node never joins the cluster, and Karpenter buys the next one. Use other instance types.",
        ),
        (
            gpu(instance_types=["g7.96xlarge"]),
            "instance_types must have GPUs that the driver of Bottlerocket supports (got ['g7.96",
        ),
        (
            gpu(instance_types=(), families=["g7"]),
            'gpu_pools["a"].families must have GPUs that the driver of Bottlerocket supports',
        ),
        (
            gpu(instance_types=(), gpu_names=["h100", "rtx-pro-4500"]),
            'gpu_pools["a"].gpu_names must have GPUs that the driver of Bottlerocket supports '
            "(got ['rtx-pro-4500'], which stands for g7.2xlarge, g7.4xlarge,",
        ),
        (
            gpu(instance_types=(), families=["p6-b300"], bottlerocket_version="v1.52.0"),
            "(got ['p6-b300'], which stands for p6-b300.48xlarge): the GPU b300 needs NVIDIA driver R580, and Bottlerocket v1.52.0 "
            "has R570 for Kubernetes 1.33. Without a driver a node never joins the cluster, and Karpenter buys the next one. Set "
            "bottlerocket_version to v1.53.0 or newer.",
        ),
        (gpu(bottlerocket_version="v1.38.0", soci=None), 'must be at least "v1.39.0" for Kubernetes 1.33 (got "v1.38.0").'),
        (general(instance_types=["m7i"]), "instance_types must be instance types such as m7i.large (got ['m7i'])."),
        (general(families=["m7i.large"]), "families must be families such as m7i (got ['m7i.large'])."),
        (gpu(capacity_types=["ondemand"]), "must be a list of 'spot' or 'on-demand' or 'reserved' (got ['ondemand'])."),
        (gpu("Research"), 'gpu_pools["Research"].name must be at most 40 lower-case letters, digits and hyphens, '),
        (gpu("a" * 41), "name must be at most 40 lower-case letters"),
        (gpu("research-"), "name must be at most 40 lower-case letters"),
        (gpu("gpu"), "name must not be 'gpu', a name of the default pools. Choose another name."),
        (gpu("gpu-spot"), "name must not be 'gpu-spot', a name of the default pools."),
        (general("default"), "name must not be 'default', a name of the default pools."),
        (gpu(weight=0), "weight must be between 1 and 100 (got 0)."),
        (gpu(weight=101), "weight must be between 1 and 100 (got 101)."),
        (gpu(labels={"nodepool": "x"}), "labels must not contain 'nodepool', because the program sets it."),
        (gpu(labels={"gpu-type": "x"}), "labels must not contain 'gpu-type', because the program sets it."),
        (gpu(labels={f"{'a' * 254}/b": "x"}), "labels must be Kubernetes labels such as example.com/team: research (label 'aaa"),
        (gpu(labels={f"l{number}": "x" for number in range(99)}), "labels must have at most 98 labels (got {'l0': 'x',"),
        (
            gpu(labels={"node.kubernetes.io/instance-type": "p5.48xlarge"}),
            "labels must not contain 'node.kubernetes.io/instance-type', because Kubernetes, Karpenter or EKS sets this label (got",
        ),
        (
            gpu(labels={"node.kubernetes.io/windows-build": "x"}),
            "must not contain 'node.kubernetes.io/windows-build', because",
        ),
        # The CRD takes a key without a slash for a domain.
        *(
            (gpu(labels={key: "x"}), f"labels must not contain {key!r}, because Kubernetes and Karpenter reserve {domain} (got")
            for key, domain in (("my.kubernetes.io", "kubernetes.io"), ("foo.k8s.io", "k8s.io"), ("karpenter.sh", "karpenter.sh"))
        ),
        (gpu(labels={"eks.amazonaws.com/compute-type": "auto"}), "must not contain 'eks.amazonaws.com/compute-type', because"),
        (
            gpu(labels={"topology.k8s.aws/zone-id": "usw2-az1"}),
            "must not contain 'topology.k8s.aws/zone-id', because Kubernetes and",
        ),
        (gpu(labels={"topology.kubernetes.io/zone": "us-west-2a"}), "must not contain 'topology.kubernetes.io/zone', because"),
        (gpu(labels={"karpenter.k8s.aws/instance-cpu": "4"}), "must not contain 'karpenter.k8s.aws/instance-cpu', because"),
        (gpu(labels={"mynode.kubernetes.io/x": "y"}), "must not contain 'mynode.kubernetes.io/x', because"),
        (gpu(labels={"a b": "x"}), "labels must be Kubernetes labels such as example.com/team: research (label 'a b')"),
        (
            gpu(labels={"team": "my team"}),
            "labels must have values of at most 63 letters, digits, hyphens, underscores and dots, with a letter or a digit at "
            "both ends (label 'team', value 'my team')",
        ),
        (gpu(labels={"karpenter.sh/x": "y"}), "labels must not contain 'karpenter.sh/x', because Kubernetes and Karpenter reserve"),
        (gpu(labels={"kubernetes.io/x": "y"}), "labels must not contain 'kubernetes.io/x', because Kubernetes and Karpenter res"),
        (gpu(taints=[Taint(key="")]), "gpu_pools[\"a\"].taints[0].key must be a Kubernetes key such as example.com/team (got '')."),
        (gpu(taints=[Taint(key="a", value="b c")]), "taints[0].value must be at most 63 letters, digits,"),
        (gpu(taints=[Taint(key="a")] * 2), "taints must not contain two taints with key 'a' and effect 'NoSchedule' (got [Taint"),
        (
            general(taints=[Taint(key="a", value="1"), Taint(key="b"), Taint(key="a", value="2")]),
            "two taints with key 'a' and effect",
        ),
        (
            gpu(taints=[Taint(key="karpenter.sh/disrupted")]),
            "taints[0].key must be in another domain, because Kubernetes and Karpenter set and remove the taints of this domain "
            "(got 'karpenter.sh/disrupted').",
        ),
        (gpu(taints=[Taint(key="karpenter.sh/unregistered", effect="NoExecute")]), "taints[0].key must be in another domain"),
        (gpu(taints=[Taint(key="karpenter.k8s.aws/x")]), "taints[0].key must be in another domain"),
        *(
            (
                gpu(taints=[Taint(key=key)]),
                "taints[0].key must be another key, because Kubernetes sets and removes this taint (got '",
            )
            for key in TAINT_KEYS
        ),
        (gpu(taints=[Taint(key="readiness.k8s.io/network")]), "taints[0].key must be in another domain"),
        (gpu(taints=[Taint(key=f"{'a' * 254}/b")]), "taints[0].key must be a Kubernetes key such as example.com/team (got 'aaa"),
        (gpu(taints=[Taint(key="nvidia.com/gpu")]), "taints must not contain 'nvidia.com/gpu', because every GPU pool has this"),
        (gpu(tags={"Name": "x"}), "tags must not contain the tag 'Name', which AWS, Karpenter or Terraform sets"),
        (gpu(tags={"karpenter.sh/nodepool": "x"}), "tags must not contain the tag 'karpenter.sh/nodepool'"),
        (gpu(consolidate_after="soon"), "consolidate_after must be a duration such as 30s or 1h30m, or Never (got 'soon')."),
        (
            gpu(expire_after="0s"),
            "expire_after must be at least 15m, the time in which a machine becomes a node, or Never to turn expiry off "
            "(got '0s').",
        ),
        (gpu(expire_after="14m59s"), "expire_after must be at least 15m, the time in which a machine becomes a node"),
        (
            general(expire_after="9999999h"),
            "expire_after must be at most 2562047h47m16s, because Karpenter cannot read any pool while one pool has a longer "
            "duration (got '9999999h').",
        ),
        (gpu(expire_after="9223372037s"), "expire_after must be at most 2562047h47m16s"),
        (gpu(expire_after="9" * 5000 + "h"), "expire_after must be at most 2562047h47m16s"),  # more digits than Python reads
        (
            gpu(expire_after="\N{ARABIC-INDIC DIGIT NINE}0h"),
            "expire_after must be a duration in hours, minutes and seconds such as",
        ),
        *(
            (
                gpu(expire_after=text),
                f"expire_after must be a duration in hours, minutes and seconds such as 720h, or Never (got '{text}').",
            )
            for text in ("1 h", "never", "30d")
        ),
        (gpu(consolidate_after="2562047h47m17s"), "consolidate_after must be at most 2562047h47m16s"),
        (gpu(budgets=[Budget(nodes="101%")]), "budgets[0].nodes must be a number of nodes such as 1, or a percentage such as 10%"),
        (
            gpu(budgets=[Budget(nodes="4294967296")]),
            "budgets[0].nodes must have at most nine digits, because Karpenter keeps the lowest 32 bits of a number "
            "(got '4294967296').",
        ),
        (gpu(budgets=[Budget(nodes="many and more")]), "budgets[0].nodes must be a number of nodes such as 1, or a percentage"),
        (gpu(budgets=[Budget(nodes="\N{ARABIC-INDIC DIGIT NINE}")]), "budgets[0].nodes must be a number of nodes such as 1, or a"),
        (gpu(budgets=[Budget(nodes="1")] * 51), "budgets must have at most 50 elements (got [Budget(...),"),
        (gpu(budgets=[Budget(nodes="1"), Budget(nodes="-1")]), 'gpu_pools["a"].budgets[1].nodes must be a number of nodes'),
        (gpu(budgets=[Budget(nodes="1", reasons=["Empty", "Empty"])]), "budgets[0].reasons must not contain duplicates"),
        (gpu(budgets=[Budget(nodes="1", duration="8h")]), "schedule and duration must be set together (got None and '8h')."),
        (
            gpu(budgets=[Budget(nodes="1", schedule="@daily")]),
            "schedule and duration must be set together (got '@daily' and None).",
        ),
        (
            gpu(budgets=[Budget(nodes="1", schedule="@soon", duration="8h")]),
            "schedule must be a cron schedule such as 0 9 * * mon-fri",
        ),
        (gpu(budgets=[Budget(nodes="1", schedule="0 9 * *", duration="8h")]), "schedule must be a cron schedule"),
        (
            gpu(budgets=[Budget(nodes="1", schedule="@daily", duration="30m1h")]),
            "duration must be hours and minutes, such as 8h or",
        ),
        (
            gpu(budgets=[Budget(nodes="0", schedule="@daily", duration="0h0m")]),
            "budgets[0].duration must be at least 1m, or the budget never applies (got '0h0m').",
        ),
        (gpu(budgets=[Budget(nodes="0", schedule="@daily", duration="9999999h")]), "duration must be at most 2562047h47m16s"),
        (general(data_volume=DataVolume(size_gib=19)), "data_volume.size_gib must be between 20 and 59000 (got 19)."),
        (general(data_volume=DataVolume(size_gib=59001)), "data_volume.size_gib must be between 20 and 59000 (got 59001)."),
        (general(data_volume=DataVolume(size_gib=20, iops=2999)), "data_volume.iops must be between 3000 and 80000 (got 2999)."),
        (general(data_volume=DataVolume(size_gib=200, iops=80001)), "data_volume.iops must be between 3000 and 80000 (got 80001)."),
        (
            general(data_volume=DataVolume(size_gib=20, throughput_mib=124)),
            "throughput_mib must be between 125 and 2000 (got 124).",
        ),
        (
            general(data_volume=DataVolume(size_gib=200, iops=9000, throughput_mib=2001)),
            "throughput_mib must be between 125 and 2000",
        ),
        (general(data_volume=DataVolume(size_gib=159, iops=80000)), "iops must be at most 500 per GiB of size_gib, which is 79500"),
        (
            general(data_volume=DataVolume(size_gib=200, iops=7999, throughput_mib=2000)),
            "iops must be at least 4 per MiB of throughput_mib, which is 8000 (got 7999).",
        ),
        (general(data_volume=DataVolume(size_gib=20, iops=10001)), "iops must be at most 500 per GiB of size_gib, which is 10000"),
        (
            general(data_volume=DataVolume(size_gib=20, throughput_mib=751)),
            "iops must be at least 4 per MiB of throughput_mib, which is 3004",
        ),
        (gpu(bottlerocket_version="1.53.0"), "bottlerocket_version must be latest, or a version such as v1.53.0 (got '1.53.0')."),
        (gpu(bottlerocket_version="v1.49.9"), 'bottlerocket_version must be at least "v1.50.0" for user data that mounts'),
        (general(bottlerocket_version="v1.43.9"), 'must be at least "v1.44.0" for SOCI parallel pull'),
        (gpu(soci=SociParallelPull(downloads=0, chunk_size="8mb", unpacks=1)), "soci.downloads must be at least 1 (got 0)."),
        (
            gpu(soci=SociParallelPull(downloads=2**31, chunk_size="8mb", unpacks=1)),
            "downloads must be at most 2147483647 (got 214748",
        ),
        (
            gpu(soci=SociParallelPull(downloads=1, chunk_size="8mb", unpacks=2**31)),
            "unpacks must be at most 2147483647 (got 214748",
        ),
        (
            gpu(soci=SociParallelPull(downloads=1, chunk_size="0mb", unpacks=1)),
            "chunk_size must be a size such as 16mb (got '0mb').",
        ),
        (gpu(soci=SociParallelPull(downloads=1, chunk_size="9999999999gb", unpacks=1)), "chunk_size must be a size such as 16mb"),
        (gpu(soci=SociParallelPull(downloads=1, chunk_size="8mb", unpacks=0)), "soci.unpacks must be at least 1 (got 0)."),
        (
            gpu(soci=SociParallelPull(downloads=1, chunk_size="8", unpacks=1)),
            "soci.chunk_size must be a size such as 16mb (got '8').",
        ),
        (general(cpu_limit=2**31), 'general_pools["a"].cpu_limit must be at most 2147483647 (got 2147483648).'),
        (gpu(limit=2**31), 'gpu_pools["a"].limit must be at most 2147483647 (got 2147483648).'),
        (general(cpu_limit=0), 'general_pools["a"].cpu_limit must be at least 1 (got 0).'),
        (general(categories=[]), "categories must have at least one element (got [])."),
        (general(cpus=[]), "cpus must have at least one element (got [])."),
        (
            general(instance_types=["m5.large"], families=["m5"]),
            "instance_types and families must not both be set. Keep one of them.",
        ),
    ],
)
def test_a_mistake_in_a_pool_is_said_once_with_its_place(pool: Pool, said: str) -> None:
    (text,) = wrong(pool)
    assert said in text
    assert text.startswith(("gpu_pools", "general_pools"))


def test_limits_on_both_sides_of_what_is_refused() -> None:
    allowed = [
        gpu(limit=8),
        gpu(limit=2**31 - 1),
        general(cpu_limit=2**31 - 1),
        gpu(expire_after="15m"),
        gpu(expire_after="2562047h47m16s", consolidate_after="9223372036s"),
        gpu(consolidate_after="0s"),  # Karpenter's own
        gpu(budgets=[Budget(nodes="999999999"), Budget(nodes="0", schedule="@daily", duration="1m")] * 25),
        gpu(labels={f"l{number}": "x" for number in range(98)}),
        gpu(labels={f"{'a' * 253}/b": "x", "x.node.kubernetes.io/a": "y", "node-restriction.kubernetes.io/b": "z"}),
        gpu(labels={"kops.k8s.io/instancegroup": "x", "example.com": "y"}),
        gpu(taints=[Taint(key="node.kubernetes.io/gpu")]),
        gpu(taints=[Taint(key="a"), Taint(key="a", effect="NoExecute"), Taint(key="node-role.kubernetes.io/batch")]),
        gpu("a" * 40),
        gpu(weight=100),
        gpu(instance_types=["p5.24xlarge"], limit=1),  # an unknown type counts as 1 GPU
        gpu(labels={"node.kubernetes.io/exclude-from-external-load-balancers": "true", "example.com/team": "a.b_c-d", "empty": ""}),
        general(data_volume=DataVolume(size_gib=20, iops=10000, throughput_mib=1000)),
        general(data_volume=DataVolume(size_gib=160, iops=80000, throughput_mib=2000)),
        general(data_volume=DataVolume(size_gib=59000, throughput_mib=750)),
        general(data_volume=DataVolume(size_gib=20, iops=8000, throughput_mib=2000)),
        gpu(instance_types=["p9.48xlarge"], data_volume=DataVolume(size_gib=200)),
        gpu(bottlerocket_version="v1.50.0"),
        general(bottlerocket_version="v1.44.0"),
        # Without SOCI, Karpenter alone mounts the disks.
        gpu(bottlerocket_version="v1.39.0", soci=None),
        general(bottlerocket_version="v1.39.0", soci=None),
        gpu(instance_types=(), families=["p6-b300", "g7e"], bottlerocket_version="v1.53.0"),
        gpu(instance_types=(), families=["p6-b200", "p3dn", "g4dn"], bottlerocket_version="v1.50.0"),
        general(cpu_limit=4),
        general(cpu_limit=2, families=["m7i"]),
        general(cpu_limit=1, instance_types=["m9x.large"]),
        general(cpu_limit=1, families=["m7i", "m9x"]),
        general(categories=["c", "d", "hpc", "i", "m", "r", "t", "u", "x"]),
        general(categories=["u"], cpus=[448], cpu_limit=448),
        general(instance_types=["m7i.metal-24xl"], cpu_limit=96),
        general(families=["t2", "m4", "z1d"]),
    ]
    assert [text for pool in allowed for text in wrong(pool)] == []


def test_a_limit_is_required() -> None:
    """It caps the bill. mypy says the same before."""
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'limit'"):
        GpuPool("a", instance_types=["p5.48xlarge"])  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'cpu_limit'"):
        GeneralPool("a")  # type: ignore[call-arg]


# --- Pools that could take the same pod -----------------------------------------------------------------------------------------

TEAM, BATCH = Taint(key="team", value="a"), Taint(key="batch")


@pytest.mark.parametrize(
    ("pools", "overlap"),
    [
        ([gpu("a", weight=None)], [("a", "gpu-spot")]),
        ([general("a", weight=None)], [("a", "default")]),
        ([gpu("a"), gpu("b")], [("b", "a")]),
        ([gpu("a"), gpu("b"), gpu("c")], [("b", "a"), ("c", "a")]),
        ([gpu("a", instance_types=["g6e.xlarge"], limit=1), gpu("b")], [("b", "a")]),
        ([gpu("a", taints=[TEAM, BATCH]), gpu("b", taints=[BATCH, TEAM])], [("b", "a")]),
        ([gpu("a", labels={"x": "1", "y": "2"}), gpu("b", labels={"y": "2", "x": "1"})], [("b", "a")]),
        ([gpu("a", weight=1), gpu("b", weight=2)], []),
        ([gpu("a", weight=None, labels={"team": "a"}), gpu("b", weight=None, labels={"team": "b"})], []),
        ([gpu("a", weight=None, taints=[TEAM]), gpu("b", weight=None, taints=[Taint(key="team", value="b")])], []),
        ([gpu("a", taints=[TEAM]), gpu("b", taints=[Taint(key="team", value="a", effect="NoExecute")])], []),
        ([gpu("a"), general("b")], []),  # only pods that tolerate the GPU taint use a GPU pool
    ],
)
def test_pools_that_could_take_the_same_pod_must_differ(pools: list[Pool], overlap: list[tuple[str, str]]) -> None:
    said = [text for text in wrong(*pools) if "both could take the same pod" in text]
    kind = "gpu_pools" if isinstance(pools[0], GpuPool) else "general_pools"
    assert said == [
        f'{kind}["{pool}"] must differ from pool {other} in weight, or in a label or taint, because both could take the same pod. '
        "Set a weight, for example."
        for pool, other in overlap
    ]


@pytest.mark.parametrize("weight", [1, None])
def test_a_pool_that_is_listed_twice_is_one_line(weight: int | None) -> None:
    assert wrong(*[gpu("a", weight=weight)] * 2) == ["gpu_pools and general_pools must not contain two pools named 'a'."]


def test_two_pools_cannot_have_one_name_even_if_one_is_general() -> None:
    assert wrong(gpu("a"), general("a")) == ["gpu_pools and general_pools must not contain two pools named 'a'."]


# --- Objects --------------------------------------------------------------------------------------------------------------------


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
    assert node_class.keys().isdisjoint({"instanceStorePolicy", "blockDeviceMappings"})
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


def asked(document: Json, name: str) -> Any:
    """The types of a pool that EC2 is asked about."""
    (filter_,) = document["data"]["aws_ec2_instance_type_offerings"][f"nodepool_{name}"]["filter"]
    assert filter_ == {"name": "instance-type", "values": f"${{local.nodepool_{name}_types}}"}
    return document["locals"][f"nodepool_{name}_types"]


def test_ec2_is_asked_where_it_offers_the_types_of_each_pool(document: Json) -> None:
    for name in ("research", "small", "db"):
        requirements = f"local.nodepool_{name}.spec.template.spec.requirements"
        assert asked(document, name) == (
            f'${{flatten([for one in {requirements} : one.values if one.key == "node.kubernetes.io/instance-type"])}}'
        )
    assert {name.partition(".")[0] for name in asked(document, "web")} == {"m7i", "m7a"}
    assert "c7i.2xlarge" in asked(document, "build")
    checks = {name: check["assert"][0] for name, check in document["check"].items() if "pool" in name}
    assert {name: check["condition"] for name, check in checks.items()} == {
        f"nodepool_{name}_types_are_offered": (
            f"${{length(setintersection(data.aws_ec2_instance_type_offerings.nodepool_{name}.locations, {zones})) > 0}}"
        )
        for name, zones in (
            ("research", '["us-west-2b", "us-west-2c"]'),
            *((name, "local.azs") for name in ("small", "build", "web", "db")),
        )
    }
    assert checks["nodepool_web_types_are_offered"]["error_message"] == (
        "EC2 does not offer any instance type of pool web in the zones that the pool uses. Choose other instance types or zones."
    )


def test_ec2_is_asked_about_every_size_of_a_family_that_the_program_does_not_know() -> None:
    made = synth_stack(ClusterConfig("karpenter", general_pools=[general(families=["z1d", "m99"])]))
    assert asked(made, "a")[-2:] == ["z1d.metal", "m99.*"]


def test_ec2_is_not_asked_about_a_pool_with_more_types_than_a_filter_takes() -> None:
    made = synth_stack(ClusterConfig("karpenter", general_pools=[general()]))
    assert len(general().known_types()) > 200
    assert "nodepool_a" not in made["data"]["aws_ec2_instance_type_offerings"]
    assert "nodepool_a_types_are_offered" not in made["check"]


@pytest.mark.parametrize(
    ("pool", "unknown", "sizes"),
    [
        (gpu(instance_types=["p5.47xlarge", "p9.48xlarge", "p5.48xlarge"]), "p5.47xlarge", "p5.4xlarge, p5.48xlarge"),
        (
            general(instance_types=["z1d.8xlarge", "m99.large"]),
            "z1d.8xlarge",
            "z1d.large, z1d.xlarge, z1d.2xlarge, z1d.3xlarge, z1d.6xlarge, z1d.12xlarge, z1d.metal",
        ),
    ],
)
def test_an_unknown_size_of_a_known_family_must_be_offered(pool: Pool, unknown: str, sizes: str) -> None:
    """As in gpu_instance_types: EC2 is asked at plan, because it adds sizes. A family that is not known may be new."""
    kind = "gpu_pools" if isinstance(pool, GpuPool) else "general_pools"
    made = synth_stack(ClusterConfig("karpenter", **{kind: [pool]}))  # type: ignore[arg-type]
    assert made["locals"]["nodepool_a_types_of_unknown_size"] == (
        f'${{setsubtract(["{unknown}"], data.aws_ec2_instance_type_offerings.nodepool_a.instance_types)}}'
    )
    (rule,) = (
        rule
        for rule in made["resource"]["random_string"]["suffix"]["lifecycle"]["precondition"]
        if "nodepool_a_types" in rule["condition"]
    )
    assert rule["error_message"] == (
        "The instance types of pool a must be sizes that EC2 offers (got ${jsonencode(local.nodepool_a_types_of_unknown_size)}). "
        f"The known sizes are {sizes}."
    )


def test_offering_checks_of_pools_can_be_disabled() -> None:
    pools = [general("b", instance_types=["m7i.47xlarge"])]
    without = synth_stack(ClusterConfig("karpenter", gpu_pools=[gpu()], general_pools=pools, offering_checks=False))
    assert "aws_ec2_instance_type_offerings" not in without["data"]
    assert not any("_types" in name and "nodepool_" in name for name in without["locals"])
    assert not any("pool" in name for name in without["check"])


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


# --- Karpenter's CRDs -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def crds() -> dict[str, list[Crd]]:
    """By kind, the CRDs of all versions."""
    found: dict[str, list[Crd]] = {"EC2NodeClass": [], "NodePool": []}
    for version in VERSIONS:
        for kind, name in (("EC2NodeClass", "karpenter.k8s.aws_ec2nodeclasses"), ("NodePool", "karpenter.sh_nodepools")):
            found[kind].append(Crd(SHARED / "crds" / f"karpenter-{version}" / f"{name}.yaml"))
    return found


def refusals(crds: dict[str, list[Crd]], objects: list[Json]) -> dict[str, list[str]]:
    """By object and version, what Kubernetes would say."""
    said = {
        f"{manifest['kind']} {manifest['metadata']['name']} {version}": crd.errors(manifest)
        for manifest in objects
        for version, crd in zip(VERSIONS, crds[manifest["kind"]], strict=True)
    }
    return {which: errors for which, errors in said.items() if errors}


def manifests(document: Json, *names: str) -> list[Json]:
    """The objects as Karpenter gets them."""
    return rendered([document["locals"][f"{kind}_{name}"] for name in names for kind in ("ec2nodeclass", "nodepool")])


def rendered(objects: list[Json]) -> list[Json]:
    """The objects without Terraform expressions: of the variables that they name, gpu_drift_budget is null."""
    made: list[Json] = json.loads(json.dumps(objects).replace("${local.name}", "eks-spot-gpu-zz9x"))
    for disruption in (one["spec"]["disruption"] for one in made if one["kind"] == "NodePool"):
        if disruption.get("budgets") == DRIFT_BUDGETS:
            del disruption["budgets"]
    return made


@needs_crds
def test_pools_with_every_field_set_pass_the_crds_of_every_version(document: Json, crds: dict[str, list[Crd]]) -> None:
    objects = manifests(document, "research", "small", "build", "web", "db")
    assert "${" not in json.dumps(objects)
    assert len(objects) == 10
    assert refusals(crds, objects) == {}


# Text of every kind: a pool with it is either refused here, or Kubernetes and Karpenter accept it.
word = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
anything = st.one_of(word, st.text(max_size=5), st.from_regex(r"[a-zA-Z0-9._/-]{0,70}", fullmatch=True))
KEYS = [
    *("a.b/c", "Name", "nvidia.com/gpu", "a/b/c", "/a", "a/", f"{'a' * 253}/b", f"{'a' * 254}/b", f"a/{'b' * 64}"),
    *("karpenter.sh/x", "karpenter.sh/disrupted", "karpenter.sh/unregistered", "karpenter.sh/capacity-type", "karpenter.k8s.aws/x"),
    *("kubernetes.io/arch", "kubernetes.io/hostname", "x.kubernetes.io/y", "mykubernetes.io/y", "k8s.io/y", "kops.k8s.io/y"),
    *("my.kubernetes.io", "foo.k8s.io", "karpenter.sh", "my.karpenter.k8s.aws", "node.kubernetes.io", "kops.k8s.io", "example.com"),
    *("node.kubernetes.io/z", "x.node.kubernetes.io/z", "mynode.kubernetes.io/z", "node-restriction.kubernetes.io/z"),
    *("node.kubernetes.io/instance-type", "node.kubernetes.io/windows-build", "topology.kubernetes.io/zone"),
    *("topology.k8s.aws/zone-id", "karpenter.k8s.aws/instance-family", "karpenter.k8s.aws/instance-cpu"),
    *("node.kubernetes.io/not-ready", "node.cloudprovider.kubernetes.io/uninitialized", "readiness.k8s.io/x"),
]
DURATIONS = [
    *(
        "Never",
        "never",
        "0s",
        "0h",
        "0h0m",
        "1m",
        "14m59s",
        "15m",
        "899s",
        "900s",
        "8h",
        "20h30m",
        "20h30m0s",
        "30m1h",
        "1.5h",
        "-1h",
    ),
    *("2562047h47m", "2562047h47m16s", "2562047h47m17s", "2562048h", "9999999h", "9223372036s", "9223372037s", "153722868m"),
    *("99999999999999999999h", "\N{ARABIC-INDIC DIGIT NINE}9h", "1h\n", "5"),
]
SCHEDULES = [
    *(
        "@daily",
        "@soon",
        "@every 1h",
        "@Daily",
        "@dailyx",
        "* *",
        "0 9 * * mon-fri",
        "0 9 * * 1 2",
        "TZ=UTC 0 9 * * *",
        "0  9 * * 1",
    ),
    *("0 0 * * sat-sun", "0 25 * * *", "60 0 * * *", "0 0 * * 7", "0 0 0 * *", "0 0 32 * *", "0 0 * 13 *", "0 0 * 0 *"),
    *("*/0 * * * *", "*/5 * * * ?", "5/70 * * * *", "1-2-3 * * * *", "9-8 * * * *", "0 0 * january *", "0 0 L * *", ", * * * *"),
    *("0 0 31 2 *", "0 0 30 feb ?", "0 0 31 4,6 */1", "0 0 31 2 mon", "0 0 29 2 *", "0 0 31 2 */2", "0 0 31 11 1,*", "0 0 ? 2 *"),
]
NUMBERS = [
    "0",
    "1",
    "007",
    "10%",
    "100%",
    "101%",
    "999999999",
    "2147483647",
    "2147483648",
    "4294967296",
    "9" * 20,
    "\N{ARABIC-INDIC DIGIT NINE}",
]
number = st.from_regex(r"[0-9]{1,2}|[a-z]{3}", fullmatch=True)
field = st.builds(
    lambda parts: ",".join(parts),
    st.lists(
        st.builds(
            "".join,
            st.tuples(
                st.one_of(st.sampled_from("*?"), number, st.builds("{}-{}".format, number, number)),
                st.sampled_from(["", "", "/2", "/0"]),
            ),
        ),
        min_size=1,
        max_size=2,
    ),
)
schedule = st.one_of(
    st.sampled_from(SCHEDULES),
    st.lists(st.one_of(st.just("*"), field), min_size=5, max_size=5).map(" ".join),
    st.builds("0 0 {} {} {}".format, st.integers(28, 32), st.integers(1, 12), st.sampled_from(["*", "?", "mon", "0-6", "*/2"])),
)
key = st.one_of(anything, st.sampled_from(KEYS))
duration = st.one_of(st.sampled_from(DURATIONS), st.from_regex(r"([0-9]{1,8}[smh]){1,2}", fullmatch=True))
taint = st.builds(Taint, key=key, value=anything, effect=st.sampled_from(["NoSchedule", "PreferNoSchedule", "NoExecute"]))
budget = st.builds(
    Budget,
    nodes=st.one_of(st.sampled_from(NUMBERS), st.from_regex(r"[0-9]{1,12}%?", fullmatch=True)),
    reasons=st.lists(st.sampled_from(["Empty", "Drifted", "Underutilized"]), max_size=2),
    schedule=st.one_of(st.none(), schedule),
    duration=st.one_of(st.none(), duration),
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "name": anything,
    "capacity_types": st.lists(st.sampled_from(["spot", "on-demand", "reserved"]), max_size=3),
    "zones": st.lists(st.sampled_from(["us-west-2a", "us-west-2b"]), max_size=2),
    "taints": st.lists(taint, max_size=3),
    "labels": st.dictionaries(key, anything, max_size=2),
    "weight": st.one_of(st.none(), st.integers(-1, 102)),
    "consolidation_policy": st.sampled_from(["WhenEmpty", "WhenEmptyOrUnderutilized"]),
    "consolidate_after": duration,
    "expire_after": duration,
    "budgets": st.lists(budget, max_size=2),
    "data_volume": st.builds(
        DataVolume, size_gib=st.integers(1, 60000), iops=st.integers(2000, 81000), throughput_mib=st.integers(100, 2100)
    ),
    "tags": st.dictionaries(key, anything, max_size=2),
    "bottlerocket_version": st.sampled_from(["latest", "v1.53.0", "1.53.0", "v1.2"]),
    "soci": st.one_of(
        st.none(),
        st.builds(
            SociParallelPull,
            downloads=st.integers(0, 100),
            chunk_size=st.from_regex(r"[0-9]{1,2}(mb|kb|)", fullmatch=True),
            unpacks=st.integers(0, 100),
        ),
    ),
}
GPU_FIELDS = FIELDS | {
    "limit": st.one_of(st.integers(0, 100), st.sampled_from([2**31, 2**63, 2**64])),
    "instance_types": st.lists(st.sampled_from(list(gpus_by_type())), max_size=60, unique=True),
}
GENERAL_FIELDS = FIELDS | {
    "cpu_limit": st.one_of(st.integers(0, 1000), st.sampled_from([2**31, 2**63, 2**64])),
    "categories": st.lists(st.sampled_from(["c", "m", "r"]), max_size=3),
    "cpus": st.lists(st.sampled_from([4, 8]), max_size=2),
    "families": st.lists(st.sampled_from(["m7i", "c7a"]), max_size=2),
}


def some(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Values for one field or two, so that many pools are not refused."""
    names = st.sets(st.sampled_from(list(fields)), min_size=1, max_size=2)
    return names.flatmap(lambda names: st.fixed_dictionaries({name: fields[name] for name in sorted(names)}))


POOLS = st.one_of(
    some(GPU_FIELDS).map(lambda given: replace(gpu(limit=64), **given)),
    some(GENERAL_FIELDS).map(lambda given: replace(general(), **given)),
)


@pytest.fixture(scope="module")
def node_pools(tmp_path_factory: pytest.TempPathFactory) -> NodePools:
    """The construct that makes the objects of a pool."""
    folder = tmp_path_factory.mktemp("pools")
    return KarpenterStack(App(outdir=str(folder)), ClusterConfig("karpenter"), project=folder).node_pools


def further(node_pools: NodePools, pool: Pool) -> NodePool:
    return node_pools._configured(pool, DRIFT_BUDGETS if isinstance(pool, GpuPool) else None)


@needs_crds
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(pool=POOLS)
def test_a_pool_that_is_not_refused_passes_the_crds_of_every_version(
    node_pools: NodePools, crds: dict[str, list[Crd]], pool: Pool
) -> None:
    assume(not wrong(pool))
    made = further(node_pools, pool)
    assert refusals(crds, rendered([made.node_class.manifest(), made.manifest()])) == {}
    tomllib.loads(made.node_class.user_data)


# --- Karpenter's source ---------------------------------------------------------------------------------------------------------

# Each of the texts above in its field, and others like them.
TRICKY = [
    *(gpu(expire_after=text) for text in DURATIONS),
    *(gpu(consolidate_after=text) for text in DURATIONS),
    *(gpu(budgets=[Budget(nodes="1", schedule="@daily", duration=text)]) for text in DURATIONS),
    *(gpu(budgets=[Budget(nodes="1", schedule=text, duration="8h")]) for text in SCHEDULES),
    *(gpu(budgets=[Budget(nodes=text)]) for text in NUMBERS),
    gpu(budgets=[Budget(nodes="1")] * 51),
    gpu(budgets=[Budget(nodes="0", reasons=["Drifted"])], consolidate_after="Never"),
    *(general(labels={text: "x"}) for text in KEYS),
    *(general(taints=[Taint(key=text)]) for text in KEYS),
    *(gpu(taints=[Taint(key=text, value="true")]) for text in KEYS),
    general(taints=[Taint(key="a"), Taint(key="a", value="x")]),
    general(taints=[Taint(key="a", value="x" * 64)]),
    general(labels={"a": "x" * 64}),
    general(labels={f"l{number}": "x" for number in range(100)}),
    gpu(limit=2**63),
    general(cpu_limit=2**63),
]
EXAMPLES = int(os.environ.get("KARPENTER_EXAMPLES", "30"))  # a run of many thousands takes minutes


def manifest_of(node_pools: NodePools, pool: Pool) -> Json:
    """The NodePool of a pool as Karpenter gets it."""
    (made,) = rendered([further(node_pools, pool).manifest()])
    return made


def test_a_tricky_value_is_refused_or_stands_before_karpenter(node_pools: NodePools) -> None:
    accepted = [pool for pool in TRICKY if not wrong(pool)]
    assert 40 < len(accepted) < len(TRICKY) - 40
    for pool in accepted:
        manifest = manifest_of(node_pools, pool)
        assert karpenter_rules.refusals(manifest) == []
        assert karpenter_rules.unlimited(manifest) == set(pool.unlimited_reasons())


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(pool=POOLS)
def test_a_pool_that_is_not_refused_stands_before_karpenter(node_pools: NodePools, pool: Pool) -> None:
    """`tests/karpenter_rules.py` has the rules, each with the file in Karpenter's source."""
    assume(not wrong(pool))
    manifest = manifest_of(node_pools, pool)
    assert karpenter_rules.refusals(manifest) == []
    assert karpenter_rules.unlimited(manifest) == set(pool.unlimited_reasons())


def test_a_pool_cannot_have_a_label_that_one_of_its_requirements_uses(document: Json) -> None:
    keys = {
        requirement["key"]
        for name in ("research", "small", "build", "web", "db")
        for requirement in spec(document, f"nodepool_{name}")["template"]["spec"]["requirements"]
    }
    assert len(keys) > 6
    assert [key for key in sorted(keys) if not wrong(general(labels={key: "x"}))] == []


# --- In Terraform ---------------------------------------------------------------------------------------------------------------


def planned(folder: Path, *pools: Pool, expect: int = 0, **fields: Any) -> str:
    """What a plan of a cluster with these pools says, on one line. The stubs offer no p5 in us-west-2a and us-west-2b."""
    config = ClusterConfig(
        "karpenter",
        region="us-west-2",
        gpu_instance_types=["g6e.xlarge"],
        gpu_pools=[pool for pool in pools if isinstance(pool, GpuPool)],
        general_pools=[pool for pool in pools if isinstance(pool, GeneralPool)],
        **fields,
    )
    folder.mkdir()
    workspace = Workspace(folder / "project", write_stack(folder, config))
    return " ".join(workspace.run("plan", "-input=false", expect=expect).output.split())


@pytest.mark.terraform
@needs_terraform
def test_a_pool_is_judged_by_the_zones_of_the_network_and_by_what_ec2_offers(tmp_path: Path) -> None:
    warned = planned(
        tmp_path / "warned",
        gpu("here", zones=["us-west-2a"]),
        gpu("there", zones=["us-west-2a", "us-west-2c"], weight=2),
        general("web", families=["m99"]),
        general("db", families=["r7i"], weight=2),
        general("build", categories=["c"], cpus=[8], weight=3),
    )
    for name in ("here", "web"):
        assert f"EC2 does not offer any instance type of pool {name} in the zones that the pool uses." in warned
    assert not any(f"pool {name} " in warned for name in ("there", "db", "build"))
    refused = planned(tmp_path / "refused", gpu("here", zones=["us-west-1a", "us-west-2c"]), expect=1)
    assert 'The zones of pool here must be zones of the network (got ["us-west-1a"]). Its zones are us-west-2a,' in refused


@pytest.mark.terraform
@needs_terraform
def test_a_size_that_ec2_does_not_have_is_refused_for_every_pool(tmp_path: Path) -> None:
    refused = planned(
        tmp_path / "refused",
        gpu("train", instance_types=["p5.48xlarge", "p5.47xlarge"]),
        general("web", instance_types=["m7i.47xlarge"]),
        expect=1,
    )
    assert 'The instance types of pool train must be sizes that EC2 offers (got ["p5.47xlarge"]). The known sizes are' in refused
    assert 'The instance types of pool web must be sizes that EC2 offers (got ["m7i.47xlarge"]). The known sizes are' in refused
    new = planned(tmp_path / "new", gpu("train", instance_types=["p5.24xlarge"]), general("web", instance_types=["z1d.8xlarge"]))
    assert "must be sizes" not in new


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
