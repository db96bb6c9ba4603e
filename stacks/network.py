"""The network: a VPC over every zone of the region."""

import json
from collections.abc import Mapping

from imports.expressions import Expression, hcl
from imports.vpc import Vpc

from cdktf_cdktf_provider_aws.data_aws_availability_zones import (
    DataAwsAvailabilityZones,
    DataAwsAvailabilityZonesFilter,
)
from constructs import Construct

from stacks.addresses import Addressed
from stacks.arguments import check_arguments, check_cidr
from stacks.rules import MOST_ZONES, VPC_PREFIXES, Rule, given, inside_any

# EKS has no control plane in these zones, and refuses subnets there for it. By zone ID: which letter an account has for a zone
# differs from account to account. https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html
ZONE_IDS_WITHOUT_CONTROL_PLANE = ("use1-az3", "usw1-az2", "cac1-az3")

# EKS wants two zones for the control plane; a third is for one that fails; more gain nothing.
LEAST_CONTROL_PLANE_ZONES, MOST_CONTROL_PLANE_ZONES = 2, 3

PRIVATE_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")


class Network(Addressed):
    """Per zone, from a /16: a private /20 for nodes and pods, a public /24 for NAT and load balancers, an intra /24.

    Args:
        name: the name of the VPC, and the value of the tag by which Karpenter finds the private subnets.
        cidr: the IPv4 network of the VPC, /16 to /20.
        availability_zones: a list of zones, in the order of their subnets; an empty one stands for all of the region.
        tags: the tags of all that is made.

    Attributes:
        azs, control_plane_azs: lists of zones.
        requirements: what must hold before the network is created.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: Expression,
        cidr: Expression,
        availability_zones: Expression,
        tags: Mapping[str, str],
    ) -> None:
        super().__init__(scope, id)
        check_arguments(self, locals())
        check_cidr("Network: cidr", cidr, VPC_PREFIXES)
        zones, chosen = "data.aws_availability_zones.available", hcl(availability_zones)
        self.add(
            DataAwsAvailabilityZones,
            zones,
            # No local zones, and none that the account would have to opt in to.
            filter=[DataAwsAvailabilityZonesFilter(name="opt-in-status", values=["opt-in-not-required"])],
        )
        self.azs = self.add_local("azs", f"${{length({chosen}) > 0 ? tolist({chosen}) : tolist({zones}.names)}}")
        self.control_plane_azs = self.add_local("control_plane_azs", f"${{{_control_plane_azs(zones, 'local.azs')}}}")
        self.requirements = _zone_rules(zones, chosen)
        self.vpc = self.add(
            Vpc,
            "module.vpc",
            name=name,
            cidr=cidr,
            azs="${local.azs}",
            private_subnets=_subnets(cidr, new_bits=4, first=0),
            public_subnets=_subnets(cidr, new_bits=8, first=128),
            intra_subnets=_subnets(cidr, new_bits=8, first=192),
            # One NAT gateway for all zones: an hourly price once, at the cost of its zone being everybody's.
            enable_nat_gateway=True,
            single_nat_gateway=True,
            public_subnet_tags={"kubernetes.io/role/elb": "1"},
            private_subnet_tags={"kubernetes.io/role/internal-elb": "1", "karpenter.sh/discovery": name},
            tags=tags,
        )
        self.add_check("vpc_cidr_is_private", _private(cidr))
        self.add_check("vpc_cidr_has_room_for_load_balancers", _has_room_for_load_balancers(cidr))

    @property
    def control_plane_subnets(self) -> Expression:
        """A list: the ids of the intra subnets in the zones that are chosen for the control plane."""
        return self._subnets_in(self.vpc.intra_subnets, "local.control_plane_azs")

    def private_subnets_in(self, zones: str) -> Expression:
        """A list: the ids of the private subnets in `zones`, a list without its `${}`."""
        return self._subnets_in(self.vpc.private_subnets, zones)

    def _subnets_in(self, subnets: Expression, zones: str) -> Expression:
        return f"${{[for k, zone in local.azs : {hcl(subnets)}[k] if contains({zones}, zone)]}}"


def _control_plane_azs(zones: str, azs: str) -> str:
    """The first of `azs` where EKS has a control plane; `zones` is what AWS says of the region's zones."""
    ids = f"zipmap({zones}.names, {zones}.zone_ids)"
    without = f"contains({json.dumps(ZONE_IDS_WITHOUT_CONTROL_PLANE)}, lookup({ids}, zone, zone))"
    usable = f"[for zone in {azs} : zone if !{without}]"
    return f"[for k, zone in {usable} : zone if k < {MOST_CONTROL_PLANE_ZONES}]"


def _zone_rules(zones: str, chosen: str) -> list[Rule]:
    """On the zones that AWS answers; a living network can meet them when AWS adds or retires a zone."""
    others = f"setsubtract({chosen}, {zones}.names)"
    names = f'${{join(", ", {zones}.names)}}'
    return [
        Rule(
            f"length({others}) == 0",
            f"availability_zones must be zones of ${{var.region}} (got ${{jsonencode({others})}}). Its zones are {names}.",
        ),
        Rule(
            f"length(local.azs) <= {MOST_ZONES}",
            f"availability_zones must name at most {MOST_ZONES} zones, because vpc_cidr has no room for more (got "
            f"${{jsonencode({chosen})}} in a region with ${{length({zones}.names)}} zones). Choose from {names}.",
        ),
        Rule(
            f"length(local.control_plane_azs) >= {LEAST_CONTROL_PLANE_ZONES}",
            f"EKS requires {LEAST_CONTROL_PLANE_ZONES} zones for the control plane, and supports it in "
            '${length(local.control_plane_azs)} of ${join(", ", local.azs)}. Choose another region or other availability_zones.',
        ),
    ]


def _private(cidr: Expression) -> Rule:
    return Rule(
        inside_any(hcl(cidr), PRIVATE_NETWORKS),
        f"vpc_cidr should be in a private network: {', '.join(PRIVATE_NETWORKS)} (got {given('vpc_cidr')}). Nodes cannot reach "
        "public addresses inside it.",
    )


def _has_room_for_load_balancers(cidr: Expression) -> Rule:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html#availability-zones"""
    return Rule(
        f'tonumber(split("/", {hcl(cidr)})[1]) < {VPC_PREFIXES[1]}',
        f"vpc_cidr should be larger than /{VPC_PREFIXES[1]} (got {given('vpc_cidr')}): its public subnets are /28, and an "
        "Application Load Balancer needs a /27 with 8 free addresses.",
    )


def _subnets(cidr: Expression, *, new_bits: int, first: int) -> Expression:
    """The networks for zone 0, 1, ...: number `first`, `first` + 1, ... of those that are `new_bits` longer than `cidr`."""
    number = f"k + {first}" if first else "k"
    return f"${{[for k, zone in local.azs : cidrsubnet({hcl(cidr)}, {new_bits}, {number})]}}"
