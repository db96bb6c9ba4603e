"""The providers that need no cluster: AWS and random."""

import imports  # noqa: F401  (before cdktf: CDKTF's packages load lazily)

from cdktf_cdktf_provider_aws.provider import AwsProvider
from cdktf_cdktf_provider_random.provider import RandomProvider
from constructs import Construct

PROFILE = "default"
"""The AWS profile of all that is done here, by Terraform and by `aws eks get-token`."""


def add_cloud_providers(scope: Construct, *, region: str) -> None:
    """What reaches AWS."""
    RandomProvider(scope, "random")
    AwsProvider(scope, "aws", region=region, profile=PROFILE)


def add_ecr_public_provider(scope: Construct) -> AwsProvider:
    """What reaches the only region that gives tokens for public ECR."""
    return AwsProvider(scope, "virginia", alias="virginia", region="us-east-1", profile=PROFILE)
