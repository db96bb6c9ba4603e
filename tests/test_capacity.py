"""Reservations, fixed sizes, grace periods and node limits of pools: what is refused, and which Karpenter knows what."""

from typing import Any

import pytest

from stacks.config import CapacityReservation, ClusterConfig, GpuPool
from stacks.config.checks import ConfigurationError
from stacks.config.node_pools import NodePoolOptions
from stacks.config.pools import Pool
from stacks.kubernetes.node_pools import NodePools
from tests.constructs import COMMON, karpenter
from tests.pools import general, gpu, spec, wrong
from tests.synthesis import synth, synth_stack

NEWEST = "1.14.1"
ID = "cr-0123456789abcdef0"
GOOD = CapacityReservation(tags={"team": "a"})


def reserved(*reservations: CapacityReservation, **fields: Any) -> Pool:
    return gpu(**{"capacity_types": ["reserved", "spot"], "capacity_reservations": reservations} | fields)


def fixed(replicas: int, name: str = "a", **fields: Any) -> GpuPool:
    return gpu(name, **{"weight": None, "limit": 24, "replicas": replicas} | fields)


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        (
            gpu(capacity_types=["reserved", "spot"]),
            "capacity_reservations must be set if capacity_types contains 'reserved' (got ['reserved', 'spot']): Karpenter uses "
            "only the reservations that the pool names.",
        ),
        (
            gpu(capacity_reservations=[GOOD]),
            "capacity_types must contain 'reserved' if capacity_reservations is set (got ['spot']): otherwise Karpenter leaves the "
            "reservations idle.",
        ),
        (
            reserved(CapacityReservation(id="cr-A")),
            "capacity_reservations[0].id must be an id such as cr-0123456789abcdef0 (got 'cr-A').",
        ),
        (reserved(CapacityReservation(id="")), "capacity_reservations[0].id must be an id such as cr-0123456789abcdef0 (got '')."),
        (
            reserved(GOOD, CapacityReservation(id=ID, tags={"a": "b"}, owner_id="123456789012")),
            "capacity_reservations[1].id must not be set together with tags and owner_id, because an id names one reservation. "
            "Remove either.",
        ),
        (
            reserved(CapacityReservation(id=ID, instance_match_criteria="open"), GOOD),
            "id must not be set together with instance_match_c",
        ),
        (reserved(CapacityReservation(), GOOD), "capacity_reservations[0].id, tags or instance_match_criteria must be set."),
        (
            reserved(CapacityReservation(owner_id="123456789012")),
            "id, tags or instance_match_criteria must be set beside owner_id.",
        ),
        (
            reserved(CapacityReservation(tags={"a": "b"}, owner_id="1234")),
            "owner_id must be an AWS account of twelve digits (got '1234').",
        ),
        (
            reserved(CapacityReservation(tags={"a": ""})),
            "capacity_reservations[0].tags must have keys of 1 to 128 and values of 1 to 256 letters, digits, spaces and "
            "_.:/=+-@, or * (tag 'a') (got {'a': ''}).",
        ),
        (reserved(CapacityReservation(tags={"": "a"})), "tags must have keys of 1 to 128"),
        (reserved(CapacityReservation(tags={"a": "b*"})), "tags must have keys of 1 to 128"),
        (
            reserved(CapacityReservation(tags={str(n): "a" for n in range(21)})),
            "capacity_reservations[0].tags must have at most 20 tags",
        ),
        (reserved(*(CapacityReservation(id=f"cr-{n}") for n in range(31))), "capacity_reservations must have at most 30 elements"),
        (reserved(GOOD, CapacityReservation(tags={"team": "a"})), "capacity_reservations must not contain duplicates"),
        (fixed(-1), "replicas must be between 0 and 2147483647 (got -1)."),
        (fixed(1, weight=3), "weight must be None if replicas is set (got 3): Karpenter does not choose the pool for a pod."),
        (fixed(1, node_limit=3), "node_limit must be None if replicas is set (got 3): the pool's limit gives the number of nodes."),
        (
            fixed(1, consolidation_policy="Balanced"),
            "consolidation_policy must not be set if replicas is set (got 'Balanced'): Karpenter ignores it and keeps empty nodes.",
        ),
        (fixed(1, consolidate_after="Never"), "consolidate_after must not be set if replicas is set (got 'Never')"),
        (
            fixed(4),
            "replicas must be at most 3, the nodes that a limit of 24 GPUs allows (got 4). Lower replicas, or raise the limit.",
        ),
        (fixed(3, limit=23), "replicas must be at most 2, the nodes that a limit of 23 GPUs allows (got 3)."),
        (
            fixed(1, instance_types=["p5.48xlarge", "g6e.xlarge", "p5en.48xlarge"]),
            "replicas must be None unless all instance types have equal GPUs (got g6e.xlarge with 1 and p5en.48xlarge with 8): "
            "they decide how many nodes the limit allows.",
        ),
        (
            fixed(1, instance_types=["p5.48xlarge", "p9.48xlarge"]),
            "replicas must be None for types that this program does not know (got p9.48xlarge): their GPUs decide how many nodes",
        ),
        (general(weight=None, replicas=1), "replicas must be None unless all instance types have equal vCPUs (got c"),
        (
            general(weight=None, replicas=1, families=["m7i", "m99"]),
            "replicas must be None for types that this program does not know (got m",
        ),
        (
            general(weight=None, replicas=9, categories=["m"], cpus=[8]),
            "replicas must be at most 8, the nodes that a limit of 64 vCPUs allows (got 9).",
        ),
        (gpu(node_limit=0), "node_limit must be between 1 and 2147483647 (got 0)."),
        (
            gpu(termination_grace_period="Never"),
            "termination_grace_period must be a duration such as 90s or 48h, or None for no limit (got 'Never').",
        ),
        (
            gpu(termination_grace_period="9999999h"),
            "termination_grace_period must be at most 2562047h47m16s, because Karpenter cannot",
        ),
    ],
)
def test_a_mistake_is_said_once_with_its_place(pool: Pool, said: str) -> None:
    (text,) = wrong(pool, karpenter=NEWEST)
    assert said in text
    assert text.startswith(("gpu_pools", "general_pools"))


def test_values_on_the_other_side_are_accepted() -> None:
    accepted = [
        reserved(CapacityReservation(id=ID), GOOD),
        reserved(CapacityReservation(tags={"team": "*"}, owner_id="123456789012", instance_match_criteria="open")),
        reserved(CapacityReservation(instance_match_criteria="targeted", owner_id="123456789012")),
        reserved(CapacityReservation(tags={str(n): "a" for n in range(20)})),
        reserved(*(CapacityReservation(id=f"cr-{n}") for n in range(30)), capacity_types=["reserved"]),
        general(capacity_types=["reserved", "on-demand"], capacity_reservations=[GOOD]),
        fixed(0),
        fixed(3),
        fixed(3, limit=31, instance_types=["p5.48xlarge", "p5en.48xlarge"]),
        reserved(GOOD, weight=None, limit=16, replicas=2),
        general(weight=None, replicas=8, categories=["c", "m"], cpus=[8]),
        general(weight=None, replicas=2, instance_types=["m7i.large"]),
        gpu(node_limit=1, termination_grace_period="0s", consolidation_policy="Balanced"),
        gpu(termination_grace_period="2562047h47m16s"),
    ]
    assert [text for pool in accepted for text in wrong(pool, karpenter=NEWEST)] == []


@pytest.mark.parametrize(
    ("pool", "before", "since", "said"),
    [
        (fixed(2), "1.7.6", "1.8.1", "replicas must be None before Karpenter 1.8.1 (got 2, karpenter_version 1.7.6)."),
        (
            gpu(node_limit=2),
            "1.10.2",
            "1.11.0",
            "node_limit must be None before Karpenter 1.11.0 (got 2, karpenter_version 1.10.2).",
        ),
        (
            general(consolidation_policy="Balanced"),
            "1.13.1",
            "1.14.0",
            "consolidation_policy must be 'WhenEmpty' or 'WhenEmptyOrUnderutilized' before Karpenter 1.14.0 (got 'Balanced', "
            "karpenter_version 1.13.1). Upgrade Karpenter first: docs/upgrading.md.",
        ),
        (
            reserved(GOOD, CapacityReservation(instance_match_criteria="open")),
            "1.7.6",
            "1.8.1",
            "capacity_reservations[1].instance_match_criteria must be None before Karpenter 1.8.0 (got 'open', karpenter_version",
        ),
    ],
)
def test_a_field_that_karpenter_does_not_know_yet_is_refused(pool: Pool, before: str, since: str, said: str) -> None:
    (text,) = wrong(pool, karpenter=before)
    assert said in text
    assert wrong(pool, karpenter=since) == []


def test_reservations_by_tag_or_id_and_a_grace_period_need_no_newer_karpenter() -> None:
    assert wrong(reserved(CapacityReservation(id=ID), GOOD, termination_grace_period="90s"), karpenter="1.6.0") == []


def test_the_limit_of_a_pool_with_replicas_is_nodes() -> None:
    assert fixed(2, limit=31).limits() == {"nodes": 3}
    assert general(cpu_limit=65, weight=None, replicas=2, instance_types=["m7i.2xlarge"]).limits() == {"nodes": 8}
    assert gpu(limit=32, node_limit=5).limits() == {"nvidia.com/gpu": 32, "nodes": 5}


def test_a_pool_with_replicas_may_stand_beside_a_pool_that_takes_the_same_pods() -> None:
    """kube-scheduler uses the nodes that are there; Karpenter launches from the other pool."""
    assert wrong(fixed(2), gpu("b", weight=None, labels={"team": "b"}), karpenter=NEWEST) == []


def test_karpenter_has_the_gate_only_if_a_pool_has_replicas() -> None:
    def values(*pools: Any) -> str:
        made = synth_stack(ClusterConfig("c", karpenter_version="1.9.2", gpu_pools=pools))
        text: str = made["resource"]["helm_release"]["karpenter"]["values"][0]
        return text

    assert "featureGates" not in values(gpu())
    assert values(gpu(), fixed(2, name="b")) == values(gpu()).replace(
        "webhook:", "  featureGates: {staticCapacity: true}\nwebhook:"
    )


def test_a_pool_with_replicas_needs_a_karpenter_with_the_gate() -> None:
    options = NodePoolOptions(gpu_spot_pool=False, general_pools=[general(weight=None, instance_types=["m7i.large"], replicas=1)])
    with pytest.raises(ConfigurationError) as error:
        synth(lambda stack: NodePools(stack, "pools", COMMON, karpenter=karpenter(stack), options=options))
    assert "NodePools.options.pools with replicas need Karpenter(..., static_capacity=True) (got pool a)." in str(error.value)
    assert 'NodePools.options.general_pools["a"].replicas must be None before Karpenter 1.8.1' in str(error.value)


def test_a_pool_with_replicas_has_neither_weight_nor_another_limit_in_its_manifest() -> None:
    made = spec(synth_stack(ClusterConfig("c", karpenter_version="1.9.2", gpu_pools=[fixed(2, name="b")])), "nodepool_b")
    assert (made["replicas"], made["limits"], "weight" in made) == (2, {"nodes": 3}, False)
