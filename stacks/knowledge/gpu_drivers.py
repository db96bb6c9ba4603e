"""Which NVIDIA driver a GPU needs, and which driver a Bottlerocket release has. Plain Python.

The first report was of g7: BR#4889. BR is bottlerocket-os/bottlerocket, CK bottlerocket-os/bottlerocket-core-kit, and AMI
awslabs/amazon-eks-ami. Read in November 2026.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from stacks.knowledge import catalogue
from stacks.knowledge.versions import LATEST, parts

NEVER_JOINS = "Without a driver a node never joins the cluster, and Karpenter buys the next one."


@dataclass(frozen=True, kw_only=True)
class GpuDriver:
    """A GPU.

    Attributes:
        gpu: the name in the catalogue.
        works_from: the oldest driver branch that is known to support the GPU.
        fails_below: the branch before which the GPU is known to fail; None if that is not known.
    """

    gpu: str
    works_from: int
    fails_below: int | None = None


# Supported devices of 570.124.06, 580.82.07 and the list of what needs R595: templates/al2023/runtime/gpu/nvidia-open-supported-
# devices-570.txt and -580.txt of AMI; sources/ghostdog of CK since CK#1041 (`NVIDIA_PB_DEVICE_IDS`, which has 10de:2c3a); AMI#2747.
# Bottlerocket with R570 supported the instances of the first rows (awsdocs/amazon-eks-user-guide#1143, October 2025).
GPU_DRIVERS = (
    *(GpuDriver(gpu=gpu, works_from=570) for gpu in ("t4", "v100", "a10g", "a100", "l4", "l40s", "h100", "h200", "b200")),
    # Fabric Manager has the topologies of B300 since R580 (bottlerocket-os/bottlerocket-kernel-kit#255).
    GpuDriver(gpu="b300", works_from=580, fails_below=580),
    # Not in the list of 570.124.06; whether a later R570 has it was not found.
    GpuDriver(gpu="rtx-pro-server-6000", works_from=580),
    GpuDriver(gpu="rtx-pro-4500", works_from=595, fails_below=595),
)


@dataclass(frozen=True, kw_only=True)
class BottlerocketDriver:
    """The branch of the NVIDIA driver in the images for a version of Kubernetes.

    Attributes:
        kubernetes: the version.
        since: the first Bottlerocket release with the branch.
        branch: such as 580.
    """

    kubernetes: str
    since: str
    branch: int


# https://bottlerocket.dev/en/os/1.68.x/version-information/gpu-drivers/1.68.0/ and the same page of releases from 1.40.0 on;
# bottlerocket-os/bottlerocket-kernel-kit#254 for 1.53.0. R595 is in the images for Kubernetes 1.37 alone (1.66.0), beside R580.
# There Bottlerocket itself chooses the branch by the GPU, so that g7 needs no `settings.kernel.drivers.nvidia.branch`.
BOTTLEROCKET_DRIVERS = (
    BottlerocketDriver(kubernetes="1.33", since="1.39.0", branch=570),
    BottlerocketDriver(kubernetes="1.33", since="1.53.0", branch=580),
    BottlerocketDriver(kubernetes="1.34", since="1.47.0", branch=580),
    BottlerocketDriver(kubernetes="1.35", since="1.53.0", branch=580),
    BottlerocketDriver(kubernetes="1.36", since="1.61.0", branch=580),
)


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """A GPU, and the instance families with it, that does not work with the driver of a Bottlerocket release."""

    gpu: str
    families: tuple[str, ...]
    why: str


def named(bottlerocket: str) -> str:
    """A release in a message."""
    return "the latest Bottlerocket" if bottlerocket == LATEST else f"Bottlerocket {bottlerocket}"


def mismatches(*, kubernetes: str, bottlerocket: str) -> Iterator[Mismatch]:
    """What is known to fail. `bottlerocket` is `latest` or a release such as `v1.53.0`."""
    branch = _branch(kubernetes, bottlerocket)
    for row in GPU_DRIVERS:
        if branch is None or row.fails_below is None or branch >= row.fails_below:
            continue
        better = [d.since for d in BOTTLEROCKET_DRIVERS if d.kubernetes == kubernetes and d.branch >= row.works_from]
        what_to_do = f"Set bottlerocket_version to v{better[0]} or newer." if better else "Use other instance types."
        yield Mismatch(
            gpu=row.gpu,
            families=_families(row.gpu),
            why=f"the GPU {row.gpu} needs NVIDIA driver R{row.works_from}, and {named(bottlerocket)} has R{branch} for Kubernetes "
            f"{kubernetes}. {NEVER_JOINS} {what_to_do}",
        )


def unproven_families(*, kubernetes: str, bottlerocket: str) -> list[str]:
    """The families of which it is not known whether their GPUs work with the driver of a Bottlerocket release."""
    branch = _branch(kubernetes, bottlerocket)
    failing = {name for mismatch in mismatches(kubernetes=kubernetes, bottlerocket=bottlerocket) for name in mismatch.families}
    works = {name for row in GPU_DRIVERS if branch is not None and branch >= row.works_from for name in _families(row.gpu)}
    return [name for name in catalogue.usable_families() if name not in works | failing]


def _branch(kubernetes: str, bottlerocket: str) -> int | None:
    """The driver of a release; None if the table does not have the release."""
    found = [
        row.branch
        for row in BOTTLEROCKET_DRIVERS
        if row.kubernetes == kubernetes and (bottlerocket == LATEST or parts(row.since) <= parts(bottlerocket))
    ]
    return found[-1] if found else None


def _families(gpu: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row.family for row in catalogue.gpu_instance_types() if row.usable and row.gpu == gpu))
