"""What a Terraform variable may hold, as Terraform conditions. Plain Python.

Terraform evaluates a rule in one of three places:

- A `validation` names its own variable only, because Terraform before 1.9 allows no other reference, and `required_version` admits
  1.5.7. A failing validation also blocks `plan -destroy`. So a validation only refuses what cannot be deployed.
- A requirement is a precondition of `random_string.suffix`, the first resource to be created. A requirement may name several
  variables, locals and data sources, and lets a destroy pass.
- A `check` warns.

A message says what must be, what was given, and what to do. Several mistakes are reported together.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from imports.expressions import Expression

from stacks.config.catalogue import INSTANCE_TYPE
from stacks.config.versions import RELEASE


@dataclass(frozen=True)
class Rule:
    """A Terraform condition, without `${}`, and the message (a template) for when the condition is false."""

    condition: str
    message: str

    def block(self) -> dict[str, str]:
        """As a `validation`, `precondition` or `assert` block."""
        return {"condition": f"${{{self.condition}}}", "error_message": self.message}


@dataclass(frozen=True)
class Finding:
    """The rule that a list must be empty. The list becomes a local, which the message names as `{found}`."""

    local: str
    listed: str
    message: str

    def rule(self) -> Rule:
        """The rule, once the stack has the local."""
        return Rule(f"length(local.{self.local}) == 0", self.message.replace("{found}", f"${{jsonencode(local.{self.local})}}"))


CAPACITY_TYPES = ("spot", "on-demand", "reserved")

# The cluster role's name is the tightest of all names that the modules derive: IAM takes a name_prefix of 38 characters, and
# `-cluster-` follows the name, which is the prefix with a hyphen and four characters.
CLUSTER_NAME_PREFIX_LENGTH = 38 - len("-cluster-") - len("-xxxx")

VPC_PREFIXES = (16, 20)
MOST_ZONES = 8

# Networks that the EC2 API refuses for a VPC: "this" network, loopback, link-local, multicast.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpc.html
RESERVED_NETWORKS = ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4")

# The program hard-codes ARNs of the partition `aws` and the public registry in us-east-1. These prefixes of region names are the
# partitions aws-cn, aws-us-gov, aws-iso, aws-iso-b, aws-iso-f, aws-iso-e and aws-eusc.
OTHER_PARTITIONS = ("cn", "us-gov", "us-iso", "us-isob", "us-isof", "eu-isoe", "eusc")

# Some builds have another word: v1.16.0-minimal-eksbuild.1.
ADDON_VERSION = r"^v[0-9]+[.][0-9]+[.][0-9]+(-[a-z0-9.]+)*-eksbuild[.][0-9]+$"

# Four pods fit on a node of these sizes. Three are taken by the VPC CNI, kube-proxy and the Pod Identity agent; CoreDNS, Karpenter
# and the load balancer controller have two each. (`pods` in Karpenter's instance-type reference.)
SIZES_TOO_SMALL_FOR_KARPENTER = ("nano", "micro")

# More than any account has, and exact in Kubernetes, in Bottlerocket and in JavaScript, through which CDKTF writes the JSON.
MOST = 2**31 - 1

# The length of the Karpenter controller's policy as modules/karpenter of terraform-aws-eks 21.11.0 renders it: a constant part, and
# the cluster's name and the region as often as they occur in it. `make test-terraform` compares with real renderings.
POLICY_LENGTH, NAMES_IN_POLICY, REGIONS_IN_POLICY = 5267, 17, 30
MOST_POLICY_LENGTH = 6144  # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html


# Validations, by variable


def region() -> tuple[Rule, ...]:
    """The shape of a region of the partition `aws`; AWS knows which regions exist."""
    others = rf"^({'|'.join(OTHER_PARTITIONS)})-"
    return (
        Rule(
            _matches("var.region", r"^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$"),
            f"region must be an AWS region such as us-west-2 (got {given('region')}).",
        ),
        Rule(
            f"!{_matches('var.region', others)}",
            f"region must be in the AWS partition aws (got {given('region')}). Regions that start with "
            f"{', '.join(OTHER_PARTITIONS)} are in other partitions, which this program does not support yet.",
        ),
    )


def vpc_cidr() -> tuple[Rule, ...]:
    """An IPv4 network that EC2 accepts, and from which subnets of AWS's sizes come."""
    largest, smallest = VPC_PREFIXES
    got = f"(got {given('vpc_cidr')})"
    return (
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
            f"!try({inside_any(Expression('var.vpc_cidr'), RESERVED_NETWORKS)}, false)",
            f"vpc_cidr must not be in {', '.join(RESERVED_NETWORKS)} {got}: EC2 refuses these networks for a VPC.",
        ),
    )


def cluster_name_prefix() -> tuple[Rule, ...]:
    """A name that EKS, IAM, SQS and security groups accept with everything that is added to it."""
    got = f"(got {given('cluster_name_prefix')}"
    return (
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
    )


def not_empty(variable: str) -> tuple[Rule, ...]:
    """A list with at least one element, and no null in it."""
    return (
        Rule(f"length(var.{variable}) > 0", f"{variable} must have at least one element (got [])."),
        *without_nulls(variable),
    )


def without_nulls(variable: str) -> tuple[Rule, ...]:
    """A list without null. (`nullable = false` applies to the list, not to its elements.)"""
    return (Rule(f"alltrue([for v in var.{variable} : v != null])", f"{variable} must not contain null (got {given(variable)})."),)


def gpu_limit() -> tuple[Rule, ...]:
    """No limit, or a number of GPUs."""
    return (
        Rule(
            "var.gpu_limit == null ? true : var.gpu_limit >= 1 && floor(var.gpu_limit) == var.gpu_limit",
            f"gpu_limit must be a whole number of at least 1, or null for no limit (got {given('gpu_limit')}).",
        ),
    )


def gpu_limit_size(limit: Expression) -> Rule:
    """A number that nothing rounds. A requirement, because Kubernetes accepts more: what is deployed can be destroyed."""
    return Rule(f"{limit.hcl} == null ? true : {limit.hcl} <= {MOST}", f"gpu_limit must be at most {MOST} (got {shown(limit)}).")


def gpu_drift_budget() -> tuple[Rule, ...]:
    """Karpenter's own rule for `budgets[].nodes`."""
    return (
        Rule(
            "var.gpu_drift_budget == null ? true : " + _matches("var.gpu_drift_budget", r"^((100|[0-9]{1,2})%|[0-9]+)$"),
            'gpu_drift_budget must be a number of nodes such as "1", a percentage such as "10%", or null '
            f"(got {given('gpu_drift_budget')}).",
        ),
    )


def gpu_drift_budget_size(budget: Expression) -> Rule:
    """A number that Karpenter can count. A requirement, because Kubernetes accepts any: what is deployed can be destroyed."""
    return Rule(
        f"{budget.hcl} == null ? true : length({budget.hcl}) <= 9",
        f"gpu_drift_budget must have at most nine digits (got {shown(budget)}): Karpenter keeps the lowest 32 bits of a number.",
    )


def availability_zones() -> tuple[Rule, ...]:
    """At most as many zones as there are subnets for."""
    return (
        *without_nulls("availability_zones"),
        no_duplicates("availability_zones", Expression("var.availability_zones")),
        Rule(
            f"length(var.availability_zones) <= {MOST_ZONES}",
            f"availability_zones must have at most {MOST_ZONES} zones (got ${{length(var.availability_zones)}}): the subnets of "
            "further zones would overlap.",
        ),
    )


def karpenter_node_availability_zones() -> tuple[Rule, ...]:
    """Only the shape of the list. A requirement checks that the network has the zones."""
    name = "karpenter_node_availability_zones"
    return (*without_nulls(name), no_duplicates(name, Expression(f"var.{name}")))


def bottlerocket_release_version(variable: str) -> tuple[Rule, ...]:
    """The release version of an EKS node group on Bottlerocket: the version, a hyphen and its commit. EKS knows which exist."""
    return (
        Rule(
            f"var.{variable} == null ? true : " + _matches(f"var.{variable}", rf"^{RELEASE.pattern}-."),
            f"{variable} must be a Bottlerocket release version such as 1.53.0-4fc45e5a, or null for the latest "
            f"(got {given(variable)}).",
        ),
    )


# Requirements


def instance_types(name: str, types: Expression, *, like: str) -> tuple[Rule, Finding]:
    """The shape of instance types. A living NodePool may have others: Karpenter accepts any string."""
    return (
        no_duplicates(name, types),
        Finding(
            f"{name}_malformed",
            f"[for type in {types.hcl} : type if !{_matches('type', INSTANCE_TYPE)}]",
            f"{name} must contain instance types such as {like} (got {{found}}).",
        ),
    )


def gpu_capacity_type(types: Expression) -> tuple[Rule | Finding, ...]:
    """What Karpenter calls the ways to buy a node."""
    return (
        no_duplicates("gpu_capacity_type", types),
        Finding(
            "gpu_capacity_types_unknown",
            f"setsubtract({types.hcl}, {json.dumps(CAPACITY_TYPES)})",
            'gpu_capacity_type must contain only "spot", "on-demand" and "reserved" (got {found}).',
        ),
        Rule(
            f'join(",", {types.hcl}) != "reserved"',
            'gpu_capacity_type must contain "spot" or "on-demand" (got ["reserved"]): the GPU node class selects no capacity '
            "reservation, so Karpenter would never launch a node.",
        ),
    )


def karpenter_node_instance_types(types: Expression) -> tuple[Rule | Finding, ...]:
    """Instance types with the node group's CPU architecture, and large enough for what runs there."""
    name = "karpenter_node_instance_types"
    small = "|".join(SIZES_TOO_SMALL_FOR_KARPENTER)
    return (
        *instance_types(name, types, like="m5.large"),
        Finding(
            f"{name}_with_arm64_cpus",
            f'[for type in {types.hcl} : type if can(regex("^(a1|[a-z]+[0-9]+g[a-z]*)[.]", type))]',
            f"{name} must have x86_64 CPUs, as the node group's AMI (got {{found}}, which have arm64 CPUs).",
        ),
        Finding(
            f"{name}_too_small",
            f'[for type in {types.hcl} : type if can(regex("[.]({small})$", type))]',
            f"{name} must have room for more than 4 pods (got {{found}}): the node group runs Karpenter, CoreDNS and the load "
            "balancer controller. m5.large is the default.",
        ),
    )


def karpenter_node_sizes(low: Expression, desired: Expression, high: Expression) -> tuple[Rule, ...]:
    """Whole numbers of at least 1 that EKS can hold, in order."""
    names = [f"karpenter_node_{size}_size" for size in ("min", "desired", "max")]
    sizes = (low, desired, high)
    return (
        *(
            Rule(
                f"{size.hcl} >= 1 && floor({size.hcl}) == {size.hcl}",
                f"{name} must be a whole number of at least 1 (got {shown(size)}).",
            )
            for name, size in zip(names, sizes, strict=True)
        ),
        # https://docs.aws.amazon.com/eks/latest/userguide/service-quotas.html
        Rule(
            f"{high.hcl} <= {MOST}",
            f"{names[2]} must be at most {MOST} (got {shown(high)}). The default quota of EKS is 450 nodes in a node group.",
        ),
        Rule(
            f"{low.hcl} <= {desired.hcl} && {desired.hcl} <= {high.hcl}",
            f"{names[1]} must be between {names[0]} and {names[2]} (got {shown(desired)}, not between {shown(low)} and "
            f"{shown(high)}).",
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


def addon_versions(versions: Expression, addons: Sequence[str]) -> tuple[Finding, Finding]:
    """Versions of add-ons that the cluster has. `aws eks describe-addon-versions` lists them."""
    malformed = f"version != null && !{_matches('version', ADDON_VERSION)}"
    return (
        Finding(
            "addon_versions_of_other_addons",
            f"setsubtract(keys({versions.hcl}), {json.dumps(addons)})",
            f"addon_versions must name add-ons of the cluster: {', '.join(addons)} (got {{found}}).",
        ),
        Finding(
            "addon_versions_malformed",
            f"{{for addon, version in {versions.hcl} : addon => version if {malformed}}}",
            "addon_versions must have versions such as v1.12.1-eksbuild.2 (got {found}). Leave an add-on out for the latest.",
        ),
    )


def no_duplicates(name: str, values: Expression) -> Rule:
    """A list without duplicates."""
    return Rule(
        f"length(distinct({values.hcl})) == length({values.hcl})",
        f"{name} must not contain duplicates (got {shown(values)}).",
    )


def given(variable: str) -> str:
    """The value of a variable in a message, as a template."""
    return shown(Expression(f"var.{variable}"))


def shown(value: Expression) -> str:
    """A value in a message, as a template."""
    return f"${{jsonencode({value.hcl})}}"


def inside_any(cidr: Expression, networks: Sequence[str]) -> str:
    """Whether the first address of `cidr` is in one of `networks`."""
    address = f'split("/", {cidr.hcl})[0]'
    inside = (f'cidrsubnet("${{{address}}}/{network.rpartition("/")[2]}", 0, 0) == "{network}"' for network in networks)
    return f"anytrue([{', '.join(inside)}])"


def _matches(expression: str, pattern: str) -> str:
    return f"can(regex({json.dumps(pattern)}, {expression}))"
