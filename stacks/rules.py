"""What input is allowed, as Terraform conditions. Pure Python.

`required_version` admits Terraform 1.5.7, where a variable's validation speaks of that variable alone; a rule on several, or on
what AWS answers, is a precondition or postcondition of something that exists anyway. What is only worth a word is a `check`.

A message names the variable, what was given and what is allowed. Terraform shows it before anything is made.
"""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from stacks.catalogue import refused_families


class Rule(NamedTuple):
    """A Terraform condition, without `${}`, and the message where it does not hold, a template."""

    condition: str
    message: str

    def block(self) -> dict[str, str]:
        """As a `validation`, `precondition`, `postcondition` or `assert` block."""
        return {"condition": f"${{{self.condition}}}", "error_message": self.message}


INSTANCE_TYPE = r"^[a-z][a-z0-9-]*[.][a-z0-9-]+$"

# What the name of a cluster is part of: a hyphen and four characters follow the prefix, and of all names and prefixes that the
# modules make of it, the cluster role's is the tightest: IAM takes a name_prefix of 38 characters, and `-cluster-` follows.
CLUSTER_NAME_PREFIX_LENGTH = 38 - len("-cluster-") - len("-xxxx")

VPC_PREFIXES = (16, 20)
MOST_ZONES = 8


def region() -> list[Rule]:
    """A region's shape; which regions there are, AWS knows."""
    return [
        Rule(
            _matches("var.region", r"^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$"),
            f"region: {_given('region')} is no AWS region; one looks like us-west-2.",
        )
    ]


def vpc_cidr() -> list[Rule]:
    """An IPv4 network from which subnets of AWS's sizes come."""
    largest, smallest = VPC_PREFIXES
    return [
        Rule(
            "can(cidrnetmask(var.vpc_cidr))",
            f"vpc_cidr: {_given('vpc_cidr')} is no IPv4 network; one looks like 10.0.0.0/16.",
        ),
        Rule(
            "try(cidrsubnet(var.vpc_cidr, 0, 0) == var.vpc_cidr, true)",
            f'vpc_cidr: {_given("vpc_cidr")} has host bits; the network is ${{try(cidrsubnet(var.vpc_cidr, 0, 0), "none")}}.',
        ),
        Rule(
            f'try(tonumber(split("/", var.vpc_cidr)[1]) >= {largest} && tonumber(split("/", var.vpc_cidr)[1]) <= {smallest}, true)',
            f"vpc_cidr: {_given('vpc_cidr')} has another size than /{largest} to /{smallest}. AWS has no larger VPC, and subnets "
            "of a smaller one would be under AWS's /28: public and intra ones are 8 bits longer.",
        ),
    ]


def cluster_name_prefix() -> list[Rule]:
    """A name that EKS, IAM, SQS and security groups take with all that is added to it."""
    return [
        Rule(
            _matches("var.cluster_name_prefix", r"^[0-9A-Za-z][0-9A-Za-z_-]*$"),
            f"cluster_name_prefix: {_given('cluster_name_prefix')} is no name for an EKS cluster: letters, digits, hyphens and "
            "underscores, a letter or digit first.",
        ),
        Rule(
            f"length(var.cluster_name_prefix) <= {CLUSTER_NAME_PREFIX_LENGTH}",
            f"cluster_name_prefix: {_given('cluster_name_prefix')} has ${{length(var.cluster_name_prefix)}} characters; "
            f"{CLUSTER_NAME_PREFIX_LENGTH} at most, as IAM takes 38 for the prefix -xxxx-cluster-.",
        ),
        Rule(
            '!startswith(lower(var.cluster_name_prefix), "sg-")',
            f"cluster_name_prefix: {_given('cluster_name_prefix')} starts with sg-, which AWS keeps for ids of security groups.",
        ),
    ]


def gpu_instance_types() -> list[Rule]:
    """NVIDIA types of whole GPUs on amd64; one that nobody here knows is for the check gpu_instance_types_are_known."""
    name = "gpu_instance_types"
    return [
        *_list_of_instance_types(name),
        *(
            Rule(
                f"length({_of_families(name, families)}) == 0",
                f"{name}: ${{jsonencode({_of_families(name, families)})}} {reason}.",
            )
            for reason, families in refused_families().items()
        ),
    ]


def gpu_capacity_type() -> list[Rule]:
    """What Karpenter calls the ways to buy a node."""
    allowed = json.dumps(["spot", "on-demand", "reserved"])
    return [
        *_not_empty_no_duplicates("gpu_capacity_type"),
        Rule(
            f"length(setsubtract(var.gpu_capacity_type, {allowed})) == 0",
            f"gpu_capacity_type: ${{jsonencode(setsubtract(var.gpu_capacity_type, {allowed}))}} is not allowed; "
            "spot, on-demand and reserved are.",
        ),
    ]


def gpu_limit() -> list[Rule]:
    """No limit, or a number of GPUs."""
    return [
        Rule(
            "var.gpu_limit == null ? true : var.gpu_limit >= 1 && floor(var.gpu_limit) == var.gpu_limit",
            f"gpu_limit: {_given('gpu_limit')} is no number of GPUs: a whole number, 1 at least, or null for no limit.",
        )
    ]


def gpu_drift_budget() -> list[Rule]:
    """Karpenter's own rule for `budgets[].nodes`."""
    return [
        Rule(
            "var.gpu_drift_budget == null ? true : " + _matches("var.gpu_drift_budget", r"^((100|[0-9]{1,2})%|[0-9]+)$"),
            f"gpu_drift_budget: {_given('gpu_drift_budget')} is no budget: a number of nodes, a percentage as 10%, or null.",
        )
    ]


def availability_zones() -> list[Rule]:
    """As many zones as there are subnets for; that the region has them is a rule on what AWS answers."""
    return [
        *_no_duplicates("availability_zones"),
        Rule(
            f"length(var.availability_zones) <= {MOST_ZONES}",
            f"availability_zones: ${{length(var.availability_zones)}} zones; {MOST_ZONES} at most, or subnets would overlap.",
        ),
    ]


def karpenter_node_availability_zones() -> list[Rule]:
    """That the network has them is a precondition."""
    return _no_duplicates("karpenter_node_availability_zones")


def karpenter_node_instance_types() -> list[Rule]:
    """x86_64, as the node group's AMI."""
    name = "karpenter_node_instance_types"
    graviton = f'[for t in var.{name} : t if can(regex("^(a1|[a-z]+[0-9]+g[a-z]*)[.]", t))]'
    return [
        *_list_of_instance_types(name),
        Rule(
            f"length({graviton}) == 0",
            f"{name}: ${{jsonencode({graviton})}} is arm64, and the node group is x86_64.",
        ),
    ]


def number_of_nodes(name: str) -> list[Rule]:
    """A whole number, 1 at least."""
    return [
        Rule(
            f"var.{name} >= 1 && floor(var.{name}) == var.{name}",
            f"{name}: {_given(name)} is no number of nodes: a whole number, 1 at least.",
        )
    ]


def node_group_sizes() -> Rule:
    """The three sizes in order."""
    low, desired, high = (f"karpenter_node_{size}_size" for size in ("min", "desired", "max"))
    return Rule(
        f"var.{low} <= var.{desired} && var.{desired} <= var.{high}",
        f"{desired}: {_given(desired)} is not between {low}, {_given(low)}, and {high}, {_given(high)}.",
    )


def node_group_zones() -> Rule:
    """The node group's zones are the network's."""
    others = "setsubtract(var.karpenter_node_availability_zones, local.azs)"
    return Rule(
        f"length({others}) == 0",
        f'karpenter_node_availability_zones: ${{jsonencode({others})}} is no zone of the network; ${{join(", ", local.azs)}} are.',
    )


def _given(variable: str) -> str:
    return f"${{jsonencode(var.{variable})}}"


def _matches(expression: str, pattern: str) -> str:
    return f"can(regex({json.dumps(pattern)}, {expression}))"


def _no_duplicates(variable: str) -> list[Rule]:
    return [
        Rule(
            f"length(distinct(var.{variable})) == length(var.{variable})",
            f"{variable}: {_given(variable)} names something twice.",
        )
    ]


def _not_empty_no_duplicates(variable: str) -> list[Rule]:
    return [
        Rule(f"length(var.{variable}) > 0", f"{variable}: [] is empty; one at least is needed."),
        *_no_duplicates(variable),
    ]


def _list_of_instance_types(variable: str) -> list[Rule]:
    others = f"[for t in var.{variable} : t if !{_matches('t', INSTANCE_TYPE)}]"
    return [
        *_not_empty_no_duplicates(variable),
        Rule(
            f"length({others}) == 0",
            f"{variable}: ${{jsonencode({others})}} is no instance type; one looks like p5.48xlarge.",
        ),
    ]


def _of_families(variable: str, families: Sequence[Any]) -> str:
    return f'[for t in var.{variable} : t if contains({json.dumps(families)}, split(".", t)[0])]'
