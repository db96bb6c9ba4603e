"""Which version of Kubernetes a cluster that exists may get. tests/cases.py shows what the conditions refuse."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cdktf import TerraformOutput, TerraformStack

from stacks.aws.version_check import VersionCheck
from stacks.config import ClusterConfig
from stacks.config.checks import ConfigurationError
from stacks.config.common import Common
from stacks.config.control_plane import ControlPlane
from tests.synthesis import Json, addresses, synth, synth_stack, write_stack
from tests.terraform import NO_CHANGES, Workspace, needs_modules, needs_terraform

# The clusters that the stub provider has: .ci/run runs this file without any, and with the adopted cluster in two versions.
CLUSTERS = dict(pair.split("=") for pair in os.environ.get("RIG_CLUSTERS", "").split())
ADOPTED = "eks-spot-gpu-zz9x"


def test_eks_is_asked_for_the_clusters_that_can_have_the_name(stack: Json) -> None:
    assert stack["data"]["aws_eks_clusters"]["existing"].keys() == {"//"}
    described = stack["data"]["aws_eks_cluster"]["existing"]
    assert (described["for_each"], described["name"]) == ("${toset(local.clusters_with_the_prefix)}", "${each.value}")
    assert stack["locals"]["clusters_with_the_prefix"] == (
        "${[for name in data.aws_eks_clusters.existing.names : name if "
        'can(regex("^${var.cluster_name_prefix}-[a-z0-9]{4}$", name))]}'
    )


def test_the_version_that_runs_is_compared_with_the_one_that_is_wanted(stack: Json) -> None:
    """A cluster that does not exist runs what is wanted."""
    assert stack["locals"]["running_kubernetes_version"] == '${try(data.aws_eks_cluster.existing[local.name].version, "1.33")}'
    assert stack["locals"]["kubernetes_version_steps"] == (
        '${tonumber(split(".", "1.33")[1]) - tonumber(split(".", local.running_kubernetes_version)[1])}'
    )
    rules = stack["output"]["cluster_version"]["precondition"]
    assert [rule["condition"] for rule in rules] == [
        "${local.kubernetes_version_steps <= 1}",
        "${local.kubernetes_version_steps >= 0}",
        '${local.prefix_of_this_suffix == ""}',
    ]
    assert all(rule["error_message"].startswith("kubernetes_version must ") for rule in rules[:2])


def test_the_refusals_name_the_way_forward_and_the_way_back(stack: Json) -> None:
    forward, back, _ = (rule["error_message"] for rule in stack["output"]["cluster_version"]["precondition"])
    minor = 'tonumber(split(".", local.running_kubernetes_version)[1])'
    assert f'${{{minor} >= 32 ? "The next step is Kubernetes 1.${{{minor} + 1}}, after those of Karpenter: docs/up' in forward
    assert f'${{{minor} <= 36 ? "Set kubernetes_version to ${{local.running_kubernetes_version}}, and the other ver' in back
    assert "docs/upgrading.md#the-way-back" in back
    assert "https://docs.aws.amazon.com/eks/latest/userguide/rollback-cluster.html" in back


def test_a_living_cluster_keeps_its_prefix(stack: Json) -> None:
    """A cluster with the suffix of the state under another prefix is the cluster of this state, unless ours exists."""
    assert stack["locals"]["prefix_of_this_suffix"] == (
        '${join(", ", [for name in data.aws_eks_clusters.existing.names : trimsuffix(name, substr(local.name, -5, -1)) if '
        "endswith(name, substr(local.name, -5, -1)) && !contains(data.aws_eks_clusters.existing.names, local.name)])}"
    )
    message = stack["output"]["cluster_version"]["precondition"][2]["error_message"]
    assert message.startswith(
        'cluster_name_prefix must stay "${local.prefix_of_this_suffix}" (got ${jsonencode(var.cluster_name_pr'
    )
    assert message.endswith('Set cluster_name_prefix="${local.prefix_of_this_suffix}" in main.py.')


def test_the_check_can_be_switched_off(stack: Json) -> None:
    without = synth_stack(ClusterConfig("karpenter", version_check=False))
    assert addresses(stack) - addresses(without) == {"data.aws_eks_clusters.existing", "data.aws_eks_cluster.existing"}
    assert "precondition" not in without["output"]["cluster_version"]


def version_check(version: str) -> Callable[[TerraformStack], object]:
    """The check alone, on an output of another stack."""

    def make(stack: TerraformStack) -> VersionCheck:
        common = Common(name="gpu-abcd", region="us-west-2")
        control_plane = ControlPlane(kubernetes_version=version)
        on = TerraformOutput(stack, "version", value=version)
        return VersionCheck(stack, "check", common, name_prefix="gpu", control_plane=control_plane, on=on)

    return make


def test_it_can_be_used_alone() -> None:
    document = synth(version_check("1.35"))
    assert document["output"]["version"]["precondition"][0]["condition"] == "${local.kubernetes_version_steps <= 1}"
    made = document["locals"]
    assert (made["cluster_name"], made["cluster_name_prefix"]) == ("gpu-abcd", "gpu")
    assert made["running_kubernetes_version"] == '${try(data.aws_eks_cluster.existing[local.cluster_name].version, "1.35")}'


def test_a_version_without_a_minor_part_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"^VersionCheck\.control_plane\.kubernetes_version must be .* \(got '1'\)\.$"):
        synth(version_check("1"))


@pytest.mark.terraform
@needs_terraform
@needs_modules
@pytest.mark.parametrize(("version", "karpenter"), [("1.33", "1.6.0"), ("1.34", "1.9.2"), ("1.35", "1.9.2")])
def test_an_adopted_cluster_moves_one_version_at_a_time(tmp_path: Path, reference: Path, version: str, karpenter: str) -> None:
    config = ClusterConfig("karpenter", kubernetes_version=version, karpenter_version=karpenter)
    workspace = Workspace(tmp_path / "project", write_stack(tmp_path, config))
    workspace.adopt(reference)
    running = CLUSTERS.get(ADOPTED, version)
    steps = int(version.partition(".")[2]) - int(running.partition(".")[2])
    plan = workspace.run("plan", "-input=false", expect=NO_CHANGES if steps in (0, 1) else 1).output
    said = " ".join(plan.replace("│", " ").split())
    assert ("must be at most one minor version above" in said) == (steps > 1)
    assert ("must not be below that of the cluster" in said) == (steps < 0)
    if running == "1.33":
        assert ("The next step is Kubernetes 1.34, after those of Karpenter" in said) == (steps > 1)
    # Whatever runs, a destroy passes.
    destroy = workspace.run("plan", "-destroy", "-input=false").output
    assert "to destroy." in destroy
    assert "Error" not in destroy
