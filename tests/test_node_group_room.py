"""What runs on the node group, and whether it fits there."""

import re
from collections import Counter

import pytest

from stacks.config import recommended
from stacks.config.node_group import NodeGroup
from stacks.knowledge.catalogue import general_instance_types
from stacks.knowledge.node_group_room import Room, components, requested, room, shortages
from stacks.knowledge.storage_addons import STORAGE_ADDONS

TYPES = {row.instance_type: row for row in general_instance_types()}
(DEFAULT_TYPE,) = NodeGroup().karpenter_node_instance_types
EVERY_ADDON = {row.addon for row in components()} - {""}

# What `recommended` may turn on.
EBS = "aws-ebs-csi-driver"
EBS_AND_METRICS = (EBS, "metrics-server")


def test_recommended_fits_with_one_node_gone() -> None:
    config = recommended("a")
    (instance_type,), nodes = config.karpenter_node_instance_types, config.karpenter_node_min_size
    assert EBS in config.further_addons()
    assert set(config.further_addons()) <= set(EBS_AND_METRICS)
    assert shortages(config.further_addons(), instance_type=instance_type, nodes=nodes - 1) == []


def test_the_sum_knows_every_addon_for_storage() -> None:
    assert {addon.name for addon in STORAGE_ADDONS} <= EVERY_ADDON


@pytest.mark.parametrize("nodes", [1, 2])
@pytest.mark.parametrize("addons", [(), (EBS,), EBS_AND_METRICS])
def test_the_default_and_ebs_with_metrics_server_fit_also_with_one_node_gone(addons: tuple[str, ...], nodes: int) -> None:
    assert shortages(addons, instance_type=DEFAULT_TYPE, nodes=nodes) == []


def test_a_single_node_leaves_karpenter_the_core_and_gibibyte_that_its_guide_gives_it() -> None:
    # website/content/en/docs/getting-started/getting-started-with-karpenter of aws/karpenter-provider-aws: 1 CPU, 1Gi.
    needed, has = requested(EBS_AND_METRICS, nodes=1), room(TYPES[DEFAULT_TYPE])
    assert needed == Room(cpu_millicores=700, memory_mib=1108, pods=13)
    assert has.cpu_millicores - needed.cpu_millicores >= 1000
    assert has.memory_mib - needed.memory_mib >= 1024


def test_everything_at_once_fits_on_two_default_nodes_and_not_on_one() -> None:
    assert shortages(EVERY_ADDON, instance_type=DEFAULT_TYPE, nodes=2) == []
    assert shortages(EVERY_ADDON, instance_type=DEFAULT_TYPE, nodes=1) == ["1930 of 2750 millicores"]


def test_a_small_type_lacks_pods_and_memory() -> None:
    assert shortages((), instance_type="m1.small", nodes=1) == []  # 8 of 8 pods
    assert shortages((), instance_type="t3.small", nodes=1) == []
    assert shortages(EBS_AND_METRICS, instance_type="t3.small", nodes=1) == ["11 of 13 pods"]
    assert shortages((*EBS_AND_METRICS, "aws-fsx-csi-driver"), instance_type="t3.small", nodes=1) == [
        "1418 of 1484 MiB",
        "11 of 16 pods",
    ]


def test_an_unknown_type_is_not_judged() -> None:
    assert shortages(EVERY_ADDON, instance_type="m99.large", nodes=1) == []


@pytest.mark.parametrize(
    ("instance_type", "cpu_millicores", "memory_mib", "pods"),
    # `Resources` of Karpenter's instance-type reference, from which the catalogue is. All 884 types come out equal.
    [
        ("m5.large", 1930, 6903, 29),
        ("t3.small", 1930, 1418, 11),
        ("m1.small", 940, 1166, 8),
        ("m5.xlarge", 3920, 14162, 58),
        ("c7i.48xlarge", 191450, 355262, 737),
    ],
)
def test_a_node_leaves_to_pods_what_karpenter_expects(instance_type: str, cpu_millicores: int, memory_mib: int, pods: int) -> None:
    assert room(TYPES[instance_type]) == Room(cpu_millicores=cpu_millicores, memory_mib=memory_mib, pods=pods)


def test_two_nodes_have_twice_the_room_and_only_daemonsets_twice_the_pods() -> None:
    one = room(TYPES[DEFAULT_TYPE])
    assert room(TYPES[DEFAULT_TYPE], nodes=2) == Room(
        cpu_millicores=2 * one.cpu_millicores, memory_mib=2 * one.memory_mib, pods=2 * one.pods
    )
    pods = {row.name: (row.pods(1), row.pods(2), row.pods(3)) for row in components()}
    assert (pods["aws-node"], pods["coredns"]) == ((1, 2, 3), (2, 2, 2))
    assert pods["karpenter"] == (1, 2, 2)  # a second one never runs on the node of the first


def test_each_component_has_a_source_with_a_version_and_pods_on_every_number_of_nodes() -> None:
    for row in components():
        assert re.search(r"v?[0-9]+[.][0-9]+[.][0-9]+|20[0-9]{2}-[0-9]{2}", row.source), row.name
        assert row.pods(1) == (row.replicas if row.most_per_node is None else 1), row.name


def test_no_two_components_want_one_port_of_the_node() -> None:
    ports = Counter(port for row in components() for port in row.host_ports)
    assert ports
    assert max(ports.values()) == 1
    assert all(row.most_per_node == 1 for row in components() if row.host_ports)
