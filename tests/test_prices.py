"""What an hour may cost: the list prices, the most expensive hour that limits allow, and max_hourly_usd, which refuses it."""

import json
from datetime import date
from itertools import product
from runpy import run_path
from typing import Any

import pytest

from stacks.app import PROJECT
from stacks.config import ClusterConfig, GeneralPool, GpuPool, recommended
from stacks.config.checks import mistakes
from stacks.config.spending import is_priced_elsewhere, known_pools
from stacks.hcl.expressions import Expression
from stacks.knowledge import prices
from stacks.knowledge.catalogue import general_instance_types, gpus_by_type
from stacks.knowledge.prices import PRICES, hourly_usd, most_expensive_vcpus
from stacks.reports.prices import idle_hour, most_expensive_hour
from stacks.testing import synth_cluster

GPUS = gpus_by_type()


# --- The table --------------------------------------------------------------------------------------------------------------------


def test_each_row_has_a_known_type_a_region_and_a_price_and_stands_once() -> None:
    rows = [row.split(",") for row in PRICES.read_text().splitlines()[1:]]
    known = {*GPUS, *(row.instance_type for row in general_instance_types())}
    assert len({(name, region) for name, region, _ in rows}) == len(rows)
    assert [row for row in rows if row[0] not in known or not 0 < float(row[2]) < 400] == []


def test_of_the_types_of_gpu_pools_and_of_shapes_only_p5e_has_no_price() -> None:
    shapes = [row.instance_type for row in general_instance_types() if row.in_shapes and row.category in ("c", "m", "r")]
    assert [name for name in (*GPUS, *shapes) if hourly_usd(name, "us-west-2") is None] == ["p5e.48xlarge"]


def test_a_region_without_a_price_has_that_of_us_east_1() -> None:
    assert hourly_usd("p5.48xlarge", "ap-northeast-1") == 68.8
    assert hourly_usd("p5.48xlarge", "sa-east-1") == hourly_usd("p5.48xlarge", "us-east-1") == 55.04
    assert hourly_usd("p9.48xlarge", "us-east-1") is None


# --- The most expensive hour of a limit -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("types", "limit", "usd"),
    [
        (["p5.48xlarge"], 32, 220.16),
        (["p5.48xlarge"], 30, 165.12),  # whole nodes
        (["p5.48xlarge"], 7, 0),
        (["p5.48xlarge", "p5en.48xlarge"], 32, 253.18),
        (["p5.4xlarge", "p5en.48xlarge"], 10, 77.06),  # p5en and two small p5
        (["g6e.xlarge", "g6e.16xlarge"], 16, 121.24),  # nodes with one GPU, and the most vCPUs
        (["p5.48xlarge"], None, None),
        (["p5e.48xlarge"], 8, None),
        (["p5.48xlarge", "p9.48xlarge"], 8, None),
        ([], 8, None),
    ],
)
def test_the_most_expensive_hour_of_a_limit(types: list[str], limit: int | None, usd: float | None) -> None:
    assert most_expensive_hour(types, GPUS, limit, "us-west-2") == (None if usd is None else pytest.approx(usd, abs=0.005))


def test_no_other_choice_of_nodes_is_more_expensive(monkeypatch: pytest.MonkeyPatch) -> None:
    """All choices are tried, with prices at which a larger node is sometimes cheaper for a GPU, and sometimes not."""
    for usd in product((3.0, 4.5), (7.0, 9.5), (16.0, 20.0)):
        price = dict(zip((2, 3, 7), usd, strict=True))
        by_type = {str(gpus): gpus for gpus in price}
        monkeypatch.setattr(prices, "hourly_usd", lambda name, region, price=price: price[int(name)])
        for limit in range(60):
            choices = (
                a * price[2] + b * price[3] + c * price[7]
                for a, b, c in product(range(limit // 2 + 1), range(limit // 3 + 1), range(limit // 7 + 1))
                if 2 * a + 3 * b + 7 * c <= limit
            )
            assert most_expensive_hour(list(by_type), by_type, limit, "x") == pytest.approx(max(choices))


def test_a_limit_of_vcpus_has_the_highest_price_of_a_vcpu() -> None:
    vcpus = {"m7i.large": 2, "r7i.large": 2, "hpc7a.96xlarge": 192}
    assert most_expensive_vcpus(["m7i.large", "r7i.large"], vcpus, 10, "us-east-1") == pytest.approx(5 * 0.1323)
    assert most_expensive_vcpus(["m7i.large", "hpc7a.96xlarge"], vcpus, 10, "us-east-1") is None
    assert most_expensive_vcpus([], vcpus, 10, "us-east-1") is None


# --- Pools and clusters -----------------------------------------------------------------------------------------------------------


def hours(cluster: ClusterConfig) -> dict[str, float | None]:
    return {pool.pool.name: pool.usd for pool in known_pools(cluster, cluster.region)}


def test_the_pools_of_the_fleet_cost_in_each_region_what_its_prices_say() -> None:
    usw2, eun1 = run_path(str(PROJECT / "examples" / "fleet.py"))["CLUSTERS"]
    assert hours(usw2) == {"default": 117.24, "research": 220.16, "inference": 121.24, "gpu-spot": 253.18}
    assert hours(eun1) == {"default": 117.24, "inference": 128.6, "gpu-spot": 270.91}


def test_the_order_of_the_pools_is_that_in_which_karpenter_tries_them() -> None:
    gpu = [GpuPool(name, instance_types=["p5.48xlarge"], limit=8, weight=weight) for name, weight in (("x", 1), ("y", 2))]
    general = [GeneralPool("a", cpu_limit=8, labels={"a": "b"}), GeneralPool("w", cpu_limit=8, weight=1)]
    assert list(hours(ClusterConfig("a", gpu_pools=gpu, general_pools=general))) == ["w", "default", "a", "y", "x", "gpu-spot"]


def test_a_pool_whose_price_is_not_known_has_none() -> None:
    pools = [GpuPool("new", instance_types=["p9.48xlarge"], limit=8, weight=1)]
    general = [GeneralPool("new-too", families=["m7i", "m99i"], cpu_limit=8, weight=1)]
    cluster = ClusterConfig("a", gpu_limit=8, gpu_pools=pools, general_pools=general)
    assert hours(cluster) == {"new-too": None, "default": 117.24, "new": None, "gpu-spot": None}
    assert {pool.pool.name: list(pool.not_priced) for pool in known_pools(cluster, None) if pool.not_priced} == {
        "new-too": ["m99i"],
        "new": ["p9.48xlarge"],
    }
    assert hours(ClusterConfig("a", gpu_instance_types=["p5.48xlarge"]))["gpu-spot"] is None
    assert hours(ClusterConfig("a", gpu_instance_types=["p5.48xlarge"], gpu_limit=8))["gpu-spot"] == 55.04


def test_what_terraform_alone_knows_is_not_priced() -> None:
    given: dict[str, Any] = {"gpu_instance_types": Expression("var.types"), "gpu_capacity_type": Expression("var.capacity")}
    pool = known_pools(ClusterConfig("a", gpu_limit=8, **given), None)[-1]
    assert (pool.types, pool.pool.capacity_types, pool.usd) == ((), (), None)


def test_prices_of_us_east_1_are_said_to_be_so() -> None:
    cluster = recommended("a", region="eu-north-1", gpu_instance_types=["p5.48xlarge"])
    assert [is_priced_elsewhere(pool, "eu-north-1") for pool in known_pools(cluster, "eu-north-1")] == [True, False]
    assert [is_priced_elsewhere(pool, "us-east-1") for pool in known_pools(cluster, "us-east-1")] == [False, False]
    assert [is_priced_elsewhere(pool, "us-west-2") for pool in known_pools(cluster, "us-west-2")] == [False, False]
    assert [is_priced_elsewhere(pool, None) for pool in known_pools(cluster, None)] == [True, True]


def test_an_idle_cluster_costs_more_in_extended_support() -> None:
    cluster = ClusterConfig("a", kubernetes_version="1.35")
    expected = {"control plane": 0.1, "NAT gateway": pytest.approx(0.05), "node group": pytest.approx(2 * 0.096)}
    assert idle_hour(cluster, date(2027, 3, 27)) == expected
    assert idle_hour(cluster, date(2027, 3, 28)) == {**expected, "control plane": 0.6}
    of_two = ClusterConfig("a", karpenter_node_instance_types=["m5.large", "m5.xlarge"], karpenter_node_desired_size=3)
    assert idle_hour(of_two, date(2026, 1, 1))["node group"] == pytest.approx(3 * 0.192)
    unknown = ClusterConfig("a", karpenter_node_instance_types=["m5.large", "m99i.large"])
    assert idle_hour(unknown, date(2026, 1, 1))["node group"] is None


# --- max_hourly_usd ---------------------------------------------------------------------------------------------------------------


def refused(**fields: Any) -> list[str]:
    given: dict[str, Any] = {"region": "us-west-2", "gpu_instance_types": ["p5.48xlarge"], "max_hourly_usd": 337.40} | fields
    return list(mistakes("a", recommended("a", **given)))


def test_an_hour_above_max_hourly_usd_is_refused_and_the_default_pools_count() -> None:
    assert refused() == []
    assert refused(max_hourly_usd=337.39) == [
        "a.max_hourly_usd must be at least 337.40, which an hour can cost with these limits (got 337.39): default $117.24, "
        "gpu-spot $220.16. Lower a limit, or raise max_hourly_usd."
    ]
    assert refused(max_hourly_usd=221, default_pool=False) == []
    (elsewhere,) = refused(region="eu-north-1")
    assert elsewhere.endswith(
        "Lower a limit, or raise max_hourly_usd. The program does not have every price of eu-north-1, and uses those of us-east-1 "
        "for default."
    )


def test_max_hourly_usd_needs_what_the_price_depends_on_in_python() -> None:
    assert refused(region=None, gpu_instance_types=None, gpu_limit=None) == [
        "a.region must be set in Python if max_hourly_usd is set (got None): prices differ by region.",
        "a.gpu_instance_types must be set in Python if max_hourly_usd is set (got None): prices differ by type.",
        "a.gpu_limit must be set in Python if max_hourly_usd is set (got None): without a limit an hour has no highest price.",
    ]
    assert refused(gpu_instance_types=None, gpu_spot_pool=False) == []


def test_max_hourly_usd_needs_the_price_of_every_type() -> None:
    pools: dict[str, Any] = {
        "gpu_pools": [GpuPool("new", instance_types=["p5e.48xlarge", "p5.48xlarge"], limit=8, weight=1)],
        "general_pools": [GeneralPool("new-too", families=["m99i"], cpu_limit=8, weight=2)],
    }
    words = (
        "must have list prices if max_hourly_usd is set (got {}, for which the program has none). Use other instance types, or "
        "remove max_hourly_usd."
    )
    assert refused(max_hourly_usd=1, **pools) == [
        f'a.general_pools["new-too"].families {words.format(json.dumps(["m99i"]))}',
        f'a.gpu_pools["new"].instance_types {words.format(json.dumps(["p5e.48xlarge"]))}',
    ]


def test_max_hourly_usd_is_at_least_a_dollar() -> None:
    none = {"gpu_spot_pool": False, "gpu_instance_types": None, "default_pool": False}
    assert refused(**none, max_hourly_usd=1) == []
    assert refused(**none, max_hourly_usd=0.5) == ["a.max_hourly_usd must be at least 1 (got 0.5)."]


def test_max_hourly_usd_does_not_change_the_json() -> None:
    given: dict[str, Any] = {"region": "us-west-2", "gpu_instance_types": ["p5.48xlarge"], "gpu_limit": 32}
    assert synth_cluster(ClusterConfig("a", **given)) == synth_cluster(ClusterConfig("a", **given, max_hourly_usd=400))


def test_a_limit_of_nodes_bounds_the_hour_too() -> None:
    fields: dict[str, Any] = {"instance_types": ["p5.48xlarge"], "limit": 64}
    price = hourly_usd("p5.48xlarge", "us-west-2")
    assert price
    assert GpuPool("a", **fields).most_expensive_hour("us-west-2") == pytest.approx(8 * price)
    assert GpuPool("a", **fields, node_limit=3).most_expensive_hour("us-west-2") == pytest.approx(3 * price)
    assert GpuPool("a", **fields, node_limit=30).most_expensive_hour("us-west-2") == pytest.approx(8 * price)
    fixed = GpuPool("a", instance_types=["p5.48xlarge"], limit=24, replicas=2)
    assert fixed.most_expensive_hour("us-west-2") == pytest.approx(3 * price)


def test_gateways_and_endpoints_of_each_zone_count_in_an_idle_hour() -> None:
    today = date(2026, 1, 1)
    zones = ["us-west-2a", "us-west-2b", "us-west-2c"]
    options: dict[str, Any] = {"nat_gateway": "per_zone", "interface_endpoints": ["ec2", "sts"]}
    known = idle_hour(ClusterConfig("a", availability_zones=zones, **options), today)
    assert known["NAT gateway"] == pytest.approx(0.15)
    assert known["interface endpoints"] == pytest.approx(0.06)
    unknown = idle_hour(ClusterConfig("a", **options), today)
    assert (unknown["NAT gateway"], unknown["interface endpoints"]) == (None, None)
    assert "interface endpoints" not in idle_hour(ClusterConfig("a"), today)
