"""EFA: the network interfaces of a node, and the device plugin. Plain Python.

Layouts: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/efa-acc-inst-types.html (read on 2026-11-26). The first interface of
card 0 has the node's addresses and cannot be efa-only. p6-b300.48xlarge has EFA on cards 1 to 16 alone
(aws/aws-parallelcluster#7143): the catalogue has one EFA interface less than network cards.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from stacks.knowledge.catalogue import GpuInstanceType

EfaInterface: TypeAlias = Literal["efa", "efa-only"]
"""EC2's types of interfaces with EFA: one with an address of its own, and one without."""

# stable/aws-efa-k8s-device-plugin/Chart.yaml of aws/eks-charts at bfe91c4, 2026-07-21. Its image is v0.5.20.
DEVICE_PLUGIN_CHART = "v0.5.30"

# EC2 carries EFA traffic between types of these families alone, or between others alone.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/efa.html#efa-limits (read on 2026-11-26)
FAMILIES_APART = ("p4d", "p4de")

# The accounts in whose ECR AWS keeps the images of EKS, one a region; the first has all other regions.
# https://docs.aws.amazon.com/eks/latest/userguide/add-ons-images.html (read on 2026-11-26)
EKS_IMAGES_ACCOUNT = "602401143452"
EKS_IMAGES_ACCOUNTS = {
    "af-south-1": "877085696533",
    "ap-east-1": "800184023465",
    "ap-east-2": "533267051163",
    "ap-south-2": "900889452093",
    "ap-southeast-3": "296578399912",
    "ap-southeast-4": "491585149902",
    "ap-southeast-5": "151610086707",
    "ap-southeast-6": "333609536671",
    "ap-southeast-7": "121268973566",
    "ca-west-1": "761377655185",
    "eu-central-2": "900612956339",
    "eu-south-1": "590381155156",
    "eu-south-2": "455263428931",
    "il-central-1": "066635153087",
    "me-central-1": "759879836304",
    "me-south-1": "558608220178",
}


class Layout(NamedTuple):
    """Which network cards a node has, and which of them have EFA.

    Attributes:
        cards: the number of network cards.
        first: whether the first card has EFA; all others have.
    """

    cards: int
    first: bool

    def interfaces(self) -> list[dict[str, Any]]:
        """The interfaces of a node class: `networkInterfaces` of Karpenter's EC2NodeClass."""
        first = [(0, 0, "interface"), *([(0, 1, "efa-only")] if self.first else [])]
        places = [*first, *((card, 0, "efa-only") for card in range(1, self.cards))]
        return [{"networkCardIndex": card, "deviceIndex": device, "interfaceType": kind} for card, device, kind in places]

    def __str__(self) -> str:
        """In words, as `32 network cards with EFA`."""
        cards = "1 network card" if self.cards == 1 else f"{self.cards} network cards"
        return f"{cards} with EFA" if self.first else f"{cards} with EFA, but for the first"


def layout(node: GpuInstanceType) -> Layout:
    """The layout of a type that has EFA."""
    return Layout(node.network_cards, node.efa == node.network_cards)


def layouts_of(types: Sequence[GpuInstanceType]) -> dict[Layout, list[str]]:
    """The layouts of types that have EFA, each with its types."""
    found: dict[Layout, list[str]] = {}
    for node in types:
        if node.efa:
            found.setdefault(layout(node), []).append(node.instance_type)
    return found
