"""What EC2 is asked about the instance types of pools, and what a plan says of the answer."""

from pathlib import Path
from typing import Any

import pytest

from stacks.config import ClusterConfig, GeneralPool, GpuPool
from stacks.config.pools import Pool
from tests.pools import general, gpu, synth_pools
from tests.synthesis import Json, synth_stack, write_stack
from tests.terraform import Workspace, needs_terraform


@pytest.fixture(scope="module")
def document() -> Json:
    return synth_pools()


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
