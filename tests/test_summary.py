"""What a synthesis says of the clusters that it has written."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from stacks.config import Budget, ClusterConfig, GeneralPool, GpuPool, Taint, recommended
from stacks.config.checks import ConfigurationError
from stacks.config.fleet import refuse_mistakes
from stacks.config.spending import known_pools
from stacks.reports import summary as report
from stacks.reports.prices import LEFT_OUT
from stacks.reports.summary import as_json, instance_types

TODAY = date(2026, 11, 25)
OTHERS = "load balancer controller {}, Bottlerocket latest"


def gpu(name: str = "a", **fields: Any) -> GpuPool:
    given: dict[str, Any] = {"instance_types": ["p5.48xlarge"], "limit": 8, "weight": 1} | fields
    return GpuPool(name, **given)


def general(name: str = "a", **fields: Any) -> GeneralPool:
    given: dict[str, Any] = {"cpu_limit": 64, "weight": 1} | fields
    return GeneralPool(name, **given)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which main.py runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def summary(project: Path, *clusters: ClusterConfig) -> list[str]:
    lines = report.summary(clusters, page=Path("main.py"), outdir=project / "cdktf.out", project=project, today=TODAY)
    return "\n".join(lines).split("\n")


def test_a_limit_of_one_gpu_is_singular(project: Path) -> None:
    pool = GpuPool("small", instance_types=["g6e.2xlarge"], limit=1)
    lines = summary(project, ClusterConfig("a", region="us-west-2", gpu_spot_pool=False, gpu_pools=[pool]))
    assert any("  1 GPU  " in line for line in lines)


def test_the_summary_of_a_cluster_has_its_pools_what_they_may_cost_and_the_steps_up_to_the_apply(project: Path) -> None:
    cluster = recommended(
        "a",
        region="us-west-2",
        availability_zones=["us-west-2a", "us-west-2b", "us-west-2c"],
        gpu_instance_types=["p5.48xlarge"],
        gpu_pools=[
            GpuPool(
                "inference",
                families=["p4de", "p5"],
                limit=8,
                capacity_types=["on-demand"],
                taints=[Taint(key="team", value="a", effect="NoExecute")],
                budgets=[Budget(nodes="1"), Budget(nodes="0", reasons=["Drifted"], schedule="0 6 * * *", duration="20h")],
            )
        ],
    )
    lines = summary(project, cluster)
    table = lines[4:8]
    assert [re.split("  +", line.strip()) for line in table] == [
        ["pool", "$/hour", "limit", "capacity", "budget", "taints", "instance types"],
        ["default", "117.24", "1000 vCPUs", "spot, on-demand", "10%", "none", "categories c, m, r with 4, 8, 16, 32 vCPUs"],
        [
            *("inference", "55.04", "8 GPUs", "on-demand", "1, 0 of Drifted from 0 6 * * * for 20h"),
            *("nvidia.com/gpu, team=a:NoExecute", "p4de.24xlarge, p5.{4xlarge,48xlarge}"),
        ],
        ["gpu-spot", "220.16", "32 GPUs", "spot", "10%, 0 of Drifted", "nvidia.com/gpu", "p5.48xlarge"],
    ]
    assert {line.index(cell) for line, cell in zip(table, ("limit", "1000", "8 G", "32 G"), strict=True)} == {21}
    assert [*lines[:4], *lines[8:]] == [
        "Wrote cdktf.out/stacks/a/cdk.tf.json",
        "  us-west-2, us-west-2a, us-west-2b, us-west-2c",
        f"  Kubernetes 1.35 (standard support until 2027-03-27), Karpenter 1.14.1, {OTHERS.format('3.5.0')}",
        "",
        "",
        "  Nodes cost at most $392.44 an hour, of which $275.20 in GPU pools.",
        "  An idle cluster costs $0.34 an hour: control plane $0.10, NAT gateway $0.05, node group $0.19.",
        "",
        "List prices of 2026-07-20; Spot never costs more than on-demand. Not counted: disks, traffic, load balancers, logs, nodes "
        "while others replace them, reservations, discounts.",
        "",
        "Next:",
        "  make plan STACK=a",
        "  make apply STACK=a",
    ]


def test_the_summary_of_several_clusters_names_each(project: Path) -> None:
    given: dict[str, Any] = {"gpu_instance_types": ["p5.48xlarge"]}
    clusters = [ClusterConfig("a", region="us-west-2", **given), ClusterConfig("b", region="eu-north-1", gpu_limit=8, **given)]
    lines = summary(project, *clusters)
    assert [line for line in lines if line.startswith("Wrote")] == [
        "Wrote cdktf.out/stacks/a/cdk.tf.json",
        "Wrote cdktf.out/stacks/b/cdk.tf.json",
    ]
    assert "All clusters: nodes cost at most $293.37 an hour, of which $58.89 in GPU pools, without a.gpu-spot (no limit)." in lines
    assert lines[-3:] == [
        "Next, for each <name> of a, b:",
        "  make plan STACK=<name>",
        "  make apply STACK=<name>",
    ]


def test_the_summary_of_what_a_fresh_clone_has_says_what_a_plan_is_given(project: Path) -> None:
    lines = summary(project, ClusterConfig("a"))
    assert lines[1:3] == [
        "  region given at plan, every zone without an opt-in",
        f"  Kubernetes 1.33 (extended support until 2027-07-29), Karpenter 1.6.0, {OTHERS.format('2.11.0')}",
    ]
    assert lines[6].split() == ["gpu-spot", "?", "none", "spot", "10%", "nvidia.com/gpu", "given", "at", "plan"]
    assert lines[8:11] == [
        "  Nodes cost at most $117.24 an hour, without gpu-spot (instance types are given at plan).",
        "  default: prices of us-east-1.",
        "  An idle cluster costs $0.84 an hour at prices of us-east-1: control plane $0.60, NAT gateway $0.05, node group $0.19.",
    ]


def test_prices_of_another_region_are_said_to_be_so(project: Path) -> None:
    lines = summary(project, recommended("a", region="eu-north-1", gpu_instance_types=["p5.48xlarge"]))
    assert "  default: prices of us-east-1, because the program has none of eu-north-1." in lines
    assert any(line.startswith("  An idle cluster costs $0.34 an hour at prices of us-east-1: ") for line in lines)


def test_the_summary_says_that_a_limit_of_nodes_is_not_exact(project: Path) -> None:
    def said(**fields: Any) -> list[str]:
        pool = GpuPool("b", instance_types=["p5.48xlarge"], limit=32, **fields)
        lines = summary(project, ClusterConfig("a", region="us-west-2", karpenter_version="1.14.1", gpu_pools=[pool]))
        return [line for line in lines if "scheduling round" in line]

    assert said(node_limit=2) == ["  b: node_limit may be passed within a scheduling round, up to the other limit."]
    assert said() == said(replicas=2) == []


def test_a_cluster_without_pools_has_no_table(project: Path) -> None:
    lines = summary(project, ClusterConfig("a", region="us-east-1", default_pool=False, gpu_spot_pool=False))
    assert lines[3] == "  An idle cluster costs $0.84 an hour: control plane $0.60, NAT gateway $0.05, node group $0.19."


def test_an_unknown_type_is_why_a_pool_is_not_in_the_sum(project: Path) -> None:
    pools = [gpu("x", instance_types=["p9.48xlarge", "p5e.48xlarge"])]
    lines = summary(project, ClusterConfig("a", region="us-east-1", gpu_spot_pool=False, default_pool=False, gpu_pools=pools))
    assert "  Nodes cost at most $0.00 an hour, without x (no list price of p9.48xlarge, p5e.48xlarge)." in lines


def test_the_summary_says_which_pool_has_efa(project: Path) -> None:
    cluster = ClusterConfig("a", gpu_spot_pool=False, gpu_pools=[gpu(efa=True, zones=["us-west-2a"]), gpu("b", weight=2)])
    lines = summary(project, cluster)
    assert [line.split("  ")[-1] for line in lines if "nvidia.com/gpu" in line] == ["p5.48xlarge", "p5.48xlarge with EFA"]
    (made,) = json.loads(as_json([cluster], outdir=project / "cdktf.out", today=TODAY))["clusters"]
    assert {pool["name"]: pool["efa"] for pool in made["pools"]} == {"default": False, "a": True, "b": False}


def test_the_json_has_what_the_summary_has(project: Path) -> None:
    cluster = recommended("a", region="us-west-2", gpu_instance_types=["p5.48xlarge"], default_pool=False, max_hourly_usd=300)
    assert json.loads(as_json([cluster], outdir=project / "cdktf.out", today=TODAY)) == {
        "prices_of": "2026-07-20",
        "left_out": list(LEFT_OUT),
        "most_expensive_hour_usd": 220.16,
        "clusters": [
            {
                "name": "a",
                "file": "cdktf.out/stacks/a/cdk.tf.json",
                "region": "us-west-2",
                "zones": None,
                "kubernetes": {
                    "version": "1.35",
                    "standard_support_ends": "2027-03-27",
                    "extended_support_ends": "2028-03-27",
                },
                "karpenter_version": "1.14.1",
                "load_balancer_controller_version": "3.5.0",
                "bottlerocket_version": "latest",
                "most_expensive_hour_usd": 220.16,
                "max_hourly_usd": 300,
                "idle_hour_usd": {"control plane": 0.1, "NAT gateway": 0.05, "node group": 0.192},
                "pools": [
                    {
                        "name": "gpu-spot",
                        "instance_types": ["p5.48xlarge"],
                        "capacity_types": ["spot"],
                        "efa": False,
                        "limits": {"nvidia.com/gpu": 32},
                        "pods_per_gpu": 1,
                        "weight": None,
                        "labels": {},
                        "budgets": [{"nodes": "10%"}, {"nodes": "0", "reasons": ["Drifted"]}],
                        "taints": [{"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}],
                        "most_expensive_hour_usd": 220.16,
                        "priced_as_in": "us-west-2",
                        "not_priced": [],
                    }
                ],
            }
        ],
    }


def test_a_sum_of_which_a_part_is_not_known_is_null_in_the_json(project: Path) -> None:
    document = json.loads(as_json([ClusterConfig("a")], outdir=project, today=TODAY))
    (cluster,) = document["clusters"]
    assert [document["most_expensive_hour_usd"], cluster["most_expensive_hour_usd"], cluster["region"]] == [None, None, None]
    assert [pool["most_expensive_hour_usd"] for pool in cluster["pools"]] == [117.24, None]
    assert [pool["priced_as_in"] for pool in cluster["pools"]] == ["us-east-1", None]


def test_the_summary_says_where_the_variables_that_a_cluster_needs_are_given(project: Path) -> None:
    """A file of variables is for all clusters, and is refused where Python gives the variable for one."""
    copy = "  cp -n terraform.tfvars.example terraform.tfvars   # then set {} in terraform.tfvars"
    a, b = ClusterConfig("a"), ClusterConfig("b", region="us-west-2")
    assert copy.format("region and gpu_instance_types") in summary(project, a)
    assert [line for line in summary(project, a, b) if " set " in line] == [
        copy.format("gpu_instance_types and remove region"),
        "  set region of a in main.py",
    ]
    several = summary(project, a, b)
    assert several[several.index("Next:") + 2 :] == [
        "  set region of a in main.py",
        "",
        "Then, for each <name> of a, b:",
        "  make plan STACK=<name>",
        "  make apply STACK=<name>",
    ]
    (project / "terraform.tfvars").touch()
    assert "terraform.tfvars" not in "".join(summary(project, a))


def test_a_pool_with_the_name_of_a_default_pool_is_refused_once(project: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        refuse_mistakes([ClusterConfig("a", gpu_pools=[gpu("gpu-spot", weight=None)])], project)
    assert str(refused.value).splitlines() == [
        "a.gpu_pools[\"gpu-spot\"].name must not be 'gpu-spot', a name of the default pools. Choose another name."
    ]


def test_the_summary_asks_for_no_variable_of_a_pool_that_is_off(project: Path) -> None:
    copy = "  cp -n terraform.tfvars.example terraform.tfvars   # then set {} in terraform.tfvars"
    off = ClusterConfig("off", gpu_spot_pool=False)
    assert [line for line in summary(project, off) if " set " in line] == [copy.format("region and remove gpu_instance_types")]
    assert " set " not in "".join(summary(project, ClusterConfig("off", region="us-west-2", gpu_spot_pool=False)))
    assert copy.format("region and gpu_instance_types") in summary(project, off, ClusterConfig("on"))


@pytest.mark.parametrize(
    ("pool", "words"),
    [
        (gpu(instance_types=(), families=["p4de", "p4d"]), "p4d.24xlarge, p4de.24xlarge"),
        (general(instance_types=["m7i.large", "m7i.xlarge", "c7i.large"]), "m7i.{large,xlarge}, c7i.large"),
        (general(families=["m7i", "c7i"]), "families m7i, c7i"),
        (general(cpus=[8, 16]), "categories c, m, r with 8, 16 vCPUs"),
    ],
)
def test_it_is_said_which_nodes_a_pool_may_have(pool: GpuPool | GeneralPool, words: str) -> None:
    pools: dict[str, Any] = {"gpu_pools": [pool]} if isinstance(pool, GpuPool) else {"general_pools": [pool]}
    (known,) = known_pools(ClusterConfig("a", gpu_spot_pool=False, default_pool=False, **pools), None)
    assert instance_types(known) == words
