"""A second network of the VPC, for more nodes and pods. Plain Python."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from stacks.config.checks import DECIDES, ipv4_network
from stacks.config.fields import Change
from stacks.config.network import MOST_ZONES, PRIVATE_NETWORKS, VPC_CIDR, VPC_PREFIXES, NetworkOptions
from stacks.hcl.expressions import is_expression
from stacks.hcl.rules import VALUE, Must, apart, ending, inside_any, mistakes, overlap, starts_inside
from stacks.knowledge.ip_addresses import addresses_of_subnet

# A zone's subnet is so much longer than the network.
SECONDARY_SUBNET_BITS = (MOST_ZONES - 1).bit_length()

RFC_1918 = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")

# Networks for a second one of the VPC that somebody else has, each with the reason.
# https://docs.aws.amazon.com/eks/latest/APIReference/API_KubernetesNetworkConfigRequest.html
# https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html (IPv4 CIDR block association restrictions)
TAKEN = {
    "10.100.0.0/16": "EKS gives Services addresses of this network",
    "172.20.0.0/16": "EKS gives Services addresses of this network",
    "172.31.0.0/16": "EC2 refuses to add this network to a VPC",
}


def secondary_network(cidr: str) -> str | None:
    """A network that EC2 can add to a VPC, as far as the network itself says."""
    if wrong := ipv4_network(*VPC_PREFIXES)(cidr):
        return wrong
    if not starts_inside(cidr, PRIVATE_NETWORKS):
        return f"must be in {', '.join(PRIVATE_NETWORKS)}; 100.64.0.0/16, for example, suits most VPCs"
    return next((f"must not be in {taken}: {why}" for taken, why in TAKEN.items() if starts_inside(cidr, [taken])), None)


def beside(secondary: str) -> tuple[Must, ...]:
    """What `vpc_cidr` must be so that EC2 adds a second network to the VPC.

    https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html (IPv4 CIDR block association restrictions)
    """
    choose = ending(f". secondary_cidr is {secondary}: choose another network for one of the two.")
    musts = [Must("not overlap secondary_cidr", apart(VALUE, secondary), lambda cidr: not overlap(cidr, secondary), tail=choose)]
    if block := [network for network in RFC_1918 if starts_inside(secondary, [network])]:
        text = f"be in {block[0]} like secondary_cidr, because EC2 does not mix private ranges in a VPC"
        musts.append(Must(text, inside_any(VALUE, block), lambda cidr: starts_inside(cidr, block), tail=choose))
    if starts_inside(secondary, ["10.0.0.0/16"]):
        low = ["10.0.0.0/15"]
        text = "not be in 10.0.0.0/15, because EC2 adds no network of 10.0.0.0/16 there"
        musts.append(Must(text, f"!{inside_any(VALUE, low)}", lambda cidr: not starts_inside(cidr, low), tail=choose))
    return tuple(musts)


def wrong_together(vpc: str, secondary: str) -> Iterator[str]:
    """What is wrong with two networks. The default of `vpc_cidr` can still change: a plan judges the value."""
    if vpc == NetworkOptions.vpc_cidr or is_expression(vpc) or secondary_network(secondary):
        return
    if not any(mistakes("vpc_cidr", vpc, VPC_CIDR)):
        yield from mistakes("vpc_cidr", vpc, beside(secondary))


SUBNETS = Change("U to add, R to remove (the subnets): empty them first")


@dataclass(frozen=True, kw_only=True)
class SecondarySubnetOptions:
    """The second network of the VPC."""

    secondary_cidr: Annotated[
        str | None, DECIDES, Change("U to add, R to remove (the subnets): empty them first"), secondary_network
    ] = None
    """A second IPv4 network of the VPC, a /16 to /20 such as 100.64.0.0/16, for Karpenter's nodes and their pods. Each zone gets an
    eighth of the network."""

    def secondary_addresses_per_zone(self) -> int:
        """The addresses that the second network adds for nodes and pods in each zone."""
        return addresses_of_subnet(int(self.secondary_cidr.partition("/")[2]) + SECONDARY_SUBNET_BITS) if self.secondary_cidr else 0
