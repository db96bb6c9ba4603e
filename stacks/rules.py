"""What input is allowed, as Terraform conditions. Pure Python.

A rule stands in one of three places:

- A `validation` names its own variable only, because Terraform before 1.9 allows no other reference, and `required_version` admits
  1.5.7. It also blocks `plan -destroy`. So it refuses only what no living deployment can have.
- A requirement is a precondition of `random_string.suffix`, the first resource to be created. It may name several variables, locals
  and data sources, and lets a destroy pass.
- A `check` warns.

A message says what must be, what was given, and what to do. Several mistakes are reported together.
"""

import json
from collections.abc import Iterable
from typing import NamedTuple


class Rule(NamedTuple):
    """A Terraform condition, without `${}`, and the message where it does not hold, a template."""

    condition: str
    message: str

    def block(self) -> dict[str, str]:
        """As a `validation`, `precondition` or `assert` block."""
        return {"condition": f"${{{self.condition}}}", "error_message": self.message}


INSTANCE_TYPE = r"^[a-z][a-z0-9-]*[.][a-z0-9-]+$"

# The cluster role's name is the tightest of all names that the modules derive: IAM takes a name_prefix of 38 characters, and
# `-cluster-` follows the name, which is the prefix with a hyphen and four characters.
CLUSTER_NAME_PREFIX_LENGTH = 38 - len("-cluster-") - len("-xxxx")

VPC_PREFIXES = (16, 20)
MOST_ZONES = 8

# Networks that the EC2 API refuses for a VPC: loopback, link-local, multicast.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpc.html
RESERVED_NETWORKS = ("127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4")

# ARNs of the partition `aws` and the registry of us-east-1 are wired in. By the start of a region's name:
OTHER_PARTITIONS = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "us-isof-": "aws-iso-f",
    "eu-isoe-": "aws-iso-e",
    "eusc-": "aws-eusc",
}

# Four pods fit on a node of these sizes. Three are taken by the VPC CNI, kube-proxy and the Pod Identity agent; CoreDNS, Karpenter
# and the load balancer controller have two each. (`pods` in Karpenter's instance-type reference.)
SIZES_TOO_SMALL_FOR_KARPENTER = ("nano", "micro")

# The length of the Karpenter controller's policy as modules/karpenter of terraform-aws-eks 21.11.0 renders it: a constant part, and
# the cluster's name and the region as often as they occur in it. `make test-terraform` compares with real renderings.
POLICY_LENGTH, NAMES_IN_POLICY, REGIONS_IN_POLICY = 5267, 17, 30
MOST_POLICY_LENGTH = 6144  # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html


# Validations, by variable


def region() -> list[Rule]:
    """The shape of a region of the partition `aws`; AWS knows which regions exist."""
    others = f"[for start, partition in {json.dumps(OTHER_PARTITIONS)} : partition if startswith(var.region, start)]"
    return [
        Rule(
            _matches("var.region", r"^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$"),
            f"region must be an AWS region such as us-west-2 (got {given('region')}).",
        ),
        Rule(
            f"length({others}) == 0",
            f'region must be in the AWS partition aws (got {given("region")}, partition ${{join(", ", {others})}}). This program '
            "does not work in other partitions yet.",
        ),
    ]


def vpc_cidr() -> list[Rule]:
    """An IPv4 network that EC2 accepts, and from which subnets of AWS's sizes come."""
    largest, smallest = VPC_PREFIXES
    got = f"(got {given('vpc_cidr')})"
    return [
        Rule("can(cidrnetmask(var.vpc_cidr))", f"vpc_cidr must be an IPv4 network such as 10.0.0.0/16 {got}."),
        Rule(
            "try(cidrsubnet(var.vpc_cidr, 0, 0) == var.vpc_cidr, true)",
            f'vpc_cidr must not have host bits {got}. The network is ${{try(cidrsubnet(var.vpc_cidr, 0, 0), "invalid")}}.',
        ),
        Rule(
            f'try(tonumber(split("/", var.vpc_cidr)[1]) >= {largest} && tonumber(split("/", var.vpc_cidr)[1]) <= {smallest}, true)',
            f"vpc_cidr must be a /{largest} to /{smallest} network {got}. A VPC cannot be larger, and from a smaller network the "
            "public and intra subnets, which are 8 bits longer, would be below AWS's minimum of /28.",
        ),
        Rule(
            f"!try({inside_any('var.vpc_cidr', RESERVED_NETWORKS)}, false)",
            f"vpc_cidr must not be in {', '.join(RESERVED_NETWORKS)} {got}: EC2 refuses these networks for a VPC.",
        ),
    ]


def cluster_name_prefix() -> list[Rule]:
    """A name that EKS, IAM, SQS and security groups accept with everything that is added to it."""
    got = f"(got {given('cluster_name_prefix')}"
    return [
        Rule(
            _matches("var.cluster_name_prefix", r"^[0-9A-Za-z][0-9A-Za-z_-]*$"),
            "cluster_name_prefix must consist of letters, digits, hyphens and underscores, and start with a letter or a digit "
            f"{got}).",
        ),
        Rule(
            f"length(var.cluster_name_prefix) <= {CLUSTER_NAME_PREFIX_LENGTH}",
            f"cluster_name_prefix must have at most {CLUSTER_NAME_PREFIX_LENGTH} characters {got}, "
            "${length(var.cluster_name_prefix)} characters): IAM takes 38 for the name prefix <cluster_name_prefix>-xxxx-cluster-.",
        ),
        Rule(
            '!startswith("${lower(var.cluster_name_prefix)}-", "sg-")',
            f'cluster_name_prefix must not be "sg" or start with "sg-" {got}): EC2 reserves such names for security group IDs.',
        ),
    ]


def not_empty(variable: str) -> list[Rule]:
    """A list with at least one element, and no null in it."""
    return [
        Rule(f"length(var.{variable}) > 0", f"{variable} must have at least one element (got [])."),
        *without_nulls(variable),
    ]


def without_nulls(variable: str) -> list[Rule]:
    """A list without null. (`nullable = false` speaks of the list, not of its elements.)"""
    return [
        Rule(f"alltrue([for v in var.{variable} : v != null])", f"{variable} must not contain null (got {given(variable)})."),
    ]


def gpu_limit() -> list[Rule]:
    """No limit, or a number of GPUs."""
    return [
        Rule(
            "var.gpu_limit == null ? true : var.gpu_limit >= 1 && floor(var.gpu_limit) == var.gpu_limit",
            f"gpu_limit must be a whole number of at least 1, or null for no limit (got {given('gpu_limit')}).",
        )
    ]


def gpu_drift_budget() -> list[Rule]:
    """Karpenter's own rule for `budgets[].nodes`."""
    return [
        Rule(
            "var.gpu_drift_budget == null ? true : " + _matches("var.gpu_drift_budget", r"^((100|[0-9]{1,2})%|[0-9]+)$"),
            'gpu_drift_budget must be a number of nodes such as "1", a percentage such as "10%", or null '
            f"(got {given('gpu_drift_budget')}).",
        )
    ]


def availability_zones() -> list[Rule]:
    """At most as many zones as there are subnets for."""
    return [
        *without_nulls("availability_zones"),
        no_duplicates("availability_zones"),
        Rule(
            f"length(var.availability_zones) <= {MOST_ZONES}",
            f"availability_zones must have at most {MOST_ZONES} zones (got ${{length(var.availability_zones)}}): the subnets of "
            "further zones would overlap.",
        ),
    ]


def karpenter_node_availability_zones() -> list[Rule]:
    """That the network has them is a requirement."""
    return [*without_nulls("karpenter_node_availability_zones"), no_duplicates("karpenter_node_availability_zones")]


def bottlerocket_release_version(variable: str) -> list[Rule]:
    """The release version of an EKS node group on Bottlerocket: the version, a hyphen and its commit. EKS knows which exist."""
    return [
        Rule(
            f"var.{variable} == null ? true : " + _matches(f"var.{variable}", r"^[0-9]+[.][0-9]+[.][0-9]+-."),
            f"{variable} must be a Bottlerocket release version such as 1.53.0-4fc45e5a, or null for the latest "
            f"(got {given(variable)}).",
        )
    ]


# Requirements


def instance_types(variable: str, *, like: str) -> list[Rule]:
    """The shape of instance types. A living NodePool may have others: Karpenter accepts any string."""
    others = f"[for t in var.{variable} : t if !{_matches('t', INSTANCE_TYPE)}]"
    return [
        no_duplicates(variable),
        Rule(
            f"length({others}) == 0",
            f"{variable} must contain instance types such as {like} (got ${{jsonencode({others})}}).",
        ),
    ]


def gpu_capacity_type() -> list[Rule]:
    """What Karpenter calls the ways to buy a node."""
    allowed = json.dumps(["spot", "on-demand", "reserved"])
    return [
        no_duplicates("gpu_capacity_type"),
        Rule(
            f"length(setsubtract(var.gpu_capacity_type, {allowed})) == 0",
            'gpu_capacity_type must contain only "spot", "on-demand" and "reserved" (got '
            f"${{jsonencode(setsubtract(var.gpu_capacity_type, {allowed}))}}).",
        ),
        Rule(
            'join(",", var.gpu_capacity_type) != "reserved"',
            'gpu_capacity_type must contain "spot" or "on-demand" (got ["reserved"]): the GPU node class selects no capacity '
            "reservation, so Karpenter would never launch a node.",
        ),
    ]


def karpenter_node_instance_types() -> list[Rule]:
    """x86_64, as the node group's AMI, and large enough for what runs there."""
    name = "karpenter_node_instance_types"
    graviton = f'[for t in var.{name} : t if can(regex("^(a1|[a-z]+[0-9]+g[a-z]*)[.]", t))]'
    small = f'[for t in var.{name} : t if can(regex("[.]({"|".join(SIZES_TOO_SMALL_FOR_KARPENTER)})$", t))]'
    return [
        *instance_types(name, like="m5.large"),
        Rule(
            f"length({graviton}) == 0",
            f"{name} must have x86_64 CPUs, as the node group's AMI (got ${{jsonencode({graviton})}}, which have arm64 CPUs).",
        ),
        Rule(
            f"length({small}) == 0",
            f"{name} must have room for more than 4 pods (got ${{jsonencode({small})}}): the node group runs Karpenter, "
            "CoreDNS and the load balancer controller. m5.large is the default.",
        ),
    ]


def karpenter_node_sizes() -> list[Rule]:
    """Whole numbers of at least 1, in order."""
    low, desired, high = (f"karpenter_node_{size}_size" for size in ("min", "desired", "max"))
    return [
        *(
            Rule(
                f"var.{name} >= 1 && floor(var.{name}) == var.{name}",
                f"{name} must be a whole number of at least 1 (got {given(name)}).",
            )
            for name in (low, desired, high)
        ),
        Rule(
            f"var.{low} <= var.{desired} && var.{desired} <= var.{high}",
            f"{desired} must be between {low} and {high} (got {given(desired)}, not between {given(low)} and {given(high)}).",
        ),
    ]


def karpenter_policy_length() -> Rule:
    """The controller's IAM policy within IAM's limit: the cluster's name and the region occur many times in it."""
    room = f"{MOST_POLICY_LENGTH - POLICY_LENGTH} - {REGIONS_IN_POLICY} * length(var.region)"
    fits = f"floor(({room}) / {NAMES_IN_POLICY}) - {len('-xxxx')}"
    return Rule(
        f"length(var.cluster_name_prefix) <= {fits}",
        f"cluster_name_prefix must have at most ${{{fits}}} characters in ${{var.region}} (got {given('cluster_name_prefix')}, "
        f"${{length(var.cluster_name_prefix)}} characters): with a longer name the IAM policy of the Karpenter controller exceeds "
        f"IAM's limit of {MOST_POLICY_LENGTH:,} characters.",
    )


def addon_versions(addons: Iterable[str]) -> Rule:
    """Versions of add-ons that the cluster has."""
    others = f"setsubtract(keys(var.addon_versions), {json.dumps(list(addons))})"
    return Rule(
        f"length({others}) == 0",
        f"addon_versions must name add-ons of the cluster: {', '.join(addons)} (got ${{jsonencode({others})}}).",
    )


def no_duplicates(variable: str) -> Rule:
    """A list without duplicates."""
    return Rule(
        f"length(distinct(var.{variable})) == length(var.{variable})",
        f"{variable} must not contain duplicates (got {given(variable)}).",
    )


def given(variable: str) -> str:
    """The value of a variable in a message, as a template."""
    return f"${{jsonencode(var.{variable})}}"


def inside_any(cidr: str, networks: tuple[str, ...]) -> str:
    """Whether the first address of `cidr`, an expression without `${}`, is in one of `networks`."""
    address = f'split("/", {cidr})[0]'
    inside = (f'cidrsubnet("${{{address}}}/{network.rpartition("/")[2]}", 0, 0) == "{network}"' for network in networks)
    return f"anytrue([{', '.join(inside)}])"


def _matches(expression: str, pattern: str) -> str:
    return f"can(regex({json.dumps(pattern)}, {expression}))"
