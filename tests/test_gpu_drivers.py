"""Which GPUs work with the driver of which Bottlerocket."""

import inspect

import pytest

from stacks.aws.gpu_types import GpuTypes
from stacks.config import ClusterConfig
from stacks.knowledge.catalogue import usable_families, usable_gpus
from stacks.knowledge.gpu_drivers import BOTTLEROCKET_DRIVERS, GPU_DRIVERS, mismatches, unproven_families
from stacks.knowledge.versions import KUBERNETES, parts
from tests.synthesis import synth_stack


def failing(kubernetes: str, bottlerocket: str) -> set[str]:
    return {name for found in mismatches(kubernetes=kubernetes, bottlerocket=bottlerocket) for name in found.families}


def test_every_gpu_of_the_catalogue_and_every_kubernetes_version_has_a_row() -> None:
    assert [row.gpu for row in GPU_DRIVERS if row.gpu not in usable_gpus()] == []
    assert {row.gpu for row in GPU_DRIVERS} == set(usable_gpus())
    assert {row.kubernetes for row in BOTTLEROCKET_DRIVERS} == {row.version for row in KUBERNETES}
    for version in KUBERNETES:
        first, *later = [row for row in BOTTLEROCKET_DRIVERS if row.kubernetes == version.version]
        assert first.since == version.bottlerocket
        assert all(parts(one.since) > parts(first.since) and one.branch > first.branch for one in later)


@pytest.mark.parametrize(
    ("kubernetes", "bottlerocket", "fails", "unproven"),
    [
        *((row.version, "latest", {"g7"}, []) for row in KUBERNETES),
        ("1.33", "v1.52.1", {"g7", "p6-b300"}, ["g7e"]),
        ("1.33", "v1.53.0", {"g7"}, []),
        ("1.34", "v1.47.0", {"g7"}, []),
        ("1.99", "latest", set(), usable_families()),
    ],
)
def test_what_fails_and_what_is_not_known(kubernetes: str, bottlerocket: str, fails: set[str], unproven: list[str]) -> None:
    assert failing(kubernetes, bottlerocket) == fails
    assert unproven_families(kubernetes=kubernetes, bottlerocket=bottlerocket) == unproven


def test_gpu_spot_is_judged_by_the_release_of_the_cluster() -> None:
    made = synth_stack(ClusterConfig("karpenter", bottlerocket_version="v1.52.0"))
    assert made["locals"]["gpu_types_without_a_driver_for_b300"] == (
        '${[for type, family in local.gpu_type_families : type if contains(["p6-b300"], family)]}'
    )
    messages = [rule["error_message"] for rule in made["resource"]["random_string"]["suffix"]["lifecycle"]["precondition"]]
    assert any(
        "(got ${jsonencode(local.gpu_types_without_a_driver_for_b300)}): the GPU b300 needs NVIDIA driver R580, and Bottlerocket "
        "v1.52.0 has R570 for Kubernetes 1.33." in message
        for message in messages
    )
    check = made["check"]["gpu_types_have_a_driver"]["assert"][0]
    assert check["condition"] == "${length(local.gpu_types_without_a_known_driver) == 0}"
    assert "whether Bottlerocket v1.52.0 has a driver for their GPU: ${jsonencode(local.gpu_types_wi" in check["error_message"]
    assert made["locals"]["gpu_types_without_a_known_driver"] == (
        '${[for type in local.gpu_types : type if contains(["g7e"], split(".", type)[0])]}'
    )


def test_a_release_whose_driver_is_known_for_every_gpu_has_no_check() -> None:
    assert "gpu_types_have_a_driver" not in synth_stack(ClusterConfig("karpenter"))["check"]


def test_gpu_spot_is_judged_by_the_versions_that_are_given_and_by_no_others() -> None:
    """Defaults stand in the parts alone."""
    given = inspect.signature(GpuTypes.__init__).parameters
    versions = [given[name].default for name in ("kubernetes_version", "bottlerocket_version")]
    assert versions == [inspect.Parameter.empty, inspect.Parameter.empty]
