"""The constructs that another construct needs, for tests that synthesize it alone."""

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.provider import AwsProvider

from stacks.aws.cluster import Cluster, NodeGroup
from stacks.aws.network import Network
from stacks.hcl.expressions import Expression
from stacks.kubernetes.karpenter import Karpenter

TAGS = {"Example": "gpu"}


def var(name: str) -> Expression:
    return Expression(f"var.{name}")


def network(stack: TerraformStack) -> Network:
    return Network(stack, "network", name="gpu", cidr="10.0.0.0/16", availability_zones=var("zones"), tags=TAGS)


def cluster(stack: TerraformStack) -> Cluster:
    node_group = NodeGroup(
        instance_types=var("types"),
        min_size=var("min"),
        max_size=var("max"),
        desired_size=var("desired"),
        availability_zones=var("node_zones"),
        release_version=var("release"),
    )
    return Cluster(
        stack,
        "cluster",
        name="gpu",
        network=network(stack),
        node_group=node_group,
        addon_versions=var("addon_versions"),
        offering_checks=True,
        tags=TAGS,
    )


def karpenter(stack: TerraformStack) -> Karpenter:
    return karpenter_in(cluster(stack), AwsProvider(stack, "virginia", alias="virginia", region="us-east-1"))


def anonymous_karpenter(stack: TerraformStack) -> Karpenter:
    return karpenter_in(cluster(stack), None)


def karpenter_in(cluster: Cluster, ecr_public: AwsProvider | None) -> Karpenter:
    scope = TerraformStack.of(cluster)
    return Karpenter(
        scope, "karpenter", cluster=cluster, node_role_name="gpu", ecr_public=ecr_public, spot_role_check=True, tags=TAGS
    )
