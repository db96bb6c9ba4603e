"""What a synthesis says of the clusters that it has written."""

from pathlib import Path
from typing import Any

import pytest

from stacks.config import ClusterConfig, GeneralPool, GpuPool, Taint, recommended
from stacks.config.checks import ConfigurationError
from stacks.config.fleet import refuse_mistakes
from stacks.config.pools import Pool
from stacks.reports import summary as report
from stacks.reports.summary import chosen_by, nodes_of

TEAM, BATCH = Taint(key="team", value="a"), Taint(key="batch")


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
    return list(report.summary(clusters, page=Path("main.py"), outdir=project / "cdktf.out", project=project))


def test_the_summary_of_a_cluster_has_its_pools_and_the_steps_up_to_the_apply(project: Path) -> None:
    cluster = recommended(
        "a",
        region="us-west-2",
        gpu_instance_types=["p5.48xlarge"],
        gpu_pools=[GpuPool("x", families=["p4de"], limit=8, labels={"team": "a"})],
        general_pools=[GeneralPool("web", cpu_limit=64, weight=2)],
    )
    assert summary(project, cluster) == [
        "Wrote cdktf.out/stacks/a/cdk.tf.json",
        "  GPU pool x: p4de.24xlarge; pods choose the pool by label team=a; pods that choose no pool get this pool before gpu-spot",
        "  General pool web: categories c, m, r with 4, 8, 16, 32 vCPUs; weight 2; pods that choose no pool get this pool before "
        "default",
        "\nNext:",
        "  make plan STACK=a",
        "  make apply STACK=a",
    ]


def test_the_summary_of_several_clusters_names_each(project: Path) -> None:
    given: dict[str, Any] = {"gpu_instance_types": ["p5.48xlarge"]}
    clusters = [ClusterConfig("a", region="us-west-2", **given), ClusterConfig("b", region="eu-west-1", **given)]
    assert summary(project, *clusters) == [
        "Wrote cdktf.out/stacks/a/cdk.tf.json",
        "Wrote cdktf.out/stacks/b/cdk.tf.json",
        "\nNext, for each <name> of a, b:",
        "  make plan STACK=<name>",
        "  make apply STACK=<name>",
    ]


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
    assert several[several.index("\nNext:") + 2 :] == [
        "  set region of a in main.py",
        "\nThen, for each <name> of a, b:",
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


def test_the_summary_does_not_compare_pools_with_a_default_pool_that_is_off(project: Path) -> None:
    pools: dict[str, Any] = {"gpu_pools": [gpu("x")], "general_pools": [general("y")]}
    for cluster, order in (
        (ClusterConfig("a", **pools), ["before gpu-spot", "before default"]),
        (ClusterConfig("a", **pools, default_pool=False), ["before gpu-spot", "can get this pool"]),
        (ClusterConfig("a", **pools, gpu_spot_pool=False), ["can get this pool", "before default"]),
    ):
        lines = [line for line in summary(project, cluster) if " pool " in line]
        assert [line.endswith(end) for line, end in zip(lines, order, strict=True)] == [True, True]


@pytest.mark.parametrize(
    ("pool", "words"),
    [
        (gpu(weight=7), "weight 7; pods that choose no pool get this pool before gpu-spot"),
        (gpu(weight=None), "pods that choose no pool get this pool after gpu-spot"),
        (gpu("research", weight=None), "pods that choose no pool get this pool before gpu-spot"),
        (general("a", weight=None), "pods that choose no pool get this pool after default"),
        (
            gpu(labels={"team": "a"}, taints=[TEAM]),
            "weight 1; pods choose the pool by label team=a; pods must tolerate taint team=a",
        ),
        (gpu(weight=None, taints=[BATCH]), "pods must tolerate taint batch"),
        (
            gpu(weight=None, taints=[Taint(key="team", effect="PreferNoSchedule")]),
            "pods that choose no pool get this pool after gpu-spot",
        ),
    ],
)
def test_it_is_said_how_pods_come_to_a_pool(pool: Pool, words: str) -> None:
    assert chosen_by(pool, beside="gpu-spot" if isinstance(pool, GpuPool) else "default") == words


@pytest.mark.parametrize(
    ("pool", "words"),
    [
        (gpu(weight=7), "weight 7; pods that choose no pool can get this pool"),
        (general(weight=None, labels={"x": "y"}), "pods choose the pool by label x=y; pods that choose no pool can get this pool"),
        (gpu(weight=None, taints=[BATCH]), "pods must tolerate taint batch"),
    ],
)
def test_without_the_default_pool_a_pool_is_not_compared_with_the_default_pool(pool: Pool, words: str) -> None:
    assert chosen_by(pool, beside=None) == words


@pytest.mark.parametrize(
    ("pool", "words"),
    [
        (gpu(instance_types=(), families=["p4de", "p4d"]), "p4d.24xlarge, p4de.24xlarge"),
        (general(instance_types=["m7i.large", "c7i.large"]), "m7i.large, c7i.large"),
        (general(families=["m7i", "c7i"]), "families m7i, c7i"),
        (general(cpus=[8, 16]), "categories c, m, r with 8, 16 vCPUs"),
    ],
)
def test_it_is_said_which_nodes_a_pool_may_have(pool: Pool, words: str) -> None:
    assert nodes_of(pool) == words
