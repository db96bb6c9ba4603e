"""The AWS identity of Terraform. Plain Python."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from stacks.config.administrators import ROLE_ARN
from stacks.config.checks import literal, not_empty, user_tags
from stacks.config.fields import Change, Variable
from stacks.config.tags import wrong_tags
from stacks.hcl.rules import ending, match
from stacks.knowledge.regions import OTHER_PARTITIONS, REGION

ASSUME = Change("Z with cluster_admin_arn and access for the role; else R (an access entry) and U")


# The shape of a region of the partition `aws`; AWS knows which regions exist.
REGION_OF_AWS = (
    match(f"^{REGION}$", "be an AWS region such as us-west-2"),
    match(
        rf"^({'|'.join(OTHER_PARTITIONS)})-",
        "be in the AWS partition aws",
        unless=True,
        tail=ending(
            f". Regions that start with {', '.join(OTHER_PARTITIONS)} are in other partitions, which this program does not support "
            "yet."
        ),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Login:
    """Where and as whom Terraform, and the commands that it runs, reach AWS."""

    region: Annotated[str | None, Change.REPLACE, Variable(REGION_OF_AWS, required=True)] = None
    """AWS region of the cluster, such as us-west-2. Every zone of the region that does not need an opt-in gets subnets."""
    aws_profile: Annotated[str | None, Change.NONE, not_empty, literal] = "default"
    """AWS profile of Terraform and of `aws eks get-token`; None for credentials of the environment, OIDC or the instance."""
    assume_role_arn: Annotated[str | None, ASSUME, ROLE_ARN] = None
    """ARN of an IAM role that Terraform and `aws eks get-token` assume."""
    tags: Annotated[Mapping[str, str], Change.IN_PLACE, user_tags] = field(default_factory=dict)
    """Tags of everything that Terraform creates, except the instances of the node group."""

    @property
    def arguments(self) -> list[str]:
        """For the AWS CLI's `eks get-token` and `eks update-kubeconfig`."""
        given = {"--region": self.region, "--profile": self.aws_profile, "--role-arn": self.assume_role_arn}
        return [word for option, value in given.items() if value for word in (option, value)]

    def mistakes(self) -> Iterator[str]:
        """What is wrong between fields."""
        yield from (f"tags {text}." for text in wrong_tags(self.tags))
