"""An IAM role for the pods of a service account, by EKS Pod Identity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import imports  # noqa: F401  (before cdktf: CDKTF's packages load lazily)

from cdktf import ITerraformDependable
from cdktf_cdktf_provider_aws.eks_pod_identity_association import EksPodIdentityAssociation
from cdktf_cdktf_provider_aws.iam_policy import IamPolicy
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy_attachment import IamRolePolicyAttachment

from stacks.aws.cluster import Cluster
from stacks.config.common import Common
from stacks.config.pod_identities import POLICY_NAME_LENGTH, ROLE_NAME_LENGTH, ServiceAccount, name_of
from stacks.terraform.addresses import Addressed

# https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Principal": {"Service": "pods.eks.amazonaws.com"},
        }
    ],
}


@dataclass(frozen=True, kw_only=True)
class OwnPolicy:
    """A policy that is made for one role.

    Attributes:
        name: what follows the cluster's name and a hyphen in the policy's name.
        description: of the policy.
        text: the document, as `add_json` returns it.
    """

    name: str
    description: str
    text: str


class PodIdentity:
    """A role, what the role may do, and its association with a service account: resources of the construct that needs them.

    Args:
        owner: the construct.
        cluster: where the pods run.
        name: of the resources, in their addresses.
        role: what follows the cluster's name and a hyphen in the role's name. A hash ends what IAM would not take whole.
        trust: the text of `TRUST`, as `add_json` returns it, so that many roles share a local.
        account: the pods' service account.
        policies: ARNs of policies, by the name of their attachments.
        own_policy: a policy that is made for the role; its attachment has the name of the role.

    Attributes:
        association: the association.
        attachments: those of the role.
    """

    def __init__(
        self,
        owner: Addressed,
        common: Common,
        *,
        cluster: Cluster,
        name: str,
        role: str,
        trust: str,
        account: ServiceAccount,
        policies: Mapping[str, str] | None = None,
        own_policy: OwnPolicy | None = None,
    ) -> None:
        arns = dict(policies or {})
        if own_policy:
            policy = owner.add(
                IamPolicy,
                f"aws_iam_policy.{name}",
                name=f"{common.name}-{name_of(own_policy.name, POLICY_NAME_LENGTH)}",
                description=own_policy.description,
                policy=own_policy.text,
                tags=common.tags,
            )
            arns[name] = policy.arn
        made = owner.add(
            IamRole,
            f"aws_iam_role.{name}",
            name=f"{common.name}-{name_of(role, ROLE_NAME_LENGTH)}",
            assume_role_policy=trust,
            permissions_boundary=common.permissions_boundary,
            tags=common.tags,
        )
        self.attachments = [
            owner.add(IamRolePolicyAttachment, f"aws_iam_role_policy_attachment.{attachment}", policy_arn=arn, role=made.name)
            for attachment, arn in arns.items()
        ]
        self.association = owner.add(
            EksPodIdentityAssociation,
            f"aws_eks_pod_identity_association.{name}",
            cluster_name=cluster.eks.cluster_name,
            namespace=account.namespace,
            service_account=account.name,
            role_arn=made.arn,
            tags=common.tags,
        )

    @property
    def credentials(self) -> Sequence[ITerraformDependable]:
        """What a pod needs in order to start with its permissions, and until it ends."""
        return [self.association, *self.attachments]
