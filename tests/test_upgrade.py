"""The way of an adopted cluster to versions in standard support, step by step on the state that the HCL left."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stacks.config import ClusterConfig, GpuPool
from stacks.config.recommended import RECOMMENDED
from stacks.knowledge.upgrade_path import AFTER_THE_CLUSTER, THE_HCL, Step, upgrade_path
from stacks.reports.impact import render
from stacks.reports.impact.explanation import explain
from stacks.reports.impact.plan import read
from stacks.reports.upgrade.deployed import deployed
from stacks.reports.upgrade.effects import effects
from stacks.testing import synth_cluster
from tests.synthesis import write_stack
from tests.terraform import NO_CHANGES, Workspace, needs_modules, needs_terraform

UPGRADE_PATH = upgrade_path(THE_HCL, RECOMMENDED)


def test_the_way_leads_to_the_recommended_versions() -> None:
    reached = {name: value for step in UPGRADE_PATH for name, value in step.fields.items()}
    assert reached == {name: RECOMMENDED[name] for name in reached}
    assert {"kubernetes_version", "karpenter_version", "load_balancer_controller_version"} <= reached.keys()


def test_kubernetes_moves_one_minor_version_at_a_time() -> None:
    versions = ["1.33", *(step.fields["kubernetes_version"] for step in UPGRADE_PATH if "kubernetes_version" in step.fields)]
    minors = [int(version.split(".")[1]) for version in versions]
    assert minors == list(range(33, 33 + len(minors)))


def told(explanation: Any) -> set[str]:
    """What `make upgrade-plan`, which has no plan, and `make impact`, which has one, say of the same step."""
    return set(render.text(explanation).splitlines())


def walk(workspace: Workspace, config: ClusterConfig) -> list[Step]:
    """Plan and apply each step that remains: the plan, and what `make impact` says of the plan, are what the step says."""
    walked: list[Step] = []
    while True:
        cluster = deployed(json.loads(workspace.state.read_text())["resources"])
        assert cluster is not None
        if not (steps := upgrade_path(cluster.versions, RECOMMENDED)):
            return walked
        step = steps[0]
        pools = [replace(pool, **step.pool_fields.get(pool.name, {})) for pool in config.gpu_pools]
        config = replace(config, **step.fields, gpu_pools=pools)
        (workspace.folder / "cdk.tf.json").write_text(synth_cluster(config))
        plan = workspace.plan()
        changes = {c["address"]: c["change"]["actions"] for c in plan["resource_changes"] if c["mode"] == "managed"}
        shown = {address: actions for address, actions in changes.items() if actions != ["no-op"]}
        follow = AFTER_THE_CLUSTER if "kubernetes_version" in step.fields else ()
        noise = {address: ["update"] for address in follow if not any(f'"{name}"' in address for name in config.addon_versions)}
        expected = {address: ["create"] for address in step.created} | {address: ["update"] for address in step.updated}
        assert shown == expected | noise, step.title
        assert told(next(effects(cluster, [step], config.addon_versions))) == told(explain(read(json.dumps(plan)))), step.title
        workspace.run("apply", "-input=false", "plan.tfplan")
        workspace.run("plan", "-input=false", "-detailed-exitcode", expect=NO_CHANGES)
        walked.append(step)


@pytest.mark.terraform
@needs_terraform
@needs_modules
def test_each_step_changes_what_the_documentation_says(tmp_path: Path, reference: Path) -> None:
    config = ClusterConfig("karpenter")
    workspace = Workspace(tmp_path / "project", write_stack(tmp_path, config))
    workspace.adopt(reference)
    assert walk(workspace, config) == list(UPGRADE_PATH)


@pytest.mark.terraform
@needs_terraform
@needs_modules
def test_pools_with_efa_and_with_pins_have_steps_of_their_own(tmp_path: Path) -> None:
    pools = [
        GpuPool("train", instance_types=["p5.48xlarge"], limit=64, zones=["us-west-2c"], weight=8, efa=True),
        GpuPool("pinned", instance_types=["g6e.12xlarge"], limit=8, weight=2, bottlerocket_version="v1.50.0"),
    ]
    config = ClusterConfig(
        "karpenter",
        region="us-west-2",
        gpu_instance_types=["p5.48xlarge"],
        gpu_pools=pools,
        addon_versions={"coredns": "v1.12.1-eksbuild.2"},
    )
    workspace = Workspace(tmp_path / "project", write_stack(tmp_path, config))
    workspace.run("apply", "-auto-approve", "-input=false")
    steps = walk(workspace, config)
    assert "1.11.3" in [step.new for step in steps]
    assert [list(step.pool_fields) for step in steps if step.pool_fields] == [["pinned"]]
