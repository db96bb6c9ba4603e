"""The network. Plain Python."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from stacks.config.checks import ipv4_network
from stacks.config.fields import R, Variable
from stacks.hcl.expressions import Expression
from stacks.hcl.rules import Rule, given, inside_any, no_duplicates, without_nulls

VPC_PREFIXES = (16, 20)
MOST_ZONES = 8

# Networks that the EC2 API refuses for a VPC: "this" network, loopback, link-local, multicast.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpc.html
RESERVED_NETWORKS = ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4")


def vpc_cidr_rules() -> tuple[Rule, ...]:
    """An IPv4 network that EC2 accepts, and from which subnets of AWS's sizes come."""
    largest, smallest = VPC_PREFIXES
    got = f"(got {given('vpc_cidr')})"
    return (
        Rule("can(cidrnetmask(var.vpc_cidr))", f"vpc_cidr must be an IPv4 network such as 10.0.0.0/16 {got}."),
        Rule(
            "try(cidrsubnet(var.vpc_cidr, 0, 0) == var.vpc_cidr, true)",
            f'vpc_cidr must not have host bits {got}. The network is ${{try(cidrsubnet(var.vpc_cidr, 0, 0), "invalid")}}.',
        ),
        Rule(
            f'try(tonumber(split("/", var.vpc_cidr)[1]) >= {largest} && tonumber(split("/", var.vpc_cidr)[1]) <= {smallest}, true)',
            f"vpc_cidr must be a /{largest} to /{smallest} network {got}. A VPC cannot be larger, and from a smaller network the "
            "public and intra subnets, which are 8 bits longer, would be below AWS's minimum of /28.",
        ),
        Rule(
            f"!try({inside_any(Expression('var.vpc_cidr'), RESERVED_NETWORKS)}, false)",
            f"vpc_cidr must not be in {', '.join(RESERVED_NETWORKS)} {got}: EC2 refuses these networks for a VPC.",
        ),
    )


def availability_zone_rules() -> tuple[Rule, ...]:
    """At most as many zones as there are subnets for."""
    return (
        *without_nulls("availability_zones"),
        no_duplicates("availability_zones", Expression("var.availability_zones")),
        Rule(
            f"length(var.availability_zones) <= {MOST_ZONES}",
            f"availability_zones must have at most {MOST_ZONES} zones (got ${{length(var.availability_zones)}}): the subnets of "
            "further zones would overlap.",
        ),
    )


@dataclass(frozen=True, kw_only=True)
class NetworkOptions:
    """The addresses and the zones of the VPC."""

    vpc_cidr: Annotated[str, R, ipv4_network(*VPC_PREFIXES), Variable(vpc_cidr_rules())] = "10.0.0.0/16"
    """IPv4 network of the VPC. From a /16 each zone gets a private /20, a public /24 and an intra /24."""
    availability_zones: Annotated[Sequence[str], R, Variable(availability_zone_rules())] = ()
    """Zones to use, in the order of their subnets; [] for every zone of the region that does not need an opt-in."""
