"""terraform-aws-modules/eks/aws and its submodule karpenter: https://registry.terraform.io/modules/terraform-aws-modules/eks/aws

Both at 21.11.0: the version whose plan on what the HCL deployed is empty (the HCL carries a copy that equals 21.10.1 and 21.11.0).
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, Unpack

from imports.module import RegistryModule

from constructs import Construct

from stacks.hcl.expressions import Expression


class EksInputs(TypedDict, total=False):
    """The module's inputs that are used here."""

    name: str
    kubernetes_version: str
    upgrade_policy: Mapping[str, str] | None
    deletion_protection: bool | None
    enabled_log_types: Sequence[str] | None
    enable_cluster_creator_admin_permissions: bool
    access_entries: Mapping[str, Mapping[str, Any]] | None
    kms_key_administrators: Sequence[str] | None
    iam_role_permissions_boundary: str | None
    endpoint_public_access: bool
    endpoint_public_access_cidrs: Sequence[str] | None
    control_plane_scaling_config: Mapping[str, str]
    addons: Mapping[str, Mapping[str, Any]]
    vpc_id: str
    subnet_ids: Sequence[str]
    control_plane_subnet_ids: Sequence[str]
    eks_managed_node_groups: Mapping[str, Mapping[str, Any]]
    node_security_group_additional_rules: Mapping[str, Mapping[str, Any]] | None
    node_security_group_tags: Mapping[str, str]
    tags: Mapping[str, str]


class Eks(RegistryModule):
    """An EKS cluster with its roles, key, security groups, addons and managed node groups."""

    SOURCE = "terraform-aws-modules/eks/aws"
    VERSION = "21.11.0"

    def __init__(self, scope: Construct, id: str, **inputs: Unpack[EksInputs]) -> None:
        super().__init__(scope, id, inputs)

    @property
    def cluster_name(self) -> Expression:
        """The name of the cluster, known once the cluster is there."""
        return self.output("cluster_name")

    @property
    def cluster_endpoint(self) -> Expression:
        """The URL of the Kubernetes API."""
        return self.output("cluster_endpoint")

    @property
    def cluster_version(self) -> Expression:
        """The Kubernetes version, as `1.33`."""
        return self.output("cluster_version")

    @property
    def cluster_certificate_authority_data(self) -> Expression:
        """The certificate authority of the API, in base64."""
        return self.output("cluster_certificate_authority_data")


class KarpenterInputs(TypedDict, total=False):
    """The submodule's inputs that are used here."""

    cluster_name: str
    node_iam_role_use_name_prefix: bool
    node_iam_role_name: str
    create_pod_identity_association: bool
    node_iam_role_additional_policies: Mapping[str, str]
    node_iam_role_permissions_boundary: str | None
    iam_role_permissions_boundary_arn: str | None
    iam_role_policies: Mapping[str, str] | None
    tags: Mapping[str, str]


class KarpenterAws(RegistryModule):
    """What Karpenter needs of AWS: its role and that of its nodes, the interruption queue, the rules that feed it."""

    SOURCE = f"{Eks.SOURCE}//modules/karpenter"
    VERSION = Eks.VERSION

    def __init__(self, scope: Construct, id: str, **inputs: Unpack[KarpenterInputs]) -> None:
        super().__init__(scope, id, inputs)

    @property
    def queue_name(self) -> Expression:
        """The name of the SQS queue on which AWS announces interruptions."""
        return self.output("queue_name")
