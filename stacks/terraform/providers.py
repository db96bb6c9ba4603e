"""The providers that need no cluster: AWS and random."""

import imports  # noqa: F401  (before cdktf: CDKTF's packages load lazily)

from cdktf_cdktf_provider_aws.provider import AwsProvider, AwsProviderAssumeRole, AwsProviderDefaultTags
from cdktf_cdktf_provider_random.provider import RandomProvider
from constructs import Construct

from stacks.config.login import Login


def add_cloud_providers(scope: Construct, *, login: Login) -> None:
    """What reaches AWS."""
    RandomProvider(scope, "random")
    _aws(scope, "aws", login, region=login.region)


def add_ecr_public_provider(scope: Construct, *, login: Login) -> AwsProvider:
    """What reaches the only region that gives tokens for public ECR."""
    return _aws(scope, "virginia", login, region="us-east-1", alias="virginia")


def _aws(scope: Construct, id: str, login: Login, *, region: str | None, alias: str | None = None) -> AwsProvider:
    role = [AwsProviderAssumeRole(role_arn=login.assume_role_arn)] if login.assume_role_arn else None
    # On the resources themselves, tags would enter the launch template and roll the node group.
    tags = [AwsProviderDefaultTags(tags=dict(login.tags))] if login.tags else None
    return AwsProvider(scope, id, region=region, profile=login.aws_profile, alias=alias, assume_role=role, default_tags=tags)
