"""How an adopted cluster gets to versions in standard support: one apply after another.

Karpenter goes first, because a release supports older Kubernetes versions and not newer ones. `make test-terraform` plans and
applies each step on the state that the HCL left, and compares what changes. docs/upgrading.md shows the table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

GPU_CLASS = "kubectl_manifest.ec2nodeclass_gpu"
CONTROL_PLANE = (
    "module.eks.aws_eks_cluster.this[0]",
    'module.eks.module.eks_managed_node_group["karpenter"].aws_eks_node_group.this[0]',
)
# Every change of the cluster plans these "known after apply". A step of Kubernetes brings the add-ons' latest versions for the new
# Kubernetes, unless `addon_versions` pins them; the rest stays as it is.
AFTER_THE_CLUSTER = (
    'module.eks.aws_eks_addon.before_compute["eks-pod-identity-agent"]',
    'module.eks.aws_eks_addon.before_compute["vpc-cni"]',
    'module.eks.aws_eks_addon.this["coredns"]',
    'module.eks.aws_eks_addon.this["kube-proxy"]',
    "module.eks.aws_iam_openid_connect_provider.oidc_provider[0]",
    "module.eks.time_sleep.this[0]",
)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One change of a configuration, to be applied before the next.

    Attributes:
        title: what the step does.
        fields: the fields of ClusterConfig that change.
        created, updated: the addresses that the plan shows, without `AFTER_THE_CLUSTER`.
        change: the class, and what happens to running nodes.
    """

    title: str
    fields: Mapping[str, Any]
    created: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    change: str


UPGRADE_PATH = (
    Step(
        title="No drift of GPU nodes: later steps would drain running jobs",
        fields={"gpu_drift_budget": "0"},
        updated=("kubectl_manifest.nodepool_gpu",),
        change="U",
    ),
    Step(
        title="Load balancer controller 3.5.0, with its policy",
        fields={"load_balancer_controller_version": "3.5.0", "load_balancer_controller_policy": "official"},
        updated=("aws_iam_policy.aws_load_balancer_controller", "helm_release.aws_load_balancer_controller"),
        change="U",
    ),
    Step(
        title="Karpenter 1.9.2: its CRDs become a release of their own",
        fields={"karpenter_version": "1.9.2"},
        created=("helm_release.karpenter_crd",),
        updated=("helm_release.karpenter", GPU_CLASS),
        change="D: the GPU pool's user data no longer mounts the NVMe disks a second time",
    ),
    Step(
        title="Karpenter 1.12.2: one more IAM action, and the cluster's CA in Karpenter's settings",
        fields={"karpenter_version": "1.12.2"},
        created=(
            "aws_iam_policy.karpenter_additional",
            'module.karpenter.aws_iam_role_policy_attachment.controller_additional["additional"]',
        ),
        updated=("helm_release.karpenter", "helm_release.karpenter_crd"),
        change="U",
    ),
    Step(
        title="Karpenter 1.14.1",
        fields={"karpenter_version": "1.14.1"},
        updated=("helm_release.karpenter", "helm_release.karpenter_crd"),
        change="U",
    ),
    *(
        Step(
            title=f"Kubernetes {version}",
            fields={"kubernetes_version": version},
            updated=CONTROL_PLANE,
            change="U and D: EKS rolls the node group; Karpenter's nodes drift to images of the version",
        )
        for version in ("1.34", "1.35")
    ),
)
