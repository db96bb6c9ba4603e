"""Who plans, and who may do what."""

import os
from pathlib import Path
from typing import Any

import pytest

from stacks.config import AccessEntry, ClusterConfig
from stacks.config.checks import mistakes
from tests.synthesis import Json, synth_stack, write_stack
from tests.terraform import CHANGES, NO_CHANGES, Workspace, needs_modules, needs_terraform

CREATOR = "arn:aws:iam::123456789012:role/deployer"
# The stub providers' caller.
CALLER = os.environ.get("RIG_CALLER", CREATOR)
CI = "arn:aws:iam::123456789012:role/ci"
BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"


def stack(**fields: Any) -> Json:
    return synth_stack(ClusterConfig("karpenter", **fields))


def commands(document: Json) -> list[list[str]]:
    """The arguments of each command that logs in to the cluster, and of the one in the outputs."""
    (helm,), (kubernetes,), (kubectl,) = (document["provider"][name] for name in ("helm", "kubernetes", "kubectl"))
    logins = [helm["kubernetes"]["exec"], kubernetes["exec"][0], kubectl["exec"][0]]
    configure, _, assumed = document["output"]["configure_kubectl"]["value"].partition(" --assume-role-arn ")
    assert assumed in ("", CI)
    return [*(login["args"] for login in logins), configure.split()]


@pytest.mark.parametrize(
    ("fields", "arguments"),
    [
        ({}, ["--region", "${var.region}", "--profile", "default"]),
        ({"aws_profile": "team"}, ["--region", "${var.region}", "--profile", "team"]),
        ({"aws_profile": None}, ["--region", "${var.region}"]),
        ({"aws_profile": None, "assume_role_arn": CI}, ["--region", "${var.region}", "--role-arn", CI]),
    ],
)
def test_every_login_has_the_identity_of_terraform(fields: dict[str, Any], arguments: list[str]) -> None:
    assert all(command[-len(arguments) :] == arguments for command in commands(stack(**fields)))


def test_both_aws_providers_assume_the_role_and_need_no_profile() -> None:
    for provider in stack(aws_profile=None, assume_role_arn=CI)["provider"]["aws"]:
        assert provider["assume_role"] == [{"role_arn": CI}]
        assert "profile" not in provider


def test_whoever_runs_terraform_administers_the_cluster_by_default() -> None:
    eks = stack()["module"]["eks"]
    assert eks["enable_cluster_creator_admin_permissions"] is True
    assert eks.keys().isdisjoint({"access_entries", "kms_key_administrators"})


def test_a_pinned_administrator_has_the_entry_of_the_creator_and_the_key() -> None:
    eks = stack(cluster_admin_arn=CREATOR, kms_key_administrators=[CI])["module"]["eks"]
    assert eks["enable_cluster_creator_admin_permissions"] is False
    assert eks["kms_key_administrators"] == [CREATOR, CI]
    assert eks["access_entries"] == {
        "cluster_creator": {
            "principal_arn": CREATOR,
            "policy_associations": {
                "admin": {
                    "policy_arn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
                    "access_scope": {"type": "cluster"},
                }
            },
        }
    }


def test_access_entries_are_the_modules() -> None:
    viewers = AccessEntry("viewers", principal_arn=CI, policy="View", namespaces=["jobs"], kubernetes_groups=["viewers"])
    assert stack(access_entries=[viewers])["module"]["eks"]["access_entries"] == {
        "viewers": {
            "principal_arn": CI,
            "kubernetes_groups": ["viewers"],
            "policy_associations": {
                "admin": {
                    "policy_arn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy",
                    "access_scope": {"type": "namespace", "namespaces": ["jobs"]},
                }
            },
        }
    }


@pytest.mark.parametrize("namespace", ["jobs", "dev-*", "*", "a" * 63])
def test_a_namespace_may_have_wildcards(namespace: str) -> None:
    entry = AccessEntry("a", principal_arn=CI, policy="View", namespaces=[namespace], kubernetes_groups=["oidc:team/ml@x"])
    assert list(mistakes("prod", ClusterConfig("prod", access_entries=[entry]))) == []


def test_the_control_plane_is_as_decided() -> None:
    eks = stack(
        endpoint_public_access_cidrs=["198.51.100.0/24"],
        control_plane_logs=["audit"],
        deletion_protection=True,
        cluster_support_type="STANDARD",
    )["module"]["eks"]
    assert eks["endpoint_public_access_cidrs"] == ["198.51.100.0/24"]
    assert eks["enabled_log_types"] == ["audit"]
    assert eks["deletion_protection"] is True
    assert eks["upgrade_policy"] == {"support_type": "STANDARD"}
    assert stack(endpoint_public_access=False, control_plane_logs=[])["module"]["eks"]["enabled_log_types"] == []


def test_a_boundary_bounds_every_role() -> None:
    document = stack(permissions_boundary=BOUNDARY)
    eks, karpenter = document["module"]["eks"], document["module"]["karpenter"]
    assert eks["iam_role_permissions_boundary"] == BOUNDARY
    assert eks["eks_managed_node_groups"]["karpenter"]["iam_role_permissions_boundary"] == BOUNDARY
    assert karpenter["iam_role_permissions_boundary_arn"] == BOUNDARY
    assert karpenter["node_iam_role_permissions_boundary"] == BOUNDARY
    assert document["resource"]["aws_iam_role"]["aws_load_balancer_controller"]["permissions_boundary"] == BOUNDARY


def test_tags_are_the_providers_and_node_tags_those_of_instances() -> None:
    document = stack(tags={"team": "ml"}, node_tags={"cost": "gpu"})
    assert all(provider["default_tags"] == [{"tags": {"team": "ml"}}] for provider in document["provider"]["aws"])
    # On the resources, tags would enter the launch template and roll the node group.
    assert "team" not in document["module"]["eks"]["tags"]
    classes = [document["locals"][f"ec2nodeclass_{name}"]["spec"]["tags"] for name in ("default", "gpu")]
    assert all(tags["cost"] == "gpu" and "team" not in tags for tags in classes)


@pytest.mark.parametrize(
    ("fields", "mistake"),
    [
        ({"cluster_admin_arn": "arn:aws:sts::123456789012:assumed-role/ci/me"}, "of an IAM role, not of a session of the role"),
        ({"cluster_admin_arn": "ci"}, "must be the ARN of an IAM role or user, such as arn:aws:iam::123456789012:role/ci"),
        ({"assume_role_arn": "arn:aws:iam::123456789012:user/me"}, "assume_role_arn must be the ARN of an IAM role"),
        ({"kms_key_administrators": [CI]}, "kms_key_administrators must not be set without cluster_admin_arn"),
        ({"aws_profile": ""}, "aws_profile must not be empty"),
        (
            {"endpoint_public_access_cidrs": ["10.0.0.1/8"]},
            "must be an IPv4 network such as 10.0.0.0/16: 10.0.0.1/8 has host bits set",
        ),
        (
            {"endpoint_public_access_cidrs": ["203.0.113.7"]},
            "must be written with a prefix length, as 203.0.113.7/32 instead of 203.0.113.7 (got",
        ),
        ({"endpoint_public_access_cidrs": ["10.0.0.0/255.0.0.0"]}, "as 10.0.0.0/8 instead of 10.0.0.0/255.0.0.0"),
        ({"endpoint_public_access_cidrs": ["10.0.0.0/8", "10.0.0.0/08"]}, "as 10.0.0.0/8 instead of 10.0.0.0/08"),
        ({"endpoint_public_access_cidrs": ["10.0.0.0/8", "10.0.0.0/8"]}, "must not contain duplicates"),
        ({"cluster_admin_arn": "arn:aws:iam::123456789012:role/${var.role}"}, "must be the ARN of an IAM role or user"),
        (
            {"cluster_admin_arn": CI, "kms_key_administrators": [""]},
            "kms_key_administrators must be the ARN of an IAM role or user",
        ),
        *(
            (
                {"access_entries": [AccessEntry("a", principal_arn=CI, policy="View", namespaces=[namespace])]},
                'access_entries["a"].namespaces must be Kubernetes namespaces such as jobs, or with a wildcard as dev-* (got',
            )
            for namespace in ("", "Jobs", "a" * 64, "-a", "a.b", "${var.namespace}")
        ),
        *(
            (
                {"access_entries": [AccessEntry("a", principal_arn=CI, kubernetes_groups=[group])]},
                'access_entries["a"].kubernetes_groups must be names of Kubernetes groups, such as viewers (got',
            )
            for group in ("", " ", "${var.group}")
        ),
        ({"endpoint_public_access_cidrs": [f"10.{n}.0.0/16" for n in range(41)]}, "must have at most 40 networks"),
        (
            {"endpoint_public_access": False, "endpoint_public_access_cidrs": ["10.0.0.0/8"]},
            "endpoint_public_access_cidrs must be () if endpoint_public_access is False",
        ),
        ({"control_plane_logs": ["all"]}, "control_plane_logs must be a list of"),
        ({"permissions_boundary": "boundary"}, "must be the ARN of an IAM policy"),
        ({"tags": {"aws:x": "y"}}, "tags must not contain the tag 'aws:x'"),
        ({"tags": {"Example": "y"}}, "tags must not contain 'Example'"),
        ({"node_tags": {"karpenter.sh/nodepool": "y"}}, "node_tags must not contain the tag 'karpenter.sh/nodepool'"),
        ({"access_entries": [AccessEntry("a", principal_arn=CI)]}, 'access_entries["a"].policy or kubernetes_groups must be set'),
        (
            {"access_entries": [AccessEntry("cluster_creator", principal_arn=CI, policy="View")]},
            "name must not be 'cluster_creator', the module's own entry",
        ),
        (
            {"access_entries": [AccessEntry(name, principal_arn=CI, policy="View") for name in "ab"]},
            f"access_entries must not contain two entries with the principal_arn '{CI}'",
        ),
        (
            {"access_entries": [AccessEntry("a", principal_arn=CI, kubernetes_groups=["system:masters"])]},
            'access_entries["a"].kubernetes_groups must not start with system:',
        ),
        (
            {"assume_role_arn": CI, "access_entries": [AccessEntry("a", principal_arn=CI, policy="View")]},
            "access_entries must not contain assume_role_arn",
        ),
        (
            {"karpenter_node_release_version": "1.38.0-4fc45e5a"},
            "must be at least 1.39.0 for Kubernetes 1.33",
        ),
        ({"node_tags": {"eks:eks-cluster-name": "y"}}, "node_tags must not contain the tag 'eks:eks-cluster-name'"),
        ({"tags": {"team": "a#b"}}, "tags must have keys of 1 to 128 and values of at most 256 letters"),
        (
            {"cluster_admin_arn": CI, "access_entries": [AccessEntry("a", principal_arn=CI, policy="View")]},
            "access_entries must not contain cluster_admin_arn",
        ),
    ],
)
def test_a_mistake_is_named(fields: dict[str, Any], mistake: str) -> None:
    found = list(mistakes("prod", ClusterConfig("prod", **fields)))
    assert len(found) == 1
    assert found[0].startswith("prod.")
    assert mistake in found[0]


@pytest.mark.terraform
@needs_terraform
@needs_modules
@pytest.mark.parametrize(("administrator", "code"), [(CREATOR, NO_CHANGES), (None, NO_CHANGES if CALLER == CREATOR else CHANGES)])
def test_with_a_pinned_administrator_everybody_plans_the_same(
    tmp_path: Path, reference: Path, administrator: str | None, code: int
) -> None:
    """Without a pinned administrator, another caller replaces the creator's access. `.ci/run` runs this as two callers."""
    workspace = Workspace(tmp_path / "project", write_stack(tmp_path, ClusterConfig("karpenter", cluster_admin_arn=administrator)))
    workspace.adopt(reference)
    plan = workspace.run("plan", "-input=false", "-detailed-exitcode", expect=code).output
    assert ('access_entry.this["cluster_creator"] will be' in plan) == (code == CHANGES)
