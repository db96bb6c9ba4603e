"""The addresses that nodes take, and that a zone has."""

from typing import Any, get_args

import pytest

from stacks.config.network import NetworkOptions, addresses_per_zone
from stacks.hcl.expressions import Expression
from stacks.knowledge.catalogue import gpu_instance_types
from stacks.knowledge.efa import EfaInterface
from stacks.knowledge.ip_addresses import addresses_by_type, addresses_of_node, addresses_of_subnet

TYPES = {row.instance_type: row for row in gpu_instance_types()}
TARGETS: dict[str, Any] = {"warm_ip_target": 2, "minimum_ip_target": 16}


@pytest.mark.parametrize(
    ("instance_type", "filled", "with_targets"),
    [
        ("p5.48xlarge", (100, 131, 50), (17, 48, 17)),  # two interfaces on the first card, of which EFA takes one
        ("p5.4xlarge", (60, 60, 60), (17, 17, 17)),
        ("p5en.48xlarge", (100, 115, 100), (17, 32, 17)),
        ("p6-b200.48xlarge", (100, 107, 100), (17, 24, 17)),
        ("p6-b300.48xlarge", (100, 116, 100), (17, 33, 17)),  # 17 network cards, of which the first has no EFA
        ("g6e.48xlarge", (100, 103, 100), (17, 20, 17)),
        ("g6e.12xlarge", (60, 60, 60), (17, 17, 17)),
        ("g6e.xlarge", (30, 30, 30), (18, 18, 18)),  # the second interface has an address of its own
    ],
)
def test_a_node_takes_what_the_cni_and_efa_take(instance_type: str, filled: tuple[int, ...], with_targets: tuple[int, ...]) -> None:
    node, kinds = TYPES[instance_type], get_args(EfaInterface)
    assert tuple(addresses_of_node(node, efa=efa) for efa in (None, *kinds)) == filled
    assert tuple(addresses_of_node(node, **TARGETS, efa=efa) for efa in (None, *kinds)) == with_targets


def test_a_node_never_takes_more_than_its_interfaces_hold() -> None:
    many: dict[str, Any] = {"warm_ip_target": 1, "minimum_ip_target": 2000}
    assert addresses_by_type(**many) == {
        name: TYPES[name].interfaces * TYPES[name].addresses_per_interface for name in addresses_by_type()
    }


def test_the_pods_of_all_gpus_count_where_they_are_more_than_the_minimum() -> None:
    assert addresses_of_node(TYPES["p5.48xlarge"], warm_ip_target=2, minimum_ip_target=4) == 1 + 8 + 2


@pytest.mark.parametrize(("prefix", "of_vpc"), [(20, 16), (21, 17), (22, 18), (23, 19), (24, 20)])
def test_a_zone_has_the_addresses_of_its_private_subnet_without_the_five_of_aws(prefix: int, of_vpc: int) -> None:
    assert addresses_of_subnet(prefix) == {20: 4091, 21: 2043, 22: 1019, 23: 507, 24: 251}[prefix]
    assert NetworkOptions(vpc_cidr=f"10.0.0.0/{of_vpc}").addresses_per_zone() == addresses_of_subnet(prefix)


def test_a_plan_counts_the_same_of_a_variable() -> None:
    assert addresses_per_zone(Expression("var.vpc_cidr")).hcl == 'pow(2, 28 - tonumber(split("/", var.vpc_cidr)[1])) - 5'
    for cidr in ("${var.vpc_cidr}", "10.0.0.0", "fd00::/16"):
        assert NetworkOptions(vpc_cidr=cidr).addresses_per_zone() is None
