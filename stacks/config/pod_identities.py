"""IAM roles of the user's own pods, by EKS Pod Identity. Plain Python."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

from stacks.config.administrators import POLICY_ARN
from stacks.config.checks import DECIDES, distinct, each, matches, not_empty
from stacks.config.common import CLUSTER_NAME_LENGTH, MOST_POLICY_LENGTH
from stacks.config.fields import Change
from stacks.hcl.expressions import is_expression

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
MOST_ROLE_NAME_LENGTH, MOST_POLICY_NAME_LENGTH = 64, 128
MOST_POLICIES = 10

# What follows the cluster's name, of which Terraform knows the last characters at apply only, and a hyphen.
ROLE_NAME_LENGTH, POLICY_NAME_LENGTH = (
    most - CLUSTER_NAME_LENGTH - len("-") for most in (MOST_ROLE_NAME_LENGTH, MOST_POLICY_NAME_LENGTH)
)
HASH_LENGTH = 8

# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
NAMESPACE = matches(r"(?!.{64})[a-z0-9]([-a-z0-9]*[a-z0-9])?", "a Kubernetes namespace such as training")
SERVICE_ACCOUNT = matches(
    r"(?!.{254})[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*", "a Kubernetes service account such as trainer"
)
ACTION = matches(r"[*]|[a-z0-9-]+:[A-Za-z0-9*?]+", "actions such as s3:GetObject")
# An expression of Terraform or a token of CDKTF names the ARN of something else in the stack.
RESOURCE = matches(
    r"[*]|arn:[^:]+:[^:]+:[^:]*:[^:]*:.+|\$\{(TfToken\[|[a-z]\w*[.(]).+", "ARNs such as arn:aws:s3:::acme-models/*, or *"
)

# A policy variable, such as ${aws:PrincipalTag/kubernetes-namespace}, which Terraform would take for an expression of its own.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
POLICY_VARIABLE = re.compile(r"\$(?=\{(?:[*?$]\}|[\w-]+:(?!:)))")

# What the document of Terraform's provider, HCL and its templates write instead.
OTHER_SPELLING = re.compile(r"&\{|\$\$\{|%\{")

IDENTITY = Change("R (the identity)")

Conditions: TypeAlias = Mapping[str, Mapping[str, str | Sequence[str]]]


class ServiceAccount(NamedTuple):
    """A service account, by which EKS Pod Identity finds the role of a pod."""

    namespace: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A statement of an IAM policy, with the words of Terraform's `aws_iam_policy_document`."""

    actions: Annotated[Sequence[str], Change.IN_PLACE, not_empty, each(ACTION), distinct]
    """What the pods may do, such as s3:GetObject."""
    resources: Annotated[Sequence[str], Change.IN_PLACE, not_empty, each(RESOURCE), distinct]
    """ARNs of what the pods may do it with, with wildcards if need be: arn:aws:s3:::acme-models/*."""
    effect: Annotated[Literal["Allow", "Deny"], Change.IN_PLACE] = "Allow"
    """Whether the statement allows or denies."""
    conditions: Annotated[Conditions, Change.IN_PLACE] = field(default_factory=dict)
    """Conditions as in a policy document: {"StringEquals": {"aws:ResourceTag/team": "research"}}."""

    def mistakes(self) -> Iterator[str]:
        """What would reach IAM otherwise than written."""
        for name, given in (("resources", self.resources), ("conditions", self.conditions)):
            if (text := json.dumps(given)) and (found := OTHER_SPELLING.search(text)):
                yield (
                    f"{name} must write policy variables as ${{aws:username}} (got {found[0]!r}): Terraform would read that "
                    "spelling otherwise, or IAM would."
                )

    def document(self) -> dict[str, Any]:
        """The statement in a policy document."""
        made: dict[str, Any] = {"Effect": self.effect, "Action": list(self.actions), "Resource": list(self.resources)}
        return made | ({"Condition": {test: dict(keys) for test, keys in self.conditions.items()}} if self.conditions else {})


@dataclass(frozen=True, kw_only=True)
class PodIdentity:
    """An IAM role that EKS gives to the pods of a service account, instead of the role of their node."""

    namespace: Annotated[str, DECIDES, IDENTITY, NAMESPACE]
    """Namespace of the pods. Terraform does not create the namespace."""
    service_account: Annotated[str, DECIDES, IDENTITY, SERVICE_ACCOUNT]
    """The pods' service account. Terraform does not create the account."""
    policies: Annotated[Sequence[str | Statement], DECIDES, Change.IN_PLACE, not_empty, distinct]
    """ARNs of IAM policies, and statements, which become a policy of the role's own."""

    @property
    def name(self) -> str:
        """How messages name the identity."""
        return f"{self.namespace}/{self.service_account}"

    @property
    def account(self) -> ServiceAccount:
        """The service account."""
        return ServiceAccount(self.namespace, self.service_account)

    @property
    def words(self) -> str:
        """What follows the cluster's name in the names of the role and its policy. A namespace takes no dot, so the dot divides."""
        return f"{self.namespace}.{self.service_account}"

    @property
    def address(self) -> str:
        """The name of the resources in their addresses. Kubernetes takes no underscore, so no two identities have the same."""
        return f"pod_identity_{self.namespace}_{self.service_account.replace('.', '__')}"

    def arns(self) -> dict[str, str]:
        """The ARNs among the policies, by the name of their attachments."""
        arns = [policy for policy in self.policies if isinstance(policy, str)]
        return {f"{self.address}_{re.sub('[^A-Za-z0-9_-]', '_', arn.rpartition('/')[2])}": arn for arn in arns}

    def document(self) -> dict[str, Any] | None:
        """The policy of the role's own; None without statements."""
        statements = [policy.document() for policy in self.policies if isinstance(policy, Statement)]
        return {"Version": "2012-10-17", "Statement": statements} if statements else None

    def mistakes(self) -> Iterator[str]:
        """What is wrong between fields."""
        listed = [policy for policy in self.policies if isinstance(policy, str)]
        for arn in listed:
            if is_expression(arn):
                yield (
                    f"policies must contain ARNs that Python knows (got {arn!r}), because addresses have their names. Write a "
                    "Statement."
                )
            elif wrong := POLICY_ARN(arn):
                yield f"policies {wrong}, or a Statement (got {arn!r})."
        arns, document = self.arns(), self.document()
        if len(arns) < len(set(listed)):
            yield (
                f"policies must not contain two policies with the same name (got {listed!r}): their attachments would have one "
                "address. Write one of them as statements."
            )
        if (number := len(arns) + bool(document)) > MOST_POLICIES:
            yield (
                f"policies must have at most {MOST_POLICIES} policies, with all statements as one (got {number}): IAM attaches no "
                "more to a role. Write some of them as statements."
            )
        if wrong := too_long(document):
            yield f"policies must have statements {wrong} Use wildcards, or make a policy of your own and give its ARN."


@dataclass(frozen=True, kw_only=True)
class PodIdentityOptions:
    """What the user's own pods may do in AWS."""

    pod_identities: Annotated[Sequence[PodIdentity], DECIDES, Change("U to add, R to remove (the role)")] = ()
    """IAM roles of the user's own pods, by service account. Pods take the role when they start."""

    def mistakes(self) -> Iterator[str]:
        """What is wrong between fields."""
        names = [identity.name for identity in self.pod_identities]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield (
                f"pod_identities must not contain two identities for the service account {name}: EKS gives a service account one "
                "role. Put the policies together."
            )

    def wrong_accounts(self, ours: Mapping[ServiceAccount, str]) -> Iterator[str]:
        """Identities for service accounts that have a role of the stack's own; `ours` says whose they are."""
        for identity in self.pod_identities:
            if whose := ours.get(identity.account):
                yield (
                    f"pod_identities must not contain the service account {identity.name}, because {whose} has its role already. "
                    "Use a service account of your own."
                )


def name_of(words: str, most: int) -> str:
    """What follows the cluster's name and a hyphen in the name of a role or policy, so that IAM takes the whole."""
    if len(words) <= most:
        return words
    digest = hashlib.sha256(words.encode()).hexdigest()[:HASH_LENGTH]
    return f"{words[: most - HASH_LENGTH - 1].rstrip('.-')}-{digest}"


def too_long(document: Any) -> str:
    """Why IAM does not take a policy, as the rest of a sentence; "" if IAM does, or if Terraform alone knows the length."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    if is_expression(POLICY_VARIABLE.sub("", text)) or len(text) <= MOST_POLICY_LENGTH:
        return ""
    return f"of at most {MOST_POLICY_LENGTH:,} characters together (got {len(text):,}): IAM takes no longer policy."


def escaped(document: Any) -> Any:
    """A policy document in which Terraform leaves IAM's policy variables as they are."""
    if isinstance(document, str):
        return POLICY_VARIABLE.sub("$$", document)
    if isinstance(document, Mapping):
        return {escaped(key): escaped(part) for key, part in document.items()}
    return [escaped(part) for part in document]
