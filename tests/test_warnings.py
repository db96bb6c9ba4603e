"""What is allowed but may surprise the user."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from stacks.config import Budget, CapacityReservation, ClusterConfig, Ebs, Fsx, GeneralPool, GpuPool, SociParallelPull, VpcCni
from stacks.config.pools import GPU_SOCI
from stacks.hcl.expressions import Expression
from stacks.reports.warnings import warnings

TODAY = date(2026, 1, 1)


def warned(*clusters: ClusterConfig) -> list[str]:
    return list(warnings(clusters, TODAY))


def test_networks_that_overlap_are_a_warning() -> None:
    a, b, c = (
        ClusterConfig(name, vpc_cidr=cidr) for name, cidr in zip("abc", ("10.0.0.0/16", "10.0.16.0/20", "10.1.0.0/16"), strict=True)
    )
    assert warned(a, b, c) == [
        "a.vpc_cidr and b.vpc_cidr overlap (10.0.0.0/16, 10.0.16.0/20): the two VPCs can never be connected."
    ]
    assert len(warned(ClusterConfig("a"), ClusterConfig("b"), ClusterConfig("c"))) == 3


def test_networks_side_by_side_are_not_worth_a_warning() -> None:
    assert warned(ClusterConfig("a", vpc_cidr="10.0.0.0/16"), ClusterConfig("b", vpc_cidr="10.1.0.0/16")) == []
    # Terraform judges a variable.
    assert warned(ClusterConfig("a", vpc_cidr="10.0.0.0/99"), ClusterConfig("b", vpc_cidr="10.0.0.0/99")) == []


@pytest.mark.parametrize(
    ("today", "support", "warned"),
    [
        (date(2026, 7, 29), "STANDARD", []),
        (date(2026, 7, 30), None, ["a.kubernetes_version 1.33 left standard support on 2026-07-29."]),
        (date(2026, 7, 30), "EXTENDED", ["a.kubernetes_version 1.33 left standard support on 2026-07-29."]),
        (
            date(2026, 7, 30),
            "STANDARD",
            [
                "a.kubernetes_version 1.33 left standard support on 2026-07-29.",
                "a.cluster_support_type cannot become STANDARD in extended support: EKS refuses it.",
            ],
        ),
    ],
)
def test_a_version_that_has_left_standard_support_is_a_warning(today: date, support: Any, warned: list[str]) -> None:
    found = list(warnings([ClusterConfig("a", cluster_support_type=support)], today))
    assert [text[: len(start)] for text, start in zip(found, warned, strict=True)] == warned


@pytest.mark.parametrize(
    ("field", "release", "newest"),
    [("karpenter_version", "1.9.3", "1.9.2"), ("load_balancer_controller_version", "3.4.9", "3.4.3")],
)
def test_a_patch_release_that_the_program_does_not_know_is_a_warning(field: str, release: Any, newest: Any) -> None:
    assert warned(ClusterConfig("a", **{field: newest})) == []
    assert warned(ClusterConfig("a", **{field: release})) == [
        f"a.{field} {release} is newer than any release of its minor version that the program knows, and is treated like "
        f"{newest}. Make sure that {release} exists, and read its release notes."
    ]


def test_a_cluster_without_any_pool_is_a_warning() -> None:
    assert warned(ClusterConfig("a", default_pool=False, gpu_spot_pool=False)) == [
        "a has no node pool, because default_pool and gpu_spot_pool are False, and gpu_pools and general_pools are empty: "
        "Karpenter never launches a node."
    ]
    off: dict[str, Any] = {"default_pool": False, "gpu_spot_pool": False}
    with_pools: list[dict[str, Any]] = [
        {"default_pool": False},
        {"gpu_spot_pool": False},
        {**off, "gpu_pools": [GpuPool("x", instance_types=["p5.48xlarge"], limit=8)]},
        {**off, "general_pools": [GeneralPool("x", cpu_limit=64)]},
    ]
    assert [warned(ClusterConfig("a", **fields)) for fields in with_pools] == [[], [], [], []]


def test_a_node_group_on_which_not_all_fits_while_a_node_is_gone_is_a_warning() -> None:
    small = ClusterConfig("a", karpenter_node_instance_types=["m5.large", "t3.small"], storage=[Ebs(), Fsx()])
    assert warned(small) == [
        "a.karpenter_node_instance_types contains t3.small: while a node is gone, the node group has room for 11 of 14 pods, and "
        "some pods of the cluster itself stay Pending. Use larger types, or a larger karpenter_node_min_size. See "
        "docs/operating.md#room-on-the-node-group."
    ]
    changes: tuple[dict[str, Any], ...] = (
        {"karpenter_node_min_size": 3},
        {"karpenter_node_instance_types": ["m5.large"]},
        {"storage": []},
    )
    for change in changes:
        assert warned(replace(small, **change)) == []
    # Terraform judges a variable.
    assert warned(replace(small, karpenter_node_instance_types="${var.types}")) == []
    nodes = Expression("var.nodes").value
    assert len(warned(replace(small, karpenter_node_min_size=nodes))) == 1


def test_types_of_a_pool_that_the_program_does_not_know_are_a_warning() -> None:
    pool = GpuPool("x", instance_types=["p5.48xlarge", "p9.48xlarge"], limit=8, weight=1)
    (warning,) = warned(ClusterConfig("a", gpu_pools=[pool]))
    assert warning.startswith(
        'a.gpu_pools["x"].instance_types contains types that this program does not know: p9.48xlarge. A plan '
        "asks EC2 whether it offers them; make sure that they have NVIDIA GPUs with a driver in Bottlerocket, an x86_64 CPU and"
    )


def capacity_warnings(*, kind: str = "gpu_pools", karpenter: str = "1.14.1", drift: str | None = None, **fields: Any) -> list[str]:
    """Without the names of the cluster and of the pool."""
    given: dict[str, Any] = {"instance_types": ["p5.48xlarge"], "limit": 16} if kind == "gpu_pools" else {"cpu_limit": 64}
    made: Any = GpuPool if kind == "gpu_pools" else GeneralPool
    pool = made("x", **{"weight": 1} | given | fields)
    pools: dict[str, Any] = {kind: [pool]}
    found = warned(ClusterConfig("a", karpenter_version=karpenter, gpu_drift_budget=drift, **pools))
    return [text.removeprefix(f'a.{kind}["x"].') for text in found]


RESERVED: dict[str, Any] = {"capacity_reservations": [CapacityReservation(id="cr-0123456789abcdef0")]}


def test_a_pool_of_reservations_alone_cannot_replace_drifted_nodes() -> None:
    for types in (["reserved", "on-demand"], ["spot", "reserved"]):
        assert capacity_warnings(**RESERVED, capacity_types=types) == []
    assert capacity_warnings(**RESERVED, capacity_types=["reserved"], drift="0") == []
    assert capacity_warnings(**RESERVED, capacity_types=["reserved"]) == [
        "capacity_types is 'reserved' alone: while the reservations are full, a drifted node stays as it is, because Karpenter "
        "launches the next node first. Karpenter 1.15.1 ends the node first, but this program does not know that release yet. Keep "
        "a place free, or delete the NodeClaims of drifted nodes yourself."
    ]


def test_a_karpenter_that_may_choose_a_full_capacity_block_is_a_warning() -> None:
    types = ["reserved", "spot"]
    for release in ("1.6.4", "1.7.2", "1.8.1"):
        assert capacity_warnings(**RESERVED, capacity_types=types, karpenter=release) == []
    for release, better in (("1.6.0", "1.6.8"), ("1.6.3", "1.6.8"), ("1.7.1", "1.7.6")):
        assert capacity_warnings(**RESERVED, capacity_types=types, karpenter=release) == [
            f"capacity_reservations may find Capacity Blocks: Karpenter {release} may choose a block that is full, and then launch "
            f"nothing. Use karpenter_version {better}."
        ]


def test_a_fixed_size_that_leaves_no_node_for_drift_is_a_warning() -> None:
    assert [capacity_warnings(weight=None, replicas=number) for number in (0, 1)] == [[], []]
    assert capacity_warnings(weight=None, replicas=2) == [
        "replicas is 2, all nodes that the limit allows: drifted nodes stay as they are, because Karpenter launches the next node "
        "first. Raise the limit by a node."
    ]
    assert capacity_warnings(weight=None, replicas=2, limit=23) != []
    assert capacity_warnings(weight=None, replicas=2, limit=24) == capacity_warnings(weight=None, replicas=2, drift="0%") == []


@pytest.mark.parametrize(
    ("fields", "is_said"),
    [
        ({}, True),
        ({"drift": "1"}, True),
        ({"drift": "0"}, False),
        ({"drift": "0", "kind": "general_pools"}, True),
        ({"drift": "0", "budgets": [Budget(nodes="1")]}, True),
        ({"budgets": [Budget(nodes="0")]}, False),
        ({"budgets": [Budget(nodes="10%"), Budget(nodes="0%", reasons=["Drifted"])]}, False),
        ({"budgets": [Budget(nodes="10%"), Budget(nodes="0", reasons=["Empty"])]}, True),
        ({"budgets": [Budget(nodes="10%"), Budget(nodes="0", schedule="@daily", duration="8h")]}, True),
    ],
)
def test_a_grace_period_that_lets_drift_end_protected_pods_is_a_warning(fields: dict[str, Any], is_said: bool) -> None:
    said = (
        "termination_grace_period lets drift, as with each Bottlerocket release, end protected pods: 90s after Karpenter begins to "
        "replace a node, do-not-disrupt and PodDisruptionBudgets no longer count. "
        'Budget(nodes="0", reasons=["Drifted"]) holds drifted nodes.'
    )
    assert capacity_warnings(**fields) == []
    assert capacity_warnings(termination_grace_period="90s", **fields) == ([said] if is_said else [])


ALWAYS, NIGHTLY = Budget(nodes="10%"), Budget(nodes="0", schedule="0 6 * * *", duration="20h")
DRIFT = Budget(nodes="0", reasons=["Drifted"])


@pytest.mark.parametrize(
    ("fields", "reasons"),
    [
        ({}, ""),  # Karpenter's own 10%
        ({"budgets": [ALWAYS]}, ""),
        ({"budgets": [NIGHTLY, ALWAYS]}, ""),
        ({"budgets": [NIGHTLY]}, "Drifted, Empty"),
        ({"budgets": [DRIFT]}, "Empty"),
        ({"budgets": [DRIFT, NIGHTLY]}, "Empty"),
        ({"budgets": [DRIFT, ALWAYS]}, ""),
        ({"budgets": [DRIFT, Budget(nodes="1", reasons=["Empty"])]}, ""),
        ({"budgets": [DRIFT], "consolidate_after": "Never"}, ""),
        ({"budgets": [NIGHTLY], "consolidate_after": "Never"}, "Drifted"),
        ({"budgets": [DRIFT], "consolidation_policy": "WhenEmptyOrUnderutilized"}, "Empty, Underutilized"),
        ({"budgets": [Budget(nodes="1", reasons=["Empty"])]}, "Drifted"),
    ],
)
def test_a_reason_without_a_budget_that_always_applies_is_a_warning(fields: dict[str, Any], reasons: str) -> None:
    gpu = GpuPool("x", instance_types=["p5.48xlarge"], limit=8, weight=1, **fields)
    general = GeneralPool("y", cpu_limit=64, weight=1, **fields)
    said = (
        f"has no budget without a schedule for {reasons}: whenever no budget applies, Karpenter may disrupt all nodes of the pool "
        'at a time. Add Budget(nodes="10%"), for example.'
    )
    found = warned(ClusterConfig("a", gpu_pools=[gpu], general_pools=[general]))
    assert found == ([f'a.gpu_pools["x"].budgets {said}', f'a.general_pools["y"].budgets {said}'] if reasons else [])


def test_a_limit_whose_nodes_do_not_find_addresses_in_a_zone_is_a_warning() -> None:
    def warned_of(limit: int, **options: Any) -> list[str]:
        pool = GpuPool("x", instance_types=["p5.48xlarge", "g6e.12xlarge", "p9.48xlarge"], limit=limit, weight=1)
        return [text for text in warned(ClusterConfig("a", gpu_pools=[pool], **options)) if "addresses" in text]

    assert warned_of(272) == []
    assert warned_of(276) == [
        'a.gpu_pools["x"].limit should not exceed what one zone has addresses for, because GPU capacity is often in a single zone '
        "(got 276). A zone has 4091 addresses for nodes and pods: 68 of 69 nodes g6e.12xlarge fit, with 272 GPUs, at 60 addresses "
        "a node. Lower the limit, let nodes take fewer addresses with vpc_cni, or add a network with secondary_cidr: "
        "docs/ip-addresses.md."
    ]
    # A /20 has 4091 addresses for a zone's nodes, and a zone's eighth of the second network 8187.
    assert warned_of(276, secondary_cidr="100.64.0.0/16") == []
    (twice,) = warned_of(820, secondary_cidr="100.64.0.0/16")
    assert "A zone has 12278 addresses for nodes and pods: 204 of 205 nodes" in twice
    fewer = VpcCni(warm_ip_target=2, minimum_ip_target=16)
    assert warned_of(960, vpc_cni=fewer) == []
    assert len(warned_of(964, vpc_cni=fewer)) == 1
    (text,) = warned_of(32, vpc_cidr="10.0.0.0/20")
    assert "2 of 4 nodes p5.48xlarge fit, with 16 GPUs, at 100 addresses a node; 4 of 8 nodes g6e.12xlarge fit" in text
    assert warned_of(964, vpc_cidr="${var.network}") == []  # Terraform alone knows


def test_a_limit_of_nodes_counts_among_the_addresses_and_a_fixed_number_up_to_its_limit() -> None:
    def warned_of(limit: int, **fields: Any) -> list[str]:
        pool = GpuPool("x", instance_types=["p5.48xlarge"], limit=limit, **fields)
        return [text for text in warned(ClusterConfig("a", karpenter_version="1.14.1", gpu_pools=[pool])) if "addresses" in text]

    assert warned_of(800, node_limit=40) == []
    (text,) = warned_of(800, node_limit=41)
    assert "40 of 41 nodes p5.48xlarge fit, with 320 GPUs" in text
    # While drifted nodes are replaced, a pool has more nodes than its replicas.
    assert warned_of(320, replicas=2) == []
    (text,) = warned_of(328, replicas=2)
    assert "40 of 41 nodes" in text


SOCI = SociParallelPull(downloads=20, chunk_size="16mb", unpacks=12)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"default_soci": SOCI}, ["default_soci.unpacks should be at most 4, the vCPUs of c"]),
        ({"default_soci": replace(SOCI, unpacks=4)}, []),
        (
            {"gpu_instance_types": ["g6e.2xlarge", "p5.48xlarge"], "gpu_soci": SOCI},
            ["gpu_soci.unpacks should be at most 8, the vCPUs of g6e.2xlarge (got 12): more"],
        ),
        ({"gpu_instance_types": ["g6e.4xlarge"], "gpu_soci": SOCI}, []),
        ({"gpu_instance_types": ["p9.48xlarge"], "gpu_soci": SOCI}, []),
        ({"gpu_instance_types": ["g6e.2xlarge"], "gpu_soci": None}, []),
        (
            {"gpu_pools": [GpuPool("x", families=["g6e"], limit=8, weight=1, soci=SOCI)]},
            ['gpu_pools["x"].soci.unpacks should be at most 4, the vCPUs of g6e.xlarge (got 12)'],
        ),
        ({"default_soci": GPU_SOCI}, ["default_soci.unpacks should be at most 4, the vCPUs of c"]),
        # The defaults: only new nodes would end the warning.
        ({"gpu_instance_types": ["g6e.2xlarge"]}, []),
        ({"gpu_pools": [GpuPool("x", families=["g6e"], limit=8, weight=1)]}, []),
        ({"general_pools": [GeneralPool("x", instance_types=["m7i.large"], cpu_limit=8, weight=1)]}, []),
        (
            {"general_pools": [GeneralPool("x", instance_types=["m7i.large"], cpu_limit=8, weight=1, soci=SOCI)]},
            ['general_pools["x"].soci.unpacks should be at most 2, the vCPUs of m7i.large (got 12)'],
        ),
    ],
)
def test_more_unpacks_than_vcpus_are_a_warning(options: dict[str, Any], said: list[str]) -> None:
    found = warned(ClusterConfig("a", **options))
    assert [text.startswith(f"a.{start}") for text, start in zip(found, said, strict=True)] == [True] * len(said)


def test_general_types_and_families_that_the_program_does_not_know_are_a_warning() -> None:
    pools = [
        GeneralPool("x", instance_types=["m7i.large", "m7i.47xlarge"], cpu_limit=8, weight=1),
        GeneralPool("y", families=["m7i", "m99"], cpu_limit=8, weight=2),
        GeneralPool("z", cpu_limit=8, weight=3),
    ]
    for offering_checks, then in ((True, "A plan asks EC2 whether it offers them"), (False, "Karpenter will use them")):
        assert warned(ClusterConfig("a", general_pools=pools, offering_checks=offering_checks)) == [
            f'a.general_pools["{pool}"].{field} contains {what} that this program does not know: {name}. {then}; make sure that '
            "they have x86_64 CPUs and no GPUs."
            for pool, field, what, name in (("x", "instance_types", "types", "m7i.47xlarge"), ("y", "families", "families", "m99"))
        ]


def test_a_gpu_whose_driver_is_not_known_is_a_warning() -> None:
    def pool(bottlerocket: str | None) -> GpuPool:
        return GpuPool("x", families=["g7e", "p5"], limit=8, weight=1, bottlerocket_version=bottlerocket)

    (warning,) = warned(ClusterConfig("a", gpu_pools=[pool("v1.52.0")]))
    assert warning == (
        'a.gpu_pools["x"].families contains g7e: this program does not know whether Bottlerocket v1.52.0 has a driver for the GPU. '
        "Without a driver a node never joins the cluster, and Karpenter buys the next one."
    )
    assert warned(ClusterConfig("a", gpu_pools=[pool("v1.53.0")])) == warned(ClusterConfig("a", gpu_pools=[pool(None)])) == []
    assert len(warned(ClusterConfig("a", gpu_pools=[pool(None)], bottlerocket_version="v1.52.0"))) == 1
