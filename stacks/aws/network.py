"""The network: a VPC over every zone of the region."""

from imports.vpc import Vpc

from cdktf import ITerraformDependable
from cdktf_cdktf_provider_aws.data_aws_availability_zones import (
    DataAwsAvailabilityZones,
    DataAwsAvailabilityZonesFilter,
)
from constructs import Construct

from stacks.config.checks import ConfigurationError
from stacks.config.common import Common
from stacks.config.network import (
    MOST_ZONES,
    PRIVATE_NETWORKS,
    PRIVATE_SUBNET_BITS,
    VPC_PREFIXES,
    NetworkOptions,
    addresses_per_zone,
)
from stacks.hcl.expressions import Expression, hcl
from stacks.hcl.rules import EmptyList, Rule, inside_any, shown
from stacks.terraform.addresses import Addressed
from stacks.terraform.arguments import check_arguments

# By zone ID. https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html
ZONE_IDS_WITHOUT_CONTROL_PLANE = ("use1-az3", "usw1-az2", "cac1-az3")

# EKS needs two zones for the control plane.
LEAST_CONTROL_PLANE_ZONES, MOST_CONTROL_PLANE_ZONES = 2, 3

# Elastic IP addresses in a region, unless AWS raised the quota (L-0263D0A3).
# https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
ADDRESS_QUOTA = 5


class Network(Addressed):
    """A VPC with three subnets per zone: private, public and intra.

    Attributes:
        vpc: the module.
        available: the data source of the region's zones.
        options: as given.
        azs, control_plane_azs: lists of zones.
        vpc_cidr: the first network of the VPC.
        addresses_per_zone: a number, of the addresses for nodes and pods in each zone.

    Raises:
        ConfigurationError: a literal argument cannot be right.
    """

    def __init__(self, scope: Construct, id: str, common: Common, *, options: NetworkOptions | None = None) -> None:
        super().__init__(scope, id)
        self.options = options = options or NetworkOptions()
        check_arguments(Network, common=common, options=options)
        vpc_cidr = self.as_expression("vpc_cidr", options.vpc_cidr)
        chosen = self.as_expression("availability_zones", options.availability_zones)
        self.addresses_per_zone = addresses_per_zone(vpc_cidr)
        self.available = Expression("data.aws_availability_zones.available")
        self.add(
            DataAwsAvailabilityZones,
            self.available.hcl,
            filter=[DataAwsAvailabilityZonesFilter(name="opt-in-status", values=["opt-in-not-required"])],
        )
        self.explain(self.available.hcl, filter="Leaves out local zones, and zones that the account would have to opt in to.")
        self.azs = self.add_local(
            "azs", Expression(f"length({chosen.hcl}) > 0 ? tolist({chosen.hcl}) : tolist({self.available.hcl}.names)")
        )
        self.control_plane_azs = self.add_local("control_plane_azs", self._with_control_plane())
        self.explain(
            "locals",
            azs="Every zone of the region without an opt-in, unless availability_zones names some. Subnets are numbered in this "
            "order.",
            control_plane_azs=f"The first {MOST_CONTROL_PLANE_ZONES} zones where EKS runs control planes: a third zone keeps the "
            "control plane available when one zone fails, and more zones do not help. EKS refuses subnets in the zones that are "
            "left out; by zone ID, because which letter an account has for a zone differs from account to account.",
        )
        self.require(*self._zone_rules(chosen))
        self.vpc = self.add(
            Vpc,
            "module.vpc",
            name=common.name,
            cidr=vpc_cidr,
            azs=self.azs,
            private_subnets=self._subnets(vpc_cidr, new_bits=PRIVATE_SUBNET_BITS, first=0),
            public_subnets=self._subnets(vpc_cidr, new_bits=8, first=128),
            intra_subnets=self._subnets(vpc_cidr, new_bits=8, first=192),
            enable_nat_gateway=True,
            single_nat_gateway=options.nat_gateway == "single",
            one_nat_gateway_per_az=True if options.nat_gateway == "per_zone" else None,
            public_subnet_tags={"kubernetes.io/role/elb": "1"},
            private_subnet_tags={"kubernetes.io/role/internal-elb": "1", "karpenter.sh/discovery": common.name},
            tags=common.tags,
        )
        self.vpc_cidr = vpc_cidr
        self._cidrs: list[str] = [vpc_cidr]
        self._way_out: list[ITerraformDependable] = [self.vpc]
        self._used: set[str] = set()
        self.explain(
            "module.vpc",
            private_subnets=f"For nodes and pods: a /20 of a /16 per zone. {MOST_ZONES} zones fill the lower half of the network.",
            public_subnets="For the NAT gateway and load balancers: a /24 of a /16 per zone, from the third quarter.",
            intra_subnets="For the control plane, without a route to the internet: a /24 of a /16 per zone, from the last quarter.",
            single_nat_gateway="One NAT gateway for all zones: one hourly price, at the cost that all zones depend on the "
            "gateway's zone."
            if options.nat_gateway == "single"
            else "A NAT gateway in each zone: no zone depends on another, at an hourly price for each.",
        )
        if options.nat_gateway == "per_zone":
            self.add_check("nat_gateways_fit_the_quota", _fits_the_quota(self.azs))
        self.add_check("vpc_cidr_is_private", _private(vpc_cidr))
        self.add_check("vpc_cidr_has_room_for_load_balancers", _has_room_for_load_balancers(vpc_cidr))

    @property
    def cidrs(self) -> list[str]:
        """All networks of the VPC. Whoever asks needs all of them, so that no other can come later."""
        self._used.add("cidrs")
        return self._cidrs[:]

    @property
    def way_out(self) -> list[ITerraformDependable]:
        """What must exist as long as a node or a controller has to reach AWS. Nothing can come later."""
        self._used.add("way_out")
        return self._way_out[:]

    def extend(self, *way_out: ITerraformDependable, cidr: str | None = None, addresses: int = 0) -> None:
        """Add to the way out, with a network and its addresses for nodes and pods in each zone.

        Raises:
            ConfigurationError: another construct has used what this adds to.
        """
        if (way_out and "way_out" in self._used) or (cidr and "cidrs" in self._used):
            raise ConfigurationError(
                "SecondarySubnets must come before Endpoints, and both before Karpenter: what comes earlier would lack what they "
                "add to the network. Make the constructs in this order."
            )
        self._way_out += way_out
        if cidr:
            self._cidrs.append(cidr)
            self.addresses_per_zone = Expression(f"{self.addresses_per_zone.hcl} + {addresses}")

    @property
    def control_plane_subnets(self) -> Expression:
        """A list: the ids of the intra subnets in the zones that are chosen for the control plane."""
        return self._subnets_in(self.vpc.intra_subnets, self.control_plane_azs)

    def private_subnets_in(self, zones: Expression) -> Expression:
        """A list: the ids of the private subnets in `zones`, a list."""
        return self._subnets_in(self.vpc.private_subnets, zones)

    def _subnets_in(self, subnets: Expression, zones: Expression) -> Expression:
        return Expression(f"[for k, zone in {self.azs.hcl} : {subnets.hcl}[k] if contains({zones.hcl}, zone)]")

    def _subnets(self, cidr: Expression, *, new_bits: int, first: int) -> Expression:
        """The networks for zone 0, 1, ...: number `first`, `first` + 1, ... of those that are `new_bits` longer than `cidr`."""
        number = f"k + {first}" if first else "k"
        return Expression(f"[for k, zone in {self.azs.hcl} : cidrsubnet({cidr.hcl}, {new_bits}, {number})]")

    def _with_control_plane(self) -> Expression:
        """The first of the network's zones where EKS has a control plane."""
        ids = f"zipmap({self.available.hcl}.names, {self.available.hcl}.zone_ids)"
        without = f"contains({hcl(ZONE_IDS_WITHOUT_CONTROL_PLANE)}, lookup({ids}, zone, zone))"
        usable = f"[for zone in {self.azs.hcl} : zone if !{without}]"
        return Expression(f"[for k, zone in {usable} : zone if k < {MOST_CONTROL_PLANE_ZONES}]")

    def _zone_rules(self, chosen: Expression) -> list[Rule | EmptyList]:
        """Rules about the zones that AWS returns. A running network can break them when AWS adds or retires a zone."""
        names = f"{self.available.hcl}.names"
        listed = f'${{join(", ", {names})}}'
        return [
            EmptyList(
                "availability_zones_of_other_regions",
                f"setsubtract({chosen.hcl}, {names})",
                f"availability_zones must be zones of the region (got {{found}}). Its zones are {listed}.",
            ),
            Rule(
                f"length({self.azs.hcl}) <= {MOST_ZONES}",
                f"availability_zones must name at most {MOST_ZONES} zones, because vpc_cidr has no room for more (got "
                f"{shown(chosen)} in a region with ${{length({names})}} zones). Choose from {listed}.",
            ),
            Rule(
                f"length({self.control_plane_azs.hcl}) >= {LEAST_CONTROL_PLANE_ZONES}",
                f"availability_zones must have at least {LEAST_CONTROL_PLANE_ZONES} zones where EKS supports a control plane (got "
                f'${{length({self.control_plane_azs.hcl})}} of ${{join(", ", {self.azs.hcl})}}). Choose other '
                "availability_zones or another region.",
            ),
        ]


def _private(cidr: Expression) -> Rule:
    return Rule(
        inside_any(cidr.hcl, PRIVATE_NETWORKS),
        f"vpc_cidr should be in a private network: {', '.join(PRIVATE_NETWORKS)} (got {shown(cidr)}). Nodes cannot reach "
        "public addresses inside it.",
    )


def _fits_the_quota(azs: Expression) -> Rule:
    return Rule(
        f"length({azs.hcl}) <= {ADDRESS_QUOTA}",
        f'nat_gateway="per_zone" needs an Elastic IP address in each of ${{length({azs.hcl})}} zones, and an account has '
        f"{ADDRESS_QUOTA} in a region unless AWS raised the quota (L-0263D0A3). Raise the quota first: an apply that lacks an "
        "address stops, and can leave zones without a way out.",
    )


def _has_room_for_load_balancers(cidr: Expression) -> Rule:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html#availability-zones"""
    return Rule(
        f'tonumber(split("/", {cidr.hcl})[1]) < {VPC_PREFIXES[1]}',
        f"vpc_cidr should be larger than /{VPC_PREFIXES[1]} (got {shown(cidr)}): its public subnets are /28, and an "
        "Application Load Balancer needs a /27 with 8 free addresses.",
    )
