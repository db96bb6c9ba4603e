"""An EKS add-on beside those of the module."""

from collections.abc import Mapping, Sequence
from typing import Any

from cdktf import ITerraformDependable
from cdktf_cdktf_provider_aws.data_aws_eks_addon_version import DataAwsEksAddonVersion
from cdktf_cdktf_provider_aws.eks_addon import EksAddon

from stacks.aws.cluster import Cluster
from stacks.config.common import Common
from stacks.hcl.expressions import Expression
from stacks.terraform.addresses import Addressed


def add_addon(
    owner: Addressed,
    common: Common,
    *,
    cluster: Cluster,
    name: str,
    settings: Mapping[str, Any] | None = None,
    after: Sequence[ITerraformDependable] = (),
    preserve: bool | None = None,
) -> EksAddon:
    """Make an add-on, with the version of `addon_versions` or the latest for the cluster's Kubernetes.

    Args:
        owner: the construct that needs the add-on.
        common: has the tags.
        cluster: where the add-on runs.
        name: as EKS has it. Its hyphens are underscores in the address.
        settings: the add-on's `configuration_values`.
        after: what the add-on needs beside the cluster.
        preserve: whether the add-on's pods outlive the resource.
    """
    address = name.replace("-", "_")
    latest, versions = f"data.aws_eks_addon_version.{address}", cluster.addon_versions
    owner.add(
        DataAwsEksAddonVersion,
        latest,
        addon_name=name,
        kubernetes_version=cluster.control_plane.kubernetes_version,
        most_recent=True,
    )
    return owner.add(
        EksAddon,
        f"aws_eks_addon.{address}",
        cluster_name=cluster.eks.cluster_name,
        addon_name=name,
        addon_version=Expression(f'coalesce(lookup({versions.hcl}, "{name}", null), {latest}.version)'),
        configuration_values=owner.add_json(f"{address}_values", settings) if settings else None,
        resolve_conflicts_on_update="OVERWRITE",
        preserve=preserve,
        tags=common.tags,
        depends_on=[cluster.eks, *after],
    )
