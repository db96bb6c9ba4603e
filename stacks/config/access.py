"""Who may do what with a cluster. Plain Python."""

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Literal

from stacks.config.checks import Check, distinct, each, matches
from stacks.config.fields import Change, U

PARTITION = "aws"
"""The only partition in which the program works; `rules.region` refuses regions of others."""

_ARN = rf"arn:{PARTITION}:iam::\d{{12}}:"

# A path and a name. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
_NAME = r"[\w+=,.@/-]+"


def principal(value: str) -> str | None:
    """The ARN of an IAM role or user."""
    if value.startswith(f"arn:{PARTITION}:sts:"):
        return "must be the ARN of an IAM role, not of a session of the role: arn:aws:iam::<account>:role/<name>"
    return matches(
        rf"{_ARN}(role|user)/{_NAME}", f"the ARN of an IAM role or user, such as arn:{PARTITION}:iam::123456789012:role/ci"
    )(value)


def groups(values: Sequence[str]) -> str | None:
    """Kubernetes groups that EKS accepts. https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html"""
    if any(value.startswith(("system:", "eks:", "aws:", "amazon:", "iam:")) for value in values):
        return (
            "must not start with system:, eks:, aws:, amazon: or iam:, which EKS refuses; instead of system:masters, set "
            "policy='ClusterAdmin'"
        )
    return each(matches(r"[\w.:/@+=,-]+", "names of Kubernetes groups, such as viewers"))(values)


ROLE = matches(rf"{_ARN}role/{_NAME}", f"the ARN of an IAM role, such as arn:{PARTITION}:iam::123456789012:role/ci")
POLICY: Check = matches(rf"arn:{PARTITION}:iam::(\d{{12}}|{PARTITION}):policy/{_NAME}", "the ARN of an IAM policy")

# EKS takes wildcards: https://docs.aws.amazon.com/eks/latest/userguide/access-policies.html
NAMESPACE = matches(r"(?!.{64})[a-z0-9*]([-a-z0-9*]*[a-z0-9*])?", "Kubernetes namespaces such as jobs, or with a wildcard as dev-*")


@dataclass(frozen=True)
class AccessEntry:
    """Access of an IAM role or user to the Kubernetes API.

    Policies: https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html
    """

    name: Annotated[str, Change("R (the entry)"), matches(r"[\w-]+", "letters, digits, hyphens and underscores")]
    """Key of the entry in the eks module, and part of the entry's Terraform address."""
    _: KW_ONLY
    principal_arn: Annotated[str, Change("R (the entry)"), principal]
    """ARN of the IAM role or user."""
    policy: Annotated[Literal["ClusterAdmin", "Admin", "AdminView", "Edit", "View"] | None, U] = None
    """EKS access policy, without `AmazonEKS` and `Policy`; None if only Kubernetes groups count."""
    namespaces: Annotated[Sequence[str], U, each(NAMESPACE), distinct] = ()
    """Namespaces to which the policy applies, such as jobs or dev-*; () for the whole cluster."""
    kubernetes_groups: Annotated[Sequence[str], U, groups, distinct] = ()
    """Kubernetes groups of the role or user, for RBAC."""

    def mistakes(self) -> Iterator[str]:
        """What is wrong between fields."""
        if self.name == "cluster_creator":
            yield "name must not be 'cluster_creator', the module's own entry. Set cluster_admin_arn for that entry."
        if self.policy is None and not self.kubernetes_groups:
            yield "policy or kubernetes_groups must be set: without them the entry allows nothing."
        if self.namespaces and self.policy is None:
            yield "namespaces must be () without a policy: namespaces only limit the policy."

    def inputs(self) -> dict[str, object]:
        """The entry in the module's shape."""
        entry: dict[str, object] = {"principal_arn": self.principal_arn}
        if self.kubernetes_groups:
            entry["kubernetes_groups"] = list(self.kubernetes_groups)
        if self.policy:
            scope = {"type": "namespace", "namespaces": list(self.namespaces)} if self.namespaces else {"type": "cluster"}
            policy = f"arn:{PARTITION}:eks::aws:cluster-access-policy/AmazonEKS{self.policy}Policy"
            entry["policy_associations"] = {"admin": {"policy_arn": policy, "access_scope": scope}}
        return entry
