"""The constructs that another construct needs, for tests that synthesize it alone."""

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.provider import AwsProvider

from stacks.aws.cluster import Cluster
from stacks.aws.network import Network
from stacks.aws.registry import Registry
from stacks.config.common import Common
from stacks.config.control_plane import ControlPlane
from stacks.config.network import NetworkOptions
from stacks.config.node_group import NodeGroup
from stacks.hcl.expressions import Expression
from stacks.kubernetes.karpenter import Karpenter

TAGS = {"Example": "gpu"}
COMMON = Common(name="gpu", region="us-west-2", tags=TAGS)


def var(name: str) -> Expression:
    return Expression(f"var.{name}")


def network(stack: TerraformStack) -> Network:
    return Network(stack, "network", COMMON, options=NetworkOptions(availability_zones=var("zones")))


def cluster(stack: TerraformStack) -> Cluster:
    node_group = NodeGroup(
        karpenter_node_instance_types=var("types"),
        karpenter_node_min_size=var("min").value,
        karpenter_node_max_size=var("max").value,
        karpenter_node_desired_size=var("desired").value,
        karpenter_node_availability_zones=var("node_zones"),
        karpenter_node_release_version=var("release"),
    )
    control_plane = ControlPlane(addon_versions=var("addon_versions").value)
    return Cluster(stack, "cluster", COMMON, network=network(stack), control_plane=control_plane, node_group=node_group)


def karpenter(stack: TerraformStack) -> Karpenter:
    virginia = AwsProvider(stack, "virginia", alias="virginia", region="us-east-1")
    return Karpenter(stack, "karpenter", COMMON, cluster=cluster(stack), registry=Registry(stack, "registry", provider=virginia))


def anonymous_karpenter(stack: TerraformStack) -> Karpenter:
    return Karpenter(stack, "karpenter", COMMON, cluster=cluster(stack))
