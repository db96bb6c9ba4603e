"""The login to public ECR, from which Helm pulls Karpenter's chart."""

import imports  # noqa: F401  (before cdktf: CDKTF's packages load lazily)

from cdktf_cdktf_provider_aws.data_aws_ecrpublic_authorization_token import DataAwsEcrpublicAuthorizationToken
from cdktf_cdktf_provider_aws.provider import AwsProvider
from constructs import Construct

from stacks.hcl.expressions import Expression
from stacks.terraform.addresses import Addressed

PUBLIC_ECR = "oci://public.ecr.aws"


class Registry(Addressed):
    """A token of public ECR, read at each plan.

    Args:
        provider: AWS in us-east-1, the only region that gives tokens for public ECR.

    Attributes:
        user, password: for Helm.
    """

    def __init__(self, scope: Construct, id: str, *, provider: AwsProvider) -> None:
        super().__init__(scope, id)
        data = "data.aws_ecrpublic_authorization_token.token"
        self.add(DataAwsEcrpublicAuthorizationToken, data, provider=provider)
        self.user = Expression(f"{data}.user_name")
        self.password = Expression(f"sensitive({data}.password)")
