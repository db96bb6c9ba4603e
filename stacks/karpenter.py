"""Karpenter: what it needs of AWS, and its Helm release."""

from collections.abc import Mapping

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.data_aws_ecrpublic_authorization_token import DataAwsEcrpublicAuthorizationToken
from cdktf_cdktf_provider_aws.provider import AwsProvider
from cdktf_cdktf_provider_helm.release import Release
from constructs import Construct

from imports.eks import KarpenterAws
from imports.expressions import Expression
from stacks.addresses import Addressed
from stacks.arguments import check_arguments
from stacks.cluster import Cluster

CHART_VERSION = "1.6.0"
REGISTRY = "oci://public.ecr.aws"

ECR_PUBLIC_USER = "${data.aws_ecrpublic_authorization_token.token.user_name}"
ECR_PUBLIC_PASSWORD = "${sensitive(data.aws_ecrpublic_authorization_token.token.password)}"  # noqa: S105


class Karpenter(Addressed):
    """The Karpenter controller, on the cluster's managed node group.

    Args:
        cluster: where it runs.
        node_role_name: the name of the IAM role of the nodes that it makes; node classes name it.
        ecr_public: the provider of us-east-1, the only region that gives tokens for public ECR.
        tags: the tags of all that is made.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cluster: Cluster,
        node_role_name: Expression,
        ecr_public: AwsProvider,
        tags: Mapping[str, str],
    ) -> None:
        super().__init__(scope, id)
        check_arguments(self, locals())
        self.cluster = cluster
        self.node_role_name = node_role_name
        self.aws = self.add(
            KarpenterAws,
            "module.karpenter",
            cluster_name=cluster.eks.cluster_name,
            # Node classes name the role, so that its name must be known beforehand.
            node_iam_role_use_name_prefix=False,
            node_iam_role_name=node_role_name,
            create_pod_identity_association=True,
            # A shell on a node without SSH: Bottlerocket's control container is an SSM agent.
            node_iam_role_additional_policies={
                "AmazonSSMManagedInstanceCore": "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
            },
            tags=tags,
        )
        self.add(
            DataAwsEcrpublicAuthorizationToken,
            "data.aws_ecrpublic_authorization_token.token",
            provider=ecr_public,
        )
        self.release = self.add(
            Release,
            "helm_release.karpenter",
            namespace="kube-system",
            name="karpenter",
            repository=f"{REGISTRY}/karpenter",
            repository_username=ECR_PUBLIC_USER,
            repository_password=ECR_PUBLIC_PASSWORD,
            chart="karpenter",
            version=CHART_VERSION,
            wait=True,
            wait_for_jobs=True,
            values=[
                VALUES.format(
                    cluster_name=cluster.eks.cluster_name,
                    cluster_endpoint=cluster.eks.cluster_endpoint,
                    interruption_queue=self.aws.queue_name,
                )
            ],
            # A destroy goes this way backwards. While Karpenter removes its nodes it needs all of its IAM, its queue, the nodes it
            # runs on, and the way out of the VPC to AWS.
            depends_on=[self.aws, cluster.eks, cluster.network.vpc],
            # The token is another one at every plan. What logs in to the registry is the helm provider, with a fresh one; the
            # provider would try the one in the state, hours old, if it had not. (helm provider 3, OCIRegistryPerformLogin)
            lifecycle=TerraformResourceLifecycle(ignore_changes=["repository_password"]),
        )


# Byte for byte what the HCL wrote: another spelling of the same values would be a new revision of the release.
VALUES = """\
nodeSelector:
  karpenter.sh/controller: 'true'
tolerations:
  - key: CriticalAddonsOnly
    operator: Exists
dnsPolicy: Default
settings:
  clusterName: {cluster_name}
  clusterEndpoint: {cluster_endpoint}
  interruptionQueue: {interruption_queue}
webhook:
  enabled: false
"""
