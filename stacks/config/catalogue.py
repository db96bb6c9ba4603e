"""GPU instance types that are known: `gpu_instance_types.csv`, and families without NVIDIA GPUs. Plain Python.

Source: Karpenter's instance-type reference (website/content/en/preview/reference/instance-types.md of
aws/karpenter-provider-aws at 692ccdd, 2026-07-11): every type there with an `instance-gpu-manufacturer`. Its columns are that
page's labels and resources: GPU memory of one GPU in MiB, NVMe disks in GB, EFA interfaces. `gpus` is what Karpenter counts.

`families_without_nvidia_gpus.txt` has the other families of that page and of Karpenter's price list
(pkg/providers/pricing/zz_generated.pricing_aws.go, the same commit), without those of older NVIDIA GPUs (g2, g3, g3s, p2, p3).
"""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

FAMILY = r"^[a-z][a-z0-9-]*$"
INSTANCE_TYPE = r"^[a-z][a-z0-9-]*[.][a-z0-9-]+$"

# Families of Graviton and Grace CPUs: g5g, p6e-gb200.
ARM64_GPU_FAMILY = r"^g[0-9]+g[a-z]*$|-gb[0-9]+$"

# The families with Graviton CPUs.
GRAVITON_FAMILY = r"^(a1|[a-z]+[0-9]+g[a-z]*)$"

CATALOGUE = Path(__file__).with_name("gpu_instance_types.csv")
FAMILIES_WITHOUT_NVIDIA_GPUS = Path(__file__).with_name("families_without_nvidia_gpus.txt")


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

    @property
    def usable(self) -> bool:
        """Whether a GPU pool can use the type: its nodes are amd64, and its pods ask for whole NVIDIA GPUs."""
        return self.manufacturer == "nvidia" and self.gpus > 0 and self.arch == "amd64"


@cache
def gpu_instance_types() -> tuple[GpuInstanceType, ...]:
    """All rows, in the order of the source."""
    with CATALOGUE.open(newline="") as file:
        return tuple(
            GpuInstanceType(**{f.name: f.type(row[f.name]) for f in fields(GpuInstanceType) if isinstance(f.type, type)})
            for row in csv.DictReader(file)
        )


def gpus_by_type() -> dict[str, int]:
    """The types that a GPU pool can use, with their number of GPUs."""
    return {row.instance_type: row.gpus for row in gpu_instance_types() if row.usable}


def families_without_nvidia_gpus() -> list[str]:
    """The families that EC2 lists without NVIDIA GPUs, those with AMD GPUs included."""
    amd = dict.fromkeys(row.family for row in gpu_instance_types() if row.manufacturer != "nvidia")
    return sorted([*amd, *FAMILIES_WITHOUT_NVIDIA_GPUS.read_text().split()])


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
        family = name.partition(".")[0]
        if not re.fullmatch(INSTANCE_TYPE, name):
            found.setdefault("be instance types such as p5.48xlarge", []).append(name)
        elif family in without:
            found.setdefault("have NVIDIA GPUs", []).append(name)
        elif family in fraction:
            found.setdefault("have whole GPUs, because Karpenter counts a fraction of a GPU as 0", []).append(name)
        elif re.search(ARM64_GPU_FAMILY, family):
            found.setdefault("have x86_64 CPUs", []).append(name)
    return found


def types_with_nvme() -> set[str]:
    """The types that are known to have NVMe disks."""
    return {row.instance_type for row in gpu_instance_types() if row.nvme_gb > 0}


def unusable_for_general(names: Iterable[str], *, shape: str, like: str) -> dict[str, list[str]]:
    """The instance types or families that a general pool cannot use, by what they must have or be."""
    found: dict[str, list[str]] = {}
    gpu_families = {row.family for row in gpu_instance_types()}
    for name in names:
        family = name.partition(".")[0]
        if not re.fullmatch(shape, name):
            found.setdefault(f"be {like}", []).append(name)
        elif re.match(GRAVITON_FAMILY, family):
            found.setdefault("have x86_64 CPUs, because the nodes are amd64", []).append(name)
        elif family in gpu_families:
            found.setdefault("not have GPUs: use a GpuPool, which keeps other pods off", []).append(name)
    return found
