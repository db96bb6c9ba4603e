"""Tags that meet on one AWS resource: their number, and keys that differ only in case. Plain Python."""

from collections.abc import Iterable, Iterator, Mapping

# https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
MOST_TAGS = 50

OURS = ("Example", "GithubRepo", "GithubOrg")
"""Tags of everything that Terraform creates, as in the HCL."""

# The OIDC provider alone has a name in a tag.
OF_IAM = (*OURS, "Name")

# The private subnets and the security group of the nodes have the most: what IAM has, the discovery tag, and one for Kubernetes.
# `test_the_most_tags_of_a_resource` counts them in the state that the HCL left.
MOST_OF_A_RESOURCE = len(OF_IAM) + 2

# The tags of a node class are on an instance profile too, which belongs to IAM: `InstanceProfileTags` in
# pkg/apis/v1/ec2nodeclass.go of KA, from v1.6.0 to v1.14.1. Its other keys start with what `user_tags` refuses.
OF_A_PROFILE = ("gpu-type", "topology.kubernetes.io/region")

# A node class of the program has the first two. Then `GetTags` in pkg/utils/utils.go and `tagInstance` in
# pkg/controllers/nodeclaim/tagging/controller.go of KA, from v1.6.0 to v1.14.1.
OF_AN_INSTANCE = (
    "karpenter.sh/discovery",
    "gpu-type",
    "kubernetes.io/cluster/<name>",
    "karpenter.sh/nodepool",
    "karpenter.sh/nodeclaim",
    "karpenter.k8s.aws/ec2nodeclass",
    "eks:eks-cluster-name",
    "Name",
)


def wrong_tags(tags: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with the tags of everything that Terraform creates."""
    for key in sorted(tags.keys() & set(OURS)):
        yield f"must not contain {key!r}, which every resource has already, as in the HCL"
    yield from _wrong(tags, OF_IAM, MOST_TAGS - MOST_OF_A_RESOURCE)


def wrong_node_tags(tags: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with the tags of a node class."""
    yield from _wrong(tags, OF_A_PROFILE, MOST_TAGS - len(OF_AN_INSTANCE))


def _wrong(tags: Mapping[str, str], beside: Iterable[str], most: int) -> Iterator[str]:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html#case-sensitivity
    seen = {key.lower(): key for key in beside}
    for key in tags:
        if (other := seen.setdefault(key.lower(), key)) != key:
            yield f"must not contain {key!r} beside {other!r}: IAM ignores the case of keys, and refuses such tags"
    if (number := len(tags)) > most:
        yield f"must have at most {most} tags (got {number}): AWS allows {MOST_TAGS}, of which {MOST_TAGS - most} are set already"
