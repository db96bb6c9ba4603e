"""Who administers the cluster, and who may do what in it."""

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


def stack(**fields: Any) -> Json:
    return synth_stack(ClusterConfig("karpenter", **fields))


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


@pytest.mark.parametrize(
    ("fields", "mistake"),
    [
        ({"cluster_admin_arn": "arn:aws:sts::123456789012:assumed-role/ci/me"}, "of an IAM role, not of a session of the role"),
        ({"cluster_admin_arn": "ci"}, "must be the ARN of an IAM role or user, such as arn:aws:iam::123456789012:role/ci"),
        ({"kms_key_administrators": [CI]}, "kms_key_administrators must not be set without cluster_admin_arn"),
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
