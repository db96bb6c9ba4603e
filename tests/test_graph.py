"""The graph: what a destroy takes away first, and what `recommended` changes on a living deployment."""

import json
from pathlib import Path

import pytest

from stacks.config import recommended
from tests.synthesis import Json, write_stack
from tests.terraform import Workspace, needs_modules, needs_terraform

KARPENTERS_OBJECTS = {f"kubectl_manifest.{kind}_{name}" for kind in ("ec2nodeclass", "nodepool") for name in ("default", "gpu")}


def test_the_load_balancer_controller_comes_after_karpenter(stack: Json) -> None:
    assert "helm_release.karpenter" in stack["resource"]["helm_release"]["aws_load_balancer_controller"]["depends_on"]


def test_karpenter_comes_after_all_that_it_needs(stack: Json) -> None:
    assert stack["resource"]["helm_release"]["karpenter"]["depends_on"] == ["module.karpenter", "module.eks", "module.vpc"]


def test_no_secret_is_in_the_helm_release_in_plain_sight(stack: Json) -> None:
    password = stack["resource"]["helm_release"]["karpenter"]["repository_password"]
    assert password.startswith("${sensitive(")
    (helm,) = stack["provider"]["helm"]
    assert helm["registries"] == [
        {
            "url": "oci://public.ecr.aws",
            "username": "${data.aws_ecrpublic_authorization_token.token.user_name}",
            "password": password,
        }
    ]


@pytest.fixture(scope="module")
def recommended_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stack(tmp_path_factory.mktemp("recommended"), recommended("karpenter"))


def test_recommended_waits_for_nodes_to_be_gone(recommended_file: Path, stack: Json) -> None:
    manifests = json.loads(recommended_file.read_text())["resource"]["kubectl_manifest"]
    assert {f"kubectl_manifest.{name}" for name, made in manifests.items() if made.get("wait")} == KARPENTERS_OBJECTS
    assert not any("wait" in made for made in stack["resource"]["kubectl_manifest"].values())


def test_recommended_limits_gpus_and_keeps_drift_from_running_jobs(recommended_file: Path, stack: Json) -> None:
    variables = json.loads(recommended_file.read_text())["variable"]
    assert (variables["gpu_limit"]["default"], variables["gpu_drift_budget"]["default"]) == (32, "0")
    assert (stack["variable"]["gpu_limit"]["default"], stack["variable"]["gpu_drift_budget"]["default"]) == (None, None)


@pytest.mark.terraform
@needs_terraform
@needs_modules
def test_karpenters_objects_are_gone_before_anything_that_karpenter_needs(workspace: Workspace) -> None:
    workspace.variables()
    workspace.run("apply", "-auto-approve", "-input=false")
    happened = workspace.destroyed()
    assert len(happened) == 2 * 107

    gone = {address: n for n, (kind, address) in enumerate(happened) if kind == "apply_complete"}
    begun = {address: n for n, (kind, address) in enumerate(happened) if kind == "apply_start"}
    last_object = max(gone[address] for address in KARPENTERS_OBJECTS)
    assert begun["helm_release.karpenter"] > last_object
    needed = [address for address in begun if address.startswith("module.")]
    assert len(needed) == 96
    assert min(begun[address] for address in needed) > gone["helm_release.karpenter"]


@pytest.mark.terraform
@needs_terraform
@needs_modules
def test_recommended_updates_an_adopted_state_in_place_and_replaces_nothing(tmp_path: Path, reference: Path) -> None:
    """All of it but the name, and the versions, which an adopted cluster reaches step by step."""
    config = recommended(
        "karpenter",
        cluster_name_prefix="eks-spot-gpu",
        kubernetes_version="1.33",
        karpenter_version="1.6.0",
        load_balancer_controller_version="2.11.0",
        support_check=False,
    )
    workspace = Workspace(tmp_path, write_stack(tmp_path, config))
    workspace.adopt(reference)
    changes = {change["address"]: change["change"]["actions"] for change in workspace.plan()["resource_changes"]}
    updated = {*KARPENTERS_OBJECTS, "aws_iam_policy.aws_load_balancer_controller", "helm_release.karpenter"}
    created = {
        "aws_vpc_endpoint.s3",
        'module.eks.aws_security_group_rule.node["ingress_self_all"]',
        "kubectl_manifest.storageclass_gp3",
        *(f"aws_{kind}.aws_ebs_csi_driver" for kind in ("eks_addon", "eks_pod_identity_association", "iam_role")),
        "aws_iam_role_policy_attachment.aws_ebs_csi_driver",
        "aws_eks_addon.metrics_server",
    }
    assert {address: actions for address, actions in changes.items() if actions != ["no-op"]} == {
        **{address: ["update"] for address in updated},
        **{address: ["create"] for address in created},
    }


@pytest.mark.terraform
@needs_terraform
@needs_modules
def test_no_plan_shows_the_registry_token(workspace: Workspace) -> None:
    workspace.variables()
    assert "stub-password" not in workspace.run("plan", "-input=false").output
