"""Who administers a cluster, and who else may use its API. Plain Python."""

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Literal

from stacks.config.checks import Check, distinct, each, matches
from stacks.config.fields import Change
from stacks.knowledge.regions import PARTITION

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


ROLE_ARN = matches(rf"{_ARN}role/{_NAME}", f"the ARN of an IAM role, such as arn:{PARTITION}:iam::123456789012:role/ci")
POLICY_ARN: Check = matches(rf"arn:{PARTITION}:iam::(\d{{12}}|{PARTITION}):policy/{_NAME}", "the ARN of an IAM policy")

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
    policy: Annotated[Literal["ClusterAdmin", "Admin", "AdminView", "Edit", "View"] | None, Change.IN_PLACE] = None
    """EKS access policy, without `AmazonEKS` and `Policy`; None if only Kubernetes groups count."""
    namespaces: Annotated[Sequence[str], Change.IN_PLACE, each(NAMESPACE), distinct] = ()
    """Namespaces to which the policy applies, such as jobs or dev-*; () for the whole cluster."""
    kubernetes_groups: Annotated[Sequence[str], Change.IN_PLACE, groups, distinct] = ()
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


ADMIN = Change("Z where the role or user created the cluster; else R (an access entry) and U")


@dataclass(frozen=True, kw_only=True)
class Administrators:
    """Who reaches the Kubernetes API, and who administers the key of its secrets."""

    cluster_admin_arn: Annotated[str | None, ADMIN, principal] = None
    """ARN of the IAM role or user that administers the cluster and its KMS key; None for the identity that runs Terraform."""
    access_entries: Annotated[Sequence[AccessEntry], Change.IN_PLACE] = ()
    """Further IAM roles and users that may use the Kubernetes API. Whoever runs Terraform has an entry already, unless
    `cluster_admin_arn` is set."""
    kms_key_administrators: Annotated[Sequence[str], Change.IN_PLACE, each(principal), distinct] = ()
    """ARNs of further administrators of the KMS key of Kubernetes secrets. Needs `cluster_admin_arn`."""

    def mistakes(self) -> Iterator[str]:
        """What is wrong between fields."""
        if self.kms_key_administrators and self.cluster_admin_arn is None:
            yield "kms_key_administrators must not be set without cluster_admin_arn: Terraform's own identity would lose the key."
        entries = [*self.access_entries]
        for what, values in (("name", [e.name for e in entries]), ("principal_arn", [e.principal_arn for e in entries])):
            for value in sorted({value for value in values if values.count(value) > 1}):
                yield f"access_entries must not contain two entries with the {what} {value!r}."
        if self.cluster_admin_arn in [entry.principal_arn for entry in entries]:
            yield f"access_entries must not contain cluster_admin_arn ({self.cluster_admin_arn!r}), which has an entry already."

    def access_inputs(self) -> dict[str, dict[str, object]] | None:
        """The entries in the module's shape; None where there are none."""
        entries = {entry.name: entry.inputs() for entry in self.access_entries}
        if self.cluster_admin_arn:
            # The key and the association are the module's own for the creator, so that the addresses stay.
            admin = AccessEntry("cluster_creator", principal_arn=self.cluster_admin_arn, policy="ClusterAdmin")
            entries["cluster_creator"] = admin.inputs()
        return entries or None

    def key_administrators(self) -> list[str] | None:
        """All administrators of the key; None for whoever runs Terraform."""
        return [self.cluster_admin_arn, *self.kms_key_administrators] if self.cluster_admin_arn else None
