"""What concerns every construct of a cluster. Plain Python."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from stacks.config.administrators import POLICY_ARN
from stacks.config.checks import matches
from stacks.config.fields import Change, Variable
from stacks.hcl.expressions import Expression
from stacks.hcl.rules import VALUE, Must, Rule, as_json, ending, match, shown
from stacks.knowledge.regions import REGION

# The cluster role's name is the tightest of all names that the modules derive: IAM takes a name_prefix of 38 characters, and
# `-cluster-` follows the name, which is the prefix with a hyphen and four characters.
CLUSTER_NAME_LENGTH = 38 - len("-cluster-")
CLUSTER_NAME_PREFIX_LENGTH = CLUSTER_NAME_LENGTH - len("-xxxx")

# The length of the Karpenter controller's policy as modules/karpenter of terraform-aws-eks 21.11.0 renders it: a constant part, and
# the cluster's name and the region as often as they occur in it. `make test-terraform` compares with real renderings.
POLICY_LENGTH, NAMES_IN_POLICY, REGIONS_IN_POLICY = 5267, 17, 30
MOST_POLICY_LENGTH = 6144  # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html


# A name that EKS, IAM, SQS and security groups accept with everything that is added to it.
CLUSTER_NAME_PREFIX = (
    match(
        r"^[0-9A-Za-z][0-9A-Za-z_-]*$", "consist of letters, digits, hyphens and underscores, and start with a letter or a digit"
    ),
    Must(
        f"have at most {CLUSTER_NAME_PREFIX_LENGTH} characters",
        f"length({VALUE}) <= {CLUSTER_NAME_PREFIX_LENGTH}",
        lambda prefix: len(prefix) <= CLUSTER_NAME_PREFIX_LENGTH,
        got=(
            f"${{jsonencode({VALUE})}}, ${{length({VALUE})}} characters",
            lambda prefix: f"{as_json(prefix)}, {len(prefix)} characters",
        ),
        tail=ending(": IAM takes 38 for the name prefix <cluster_name_prefix>-xxxx-cluster-."),
    ),
    Must(
        'not be "sg" or start with "sg-"',
        f'!startswith("${{lower({VALUE})}}-", "sg-")',
        lambda prefix: not f"{prefix.lower()}-".startswith("sg-"),
        tail=ending(": EC2 reserves such names for security group IDs."),
    ),
)


def karpenter_policy_length(prefix: Expression, region: Expression, longest: Expression) -> Rule:
    """The controller's IAM policy within IAM's limit. `longest` is the local with the length that fits."""
    return Rule(
        f"length({prefix.hcl}) <= {longest.hcl}",
        f"cluster_name_prefix must have at most {longest} characters in {region} (got {shown(prefix)}, "
        f"${{length({prefix.hcl})}} characters): with a longer name the IAM policy of the Karpenter controller exceeds IAM's limit "
        f"of {MOST_POLICY_LENGTH:,} characters.",
    )


def longest_cluster_name_prefix(region: Expression) -> Expression:
    """The prefix with which the controller's policy just fits: the cluster's name and the region occur many times in the policy."""
    room = f"{MOST_POLICY_LENGTH - POLICY_LENGTH} - {REGIONS_IN_POLICY} * length({region.hcl})"
    return Expression(f"floor(({room}) / {NAMES_IN_POLICY}) - {len('-xxxx')}")


@dataclass(frozen=True, kw_only=True)
class CommonOptions:
    """The name of the cluster, and what holds for all of its resources."""

    cluster_name_prefix: Annotated[str, Change.REPLACE, Variable(CLUSTER_NAME_PREFIX)] = "eks-spot-gpu"
    """Name of the cluster, before a hyphen and four random characters."""
    permissions_boundary: Annotated[str | None, Change.IN_PLACE, POLICY_ARN] = None
    """ARN of the IAM policy that is the permissions boundary of every role of the stack."""
    offering_checks: Annotated[bool, Change.NONE] = True
    """Ask EC2 at plan which zones offer the instance types. Needs ec2:DescribeInstanceTypeOfferings."""


@dataclass(frozen=True, kw_only=True)
class Common:
    """What every construct takes.

    Attributes:
        name: of the cluster, and the value of the tag by which Karpenter finds subnets and security groups.
        region: the AWS region.
        tags: of everything that is made.
        permissions_boundary: the ARN of the IAM policy that bounds the roles.
        offering_checks: whether a plan asks EC2 which zones offer the instance types.
    """

    name: str
    region: Annotated[str, matches(REGION, "an AWS region such as us-west-2")]
    tags: Mapping[str, str] = field(default_factory=dict)
    permissions_boundary: Annotated[str | None, POLICY_ARN] = None
    offering_checks: bool = True
