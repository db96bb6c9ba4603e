"""Volumes of pods: the EKS add-ons for EBS, EFS, FSx and S3. Plain Python."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeAlias

from stacks.config.checks import DECIDES, distinct, each, matches, not_empty
from stacks.config.fields import Change
from stacks.config.pod_identities import ServiceAccount, too_long
from stacks.knowledge import storage_addons as known
from stacks.knowledge.regions import PARTITION
from stacks.knowledge.storage_addons import StorageAddon

NAMESPACE = "kube-system"

# EKS makes a class gp2 itself, and Kubernetes refuses other parameters for a class.
STORAGE_CLASS = matches(
    r"(?!gp2$)[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?",
    "lower-case letters, digits and hyphens, such as gp3, but not gp2",
)
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BUCKET = matches(
    r"(?!xn--)(?!.*[.][.])(?![0-9.]+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "names of buckets that Python knows, such as acme-models"
)


@dataclass(frozen=True, kw_only=True)
class Ebs:
    """Disks for one pod at a time: the add-on `aws-ebs-csi-driver`."""

    addon: ClassVar[StorageAddon] = known.EBS

    storage_class: Annotated[str | None, DECIDES, Change("R (the class); volumes stay"), STORAGE_CLASS] = "gp3"
    """Name of the cluster's default StorageClass, with encrypted gp3 disks; None for no StorageClass."""


@dataclass(frozen=True, kw_only=True)
class Efs:
    """File systems of EFS for many pods: the add-on `aws-efs-csi-driver`."""

    addon: ClassVar[StorageAddon] = known.EFS


@dataclass(frozen=True, kw_only=True)
class Fsx:
    """File systems of FSx for Lustre for many pods: the add-on `aws-fsx-csi-driver`."""

    addon: ClassVar[StorageAddon] = known.FSX


@dataclass(frozen=True, kw_only=True)
class S3:
    """Buckets as folders: the add-on `aws-mountpoint-s3-csi-driver`, whose controller keeps a node of a general pool."""

    addon: ClassVar[StorageAddon] = known.S3

    buckets: Annotated[Sequence[str], Change.IN_PLACE, not_empty, each(BUCKET), distinct]
    """Names of the buckets that pods may mount, to read and to write."""

    def mistakes(self) -> Iterator[str]:
        """What is wrong between fields."""
        if wrong := too_long(self.document()):
            yield f"buckets must make a policy {wrong} Let the pods mount fewer buckets."

    def document(self) -> dict[str, Any]:
        """The policy of the driver. https://docs.aws.amazon.com/eks/latest/userguide/s3-csi-create.html"""
        arns = [f"arn:{PARTITION}:s3:::{bucket}" for bucket in self.buckets]
        objects = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject"]
        return {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": arns},
                {"Effect": "Allow", "Action": objects, "Resource": [f"{arn}/*" for arn in arns]},
            ],
        }


@dataclass(frozen=True, kw_only=True)
class Snapshots:
    """Snapshots of EBS disks by VolumeSnapshot objects: the add-on `snapshot-controller`."""

    addon: ClassVar[StorageAddon] = known.SNAPSHOTS


StorageKind: TypeAlias = Ebs | Efs | Fsx | S3 | Snapshots


@dataclass(frozen=True, kw_only=True)
class StorageOptions:
    """The volumes that pods may have."""

    storage: Annotated[Sequence[StorageKind], DECIDES, Change("U to add, R to remove (the add-on)")] = ()
    """Drivers for volumes of pods: `Ebs()`, `Efs()`, `Fsx()`, `S3(buckets=[...])`, `Snapshots()`, each at most once. Needs
    eks:DescribeAddonVersions."""

    def mistakes(self) -> Iterator[str]:
        """What is wrong between fields."""
        kinds = [type(one).__name__ for one in self.storage]
        yield from (
            f"storage must not contain two {kind}: a cluster has an add-on once."
            for kind in dict.fromkeys(kinds)
            if kinds.count(kind) > 1
        )

    def storage_addons(self) -> list[str]:
        """The names of the add-ons that are on."""
        return [one.addon.name for one in self.storage]

    def storage_accounts(self) -> dict[ServiceAccount, str]:
        """The service accounts of the add-ons that are on, and whose they are."""
        addons = [one.addon for one in self.storage if one.addon.account]
        return {ServiceAccount(NAMESPACE, addon.account): f"the add-on {addon.name}" for addon in addons}

    def without_a_pool(self, *, takes_any_pod: bool) -> Iterator[str]:
        """An add-on that finds no node: the schema of S3's controller takes no toleration (aws/containers-roadmap#2676)."""
        if any(isinstance(one, S3) for one in self.storage) and not takes_any_pod:
            yield (
                "storage must not contain S3 without a general pool, because the controller of its add-on tolerates no taint and "
                "would wait for a node. Set default_pool=True, or add a pool without taints to general_pools."
            )
