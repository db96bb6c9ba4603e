"""The AWS Load Balancer Controller: its IAM, its pod identity, its Helm release."""

import json
from pathlib import Path
from typing import Any

import imports  # noqa: F401  (before cdktf: CDKTF's packages load lazily)

from cdktf_cdktf_provider_helm.release import Release
from constructs import Construct

from stacks.aws.pod_identity import TRUST, OwnPolicy, PodIdentity
from stacks.config.common import Common
from stacks.config.load_balancer_controller import ACCOUNT, LoadBalancerControllerOptions, Policy
from stacks.knowledge.regions import PARTITION
from stacks.knowledge.versions import load_balancer_controller_actions, load_balancer_controller_chart
from stacks.kubernetes.karpenter import Karpenter
from stacks.terraform.addresses import Addressed
from stacks.terraform.arguments import check_arguments


class LoadBalancerController(Addressed):
    """The controller that creates load balancers for Services and Ingresses.

    Args:
        karpenter: installed first, because this controller's webhook rejects every Service until the controller runs.

    Attributes:
        cluster: where the controller runs.
        release: the Helm release.

    Raises:
        ConfigurationError: an argument cannot be right.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        common: Common,
        *,
        karpenter: Karpenter,
        options: LoadBalancerControllerOptions | None = None,
    ) -> None:
        super().__init__(scope, id)
        options = options or LoadBalancerControllerOptions()
        check_arguments(LoadBalancerController, common=common, karpenter=karpenter, options=options)
        version = options.load_balancer_controller_version
        self.cluster = cluster = karpenter.cluster
        document = policy_document(options.load_balancer_controller_policy, version)
        identity = PodIdentity(
            self,
            common,
            cluster=cluster,
            name="aws_load_balancer_controller",
            role=ACCOUNT.name,
            trust=self.add_json("load_balancer_controller_trust", TRUST),
            account=ACCOUNT,
            own_policy=OwnPolicy(
                name="AWSLoadBalancerControllerIAMPolicy",
                description="IAM policy for AWS Load Balancer Controller",
                text=self.add_json("load_balancer_controller_policy", document),
            ),
        )
        self.release = self.add(
            Release,
            "helm_release.aws_load_balancer_controller",
            namespace=ACCOUNT.namespace,
            name="aws-load-balancer-controller",
            repository="https://aws.github.io/eks-charts",
            chart="aws-load-balancer-controller",
            version=load_balancer_controller_chart(version),
            wait=True,
            timeout=600,
            values=[
                VALUES.format(
                    cluster_name=cluster.eks.cluster_name,
                    service_account=ACCOUNT.name,
                    vpc_id=cluster.network.vpc.vpc_id,
                    region=common.region,
                )
            ],
            depends_on=[identity.association, cluster.eks, karpenter.release, *identity.attachments, *cluster.network.way_out],
        )
        self.explain(
            "helm_release.aws_load_balancer_controller",
            depends_on="The last three keep what the controller needs until a destroy has removed its load balancers.",
        )


# Byte for byte what the HCL wrote: another spelling of the same values would be a new revision of the release.
VALUES = """\
clusterName: {cluster_name}
serviceAccount:
  name: {service_account}
vpcId: {vpc_id}
region: {region}
tolerations:
  - key: CriticalAddonsOnly
    operator: Exists
"""

# The HCL's policy: the official one of 2.11.0 without three actions.
POLICY_FILE = Path(__file__).with_name("load_balancer_controller_iam_policy.json")


def policy_document(policy: Policy, version: str) -> dict[str, Any]:
    """The controller's IAM policy."""
    document: dict[str, Any] = json.loads(POLICY_FILE.read_text().replace("arn:aws:", f"arn:{PARTITION}:"))
    if policy == "official":
        further = load_balancer_controller_actions(version)
        for statement in document["Statement"]:
            statement["Action"] += [action for action, beside in further.items() if beside in statement["Action"]]
    return document
