"""The EFA device plugin, which offers the Elastic Fabric Adapters of a node to its pods."""

import json

import imports  # noqa: F401  (before cdktf: CDKTF's packages load lazily)

from cdktf_cdktf_provider_helm.release import Release
from constructs import Construct

from stacks.config.common import Common
from stacks.hcl.expressions import Expression
from stacks.knowledge.efa import DEVICE_PLUGIN_CHART, EKS_IMAGES_ACCOUNT, EKS_IMAGES_ACCOUNTS
from stacks.kubernetes.node_pools import NodePools
from stacks.terraform.addresses import Addressed
from stacks.terraform.arguments import check_arguments


class EfaDevicePlugin(Addressed):
    """The DaemonSet that registers `vpc.amazonaws.com/efa`, on the nodes of the pools with EFA.

    Args:
        node_pools: made first.

    Attributes:
        release: the Helm release.

    Raises:
        ConfigurationError: an argument cannot be right.
    """

    def __init__(self, scope: Construct, id: str, common: Common, *, node_pools: NodePools) -> None:
        super().__init__(scope, id)
        check_arguments(EfaDevicePlugin, common=common, node_pools=node_pools)
        region = self.as_expression("efa_device_plugin_region", common.region)
        accounts = self.add_local("eks_images_accounts", EKS_IMAGES_ACCOUNTS)
        account = Expression(f'lookup({accounts.hcl}, {region.hcl}, "{EKS_IMAGES_ACCOUNT}")')
        self.release = self.add(
            Release,
            "helm_release.aws_efa_k8s_device_plugin",
            namespace="kube-system",
            name="aws-efa-k8s-device-plugin",
            repository="https://aws.github.io/eks-charts",
            chart="aws-efa-k8s-device-plugin",
            version=DEVICE_PLUGIN_CHART,
            wait=False,
            values=[VALUES.format(account=account, region=common.region, pools=json.dumps(list(node_pools.with_efa)))],
            depends_on=list(node_pools.with_efa.values()),
        )
        self.explain(
            "helm_release.aws_efa_k8s_device_plugin",
            wait="GPU nodes come and go: an apply should not fail because one of them is not ready.",
        )


# The chart tolerates CriticalAddonsOnly alone. Without requests, a pod of the chart fits on every node with EFA that runs when the
# chart comes: its priority, system-node-critical, would evict other pods.
# The labels are those of the chart's affinity. Its own are of the instance types that can have EFA, and the plugin ends on a node
# that has none, again and again (aws/eks-charts#1239): on those of gpu-spot, for example. A nodeSelector would take one pool alone.
VALUES = """\
image:
  repository: {account}.dkr.ecr.{region}.amazonaws.com/eks/aws-efa-k8s-device-plugin
resources:
  requests: null
supportedInstanceLabels:
  keys: [nodepool]
  values: {pools}
tolerations:
  - operator: Exists
"""
