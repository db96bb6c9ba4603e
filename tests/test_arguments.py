"""A wrong argument of a construct or a manifest is an error that reads well, before CDKTF or Terraform sees the argument."""

from collections.abc import Callable
from typing import Any

import pytest
from cdktf import App, TerraformStack

from stacks.aws.cluster import Cluster, NodeGroup
from stacks.aws.network import Network
from stacks.config.checks import ConfigurationError
from stacks.kubernetes.load_balancer_controller import LoadBalancerController
from stacks.kubernetes.manifests import NodeClass, NodePool
from tests import constructs

Make = Callable[[TerraformStack], object]


def network(**wrong: Any) -> Make:
    given: dict[str, Any] = {"name": "gpu", "cidr": "10.0.0.0/16"} | wrong
    return lambda stack: Network(stack, "network", **given)


def cluster(**wrong: Any) -> Make:
    given: dict[str, Any] = {"name": "gpu"} | wrong
    return lambda stack: Cluster(stack, "c", **{"network": constructs.network(stack), **given})


def alb(**wrong: Any) -> Make:
    given: dict[str, Any] = {"name": "gpu", "region": "us-west-2"} | wrong
    return lambda stack: LoadBalancerController(stack, "alb", karpenter=constructs.karpenter(stack), **given)


def node_class(**wrong: Any) -> Make:
    given: dict[str, Any] = {"name": "gpu", "role": "r", "discovery": "d", "user_data": ""} | wrong
    return lambda stack: NodeClass(**given).manifest()


def pool(**wrong: Any) -> Make:
    inner = NodeClass(name="gpu", role="r", discovery="d", user_data="")
    given: dict[str, Any] = {"name": "gpu", "node_class": inner, "requirements": [], "consolidate_after": "1h"} | wrong
    return lambda stack: NodePool(**given).manifest()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (network(cidr="10.0.0.0/24"), "Network.cidr must be a /16 to /20 network (got '10.0.0.0/24')."),
        (network(cidr="10.0.0.1/16"), "Network.cidr must be an IPv4 network such as 10.0.0.0/16: 10.0.0.1/16 has host bits set"),
        (network(cidr="10.0.0.0/21"), "Network.cidr must be a /16 to /20 network (got '10.0.0.0/21')."),
        (network(cidr="10.0.0.0/15"), "Network.cidr must be a /16 to /20 network (got '10.0.0.0/15')."),
        (network(cidr=16), "Network.cidr must be a string (got 16)."),
        (network(tags="a=b"), "Network.tags must be a dict of strings or None (got 'a=b')."),
        (network(availability_zones="us-west-2a"), "Network.availability_zones must be a list of strings (got 'us-west-2a')."),
        (cluster(network="vpc-1"), "Cluster.network must be a Network (got 'vpc-1')."),
        (alb(policy="best"), "LoadBalancerController.policy must be 'reference' or 'official' (got 'best')."),
        (cluster(node_group=NodeGroup(min_size=0)), "Cluster.node_group.min_size must be at least 1 (got 0)."),
        (cluster(node_group=NodeGroup(max_size=True)), "Cluster.node_group.max_size must be a number or an Expression (got True)."),
        (cluster(node_group=NodeGroup(max_size=2.5)), "Cluster.node_group.max_size must be a whole number (got 2.5)."),
        (cluster(node_group=NodeGroup(desired_size=-1)), "Cluster.node_group.desired_size must be at least 1 (got -1)."),
        (cluster(node_group=NodeGroup(instance_types=())), "Cluster.node_group.instance_types must have at least one element"),
        (node_class(name="GPU"), "NodeClass.name must be a Kubernetes name such as gpu-spot (got 'GPU')."),
        (node_class(ami_alias="al2023@latest"), "NodeClass.ami_alias must be an alias such as bottlerocket@v1.53.0"),
        (node_class(ami_alias="bottlerocket@v1.53.0-x"), "NodeClass.ami_alias must be an alias"),
        (pool(name="-gpu"), "NodePool.name must be a Kubernetes name"),
        (pool(name="a" * 64), "NodePool.name must be a Kubernetes name"),
        (pool(consolidate_after="1 hour"), "NodePool.consolidate_after must be a duration such as 30s or 1h30m, or Never"),
    ],
)
def test_a_wrong_argument_is_refused_in_one_line(make: Make, message: str, tmp_path: Any) -> None:
    with pytest.raises(ConfigurationError) as refused:
        make(TerraformStack(App(outdir=str(tmp_path)), "stack"))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_all_wrong_arguments_are_named_together(tmp_path: Any) -> None:
    with pytest.raises(ConfigurationError) as refused:
        network(cidr="10.0.0.0/8", name=7, tags=[])(TerraformStack(App(outdir=str(tmp_path)), "stack"))
    assert [line.split()[0] for line in str(refused.value).splitlines()] == ["Network.name", "Network.cidr", "Network.tags"]


@pytest.mark.parametrize("consolidate_after", ["1h30m", "Never", "30s"])
def test_a_duration_may_have_several_units(consolidate_after: str) -> None:
    inner = NodeClass(name="gpu", role="r", discovery="d", user_data="")
    made = NodePool(name="a" * 63, node_class=inner, requirements=[], consolidate_after=consolidate_after).manifest()
    assert made["spec"]["disruption"]["consolidateAfter"] == consolidate_after
