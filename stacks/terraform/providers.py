"""The providers that need no cluster: AWS and random."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import imports  # noqa: F401  (before cdktf: CDKTF's packages load lazily)

from cdktf_cdktf_provider_aws.provider import AwsProvider, AwsProviderAssumeRole, AwsProviderDefaultTags
from cdktf_cdktf_provider_random.provider import RandomProvider
from constructs import Construct


@dataclass(frozen=True, kw_only=True)
class Login:
    """The AWS identity of Terraform, and of the commands that it runs.

    Attributes:
        region: an AWS region.
        profile: an AWS profile; None for credentials from the environment.
        role_arn: an IAM role to assume.
        tags: the tags of everything that the providers create. On the resources themselves, tags would enter the launch
            template and roll the node group.
    """

    region: str
    profile: str | None = "default"
    role_arn: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def arguments(self) -> list[str]:
        """For the AWS CLI's `eks get-token` and `eks update-kubeconfig`."""
        given = {"--region": self.region, "--profile": self.profile, "--role-arn": self.role_arn}
        return [word for option, value in given.items() if value for word in (option, value)]

    def provider(self, scope: Construct, id: str, *, region: str, alias: str | None = None) -> AwsProvider:
        """An AWS provider with this identity."""
        role = [AwsProviderAssumeRole(role_arn=self.role_arn)] if self.role_arn else None
        tags = [AwsProviderDefaultTags(tags=dict(self.tags))] if self.tags else None
        return AwsProvider(scope, id, region=region, profile=self.profile, alias=alias, assume_role=role, default_tags=tags)


def add_cloud_providers(scope: Construct, *, login: Login) -> None:
    """What reaches AWS."""
    RandomProvider(scope, "random")
    login.provider(scope, "aws", region=login.region)


def add_ecr_public_provider(scope: Construct, *, login: Login) -> AwsProvider:
    """What reaches the only region that gives tokens for public ECR."""
    return login.provider(scope, "virginia", region="us-east-1", alias="virginia")
