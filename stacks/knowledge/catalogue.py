"""The instance types that are known, with GPUs and without. Plain Python.

Source: Karpenter's instance-type reference (website/content/en/preview/reference/instance-types.md of
aws/karpenter-provider-aws at 692ccdd, 2026-07-11), whose labels and resources are the columns.

- `gpu_instance_types.csv`: every type there with an `instance-gpu-manufacturer`. GPU memory of one GPU in MiB, NVMe disks in GB,
  EFA interfaces. `gpus` is what Karpenter counts. The network cards, the interfaces of the first card and the addresses of an
  interface come from pkg/providers/instancetype/zz_generated.vpclimits.go at 1d92708 (generated on 2026-08-06), and equal what the
  VPC CNI knows (pkg/vpc/vpc_ip_resource_limit.go of aws/amazon-vpc-cni-k8s at b521883, 2026-08-20).
- `general_instance_types.csv`: every amd64 type there without a GPU or another accelerator. Metal sizes have no hypervisor.
  The memory is what EC2 names, in MiB.
- `families_without_nvidia_gpus.txt`: the other families of that page and of Karpenter's price list
  (pkg/providers/pricing/zz_generated.pricing_aws.go, the same commit), without those of older NVIDIA GPUs (g2, g3, g3s, p2, p3).
"""

import csv
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cache, cached_property
from pathlib import Path
from typing import TypeVar

FAMILY_PATTERN = r"^[a-z][a-z0-9-]*$"
INSTANCE_TYPE_PATTERN = r"^[a-z][a-z0-9-]*[.][a-z0-9-]+$"

# Families of Graviton and Grace CPUs: g5g, p6e-gb200.
ARM64_GPU_FAMILY = r"^g[0-9]+g[a-z]*$|-gb[0-9]+$"

# The families with Graviton CPUs.
GRAVITON = r"(a1|[a-z]+[0-9]+g[a-z]*)"

# Category and generation of a family as Karpenter reads them (`instanceTypeScheme` in pkg/providers/instancetype/types.go, 1.6.0).
FAMILY_SCHEME = re.compile(r"([a-z]+)(?:-[0-9]+tb)?([0-9]+)")

# Categories of NVIDIA and AMD GPUs; and of Gaudi and Qualcomm, FPGAs, Inferentia, Trainium and media accelerators.
GPU_CATEGORIES, ACCELERATOR_CATEGORIES = ("g", "gr", "p"), ("dl", "f", "inf", "trn", "vt")

# What is said of GPU types that are not in the catalogue.
UNKNOWN_GPU_TYPES = "make sure that they have NVIDIA GPUs with a driver in Bottlerocket, an x86_64 CPU and NVMe disks."

CATALOGUE = Path(__file__).with_name("gpu_instance_types.csv")
GENERAL_CATALOGUE = Path(__file__).with_name("general_instance_types.csv")
FAMILIES_WITHOUT_NVIDIA_GPUS = Path(__file__).with_name("families_without_nvidia_gpus.txt")

Row = TypeVar("Row", "GpuInstanceType", "GeneralInstanceType")


@dataclass(frozen=True, kw_only=True)
class GpuInstanceType:
    """One row of the catalogue."""

    instance_type: str
    family: str
    manufacturer: str
    gpu: str
    gpus: int
    gpu_memory_mib: int
    vcpus: int
    nvme_gb: int
    efa: int
    arch: str
    network_cards: int
    interfaces: int
    addresses_per_interface: int

    @property
    def usable(self) -> bool:
        """Whether a GPU pool can use the type: its nodes are amd64, and its pods ask for whole NVIDIA GPUs."""
        return self.manufacturer == "nvidia" and self.gpus > 0 and self.arch == "amd64"


@dataclass(frozen=True, kw_only=True)
class GeneralInstanceType:
    """An amd64 type without a GPU."""

    instance_type: str
    vcpus: int
    hypervisor: str
    memory_mib: int
    pods: int

    @cached_property
    def family(self) -> str:
        """Such as m7i."""
        return family(self.instance_type)

    @cached_property
    def category(self) -> str:
        """Such as m."""
        return category(self.instance_type)

    @cached_property
    def in_shapes(self) -> bool:
        """Whether categories and vCPUs can describe the type: a general pool then asks for Nitro and a generation above 2."""
        scheme = FAMILY_SCHEME.match(self.instance_type)
        return self.hypervisor == "nitro" and scheme is not None and int(scheme[2]) > 2


@cache
def gpu_instance_types() -> tuple[GpuInstanceType, ...]:
    """All rows, in the order of the source."""
    return tuple(_rows(CATALOGUE, GpuInstanceType))


@cache
def general_instance_types() -> tuple[GeneralInstanceType, ...]:
    """All rows, in the order of the source."""
    return tuple(_rows(GENERAL_CATALOGUE, GeneralInstanceType))


def _rows(path: Path, kind: type[Row]) -> Iterator[Row]:
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            yield kind(**{f.name: f.type(row[f.name]) for f in fields(kind) if isinstance(f.type, type)})


def family(instance_type: str) -> str:
    """The family of a type: `p5` of `p5.48xlarge`."""
    return instance_type.partition(".")[0]


def category(name: str) -> str:
    """The category of a family or type, known or not: `p` of `p5en`; "" if the name has none."""
    scheme = FAMILY_SCHEME.match(name)
    return scheme[1] if scheme else ""


def gpus_by_type() -> dict[str, int]:
    """The types that a GPU pool can use, with their number of GPUs."""
    return {row.instance_type: row.gpus for row in gpu_instance_types() if row.usable}


# Of a type that the catalogue does not have: more than any type has, so that a limit of vCPUs does not hold the type back.
UNKNOWN_VCPUS_PER_GPU = 1000


def vcpus_per_gpu() -> dict[str, int]:
    """The types that a GPU pool can use, with their number of vCPUs for each GPU."""
    return {row.instance_type: row.vcpus // row.gpus for row in gpu_instance_types() if row.usable}


def families_without_nvidia_gpus() -> list[str]:
    """The families that EC2 lists without NVIDIA GPUs, those with AMD GPUs included."""
    amd = {row.family for row in gpu_instance_types() if row.manufacturer != "nvidia"}
    return sorted({*amd, *general_families(), *FAMILIES_WITHOUT_NVIDIA_GPUS.read_text().split()})


def families_with_a_fraction_of_a_gpu() -> list[str]:
    """The families whose types Karpenter counts as 0 GPUs."""
    return list(dict.fromkeys(row.family for row in gpu_instance_types() if row.gpus == 0))


def usable_families() -> list[str]:
    """The families with types that a GPU pool can use."""
    return list(dict.fromkeys(row.family for row in gpu_instance_types() if row.usable))


def usable_gpus() -> list[str]:
    """The GPU names of the types that a GPU pool can use."""
    return list(dict.fromkeys(row.gpu for row in gpu_instance_types() if row.usable))


def unusable(types: Iterable[str]) -> dict[str, list[str]]:
    """The types that a GPU pool cannot use, by what a type must have. An unknown family may be new, and is accepted."""
    without, fraction = families_without_nvidia_gpus(), families_with_a_fraction_of_a_gpu()
    found: dict[str, list[str]] = {}
    for name in types:
        if not re.fullmatch(INSTANCE_TYPE_PATTERN, name):
            found.setdefault("be instance types such as p5.48xlarge", []).append(name)
        elif family(name) in without:
            found.setdefault("have NVIDIA GPUs", []).append(name)
        elif family(name) in fraction:
            found.setdefault("have whole GPUs, because Karpenter counts a fraction of a GPU as 0", []).append(name)
        elif re.search(ARM64_GPU_FAMILY, family(name)):
            found.setdefault("have x86_64 CPUs", []).append(name)
    return found


def types_with_nvme() -> set[str]:
    """The types that are known to have NVMe disks."""
    return {row.instance_type for row in gpu_instance_types() if row.nvme_gb > 0}


@cache
def vcpus_by_type() -> dict[str, int]:
    """The types that a general pool can use, with their number of vCPUs."""
    return {row.instance_type: row.vcpus for row in general_instance_types()}


@cache
def vcpus_of_all_types() -> dict[str, int]:
    """The types of a general or a GPU pool, with their number of vCPUs."""
    return vcpus_by_type() | {row.instance_type: row.vcpus for row in gpu_instance_types()}


@cache
def general_families() -> list[str]:
    """The families with types that a general pool can use."""
    return list(dict.fromkeys(row.family for row in general_instance_types()))


@cache
def shape_categories() -> list[str]:
    """The categories that have types for a shape."""
    return sorted({row.category for row in general_instance_types() if row.in_shapes})


def shape_cpus(categories: Collection[str]) -> list[int]:
    """The numbers of vCPUs that types for a shape have in some categories."""
    return sorted({row.vcpus for row in general_instance_types() if row.in_shapes and row.category in categories})


def types_in_shape(categories: Sequence[str], cpus: Sequence[int]) -> list[str]:
    """The types that categories and vCPUs describe."""
    return list(_types_in_shape(tuple(categories), tuple(cpus)))


@cache
def _types_in_shape(categories: tuple[str, ...], cpus: tuple[int, ...]) -> tuple[str, ...]:
    rows = (row for row in general_instance_types() if row.vcpus in cpus and row.category in categories and row.in_shapes)
    return tuple(row.instance_type for row in rows)


def types_of_families(families: Sequence[str]) -> list[str]:
    """The types of families without GPUs."""
    return [row.instance_type for row in general_instance_types() if row.family in families]


def sizes(name: str) -> list[str]:
    """The usable types of the family of a type; [] if the family is not known."""
    return [other for other in (*gpus_by_type(), *vcpus_by_type()) if family(other) == family(name)]


def unusable_for_general(names: Iterable[str], *, shape: str, like: str) -> dict[str, list[str]]:
    """The instance types or families that a general pool cannot use, by what they must have or be. Others may be new."""
    found: dict[str, list[str]] = {}
    for name in names:
        if not re.fullmatch(shape, name):
            found.setdefault(f"be {like}", []).append(name)
        elif re.fullmatch(GRAVITON, family(name)):
            found.setdefault("have x86_64 CPUs, because the nodes are amd64", []).append(name)
        elif family(name) in usable_families():
            found.setdefault("not have GPUs: use a GpuPool, which keeps other pods off", []).append(name)
        elif category(name) in GPU_CATEGORIES:
            found.setdefault("not have GPUs", []).append(name)
        elif category(name) in ACCELERATOR_CATEGORIES:
            found.setdefault("not have accelerators such as Inferentia, Trainium, Gaudi or FPGAs", []).append(name)
    return found
