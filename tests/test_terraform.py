"""The synthesized JSON in real Terraform: validate, plan, apply, plan again, destroy."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.terraform import NO_CHANGES, Workspace, needs_modules, needs_terraform

pytestmark = [pytest.mark.terraform, needs_terraform]

# What the HCL makes in each region, counted on the HCL: a region's number of zones, and every variable changed in one.
REGIONS: list[tuple[dict[str, Any], int]] = [
    ({"region": "us-west-2"}, 107),
    # m5.large, the default, is not offered in us-east-1e.
    ({"region": "us-east-1", "karpenter_node_availability_zones": [f"us-east-1{zone}" for zone in "abcdf"]}, 119),
    ({"region": "us-west-1"}, 95),
    (
        {
            "region": "ap-northeast-1",
            "gpu_instance_types": ["p5.48xlarge", "p4d.24xlarge"],
            "gpu_capacity_type": ["spot", "on-demand"],
            "vpc_cidr": "10.64.0.0/16",
            "cluster_name_prefix": "train",
            "karpenter_node_instance_types": ["m6i.large", "m6a.large"],
            "karpenter_node_min_size": 3,
            "karpenter_node_max_size": 6,
            "karpenter_node_desired_size": 4,
        },
        101,
    ),
    ({"region": "xx-eight-8"}, 131),
]


def test_it_is_valid(workspace: Workspace) -> None:
    assert "The configuration is valid" in workspace.run("validate").output


@needs_modules
def test_a_plan_on_the_state_that_the_hcl_left_is_empty(workspace: Workspace, reference: Path) -> None:
    workspace.adopt(reference)
    plan = workspace.run("plan", "-input=false", "-detailed-exitcode", expect=NO_CHANGES)
    assert "No changes. Your infrastructure matches the configuration." in plan.output


@needs_modules
@pytest.mark.parametrize(("variables", "resources"), REGIONS, ids=lambda value: value["region"] if isinstance(value, dict) else "")
def test_a_region_is_made_stays_as_it_is_and_is_destroyed(workspace: Workspace, variables: dict[str, Any], resources: int) -> None:
    workspace.variables(**variables)
    made = workspace.run("apply", "-auto-approve", "-input=false").output
    assert f"Apply complete! Resources: {resources} added, 0 changed, 0 destroyed." in made
    assert f'region = "{variables["region"]}"' in made
    workspace.run("plan", "-input=false", "-detailed-exitcode", expect=NO_CHANGES)
    destroyed = workspace.run("destroy", "-auto-approve", "-input=false").output
    assert f"Destroy complete! Resources: {resources} destroyed." in destroyed
    assert workspace.run("state", "list").output == ""


@needs_modules
def test_what_is_refused_can_still_be_destroyed(workspace: Workspace) -> None:
    """A living deployment can meet a requirement: an older version of this program, or the HCL, accepted the value."""
    workspace.variables()
    workspace.run("apply", "-auto-approve", "-input=false")
    workspace.variables(gpu_instance_types=["m5.large"], gpu_capacity_type=["reserved"], karpenter_node_min_size=0)
    refused = workspace.run("plan", "-input=false", expect=1).output
    assert "gpu_instance_types must have NVIDIA GPUs" in refused
    assert "karpenter_node_min_size must be a whole number of at least 1" in refused
    assert "Plan: 0 to add, 0 to change, 107 to destroy." in workspace.run("plan", "-destroy", "-input=false").output


@needs_modules
def test_versions_can_be_pinned_to_those_that_are_deployed(workspace: Workspace, reference: Path) -> None:
    workspace.adopt(reference)
    # The stub provider makes up versions; EKS's have this shape.
    text = re.sub(r'("addon_version": )"version-\w+"', r'\1"v1.12.1-eksbuild.2"', workspace.state.read_text())
    workspace.state.write_text(text)
    state = json.loads(text)
    made = {
        (resource["type"], instance.get("index_key")): instance["attributes"]
        for resource in state["resources"]
        for instance in resource["instances"]
    }
    addons = {key: values["addon_version"] for (kind, key), values in made.items() if kind == "aws_eks_addon"}
    release = made["aws_eks_node_group", 0]["release_version"]
    assert set(addons) == {"coredns", "kube-proxy", "eks-pod-identity-agent", "vpc-cni"}
    pinned = {"addon_versions": addons, "karpenter_node_release_version": release}
    (workspace.folder / "pinned.auto.tfvars.json").write_text(json.dumps(pinned))
    workspace.run("plan", "-input=false", "-detailed-exitcode", expect=NO_CHANGES)

    other = {"addon_versions": {**addons, "coredns": "v1.99.0-eksbuild.1"}, "karpenter_node_release_version": "1.40.0-0123abcd"}
    (workspace.folder / "pinned.auto.tfvars.json").write_text(json.dumps(other))
    changes = {
        c["address"]: c["change"]["after"] for c in workspace.plan()["resource_changes"] if c["change"]["actions"] != ["no-op"]
    }
    (group,) = (after for address, after in changes.items() if "node_group" in address)
    assert group["release_version"] == "1.40.0-0123abcd"
    assert changes['module.eks.aws_eks_addon.this["coredns"]']["addon_version"] == "v1.99.0-eksbuild.1"
    assert len(changes) == 2


def test_variables_come_from_a_tfvars_file_and_from_var(workspace: Workspace) -> None:
    (workspace.folder / "terraform.tfvars").write_text('region = "eu-west-1"\ngpu_instance_types = ["p5.48xlarge"]\n')
    workspace.run("apply", "-auto-approve", "-input=false", "-var", "cluster_name_prefix=from-var")
    outputs = json.loads(workspace.run("output", "-json").output)
    assert outputs["region"]["value"] == "eu-west-1"
    assert "from-var-zz9x" in json.dumps(json.loads(workspace.state.read_text()))


@needs_modules
def test_a_fresh_plan_is_what_the_hcl_made(workspace: Workspace, reference: Path) -> None:
    """Resource by resource, in every value that is known before anything is made."""
    shutil.copy(reference / "us-west-2.tfvars", workspace.folder / "terraform.tfvars")
    made = json.loads((reference / "us-west-2.tfstate").read_text())
    expected = {
        _address(resource, instance): instance["attributes"]
        for resource in made["resources"]
        for instance in resource["instances"]
        if resource["mode"] == "managed"
    }
    planned = {
        change["address"]: change["change"]["after"]
        for change in workspace.plan()["resource_changes"]
        if change["mode"] == "managed"
    }
    assert planned.keys() == expected.keys()
    differences = {
        f"{address}.{name}": (value, expected[address].get(name))
        for address, values in planned.items()
        for name, value in values.items()
        if not _like(value, expected[address].get(name))
    }
    assert differences == {}


def _address(resource: dict[str, Any], instance: dict[str, Any]) -> str:
    key = f"[{json.dumps(instance['index_key'])}]" if "index_key" in instance else ""
    module = f"{resource['module']}." if "module" in resource else ""
    return f"{module}{resource['type']}.{resource['name']}{key}"


def _like(planned: Any, made: Any) -> bool:
    """Whether what is known of `planned` stands in `made`; a plan leaves out what it does not know."""
    match planned, made:
        case None, _:
            return True
        case dict(), dict():
            return all(_like(value, made.get(key)) for key, value in planned.items())
        case list(), list():
            return len(planned) == len(made) and all(map(_like, planned, made))
        case _:
            return bool(planned == made)
