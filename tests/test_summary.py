"""What a synthesis says of the clusters that it has written."""

from pathlib import Path
from typing import Any

import pytest

from stacks.config import ClusterConfig, GeneralPool, GpuPool, recommended
from stacks.reports import summary as report


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
        copy.format("gpu_instance_types"),
        "  set region of a in main.py",
    ]
    (project / "terraform.tfvars").touch()
    assert "terraform.tfvars" not in "".join(summary(project, a))
