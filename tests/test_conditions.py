"""Every condition of the default configuration, literally: what Terraform judges, and what a mistake is called.

`terraform test` shows what the conditions do (tests/cases.py). Here a condition that is lost or changed fails in the fast tests.
"""

import pytest

from stacks.config import ClusterConfig
from stacks.config.common import (
    CLUSTER_NAME_PREFIX_LENGTH,
    MOST_POLICY_LENGTH,
    NAMES_IN_POLICY,
    POLICY_LENGTH,
    REGIONS_IN_POLICY,
)
from stacks.config.fields import documented
from tests.synthesis import Json

VALIDATIONS: dict[str, list[str]] = {
    "region": [
        'can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$", var.region))',
        '!can(regex("^(cn|us-gov|us-iso|us-isob|us-isof|eu-isoe|eusc)-", var.region))',
    ],
    "gpu_instance_types": [
        "length(var.gpu_instance_types) > 0",
        "alltrue([for v in var.gpu_instance_types : v != null])",
    ],
    "gpu_capacity_type": [
        "length(var.gpu_capacity_type) > 0",
        "alltrue([for v in var.gpu_capacity_type : v != null])",
    ],
    "gpu_limit": [
        "var.gpu_limit == null ? true : var.gpu_limit >= 1 && floor(var.gpu_limit) == var.gpu_limit",
    ],
    "gpu_drift_budget": ['var.gpu_drift_budget == null ? true : can(regex("^((100|[0-9]{1,2})%|[0-9]+)$", var.gpu_drift_budget))'],
    "vpc_cidr": [
        "can(cidrnetmask(var.vpc_cidr))",
        "try(cidrsubnet(var.vpc_cidr, 0, 0) == var.vpc_cidr, true)",
        'try(tonumber(split("/", var.vpc_cidr)[1]) >= 16 && tonumber(split("/", var.vpc_cidr)[1]) <= 20, true)',
        '!try(anytrue([cidrsubnet("${split("/", var.vpc_cidr)[0]}/8", 0, 0) == "0.0.0.0/8", '
        'cidrsubnet("${split("/", var.vpc_cidr)[0]}/8", 0, 0) == "127.0.0.0/8", '
        'cidrsubnet("${split("/", var.vpc_cidr)[0]}/16", 0, 0) == "169.254.0.0/16", '
        'cidrsubnet("${split("/", var.vpc_cidr)[0]}/4", 0, 0) == "224.0.0.0/4"]), false)',
    ],
    "availability_zones": [
        "alltrue([for v in var.availability_zones : v != null])",
        "length(distinct(var.availability_zones)) == length(var.availability_zones)",
        "length(var.availability_zones) <= 8",
    ],
    "cluster_name_prefix": [
        'can(regex("^[0-9A-Za-z][0-9A-Za-z_-]*$", var.cluster_name_prefix))',
        "length(var.cluster_name_prefix) <= 24",
        '!startswith("${lower(var.cluster_name_prefix)}-", "sg-")',
    ],
    "karpenter_node_instance_types": [
        "length(var.karpenter_node_instance_types) > 0",
        "alltrue([for v in var.karpenter_node_instance_types : v != null])",
    ],
    "karpenter_node_availability_zones": [
        "alltrue([for v in var.karpenter_node_availability_zones : v != null])",
        "length(distinct(var.karpenter_node_availability_zones)) == length(var.karpenter_node_availability_zones)",
    ],
    "karpenter_node_min_size": [],
    "karpenter_node_max_size": [],
    "karpenter_node_desired_size": [],
    "karpenter_node_release_version": [
        'var.karpenter_node_release_version == null ? true : can(regex("^(0|[1-9][0-9]*)([.](0|[1-9][0-9]*)){2}-.", '
        "var.karpenter_node_release_version))"
    ],
    "addon_versions": [],
}

REQUIREMENTS = [
    "length(var.cluster_name_prefix) <= local.longest_cluster_name_prefix",
    "length(local.availability_zones_of_other_regions) == 0",
    "length(local.azs) <= 8",
    "length(local.control_plane_azs) >= 2",
    "length(distinct(var.karpenter_node_instance_types)) == length(var.karpenter_node_instance_types)",
    "length(local.karpenter_node_instance_types_malformed) == 0",
    "length(local.karpenter_node_instance_types_with_arm64_cpus) == 0",
    "length(local.karpenter_node_instance_types_too_small) == 0",
    "var.karpenter_node_min_size >= 1 && floor(var.karpenter_node_min_size) == var.karpenter_node_min_size",
    "var.karpenter_node_desired_size >= 1 && floor(var.karpenter_node_desired_size) == var.karpenter_node_desired_size",
    "var.karpenter_node_max_size >= 1 && floor(var.karpenter_node_max_size) == var.karpenter_node_max_size",
    "var.karpenter_node_max_size <= 2147483647",
    "var.karpenter_node_min_size <= var.karpenter_node_desired_size && "
    "var.karpenter_node_desired_size <= var.karpenter_node_max_size",
    "length(local.karpenter_node_azs_of_other_networks) == 0",
    "length(local.addon_versions_of_other_addons) == 0",
    "length(local.addon_versions_malformed) == 0",
    "length(local.karpenter_node_azs_without_the_types) == 0",
    "length(distinct(var.gpu_capacity_type)) == length(var.gpu_capacity_type)",
    "length(local.gpu_capacity_types_unknown) == 0",
    'join(",", var.gpu_capacity_type) != "reserved"',
    "length(distinct(var.gpu_instance_types)) == length(var.gpu_instance_types)",
    "length(local.gpu_instance_types_malformed) == 0",
    "var.gpu_limit == null ? true : var.gpu_limit <= 2147483647",
    "var.gpu_limit == null ? true : var.gpu_limit >= local.gpus_of_smallest_type",
    "length(local.gpu_types_without_nvidia_gpus) == 0",
    "length(local.gpu_types_with_a_fraction_of_a_gpu) == 0",
    "length(local.gpu_types_with_arm64_cpus) == 0",
    "length(local.gpu_types_without_a_driver_for_rtx_pro_4500) == 0",
    "length(local.gpu_types_of_unknown_size) == 0",
    "var.gpu_drift_budget == null ? true : length(var.gpu_drift_budget) <= 9",
]

CHECKS = {
    "gpu_instance_types_are_known": "length(local.gpu_types_unknown) == 0",
    "gpu_types_are_offered": (
        "length(local.gpu_types) == 0 ? true : length(distinct(flatten([for type in local.gpu_types : "
        "local.gpu_type_zones[type]]))) >= min(2, length(local.azs)) && alltrue([for type in local.gpu_types : "
        "length(local.gpu_type_zones[type]) > 0])"
    ),
    "karpenter_is_highly_available": "var.karpenter_node_min_size != 1",
    "spot_service_linked_role_exists": "length(data.aws_iam_roles.spot.names) > 0",
    "vpc_cidr_has_room_for_load_balancers": 'tonumber(split("/", var.vpc_cidr)[1]) < 20',
    "vpc_cidr_is_private": (
        'anytrue([cidrsubnet("${split("/", var.vpc_cidr)[0]}/8", 0, 0) == "10.0.0.0/8", '
        'cidrsubnet("${split("/", var.vpc_cidr)[0]}/12", 0, 0) == "172.16.0.0/12", '
        'cidrsubnet("${split("/", var.vpc_cidr)[0]}/16", 0, 0) == "192.168.0.0/16", '
        'cidrsubnet("${split("/", var.vpc_cidr)[0]}/10", 0, 0) == "100.64.0.0/10"])'
    ),
}

# What the conditions name.
LOCALS = {
    "addon_versions_malformed": (
        "{for addon, version in var.addon_versions : addon => version if version != null && "
        '!can(regex("^v[0-9]+[.][0-9]+[.][0-9]+(-[a-z0-9.]+)*-eksbuild[.][0-9]+$", version))}'
    ),
    "addon_versions_of_other_addons": (
        'setsubtract(keys(var.addon_versions), ["coredns", "kube-proxy", "eks-pod-identity-agent", "vpc-cni"])'
    ),
    "availability_zones_of_other_regions": "setsubtract(var.availability_zones, data.aws_availability_zones.available.names)",
    "control_plane_azs": (
        '[for k, zone in [for zone in local.azs : zone if !contains(["use1-az3", "usw1-az2", "cac1-az3"], '
        "lookup(zipmap(data.aws_availability_zones.available.names, data.aws_availability_zones.available.zone_ids), zone, zone))] "
        ": zone if k < 3]"
    ),
    "gpu_capacity_types_unknown": 'setsubtract(var.gpu_capacity_type, ["spot", "on-demand", "reserved"])',
    "gpu_families": 'distinct([for type in keys(local.gpus_by_type) : split(".", type)[0]])',
    "gpu_instance_types_malformed": (
        '[for type in var.gpu_instance_types : type if !can(regex("^[a-z][a-z0-9-]*[.][a-z0-9-]+$", type))]'
    ),
    "gpu_type_families": (
        '{for type in distinct(var.gpu_instance_types) : type => split(".", type)[0] if '
        "!contains(local.gpu_instance_types_malformed, type)}"
    ),
    "gpu_type_zones": (
        "{for type in distinct(var.gpu_instance_types) : type => [for zone in local.azs : zone if contains([for k, type in "
        "data.aws_ec2_instance_type_offerings.gpu.instance_types : [type, "
        "data.aws_ec2_instance_type_offerings.gpu.locations[k]]], [type, zone])]}"
    ),
    "gpu_types": (
        "setsubtract(keys(local.gpu_type_families), concat(local.gpu_types_without_nvidia_gpus, "
        "local.gpu_types_with_a_fraction_of_a_gpu, local.gpu_types_with_arm64_cpus, "
        "local.gpu_types_without_a_driver_for_rtx_pro_4500, local.gpu_types_of_unknown_size))"
    ),
    "gpu_types_of_unknown_size": (
        "[for type, family in local.gpu_type_families : type if contains(local.gpu_families, family) && "
        "!contains(keys(local.gpus_by_type), type) && length(local.gpu_type_zones[type]) == 0]"
    ),
    "gpu_types_unknown": "setsubtract(local.gpu_types, keys(local.gpus_by_type))",
    "gpu_types_with_a_fraction_of_a_gpu": (
        '[for type, family in local.gpu_type_families : type if contains(["g6f", "gr6f"], family)]'
    ),
    "gpu_types_with_arm64_cpus": (
        '[for type, family in local.gpu_type_families : type if can(regex("^g[0-9]+g[a-z]*$|-gb[0-9]+$", family))]'
    ),
    "gpu_types_without_a_driver_for_rtx_pro_4500": (
        '[for type, family in local.gpu_type_families : type if contains(["g7"], family)]'
    ),
    "gpu_types_without_nvidia_gpus": (
        "[for type, family in local.gpu_type_families : type if contains(local.families_without_nvidia_gpus, family)]"
    ),
    "gpus_of_smallest_type": "min([for type in var.gpu_instance_types : lookup(local.gpus_by_type, type, 1)]...)",
    "karpenter_node_azs": (
        "length(var.karpenter_node_availability_zones) > 0 ? tolist(var.karpenter_node_availability_zones) : local.azs"
    ),
    "karpenter_node_azs_of_other_networks": "setsubtract(var.karpenter_node_availability_zones, local.azs)",
    "karpenter_node_azs_that_work": (
        "[for zone in local.azs : zone if alltrue([for zones in values(local.node_group_type_zones) : contains(zones, zone)])]"
    ),
    "karpenter_node_azs_without_the_types": (
        "setsubtract(setintersection(local.karpenter_node_azs, local.azs, data.aws_availability_zones.available.names), "
        "local.karpenter_node_azs_that_work)"
    ),
    "karpenter_node_instance_types_malformed": (
        '[for type in var.karpenter_node_instance_types : type if !can(regex("^[a-z][a-z0-9-]*[.][a-z0-9-]+$", type))]'
    ),
    "karpenter_node_instance_types_too_small": (
        '[for type in var.karpenter_node_instance_types : type if can(regex("[.](nano|micro)$", type))]'
    ),
    "karpenter_node_instance_types_with_arm64_cpus": (
        '[for type in var.karpenter_node_instance_types : type if can(regex("^(a1|[a-z]+[0-9]+g[a-z]*)[.]", type))]'
    ),
    "longest_cluster_name_prefix": "floor((877 - 30 * length(var.region)) / 17) - 5",
}


def test_the_validations_of_every_variable(stack: Json) -> None:
    """A variable without any has no list at all."""
    found = {name: variable.get("validation") for name, variable in stack["variable"].items()}
    assert {name: [rule["condition"] for rule in rules or []] for name, rules in found.items()} == {
        name: [f"${{{condition}}}" for condition in conditions] for name, conditions in VALIDATIONS.items()
    }
    assert {name for name, rules in found.items() if rules is None} == {name for name, rules in VALIDATIONS.items() if not rules}


def test_the_requirements_in_their_order(stack: Json) -> None:
    rules = stack["resource"]["random_string"]["suffix"]["lifecycle"]["precondition"]
    assert [rule["condition"] for rule in rules] == [f"${{{condition}}}" for condition in REQUIREMENTS]


def test_the_conditions_of_the_checks(stack: Json) -> None:
    conditions = {name: [rule["condition"] for rule in check["assert"]] for name, check in stack["check"].items()}
    assert conditions == {name: [f"${{{condition}}}"] for name, condition in CHECKS.items()}


@pytest.mark.parametrize("name", LOCALS)
def test_a_local_that_a_condition_names(stack: Json, name: str) -> None:
    assert stack["locals"][name] == f"${{{LOCALS[name]}}}"


def test_every_message_says_what_must_be_and_what_was_given(stack: Json) -> None:
    names = [field.name for field in documented(ClusterConfig) if field.variable]
    rules = [rule for variable in stack["variable"].values() for rule in variable.get("validation", [])]
    rules += stack["resource"]["random_string"]["suffix"]["lifecycle"]["precondition"]
    assert len(rules) > 45
    for rule in rules:
        message = rule["error_message"]
        assert message.startswith(tuple(names)), message
        assert " must " in message
        assert "(got " in message or "EC2 does not offer ${" in message, message
        assert message.endswith((".", ")]}.")) or "<cluster_name_prefix>" in message


def test_the_validation_of_a_variable_names_it_first(stack: Json) -> None:
    for name, variable in stack["variable"].items():
        for rule in variable.get("validation", []):
            assert rule["error_message"].startswith(f"{name} must ")
            assert (
                f"(got ${{jsonencode(var.{name})}}" in rule["error_message"]
                or "(got [])" in rule["error_message"]
                or (f"(got ${{length(var.{name})}})" in rule["error_message"])
            )


def test_the_sizes_of_the_node_group_are_named_with_their_values(stack: Json) -> None:
    (message,) = (
        rule["error_message"]
        for rule in stack["resource"]["random_string"]["suffix"]["lifecycle"]["precondition"]
        if "<=" in rule["condition"] and "desired" in rule["condition"]
    )
    low, desired, high = (f"${{jsonencode(var.karpenter_node_{size}_size)}}" for size in ("min", "desired", "max"))
    assert message == (
        "karpenter_node_desired_size must be between karpenter_node_min_size and karpenter_node_max_size "
        f"(got {desired}, not between {low} and {high})."
    )


def test_the_numbers_behind_the_longest_name() -> None:
    """38 characters for IAM's name_prefix; the rest is the policy of Karpenter's controller at its limit."""
    assert CLUSTER_NAME_PREFIX_LENGTH == 24
    name, region = CLUSTER_NAME_PREFIX_LENGTH + len("-zz9x"), len("us-west-2")
    assert POLICY_LENGTH + NAMES_IN_POLICY * name + REGIONS_IN_POLICY * region <= MOST_POLICY_LENGTH
