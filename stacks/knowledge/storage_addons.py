"""The EKS add-ons for storage. Looked up on 2026-11-25. Plain Python.

https://docs.aws.amazon.com/eks/latest/userguide/workloads-add-ons-available-eks.html, and the charts of the drivers.
"""

from typing import NamedTuple

from stacks.knowledge.regions import PARTITION


class StorageAddon(NamedTuple):
    """An add-on.

    Attributes:
        name: the add-on's.
        account: the service account in kube-system that calls AWS.
        policy: the ARN of AWS's policy for that account; empty where none exists, or none is needed.
        driver: the CSI driver's name in PersistentVolumes; empty where the driver leaves nothing in AWS.
    """

    name: str
    account: str = ""
    policy: str = ""
    driver: str = ""

    @property
    def address(self) -> str:
        """The name of the add-on's resources in their addresses."""
        return self.name.replace("-", "_")


_POLICY = f"arn:{PARTITION}:iam::aws:policy"

# V2 lets the driver touch only volumes and snapshots that carry its tag (kubernetes-sigs/aws-ebs-csi-driver#2918).
EBS = StorageAddon("aws-ebs-csi-driver", "ebs-csi-controller-sa", f"{_POLICY}/AmazonEBSCSIDriverPolicyV2", "ebs.csi.aws.com")
# The account efs-csi-node-sa needs a role only for mounts of S3 Files (docs/iam-policy-create.md of the driver).
EFS = StorageAddon(
    "aws-efs-csi-driver", "efs-csi-controller-sa", f"{_POLICY}/service-role/AmazonEFSCSIDriverPolicy", "efs.csi.aws.com"
)
FSX = StorageAddon("aws-fsx-csi-driver", "fsx-csi-controller-sa", f"{_POLICY}/AmazonFSxFullAccess", "fsx.csi.aws.com")
S3 = StorageAddon("aws-mountpoint-s3-csi-driver", "s3-csi-driver-sa")
SNAPSHOTS = StorageAddon("snapshot-controller")

STORAGE_ADDONS = (EBS, EFS, FSX, S3, SNAPSHOTS)
