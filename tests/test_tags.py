"""Tags that meet on one AWS resource."""

import json
from pathlib import Path
from typing import Any

import pytest

from stacks.config import ClusterConfig, GeneralPool, GpuPool
from stacks.config.checks import mistakes
from stacks.config.tags import MOST_OF_A_RESOURCE, OF_IAM, OURS
from tests.synthesis import synth_stack


def wrong(**fields: Any) -> list[str]:
    return list(mistakes("c", ClusterConfig("c", **fields)))


def gpu_pool(**tags: str) -> GpuPool:
    return GpuPool("a", instance_types=["p5.48xlarge"], limit=8, weight=1, tags=tags)


def many(number: int) -> dict[str, str]:
    return {f"key-{n}": "x" for n in range(number)}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"tags": {"Example": "x"}}, "tags must not contain 'Example', which every resource has already, as in the HCL."),
        ({"tags": {"example": "x"}}, "tags must not contain 'example' beside 'Example': IAM ignores the case of keys, and refuses"),
        ({"tags": {"githubrepo": "x"}}, "tags must not contain 'githubrepo' beside 'GithubRepo'"),
        ({"tags": {"GITHUBORG": "x"}}, "tags must not contain 'GITHUBORG' beside 'GithubOrg'"),
        ({"tags": {"name": "x"}}, "tags must not contain 'name' beside 'Name'"),
        ({"tags": {"Team": "x", "team": "y"}}, "tags must not contain 'team' beside 'Team'"),
        ({"tags": many(45)}, "tags must have at most 44 tags (got 45): AWS allows 50, of which 6 are set already."),
        ({"node_tags": {"Team": "x", "team": "y"}}, "node_tags must not contain 'team' beside 'Team'"),
        ({"node_tags": {"GPU-type": "x"}}, "node_tags must not contain 'GPU-type' beside 'gpu-type'"),
        ({"node_tags": {"Karpenter.sh/discovery": "x"}}, "node_tags must not contain the tag 'Karpenter.sh/discovery', which AWS,"),
        ({"node_tags": {"Topology.kubernetes.io/region": "x"}}, "beside 'topology.kubernetes.io/region'"),
        ({"node_tags": many(43)}, "node_tags must have at most 42 tags (got 43): AWS allows 50, of which 8 are set already."),
        (
            {"node_tags": {"Team": "x"}, "gpu_pools": [gpu_pool(team="y")]},
            """gpu_pools["a"].tags with node_tags must not contain 'team' beside 'Team'""",
        ),
        (
            {"node_tags": many(42), "gpu_pools": [gpu_pool(team="y")]},
            'gpu_pools["a"].tags with node_tags must have at most 42 tags (got 43)',
        ),
        (
            {"general_pools": [GeneralPool("b", cpu_limit=8, weight=1, tags={"Team": "x", "team": "y"})]},
            """general_pools["b"].tags with node_tags must not contain 'team' beside 'Team'""",
        ),
        ({"tags": {"aws:x": "y"}}, "tags must not contain the tag 'aws:x'"),
        ({"tags": {"Example": "y"}}, "tags must not contain 'Example'"),
        ({"node_tags": {"karpenter.sh/nodepool": "y"}}, "node_tags must not contain the tag 'karpenter.sh/nodepool'"),
        ({"node_tags": {"eks:eks-cluster-name": "y"}}, "node_tags must not contain the tag 'eks:eks-cluster-name'"),
        ({"tags": {"team": "a#b"}}, "tags must have keys of 1 to 128 and values of at most 256 letters"),
        # Once, and not for each pool.
        ({"node_tags": {"Team": "x", "team": "y"}, "gpu_pools": [gpu_pool(cost="z")]}, "node_tags must not contain 'team'"),
    ],
)
def test_tags_that_aws_refuses_together_are_refused(fields: dict[str, Any], said: str) -> None:
    (mistake,) = wrong(**fields)
    assert mistake.removeprefix("c.").startswith(said) or said in mistake


@pytest.mark.parametrize(
    "fields",
    [
        {"tags": many(44)},
        {"node_tags": many(42)},
        # They meet on no resource: tags are on what Terraform creates, and node tags on what Karpenter creates.
        {"tags": {"team": "x"}, "node_tags": {"Team": "x"}},
        # EC2 tells keys apart by case, and Karpenter gives no name to what belongs to IAM.
        {"node_tags": {"name": "x", "example": "x"}},
        # A pool's tag replaces the one of all nodes.
        {"node_tags": many(41) | {"team": "x"}, "gpu_pools": [gpu_pool(team="y")]},
    ],
)
def test_other_tags_are_accepted(fields: dict[str, Any]) -> None:
    assert wrong(**fields) == []


def test_the_tags_of_everything_are_those_of_the_hcl() -> None:
    document = synth_stack(ClusterConfig("karpenter"))
    assert document["module"]["vpc"]["tags"].keys() == set(OURS)
    classes = [document["locals"][f"ec2nodeclass_{name}"]["spec"]["tags"].keys() for name in ("default", "gpu")]
    assert classes == [{"karpenter.sh/discovery"}, {"karpenter.sh/discovery", "gpu-type"}]


def test_the_most_tags_of_a_resource(reference: Path) -> None:
    """Counted in the state that the HCL left."""
    state = json.loads((reference / "us-west-2.tfstate").read_text())
    tags = [
        (resource["type"], set(instance["attributes"].get("tags") or ()))
        for resource in state["resources"]
        for instance in resource["instances"]
        if resource["mode"] == "managed"
    ]
    assert max(len(keys) for _, keys in tags) == MOST_OF_A_RESOURCE
    assert set().union(*(keys for kind, keys in tags if kind.startswith("aws_iam_"))) == set(OF_IAM)


def test_tags_are_the_providers_and_node_tags_those_of_instances() -> None:
    document = synth_stack(ClusterConfig("karpenter", tags={"team": "ml"}, node_tags={"cost": "gpu"}))
    assert all(provider["default_tags"] == [{"tags": {"team": "ml"}}] for provider in document["provider"]["aws"])
    # On the resources, tags would enter the launch template and roll the node group.
    assert "team" not in document["module"]["eks"]["tags"]
    classes = [document["locals"][f"ec2nodeclass_{name}"]["spec"]["tags"] for name in ("default", "gpu")]
    assert all(tags["cost"] == "gpu" and "team" not in tags for tags in classes)
