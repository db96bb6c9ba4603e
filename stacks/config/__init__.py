"""The configuration of clusters: what a user may set, and what is refused. Plain Python.

`main.py` imports from here: `from stacks.config import ClusterConfig, GpuPool, recommended`.
"""

from stacks.config.administrators import AccessEntry
from stacks.config.backends import LocalBackend, S3Backend
from stacks.config.capacity_reservations import CapacityReservation
from stacks.config.cluster import ClusterConfig
from stacks.config.control_plane import VpcCni
from stacks.config.image_cache import ImageCache
from stacks.config.pod_identities import PodIdentity, Statement
from stacks.config.pools import Budget, DataVolume, GeneralPool, GpuPool, Mps, SociParallelPull, Taint, TimeSlicing
from stacks.config.recommended import recommended
from stacks.config.storage import S3, Ebs, Efs, Fsx, Snapshots

__all__ = [
    "S3",
    "AccessEntry",
    "Budget",
    "CapacityReservation",
    "ClusterConfig",
    "DataVolume",
    "Ebs",
    "Efs",
    "Fsx",
    "GeneralPool",
    "GpuPool",
    "ImageCache",
    "LocalBackend",
    "Mps",
    "PodIdentity",
    "S3Backend",
    "Snapshots",
    "SociParallelPull",
    "Statement",
    "Taint",
    "TimeSlicing",
    "VpcCni",
    "recommended",
]
