"""GPU and general pools of a configuration: their instance types, what is refused, and how pods come to them."""

import pytest

from stacks.config import Budget, DataVolume, GeneralPool, GpuPool, SociParallelPull, Taint
from stacks.config.pools import TAINT_KEYS, Pool
from stacks.knowledge.catalogue import gpu_instance_types, gpus_by_type, usable_families, usable_gpus
from tests.pools import general, gpu, wrong

# --- Which instance types -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pool", "types"),
    [
        (gpu(instance_types=["p5.48xlarge", "p9.48xlarge"]), ["p5.48xlarge", "p9.48xlarge"]),
        (gpu(instance_types=(), families=["p5"]), ["p5.48xlarge", "p5.4xlarge"]),
        (gpu(instance_types=(), families=["p5e", "p4d"]), ["p4d.24xlarge", "p5e.48xlarge"]),
        (gpu(instance_types=(), gpu_names=["h200"]), ["p5e.48xlarge", "p5en.48xlarge"]),
        (gpu(instance_types=(), gpu_names=["a100"]), ["p4d.24xlarge", "p4de.24xlarge"]),
        (gpu(instance_types=(), gpu_names=["a100"], min_gpu_memory_gib=41), ["p4de.24xlarge"]),
        (gpu(instance_types=(), gpu_names=["a100"], min_gpu_memory_gib=40), ["p4d.24xlarge", "p4de.24xlarge"]),
        (gpu(instance_types=(), families=["p4d", "p4de"], min_gpu_memory_gib=80), ["p4de.24xlarge"]),
    ],
)
def test_families_and_gpu_names_become_the_types_of_the_catalogue(pool: GpuPool, types: list[str]) -> None:
    assert sorted(pool.types()) == types
    assert wrong(pool) == []


def test_every_family_and_every_gpu_of_the_catalogue_has_types_that_a_pool_can_use() -> None:
    """Neither types with AMD GPUs, nor arm64 ones, nor a fraction of a GPU."""
    assert set(gpu(instance_types=(), families=usable_families()).types()) == gpus_by_type().keys()
    assert set(gpu(instance_types=(), gpu_names=usable_gpus()).types()) == gpus_by_type().keys()
    unusable = {row.family for row in gpu_instance_types() if not row.usable} - set(usable_families())
    assert {"g4ad", "g5g", "g6f"} <= unusable
    assert gpu(instance_types=(), families=sorted(unusable)).types() == []


# --- What is refused ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        (gpu(limit=0), 'gpu_pools["a"].limit must be at least 1 (got 0).'),
        (gpu(limit=1), "limit must be at least 8, the GPUs of the smallest instance type (got 1): "),
        (gpu(limit=7), 'gpu_pools["a"].limit must be at least 8, the GPUs of the smallest instance type (got 7): '),
        (gpu(instance_types=["g6e.xlarge", "p5.48xlarge"], limit=0), 'gpu_pools["a"].limit must be at least 1 (got 0).'),
        (
            gpu(instance_types=()),
            'gpu_pools["a"].instance_types, families or gpu_names must be set, and exactly one of',
        ),
        (
            gpu(families=["p5"]),
            'gpu_pools["a"].instance_types, families or gpu_names must be set, and exactly one of',
        ),
        (
            gpu(instance_types=(), families=["p5"], gpu_names=["h100"]),
            "families or gpu_names must be set, and exactly one of",
        ),
        (gpu(instance_types=(), families=["p9"]), "families must be in the catalogue (got ['p9']). Its families: g4dn, g5,"),
        (gpu(instance_types=(), families=["p5", "g6f"]), "families must be in the catalogue (got ['g6f'])."),
        (gpu(instance_types=(), gpu_names=["h1000"]), "gpu_names must be in the catalogue (got ['h1000']). Its GPUs: t4, a10g,"),
        (gpu(instance_types=(), gpu_names=["h100"], min_gpu_memory_gib=81), "must leave at least one instance type (got 81)."),
        (gpu(instance_types=(), gpu_names=["h100"], min_gpu_memory_gib=0), "min_gpu_memory_gib must be at least 1 (got 0)."),
        (gpu(min_gpu_memory_gib=80), "must not be set together with instance_types, which are used as they are."),
        (gpu(instance_types=["P5.48xlarge"]), "instance_types must be instance types such as p5.48xlarge (got ['P5.48xlarge'])."),
        (gpu(instance_types=["p5.48xlarge", "m5.large"]), "instance_types must have NVIDIA GPUs (got ['m5.large'])."),
        (gpu(instance_types=["g6f.large"]), "must have whole GPUs, because Karpenter counts a fraction of a GPU as 0"),
        (gpu(instance_types=["g5g.xlarge"]), "instance_types must have x86_64 CPUs (got ['g5g.xlarge'])."),
        (gpu(instance_types=["p5.48xlarge"] * 2), "must not contain duplicates (got ['p5.48xlarge', 'p5.48xlarge'])."),
        (gpu(instance_types=(), families=["p5", "p5"]), "families must not contain duplicates (got ['p5', 'p5'])."),
        (gpu(instance_types=(), gpu_names=["h100", "h100"]), "gpu_names must not contain duplicates (got ['h100', 'h100'])."),
        (gpu(capacity_types=["spot", "spot"]), "capacity_types must not contain duplicates (got ['spot', 'spot'])."),
        (gpu(zones=["us-west-2a", "us-west-2a"]), "zones must not contain duplicates (got ['us-west-2a', 'us-west-2a'])."),
        (general(categories=["c", "c"]), "categories must not contain duplicates (got ['c', 'c'])."),
        (general(cpus=[4, 4]), "cpus must not contain duplicates (got [4, 4])."),
        (gpu(capacity_types=[]), "capacity_types must have at least one element (got [])."),
        (
            gpu(data_volume=DataVolume(size_gib=200)),
            "data_volume must be None for instance types with NVMe disks (got 200 GiB)",
        ),
        (general(families=["m7g"]), "families must have x86_64 CPUs, because the nodes are amd64 (got ['m7g'])."),
        (general(families=["c6gn"]), "families must have x86_64 CPUs"),
        (
            general(instance_types=["a1.large"]),
            "instance_types must have x86_64 CPUs, because the nodes are amd64",
        ),
        (general(instance_types=["p5.48xlarge"]), "instance_types must not have GPUs: use a GpuPool, which keeps other pods off"),
        (general(families=["g6e"]), "families must not have GPUs: use a GpuPool, which keeps other pods off (got ['g6e'])."),
        (general(families=["p3"]), "families must not have GPUs (got ['p3'])."),
        (general(families=["g4ad"]), "families must not have GPUs (got ['g4ad'])."),
        (general(instance_types=["g6f.large"]), "instance_types must not have GPUs (got ['g6f.large'])."),
        (general(instance_types=["p9.48xlarge"]), "instance_types must not have GPUs (got ['p9.48xlarge'])."),
        (
            general(families=["inf2", "trn1", "dl1", "f2", "vt1"]),
            "families must not have accelerators such as Inferentia, Trainium, Gaudi or FPGAs (got ['inf2', 'trn1', 'dl1', 'f2', ",
        ),
        (
            general(categories=["g", "p"]),
            "categories must contain only c, d, hpc, i, m, r, t, u, x; use a GpuPool for GPUs (got ['g', 'p']).",
        ),
        (general(categories=["C"]), "categories must contain only c, d, hpc, i, m, r, t, u, x (got ['C'])."),
        (general(categories=["inf"]), "categories must contain only c, d, hpc, i, m, r, t, u, x (got ['inf'])."),
        # Generation 1, and a shape begins with generation 3.
        (general(categories=["z"]), "categories must contain only c, d, hpc, i, m, r, t, u, x; for z1d, set families (got ['z'])."),
        (
            general(categories=["h", "g"]),
            "r, t, u, x; use a GpuPool for GPUs; for h1, set families (got ['h', 'g']).",
        ),
        (general(cpus=[3]), "cpus must contain only numbers that instance types have, 1, 2, 4, 8, 12, 16, "),
        (general(cpus=[-4]), "cpus must contain only numbers that instance types have, "),
        (
            general(categories=["t"], cpus=[16, 32]),
            "categories and cpus must leave at least one instance type (got ['t'] and [16, 32]). Nitro types of these "
            "categories with a generation above 2 have 2, 4, 8 vCPUs. Set cpus, instance_types or families.",
        ),
        (
            general(categories=["u"]),
            "(got ['u'] and [4, 8, 16, 32]). Nitro types of these categories with a generation above 2 have 448, 896 vCPUs.",
        ),
        (general(cpu_limit=2), "cpu_limit must be at least 4, the vCPUs of the smallest instance type (got 2): with a lower"),
        (general(cpu_limit=3, instance_types=["m7i.2xlarge", "m7i.xlarge"]), "cpu_limit must be at least 4, the vCPUs of the"),
        (general(cpu_limit=1, families=["m7i"]), "cpu_limit must be at least 2, the vCPUs of the smallest instance type (got 1)"),
        (general(families=["m7i"], cpus=[8]), "cpus must not be set together with instance_types or families, which are used as"),
        (
            general(instance_types=["m7i.large"], categories=["c"]),
            "categories must not be set together with instance_types or families, which are used as they are.",
        ),
        (
            gpu(instance_types=["g6.xlarge", "g7.2xlarge"], limit=1),
            "gpu_pools[\"a\"].instance_types must have GPUs that the driver of Bottlerocket supports (got ['g7.2xlarge']): the GPU "
            "rtx-pro-4500 needs NVIDIA driver R595, and the latest Bottlerocket has R580 for Kubernetes 1.33. Without a driver a "
            "node never joins the cluster, and Karpenter buys the next one. Use other instance types.",
        ),
        (
            gpu(instance_types=["g7.96xlarge"]),
            "instance_types must have GPUs that the driver of Bottlerocket supports (got ['g7.96",
        ),
        (
            gpu(instance_types=(), families=["g7"]),
            'gpu_pools["a"].families must have GPUs that the driver of Bottlerocket supports',
        ),
        (
            gpu(instance_types=(), gpu_names=["h100", "rtx-pro-4500"]),
            'gpu_pools["a"].gpu_names must have GPUs that the driver of Bottlerocket supports '
            "(got ['rtx-pro-4500'], which stands for g7.2xlarge, g7.4xlarge,",
        ),
        (
            gpu(instance_types=(), families=["p6-b300"], bottlerocket_version="v1.52.0"),
            "(got ['p6-b300'], which stands for p6-b300.48xlarge): the GPU b300 needs NVIDIA driver R580, and Bottlerocket v1.52.0 "
            "has R570 for Kubernetes 1.33. Without a driver a node never joins the cluster, and Karpenter buys the next one. Set "
            "bottlerocket_version to v1.53.0 or newer.",
        ),
        (gpu(bottlerocket_version="v1.38.0", soci=None), 'must be at least "v1.39.0" for Kubernetes 1.33 (got "v1.38.0").'),
        (general(instance_types=["m7i"]), "instance_types must be instance types such as m7i.large (got ['m7i'])."),
        (general(families=["m7i.large"]), "families must be families such as m7i (got ['m7i.large'])."),
        (gpu(capacity_types=["ondemand"]), "must be a list of 'spot' or 'on-demand' or 'reserved' (got ['ondemand'])."),
        (gpu("Research"), 'gpu_pools["Research"].name must be at most 40 lower-case letters, digits and hyphens, '),
        (gpu("a" * 41), "name must be at most 40 lower-case letters"),
        (gpu("research-"), "name must be at most 40 lower-case letters"),
        (gpu("gpu"), "name must not be 'gpu', a name of the default pools. Choose another name."),
        (gpu("gpu-spot"), "name must not be 'gpu-spot', a name of the default pools."),
        (general("default"), "name must not be 'default', a name of the default pools."),
        (gpu(weight=0), "weight must be between 1 and 100 (got 0)."),
        (gpu(weight=101), "weight must be between 1 and 100 (got 101)."),
        (gpu(labels={"nodepool": "x"}), "labels must not contain 'nodepool', because the program sets it."),
        (gpu(labels={"gpu-type": "x"}), "labels must not contain 'gpu-type', because the program sets it."),
        (gpu(labels={f"{'a' * 254}/b": "x"}), "labels must be Kubernetes labels such as example.com/team: research (label 'aaa"),
        (gpu(labels={f"l{number}": "x" for number in range(99)}), "labels must have at most 98 labels (got {'l0': 'x',"),
        (
            gpu(labels={"node.kubernetes.io/instance-type": "p5.48xlarge"}),
            "labels must not contain 'node.kubernetes.io/instance-type', because Kubernetes, Karpenter or EKS sets this label (got",
        ),
        (
            gpu(labels={"node.kubernetes.io/windows-build": "x"}),
            "must not contain 'node.kubernetes.io/windows-build', because",
        ),
        # The CRD takes a key without a slash for a domain.
        *(
            (gpu(labels={key: "x"}), f"labels must not contain {key!r}, because Kubernetes and Karpenter reserve {domain} (got")
            for key, domain in (("my.kubernetes.io", "kubernetes.io"), ("foo.k8s.io", "k8s.io"), ("karpenter.sh", "karpenter.sh"))
        ),
        (gpu(labels={"eks.amazonaws.com/compute-type": "auto"}), "must not contain 'eks.amazonaws.com/compute-type', because"),
        (
            gpu(labels={"topology.k8s.aws/zone-id": "usw2-az1"}),
            "must not contain 'topology.k8s.aws/zone-id', because Kubernetes and",
        ),
        (gpu(labels={"topology.kubernetes.io/zone": "us-west-2a"}), "must not contain 'topology.kubernetes.io/zone', because"),
        (gpu(labels={"karpenter.k8s.aws/instance-cpu": "4"}), "must not contain 'karpenter.k8s.aws/instance-cpu', because"),
        (gpu(labels={"mynode.kubernetes.io/x": "y"}), "must not contain 'mynode.kubernetes.io/x', because"),
        (gpu(labels={"a b": "x"}), "labels must be Kubernetes labels such as example.com/team: research (label 'a b')"),
        (
            gpu(labels={"team": "my team"}),
            "labels must have values of at most 63 letters, digits, hyphens, underscores and dots, with a letter or a digit at "
            "both ends (label 'team', value 'my team')",
        ),
        (gpu(labels={"karpenter.sh/x": "y"}), "labels must not contain 'karpenter.sh/x', because Kubernetes and Karpenter reserve"),
        (gpu(labels={"kubernetes.io/x": "y"}), "labels must not contain 'kubernetes.io/x', because Kubernetes and Karpenter res"),
        (gpu(taints=[Taint(key="")]), "gpu_pools[\"a\"].taints[0].key must be a Kubernetes key such as example.com/team (got '')."),
        (gpu(taints=[Taint(key="a", value="b c")]), "taints[0].value must be at most 63 letters, digits,"),
        (gpu(taints=[Taint(key="a")] * 2), "taints must not contain two taints with key 'a' and effect 'NoSchedule' (got [Taint"),
        (
            general(taints=[Taint(key="a", value="1"), Taint(key="b"), Taint(key="a", value="2")]),
            "two taints with key 'a' and effect",
        ),
        (
            gpu(taints=[Taint(key="karpenter.sh/disrupted")]),
            "taints[0].key must be in another domain, because Kubernetes and Karpenter set and remove the taints of this domain "
            "(got 'karpenter.sh/disrupted').",
        ),
        (gpu(taints=[Taint(key="karpenter.sh/unregistered", effect="NoExecute")]), "taints[0].key must be in another domain"),
        (gpu(taints=[Taint(key="karpenter.k8s.aws/x")]), "taints[0].key must be in another domain"),
        *(
            (
                gpu(taints=[Taint(key=key)]),
                "taints[0].key must be another key, because Kubernetes sets and removes this taint (got '",
            )
            for key in TAINT_KEYS
        ),
        (gpu(taints=[Taint(key="readiness.k8s.io/network")]), "taints[0].key must be in another domain"),
        (gpu(taints=[Taint(key=f"{'a' * 254}/b")]), "taints[0].key must be a Kubernetes key such as example.com/team (got 'aaa"),
        (gpu(taints=[Taint(key="nvidia.com/gpu")]), "taints must not contain 'nvidia.com/gpu', because every GPU pool has this"),
        (gpu(tags={"Name": "x"}), "tags must not contain the tag 'Name', which AWS, Karpenter or Terraform sets"),
        (gpu(tags={"karpenter.sh/nodepool": "x"}), "tags must not contain the tag 'karpenter.sh/nodepool'"),
        (gpu(consolidate_after="soon"), "consolidate_after must be a duration such as 30s or 1h30m, or Never (got 'soon')."),
        (
            gpu(expire_after="0s"),
            "expire_after must be at least 15m, the time in which a machine becomes a node, or Never to turn expiry off "
            "(got '0s').",
        ),
        (gpu(expire_after="14m59s"), "expire_after must be at least 15m, the time in which a machine becomes a node"),
        (
            general(expire_after="9999999h"),
            "expire_after must be at most 2562047h47m16s, because Karpenter cannot read any pool while one pool has a longer "
            "duration (got '9999999h').",
        ),
        (gpu(expire_after="9223372037s"), "expire_after must be at most 2562047h47m16s"),
        (gpu(expire_after="9" * 5000 + "h"), "expire_after must be at most 2562047h47m16s"),  # more digits than Python reads
        (
            gpu(expire_after="\N{ARABIC-INDIC DIGIT NINE}0h"),
            "expire_after must be a duration in hours, minutes and seconds such as",
        ),
        *(
            (
                gpu(expire_after=text),
                f"expire_after must be a duration in hours, minutes and seconds such as 720h, or Never (got '{text}').",
            )
            for text in ("1 h", "never", "30d")
        ),
        (gpu(consolidate_after="2562047h47m17s"), "consolidate_after must be at most 2562047h47m16s"),
        (gpu(budgets=[Budget(nodes="101%")]), "budgets[0].nodes must be a number of nodes such as 1, or a percentage such as 10%"),
        (
            gpu(budgets=[Budget(nodes="4294967296")]),
            "budgets[0].nodes must have at most nine digits, because Karpenter keeps the lowest 32 bits of a number "
            "(got '4294967296').",
        ),
        (gpu(budgets=[Budget(nodes="many and more")]), "budgets[0].nodes must be a number of nodes such as 1, or a percentage"),
        (gpu(budgets=[Budget(nodes="\N{ARABIC-INDIC DIGIT NINE}")]), "budgets[0].nodes must be a number of nodes such as 1, or a"),
        (gpu(budgets=[Budget(nodes="1")] * 51), "budgets must have at most 50 elements (got [Budget(...),"),
        (gpu(budgets=[Budget(nodes="1"), Budget(nodes="-1")]), 'gpu_pools["a"].budgets[1].nodes must be a number of nodes'),
        (gpu(budgets=[Budget(nodes="1", reasons=["Empty", "Empty"])]), "budgets[0].reasons must not contain duplicates"),
        (gpu(budgets=[Budget(nodes="1", duration="8h")]), "schedule and duration must be set together (got None and '8h')."),
        (
            gpu(budgets=[Budget(nodes="1", schedule="@daily")]),
            "schedule and duration must be set together (got '@daily' and None).",
        ),
        (
            gpu(budgets=[Budget(nodes="1", schedule="@soon", duration="8h")]),
            "schedule must be a cron schedule such as 0 9 * * mon-fri",
        ),
        (gpu(budgets=[Budget(nodes="1", schedule="0 9 * *", duration="8h")]), "schedule must be a cron schedule"),
        (
            gpu(budgets=[Budget(nodes="1", schedule="@daily", duration="30m1h")]),
            "duration must be hours and minutes, such as 8h or",
        ),
        (
            gpu(budgets=[Budget(nodes="0", schedule="@daily", duration="0h0m")]),
            "budgets[0].duration must be at least 1m, or the budget never applies (got '0h0m').",
        ),
        (gpu(budgets=[Budget(nodes="0", schedule="@daily", duration="9999999h")]), "duration must be at most 2562047h47m16s"),
        (general(data_volume=DataVolume(size_gib=19)), "data_volume.size_gib must be between 20 and 59000 (got 19)."),
        (general(data_volume=DataVolume(size_gib=59001)), "data_volume.size_gib must be between 20 and 59000 (got 59001)."),
        (general(data_volume=DataVolume(size_gib=20, iops=2999)), "data_volume.iops must be between 3000 and 80000 (got 2999)."),
        (general(data_volume=DataVolume(size_gib=200, iops=80001)), "data_volume.iops must be between 3000 and 80000 (got 80001)."),
        (
            general(data_volume=DataVolume(size_gib=20, throughput_mib=124)),
            "throughput_mib must be between 125 and 2000 (got 124).",
        ),
        (
            general(data_volume=DataVolume(size_gib=200, iops=9000, throughput_mib=2001)),
            "throughput_mib must be between 125 and 2000",
        ),
        (general(data_volume=DataVolume(size_gib=159, iops=80000)), "iops must be at most 500 per GiB of size_gib, which is 79500"),
        (
            general(data_volume=DataVolume(size_gib=200, iops=7999, throughput_mib=2000)),
            "iops must be at least 4 per MiB of throughput_mib, which is 8000 (got 7999).",
        ),
        (general(data_volume=DataVolume(size_gib=20, iops=10001)), "iops must be at most 500 per GiB of size_gib, which is 10000"),
        (
            general(data_volume=DataVolume(size_gib=20, throughput_mib=751)),
            "iops must be at least 4 per MiB of throughput_mib, which is 3004",
        ),
        (gpu(bottlerocket_version="1.53.0"), "bottlerocket_version must be latest, or a version such as v1.53.0 (got '1.53.0')."),
        (gpu(bottlerocket_version="v1.49.9"), 'bottlerocket_version must be at least "v1.50.0" for user data that mounts'),
        (general(bottlerocket_version="v1.43.9"), 'must be at least "v1.44.0" for SOCI parallel pull'),
        (gpu(soci=SociParallelPull(downloads=0, chunk_size="8mb", unpacks=1)), "soci.downloads must be at least 1 (got 0)."),
        (
            gpu(soci=SociParallelPull(downloads=2**31, chunk_size="8mb", unpacks=1)),
            "downloads must be at most 2147483647 (got 214748",
        ),
        (
            gpu(soci=SociParallelPull(downloads=1, chunk_size="8mb", unpacks=2**31)),
            "unpacks must be at most 2147483647 (got 214748",
        ),
        (
            gpu(soci=SociParallelPull(downloads=1, chunk_size="0mb", unpacks=1)),
            "chunk_size must be a size such as 16mb (got '0mb').",
        ),
        (gpu(soci=SociParallelPull(downloads=1, chunk_size="9999999999gb", unpacks=1)), "chunk_size must be a size such as 16mb"),
        (gpu(soci=SociParallelPull(downloads=1, chunk_size="8mb", unpacks=0)), "soci.unpacks must be at least 1 (got 0)."),
        (
            gpu(soci=SociParallelPull(downloads=1, chunk_size="8", unpacks=1)),
            "soci.chunk_size must be a size such as 16mb (got '8').",
        ),
        (general(cpu_limit=2**31), 'general_pools["a"].cpu_limit must be at most 2147483647 (got 2147483648).'),
        (gpu(limit=2**31), 'gpu_pools["a"].limit must be at most 2147483647 (got 2147483648).'),
        (general(cpu_limit=0), 'general_pools["a"].cpu_limit must be at least 1 (got 0).'),
        (general(categories=[]), "categories must have at least one element (got [])."),
        (general(cpus=[]), "cpus must have at least one element (got [])."),
        (
            general(instance_types=["m5.large"], families=["m5"]),
            "instance_types and families must not both be set. Keep one of them.",
        ),
    ],
)
def test_a_mistake_in_a_pool_is_said_once_with_its_place(pool: Pool, said: str) -> None:
    (text,) = wrong(pool)
    assert said in text
    assert text.startswith(("gpu_pools", "general_pools"))


def test_limits_on_both_sides_of_what_is_refused() -> None:
    allowed = [
        gpu(limit=8),
        gpu(limit=2**31 - 1),
        general(cpu_limit=2**31 - 1),
        gpu(expire_after="15m"),
        gpu(expire_after="2562047h47m16s", consolidate_after="9223372036s"),
        gpu(consolidate_after="0s"),  # Karpenter's own
        gpu(budgets=[Budget(nodes="999999999"), Budget(nodes="0", schedule="@daily", duration="1m")] * 25),
        gpu(labels={f"l{number}": "x" for number in range(98)}),
        gpu(labels={f"{'a' * 253}/b": "x", "x.node.kubernetes.io/a": "y", "node-restriction.kubernetes.io/b": "z"}),
        gpu(labels={"kops.k8s.io/instancegroup": "x", "example.com": "y"}),
        gpu(taints=[Taint(key="node.kubernetes.io/gpu")]),
        gpu(taints=[Taint(key="a"), Taint(key="a", effect="NoExecute"), Taint(key="node-role.kubernetes.io/batch")]),
        gpu("a" * 40),
        gpu(weight=100),
        gpu(instance_types=["p5.24xlarge"], limit=1),  # an unknown type counts as 1 GPU
        gpu(labels={"node.kubernetes.io/exclude-from-external-load-balancers": "true", "example.com/team": "a.b_c-d", "empty": ""}),
        general(data_volume=DataVolume(size_gib=20, iops=10000, throughput_mib=1000)),
        general(data_volume=DataVolume(size_gib=160, iops=80000, throughput_mib=2000)),
        general(data_volume=DataVolume(size_gib=59000, throughput_mib=750)),
        general(data_volume=DataVolume(size_gib=20, iops=8000, throughput_mib=2000)),
        gpu(instance_types=["p9.48xlarge"], data_volume=DataVolume(size_gib=200)),
        gpu(bottlerocket_version="v1.50.0"),
        general(bottlerocket_version="v1.44.0"),
        # Without SOCI, Karpenter alone mounts the disks.
        gpu(bottlerocket_version="v1.39.0", soci=None),
        general(bottlerocket_version="v1.39.0", soci=None),
        gpu(instance_types=(), families=["p6-b300", "g7e"], bottlerocket_version="v1.53.0"),
        gpu(instance_types=(), families=["p6-b200", "p3dn", "g4dn"], bottlerocket_version="v1.50.0"),
        general(cpu_limit=4),
        general(cpu_limit=2, families=["m7i"]),
        general(cpu_limit=1, instance_types=["m9x.large"]),
        general(cpu_limit=1, families=["m7i", "m9x"]),
        general(categories=["c", "d", "hpc", "i", "m", "r", "t", "u", "x"]),
        general(categories=["u"], cpus=[448], cpu_limit=448),
        general(instance_types=["m7i.metal-24xl"], cpu_limit=96),
        general(families=["t2", "m4", "z1d"]),
    ]
    assert [text for pool in allowed for text in wrong(pool)] == []


def test_a_limit_is_required() -> None:
    """It caps the bill. mypy says the same before."""
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'limit'"):
        GpuPool("a", instance_types=["p5.48xlarge"])  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'cpu_limit'"):
        GeneralPool("a")  # type: ignore[call-arg]


# --- Pools that could take the same pod -----------------------------------------------------------------------------------------

TEAM, BATCH = Taint(key="team", value="a"), Taint(key="batch")


@pytest.mark.parametrize(
    ("pools", "overlap"),
    [
        ([gpu("a", weight=None)], [("a", "gpu-spot")]),
        ([general("a", weight=None)], [("a", "default")]),
        ([gpu("a"), gpu("b")], [("b", "a")]),
        ([gpu("a"), gpu("b"), gpu("c")], [("b", "a"), ("c", "a")]),
        ([gpu("a", instance_types=["g6e.xlarge"], limit=1), gpu("b")], [("b", "a")]),
        ([gpu("a", taints=[TEAM, BATCH]), gpu("b", taints=[BATCH, TEAM])], [("b", "a")]),
        ([gpu("a", labels={"x": "1", "y": "2"}), gpu("b", labels={"y": "2", "x": "1"})], [("b", "a")]),
        ([gpu("a", weight=1), gpu("b", weight=2)], []),
        ([gpu("a", weight=None, labels={"team": "a"}), gpu("b", weight=None, labels={"team": "b"})], []),
        ([gpu("a", weight=None, taints=[TEAM]), gpu("b", weight=None, taints=[Taint(key="team", value="b")])], []),
        ([gpu("a", taints=[TEAM]), gpu("b", taints=[Taint(key="team", value="a", effect="NoExecute")])], []),
        ([gpu("a"), general("b")], []),  # only pods that tolerate the GPU taint use a GPU pool
    ],
)
def test_pools_that_could_take_the_same_pod_must_differ(pools: list[Pool], overlap: list[tuple[str, str]]) -> None:
    said = [text for text in wrong(*pools) if "both could take the same pod" in text]
    kind = "gpu_pools" if isinstance(pools[0], GpuPool) else "general_pools"
    assert said == [
        f'{kind}["{pool}"] must differ from pool {other} in weight, or in a label or taint, because both could take the same pod. '
        "Set a weight, for example."
        for pool, other in overlap
    ]


@pytest.mark.parametrize("weight", [1, None])
def test_a_pool_that_is_listed_twice_is_one_line(weight: int | None) -> None:
    assert wrong(*[gpu("a", weight=weight)] * 2) == ["gpu_pools and general_pools must not contain two pools named 'a'."]


def test_two_pools_cannot_have_one_name_even_if_one_is_general() -> None:
    assert wrong(gpu("a"), general("a")) == ["gpu_pools and general_pools must not contain two pools named 'a'."]
