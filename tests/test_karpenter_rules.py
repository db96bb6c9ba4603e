"""A pool that is not refused passes Karpenter's CRDs, and the rules in Karpenter's source."""

import json
import os
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from cdktf import App
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from stacks.config import Budget, CapacityReservation, ClusterConfig, DataVolume, GpuPool, SociParallelPull, Taint
from stacks.config.pools import Pool
from stacks.karpenter_stack import KarpenterStack
from stacks.knowledge.catalogue import gpus_by_type
from stacks.kubernetes.manifests import NodePool
from stacks.kubernetes.node_pools import NodePools
from tests import karpenter_rules
from tests.conftest import SHARED, needs_crds
from tests.crd import Crd
from tests.pools import DRIFT_BUDGETS, general, gpu, spec, synth_pools, wrong
from tests.synthesis import Json


@pytest.fixture(scope="module")
def document() -> Json:
    return synth_pools()


VERSIONS = ("1.6.0", "1.9.2", "1.12.2", "1.14.1")


@pytest.fixture(scope="module")
def crds() -> dict[str, list[Crd]]:
    """By kind, the CRDs of all versions."""
    found: dict[str, list[Crd]] = {"EC2NodeClass": [], "NodePool": []}
    for version in VERSIONS:
        for kind, name in (("EC2NodeClass", "karpenter.k8s.aws_ec2nodeclasses"), ("NodePool", "karpenter.sh_nodepools")):
            found[kind].append(Crd(SHARED / "crds" / f"karpenter-{version}" / f"{name}.yaml"))
    return found


def refusals(crds: dict[str, list[Crd]], objects: list[Json], versions: Sequence[str] = VERSIONS) -> dict[str, list[str]]:
    """By object and version, what Kubernetes would say."""
    said = {
        f"{manifest['kind']} {manifest['metadata']['name']} {version}": crd.errors(manifest)
        for manifest in objects
        for version, crd in zip(VERSIONS, crds[manifest["kind"]], strict=True)
        if version in versions
    }
    return {which: errors for which, errors in said.items() if errors}


def manifests(document: Json, *names: str) -> list[Json]:
    """The objects as Karpenter gets them."""
    return rendered([document["locals"][f"{kind}_{name}"] for name in names for kind in ("ec2nodeclass", "nodepool")])


def rendered(objects: list[Json]) -> list[Json]:
    """The objects without Terraform expressions: of the variables that they name, gpu_drift_budget is null."""
    made: list[Json] = json.loads(json.dumps(objects).replace("${local.name}", "eks-spot-gpu-zz9x"))
    for disruption in (one["spec"]["disruption"] for one in made if one["kind"] == "NodePool"):
        if disruption.get("budgets") == DRIFT_BUDGETS:
            del disruption["budgets"]
    return made


@pytest.mark.slow
@needs_crds
def test_pools_with_every_field_set_pass_the_crds_of_every_version(document: Json, crds: dict[str, list[Crd]]) -> None:
    objects = manifests(document, "research", "small", "build", "web", "db")
    assert "${" not in json.dumps(objects)
    assert len(objects) == 10
    assert refusals(crds, objects) == {}


@pytest.mark.slow
@needs_crds
def test_the_crds_take_a_bad_term_beside_a_good_one(document: Json, crds: dict[str, list[Crd]]) -> None:
    """The program does not: tests/test_capacity.py."""
    (node_class, _) = manifests(document, "build")
    good: Json = {"tags": {"team": "a"}}
    for bad in ({"id": "cr-1", "tags": {"team": "a"}}, {"id": "cr-1", "ownerID": "123456789012"}):
        node_class["spec"]["capacityReservationSelectorTerms"] = [bad, good]
        assert refusals(crds, [node_class]) == {}
        node_class["spec"]["capacityReservationSelectorTerms"] = [bad]
        assert len(refusals(crds, [node_class])) == len(VERSIONS)


# Text of every kind: a pool with it is either refused here, or Kubernetes and Karpenter accept it.
word = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)


anything = st.one_of(word, st.text(max_size=5), st.from_regex(r"[a-zA-Z0-9._/-]{0,70}", fullmatch=True))


KEYS = [
    *("a.b/c", "Name", "nvidia.com/gpu", "a/b/c", "/a", "a/", f"{'a' * 253}/b", f"{'a' * 254}/b", f"a/{'b' * 64}"),
    *("karpenter.sh/x", "karpenter.sh/disrupted", "karpenter.sh/unregistered", "karpenter.sh/capacity-type", "karpenter.k8s.aws/x"),
    *("kubernetes.io/arch", "kubernetes.io/hostname", "x.kubernetes.io/y", "mykubernetes.io/y", "k8s.io/y", "kops.k8s.io/y"),
    *("my.kubernetes.io", "foo.k8s.io", "karpenter.sh", "my.karpenter.k8s.aws", "node.kubernetes.io", "kops.k8s.io", "example.com"),
    *("node.kubernetes.io/z", "x.node.kubernetes.io/z", "mynode.kubernetes.io/z", "node-restriction.kubernetes.io/z"),
    *("node.kubernetes.io/instance-type", "node.kubernetes.io/windows-build", "topology.kubernetes.io/zone"),
    *("topology.k8s.aws/zone-id", "karpenter.k8s.aws/instance-family", "karpenter.k8s.aws/instance-cpu"),
    *("node.kubernetes.io/not-ready", "node.cloudprovider.kubernetes.io/uninitialized", "readiness.k8s.io/x"),
]


DURATIONS = [
    *(
        "Never",
        "never",
        "0s",
        "0h",
        "0h0m",
        "1m",
        "14m59s",
        "15m",
        "899s",
        "900s",
        "8h",
        "20h30m",
        "20h30m0s",
        "30m1h",
        "1.5h",
        "-1h",
    ),
    *("2562047h47m", "2562047h47m16s", "2562047h47m17s", "2562048h", "9999999h", "9223372036s", "9223372037s", "153722868m"),
    *("99999999999999999999h", "\N{ARABIC-INDIC DIGIT NINE}9h", "1h\n", "5"),
]


SCHEDULES = [
    *(
        "@daily",
        "@soon",
        "@every 1h",
        "@Daily",
        "@dailyx",
        "* *",
        "0 9 * * mon-fri",
        "0 9 * * 1 2",
        "TZ=UTC 0 9 * * *",
        "0  9 * * 1",
    ),
    *("0 0 * * sat-sun", "0 25 * * *", "60 0 * * *", "0 0 * * 7", "0 0 0 * *", "0 0 32 * *", "0 0 * 13 *", "0 0 * 0 *"),
    *("*/0 * * * *", "*/5 * * * ?", "5/70 * * * *", "1-2-3 * * * *", "9-8 * * * *", "0 0 * january *", "0 0 L * *", ", * * * *"),
    *("0 0 31 2 *", "0 0 30 feb ?", "0 0 31 4,6 */1", "0 0 31 2 mon", "0 0 29 2 *", "0 0 31 2 */2", "0 0 31 11 1,*", "0 0 ? 2 *"),
]


NUMBERS = [
    "0",
    "1",
    "007",
    "10%",
    "100%",
    "101%",
    "999999999",
    "2147483647",
    "2147483648",
    "4294967296",
    "9" * 20,
    "\N{ARABIC-INDIC DIGIT NINE}",
]


number = st.from_regex(r"[0-9]{1,2}|[a-z]{3}", fullmatch=True)


field = st.builds(
    lambda parts: ",".join(parts),
    st.lists(
        st.builds(
            "".join,
            st.tuples(
                st.one_of(st.sampled_from("*?"), number, st.builds("{}-{}".format, number, number)),
                st.sampled_from(["", "", "/2", "/0"]),
            ),
        ),
        min_size=1,
        max_size=2,
    ),
)


schedule = st.one_of(
    st.sampled_from(SCHEDULES),
    st.lists(st.one_of(st.just("*"), field), min_size=5, max_size=5).map(" ".join),
    st.builds("0 0 {} {} {}".format, st.integers(28, 32), st.integers(1, 12), st.sampled_from(["*", "?", "mon", "0-6", "*/2"])),
)


key = st.one_of(anything, st.sampled_from(KEYS))


duration = st.one_of(st.sampled_from(DURATIONS), st.from_regex(r"([0-9]{1,8}[smh]){1,2}", fullmatch=True))


taint = st.builds(Taint, key=key, value=anything, effect=st.sampled_from(["NoSchedule", "PreferNoSchedule", "NoExecute"]))


budget = st.builds(
    Budget,
    nodes=st.one_of(st.sampled_from(NUMBERS), st.from_regex(r"[0-9]{1,12}%?", fullmatch=True)),
    reasons=st.lists(st.sampled_from(["Empty", "Drifted", "Underutilized"]), max_size=2),
    schedule=st.one_of(st.none(), schedule),
    duration=st.one_of(st.none(), duration),
)


reservation = st.builds(
    CapacityReservation,
    id=st.one_of(st.none(), st.sampled_from(["cr-0123456789abcdef0", "cr-", "CR-1", "cr-1-2", "cr-1\n", ""])),
    tags=st.dictionaries(st.one_of(anything, st.just("*")), anything, max_size=1),
    owner_id=st.one_of(st.none(), st.sampled_from(["123456789012", "12345678901", "\N{ARABIC-INDIC DIGIT NINE}" * 12, ""])),
    instance_match_criteria=st.sampled_from([None, "open", "targeted"]),
)


FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "name": anything,
    "capacity_types": st.lists(st.sampled_from(["spot", "on-demand", "reserved"]), max_size=3),
    "capacity_reservations": st.lists(reservation, max_size=3),
    "replicas": st.one_of(st.none(), st.integers(-1, 9), st.just(2**31)),
    "node_limit": st.one_of(st.none(), st.integers(0, 100), st.sampled_from([2**31, 2**63])),
    "termination_grace_period": duration,
    "zones": st.lists(st.sampled_from(["us-west-2a", "us-west-2b"]), max_size=2),
    "taints": st.lists(taint, max_size=3),
    "labels": st.dictionaries(key, anything, max_size=2),
    "weight": st.one_of(st.none(), st.integers(-1, 102)),
    "consolidation_policy": st.sampled_from(["WhenEmpty", "WhenEmptyOrUnderutilized", "Balanced"]),
    "consolidate_after": duration,
    "expire_after": duration,
    "budgets": st.lists(budget, max_size=2),
    "data_volume": st.builds(
        DataVolume, size_gib=st.integers(1, 60000), iops=st.integers(2000, 81000), throughput_mib=st.integers(100, 2100)
    ),
    "tags": st.dictionaries(key, anything, max_size=2),
    "bottlerocket_version": st.sampled_from(["latest", "v1.53.0", "1.53.0", "v1.2"]),
    "soci": st.one_of(
        st.none(),
        st.builds(
            SociParallelPull,
            downloads=st.integers(0, 100),
            chunk_size=st.from_regex(r"[0-9]{1,2}(mb|kb|)", fullmatch=True),
            unpacks=st.integers(0, 100),
        ),
    ),
}


GPU_FIELDS = FIELDS | {
    "limit": st.one_of(st.integers(0, 100), st.sampled_from([2**31, 2**63, 2**64])),
    "instance_types": st.lists(st.sampled_from(list(gpus_by_type())), max_size=60, unique=True),
}


GENERAL_FIELDS = FIELDS | {
    "cpu_limit": st.one_of(st.integers(0, 1000), st.sampled_from([2**31, 2**63, 2**64])),
    "categories": st.lists(st.sampled_from(["c", "m", "r"]), max_size=3),
    "cpus": st.lists(st.sampled_from([4, 8]), max_size=2),
    "families": st.lists(st.sampled_from(["m7i", "c7a"]), max_size=2),
}


def some(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Values for one field or two, so that many pools are not refused."""
    names = st.sets(st.sampled_from(list(fields)), min_size=1, max_size=2)
    return names.flatmap(lambda names: st.fixed_dictionaries({name: fields[name] for name in sorted(names)}))


POOLS = st.one_of(
    some(GPU_FIELDS).map(lambda given: replace(gpu(limit=64), **given)),
    some(GENERAL_FIELDS).map(lambda given: replace(general(), **given)),
    some(GPU_FIELDS).map(lambda given: replace(gpu(limit=64, weight=None, replicas=2), **given)),
    st.lists(reservation, max_size=3).map(
        lambda given: gpu(capacity_types=["reserved"] if given else ["spot"], capacity_reservations=given)
    ),
)


@pytest.fixture(scope="module")
def node_pools(tmp_path_factory: pytest.TempPathFactory) -> NodePools:
    """The construct that makes the objects of a pool."""
    folder = tmp_path_factory.mktemp("pools")
    return KarpenterStack(App(outdir=str(folder)), ClusterConfig("karpenter"), project=folder).node_pools


def further(node_pools: NodePools, pool: Pool) -> NodePool:
    return node_pools._configured(pool, DRIFT_BUDGETS if isinstance(pool, GpuPool) else None)


@pytest.mark.slow
@needs_crds
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(pool=POOLS)
def test_a_pool_that_is_not_refused_passes_the_crds_of_every_version(
    node_pools: NodePools, crds: dict[str, list[Crd]], pool: Pool
) -> None:
    versions = [version for version in VERSIONS if not wrong(pool, karpenter=version)]
    assume(versions)
    made = further(node_pools, pool)
    assert refusals(crds, rendered([made.node_class.manifest(), made.manifest()]), versions) == {}
    tomllib.loads(made.node_class.user_data)


# Each of the texts above in its field, and others like them.
TRICKY = [
    *(gpu(expire_after=text) for text in DURATIONS),
    *(gpu(consolidate_after=text) for text in DURATIONS),
    *(gpu(termination_grace_period=text) for text in DURATIONS),
    *(gpu(weight=None, limit=16, replicas=number) for number in (0, 2, 3)),
    gpu(weight=None, replicas=1, budgets=[Budget(nodes="0", schedule="@daily", duration="8h")]),
    gpu(consolidation_policy="Balanced", budgets=[Budget(nodes="1", reasons=["Drifted"])]),
    gpu(node_limit=2**31),
    *(gpu(budgets=[Budget(nodes="1", schedule="@daily", duration=text)]) for text in DURATIONS),
    *(gpu(budgets=[Budget(nodes="1", schedule=text, duration="8h")]) for text in SCHEDULES),
    *(gpu(budgets=[Budget(nodes=text)]) for text in NUMBERS),
    gpu(budgets=[Budget(nodes="1")] * 51),
    gpu(budgets=[Budget(nodes="0", reasons=["Drifted"])], consolidate_after="Never"),
    *(general(labels={text: "x"}) for text in KEYS),
    *(general(taints=[Taint(key=text)]) for text in KEYS),
    *(gpu(taints=[Taint(key=text, value="true")]) for text in KEYS),
    general(taints=[Taint(key="a"), Taint(key="a", value="x")]),
    general(taints=[Taint(key="a", value="x" * 64)]),
    general(labels={"a": "x" * 64}),
    general(labels={f"l{number}": "x" for number in range(100)}),
    gpu(limit=2**63),
    general(cpu_limit=2**63),
]


@needs_crds
def test_the_newer_fields_pass_the_crds_of_the_releases_that_are_not_refused(
    node_pools: NodePools, crds: dict[str, list[Crd]]
) -> None:
    targeted = [CapacityReservation(instance_match_criteria="targeted")]
    newer: list[tuple[Pool, tuple[str, ...]]] = [
        (gpu(weight=None, limit=24, replicas=2), VERSIONS[1:]),
        (general(weight=None, instance_types=["m7i.large"], replicas=0), VERSIONS[1:]),
        (gpu(node_limit=1), VERSIONS[2:]),
        (gpu(consolidation_policy="Balanced"), VERSIONS[3:]),
        (gpu(capacity_types=["reserved"], capacity_reservations=targeted), VERSIONS[1:]),
    ]
    for pool, versions in newer:
        assert tuple(version for version in VERSIONS if not wrong(pool, karpenter=version)) == versions
        made = further(node_pools, pool)
        objects = rendered([made.node_class.manifest(), made.manifest()])
        assert refusals(crds, objects, versions) == {}
        # 1.9 takes a node limit beside another limit, and ignores it.
        assert pool.node_limit is not None or len(refusals(crds, objects)) == len(VERSIONS) - len(versions)


EXAMPLES = int(os.environ.get("KARPENTER_EXAMPLES", "10"))  # a run of many thousands takes minutes


def manifest_of(node_pools: NodePools, pool: Pool) -> Json:
    """The NodePool of a pool as Karpenter gets it."""
    (made,) = rendered([further(node_pools, pool).manifest()])
    return made


@pytest.mark.slow
def test_a_tricky_value_is_refused_or_stands_before_karpenter(node_pools: NodePools) -> None:
    accepted = [pool for pool in TRICKY if not wrong(pool, karpenter=VERSIONS[-1])]
    assert 40 < len(accepted) < len(TRICKY) - 40
    for pool in accepted:
        manifest = manifest_of(node_pools, pool)
        assert karpenter_rules.refusals(manifest) == []
        assert karpenter_rules.unlimited(manifest) == set(pool.unlimited_reasons())


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(pool=POOLS)
def test_a_pool_that_is_not_refused_stands_before_karpenter(node_pools: NodePools, pool: Pool) -> None:
    """`tests/karpenter_rules.py` has the rules, each with the file in Karpenter's source."""
    assume(not wrong(pool, karpenter=VERSIONS[-1]))
    manifest = manifest_of(node_pools, pool)
    assert karpenter_rules.refusals(manifest) == []
    assert karpenter_rules.unlimited(manifest) == set(pool.unlimited_reasons())


def test_a_pool_cannot_have_a_label_that_one_of_its_requirements_uses(document: Json) -> None:
    keys = {
        requirement["key"]
        for name in ("research", "small", "build", "web", "db")
        for requirement in spec(document, f"nodepool_{name}")["template"]["spec"]["requirements"]
    }
    assert len(keys) > 6
    assert [key for key in sorted(keys) if not wrong(general(labels={key: "x"}))] == []
