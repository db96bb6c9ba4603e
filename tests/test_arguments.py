"""A wrong argument of a construct or a manifest is a ValueError that reads well, before CDKTF or Terraform sees it."""

from collections.abc import Callable
from typing import Any

import pytest
from cdktf import App, TerraformStack

from stacks.alb import AlbController
from stacks.bottlerocket import SociParallelPull
from stacks.cluster import Cluster, NodeGroup
from stacks.manifests import NodeClass, NodePool
from stacks.network import Network
from tests import constructs

Make = Callable[[TerraformStack], object]


def network(**wrong: Any) -> Make:
    given: dict[str, Any] = {"name": "gpu", "cidr": "10.0.0.0/16", "availability_zones": "${var.zones}", "tags": {}} | wrong
    return lambda stack: Network(stack, "network", **given)


def node_group(**wrong: Any) -> Make:
    sizes = {"min_size": 2, "max_size": 3, "desired_size": 2}
    given: dict[str, Any] = {"instance_types": "${var.t}", **sizes, "availability_zones": "${var.z}", "release_version": ""} | wrong
    return lambda stack: NodeGroup(**given)


def node_class(**wrong: Any) -> Make:
    given: dict[str, Any] = {"name": "gpu", "role": "r", "discovery": "d", "user_data": ""} | wrong
    return lambda stack: NodeClass(**given)


def pool(**wrong: Any) -> Make:
    inner = NodeClass(name="gpu", role="r", discovery="d", user_data="")
    given: dict[str, Any] = {"name": "gpu", "node_class": inner, "requirements": [], "consolidate_after": "1h"} | wrong
    return lambda stack: NodePool(**given)


def soci(**wrong: Any) -> Make:
    given: dict[str, Any] = {"downloads": 10, "chunk_size": "16mb", "unpacks": 10} | wrong
    return lambda stack: SociParallelPull(**given)


def cluster(stack: TerraformStack) -> Cluster:
    wrong: Any = "vpc-1"
    return Cluster(stack, "c", name="gpu", network=wrong, node_group=wrong, addon_versions="{}", offering_checks=True, tags={})


def alb(stack: TerraformStack) -> AlbController:
    made = constructs.karpenter(stack)
    return AlbController(stack, "alb", name="gpu", karpenter=made, region="us-west-2", preset="best", tags={})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (network(cidr="10.0.0.0/24"), "Network: cidr: '10.0.0.0/24' has another size than /16 to /20."),
        (network(cidr="10.0.0.1/16"), "Network: cidr: '10.0.0.1/16' is no IPv4 network"),
        (network(cidr=16), "Network: cidr: 16 is not allowed; str is."),
        (network(tags="a=b"), "Network: tags: 'a=b' is not allowed; Mapping is."),
        (cluster, "Cluster: network: 'vpc-1' is not allowed; Network is."),
        (alb, "AlbController: preset: 'best' is not allowed; 'reference' or 'recommended' is."),
        (node_group(min_size=0), "NodeGroup: min_size: 0 is not allowed; a whole number, 1 at least"),
        (node_group(max_size="3"), "NodeGroup: max_size: '3' is not allowed"),
        (node_class(name="GPU"), "NodeClass: name: 'GPU' is not allowed; gpu is."),
        (node_class(ami_alias="al2023@latest"), "NodeClass: ami_alias: 'al2023@latest' is not allowed; bottlerocket@v1.45.0 is."),
        (pool(name="-gpu"), "NodePool: name: '-gpu' is not allowed"),
        (pool(consolidate_after="1 hour"), "NodePool: consolidate_after: '1 hour' is not allowed; 1h30m or Never is."),
        (soci(downloads=0), "SociParallelPull: downloads: 0 is not allowed"),
        (soci(chunk_size="16 MiB"), "SociParallelPull: chunk_size: '16 MiB' is not allowed; 16mb is."),
    ],
)
def test_a_wrong_argument_is_refused_in_one_line(make: Make, message: str, tmp_path: Any) -> None:
    with pytest.raises(ValueError, match=r"not allowed|no IPv4|another size") as refused:
        make(TerraformStack(App(outdir=str(tmp_path)), "stack"))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
