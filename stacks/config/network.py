"""The network. Plain Python."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Annotated, Literal

from stacks.config.checks import DECIDES
from stacks.config.fields import Change, Variable
from stacks.hcl.expressions import Expression, is_expression
from stacks.hcl.rules import DISTINCT, VALUE, WITHOUT_NULLS, Must, ending, has_at_most, inside_any, starts_inside
from stacks.knowledge.ip_addresses import RESERVED_ADDRESSES, addresses_of_subnet

VPC_PREFIXES = (16, 20)
MOST_ZONES = 8

# A zone's private subnet, for nodes and pods, is so much longer than the network.
PRIVATE_SUBNET_BITS = 4

PRIVATE_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")

# Networks that the EC2 API refuses for a VPC: "this" network, loopback, link-local, multicast.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpc.html
RESERVED_NETWORKS = ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4")


_LARGEST, _SMALLEST = VPC_PREFIXES
_PREFIX = f'tonumber(split("/", {VALUE})[1])'

# An IPv4 network that EC2 accepts, and from which subnets of AWS's sizes come.
VPC_CIDR = (
    Must("be an IPv4 network such as 10.0.0.0/16", f"can(cidrnetmask({VALUE}))", lambda cidr: _is_network(cidr)),
    Must(
        "not have host bits",
        f"try(cidrsubnet({VALUE}, 0, 0) == {VALUE}, true)",
        lambda cidr: _network(cidr) == cidr,
        tail=(
            f'. The network is ${{try(cidrsubnet({VALUE}, 0, 0), "invalid")}}.',
            lambda cidr: f". The network is {_network(cidr)}.",
        ),
    ),
    Must(
        f"be a /{_LARGEST} to /{_SMALLEST} network",
        f"try({_PREFIX} >= {_LARGEST} && {_PREFIX} <= {_SMALLEST}, true)",
        lambda cidr: _LARGEST <= int(cidr.partition("/")[2]) <= _SMALLEST,
        tail=ending(
            ". A VPC cannot be larger, and from a smaller network the public and intra subnets, which are 8 bits longer, would be "
            "below AWS's minimum of /28."
        ),
    ),
    Must(
        f"not be in {', '.join(RESERVED_NETWORKS)}",
        f"!try({inside_any(VALUE, RESERVED_NETWORKS)}, false)",
        lambda cidr: not starts_inside(cidr, RESERVED_NETWORKS),
        tail=ending(": EC2 refuses these networks for a VPC."),
    ),
)

AVAILABILITY_ZONES = (
    WITHOUT_NULLS,
    DISTINCT,
    has_at_most(MOST_ZONES, "zones", ": the subnets of further zones would overlap."),
)


def addresses_per_zone(vpc_cidr: Expression) -> Expression:
    """A number: the addresses that nodes and pods have in each zone."""
    prefix = _PREFIX.replace(VALUE, vpc_cidr.hcl)
    return Expression(f"pow(2, {32 - PRIVATE_SUBNET_BITS} - {prefix}) - {RESERVED_ADDRESSES}")


def _is_network(cidr: str) -> bool:
    return re.fullmatch(r"(\d{1,3}\.){3}\d{1,3}/\d{1,2}", cidr, re.ASCII) is not None and _network(cidr) is not None


def _network(cidr: str) -> str | None:
    try:
        return str(IPv4Network(cidr, strict=False))
    except ValueError:
        return None


NAT_GATEWAY = Change("U, with an outage unless it is done in two steps")


@dataclass(frozen=True, kw_only=True)
class NetworkOptions:
    """The addresses and the zones of the VPC."""

    vpc_cidr: Annotated[str, Change.REPLACE, Variable(VPC_CIDR)] = "10.0.0.0/16"
    """IPv4 network of the VPC. From a /16 each zone gets a private /20, a public /24 and an intra /24."""
    availability_zones: Annotated[Sequence[str], Change.REPLACE, Variable(AVAILABILITY_ZONES)] = ()
    """Zones to use, in the order of their subnets; [] for every zone of the region that does not need an opt-in."""
    nat_gateway: Annotated[Literal["single", "per_zone"], DECIDES, Change("U, with an outage unless it is done in two steps")] = (
        "single"
    )
    """NAT gateways: a single one for all zones, or one in each zone, so that a zone does not depend on another."""
    node_traffic_all: Annotated[bool, DECIDES, Change.IN_PLACE] = False
    """Let nodes and their pods reach each other on every port and protocol, instead of TCP from port 1025 up, and DNS."""

    def addresses_per_zone(self) -> int | None:
        """The addresses that nodes and pods have in each zone; None if Terraform alone knows the network."""
        if is_expression(self.vpc_cidr) or not _is_network(self.vpc_cidr):
            return None
        return addresses_of_subnet(IPv4Network(self.vpc_cidr, strict=False).prefixlen + PRIVATE_SUBNET_BITS)
