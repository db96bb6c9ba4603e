"""Pools for tests."""

from typing import Any

from stacks.config import Budget, CapacityReservation, ClusterConfig, DataVolume, GeneralPool, GpuPool, SociParallelPull, Taint
from stacks.config.checks import mistakes
from stacks.config.pools import Pool
from stacks.hcl.expressions import Expression
from tests.synthesis import Json, synth_stack

# Where gpu-spot has the budgets that gpu_drift_budget gives.
DRIFT_BUDGETS = Expression("local.nodepool_gpu.spec.disruption.budgets")


def gpu(name: str = "a", **fields: Any) -> GpuPool:
    """A GPU pool that is right, but for `fields`."""
    given: dict[str, Any] = {"instance_types": ["p5.48xlarge"], "limit": 8, "weight": 1} | fields
    return GpuPool(name, **given)


def general(name: str = "a", **fields: Any) -> GeneralPool:
    """A general pool that is right, but for `fields`."""
    given: dict[str, Any] = {"cpu_limit": 64, "weight": 1} | fields
    return GeneralPool(name, **given)


def wrong(*pools: Pool, karpenter: str = "1.6.0") -> list[str]:
    """What a cluster with these pools is refused for, without the cluster's name."""
    config = ClusterConfig(
        "c",
        karpenter_version=karpenter,
        gpu_pools=[pool for pool in pools if isinstance(pool, GpuPool)],
        general_pools=[pool for pool in pools if isinstance(pool, GeneralPool)],
    )
    return [text.removeprefix("c.") for text in mistakes("c", config)]


# Every field is set, and none to its default.
EVERY_GPU_FIELD = GpuPool(
    "research",
    families=["p5", "p4de"],
    min_gpu_memory_gib=80,
    limit=32,
    capacity_types=["on-demand", "spot", "reserved"],
    capacity_reservations=[CapacityReservation(id="cr-0a1"), CapacityReservation(tags={"team": "*"}, owner_id="210987654321")],
    zones=["us-west-2b", "us-west-2c"],
    taints=[Taint(key="team", value="research", effect="NoExecute"), Taint(key="example.com/batch")],
    labels={"team": "research"},
    weight=7,
    consolidation_policy="WhenEmptyOrUnderutilized",
    consolidate_after="1h30m",
    budgets=[Budget(nodes="1"), Budget(nodes="0", reasons=["Drifted", "Empty"], schedule="0 6 * * *", duration="20h30m")],
    expire_after="Never",
    termination_grace_period="90s",
    tags={"cost-center": "42"},
    bottlerocket_version="v1.53.0",
    soci=SociParallelPull(downloads=20, chunk_size="8mb", unpacks=12),
)


GENERAL_BY_SHAPE = GeneralPool("build", cpu_limit=128, categories=["c"], cpus=[8], weight=2)


GENERAL_BY_FAMILY = GeneralPool("web", cpu_limit=64, families=["m7i", "m7a"], capacity_types=["on-demand"], weight=1)


GENERAL_BY_TYPE = GeneralPool(
    "db",
    cpu_limit=64,
    instance_types=["r7i.4xlarge"],
    data_volume=DataVolume(size_gib=200, iops=4000, throughput_mib=600),
    weight=3,
)


def spec(document: Json, name: str) -> Json:
    """The spec of an object, by the name of its resource."""
    found: Json = document["locals"][name]["spec"]
    return found


def synth_pools() -> Json:
    """A cluster with five pools beside the reference's."""
    return synth_stack(
        ClusterConfig(
            "karpenter",
            gpu_pools=[EVERY_GPU_FIELD, gpu("small", instance_types=["g6e.xlarge"], limit=4)],
            general_pools=[GENERAL_BY_SHAPE, GENERAL_BY_FAMILY, GENERAL_BY_TYPE],
        )
    )
