"""GPU instance types that are known: `gpu_instance_types.csv`. Pure Python.

Source: Karpenter's instance-type reference (website/content/en/preview/reference/instance-types.md of
aws/karpenter-provider-aws at 692ccdd, 2026-07-11): every type there with an `instance-gpu-manufacturer`. Its columns are that
page's labels and resources: GPU memory of one GPU in MiB, NVMe disks in GB, EFA interfaces. `gpus` is what Karpenter counts.
"""

import csv
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

CATALOGUE = Path(__file__).with_name("gpu_instance_types.csv")


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


@cache
def gpu_instance_types() -> tuple[GpuInstanceType, ...]:
    """All rows, in the order of the source."""
    with CATALOGUE.open(newline="") as file:
        return tuple(
            GpuInstanceType(**{f.name: f.type(row[f.name]) for f in fields(GpuInstanceType) if isinstance(f.type, type)})
            for row in csv.DictReader(file)
        )


# Why the GPU pool cannot use a type: its nodes are amd64, its pods ask for nvidia.com/gpu.
REFUSED: dict[str, Callable[[GpuInstanceType], bool]] = {
    "has AMD GPUs, and pods of this pool ask for nvidia.com/gpu": lambda row: row.manufacturer != "nvidia",
    "has a fraction of a GPU, which Karpenter counts as 0": lambda row: row.gpus == 0,
    "is arm64, and this pool is amd64": lambda row: row.arch != "amd64",
}


def refused_families() -> dict[str, list[str]]:
    """By reason, the families that the GPU pool cannot use."""
    return {
        reason: list(dict.fromkeys(row.family for row in gpu_instance_types() if refuses(row)))
        for reason, refuses in REFUSED.items()
    }


def usable_types() -> list[str]:
    """The types that the GPU pool can use."""
    return [row.instance_type for row in gpu_instance_types() if not any(refuses(row) for refuses in REFUSED.values())]
