"""The network: a VPC over every zone of the region."""

import json
from collections.abc import Mapping

from cdktf import TerraformLocal
from cdktf_cdktf_provider_aws.data_aws_availability_zones import (
    DataAwsAvailabilityZones,
    DataAwsAvailabilityZonesFilter,
)
from constructs import Construct

from imports.expressions import Expression, hcl
from imports.vpc import Vpc
from stacks.addresses import Addressed

# EKS has no control plane in this zone, and refuses subnets there for it.
ZONES_WITHOUT_CONTROL_PLANE = ("us-east-1e",)

# EKS wants two zones for the control plane; a third is for one that fails; more gain nothing.
CONTROL_PLANE_ZONES = 3


class Network(Addressed):
    """Per zone, from a /16: a private /20 for nodes and pods, a public /24 for NAT and load balancers, an intra /24.

    Args:
        name: the name of the VPC, and the value of the tag by which Karpenter finds the private subnets.
        cidr: the IPv4 network of the VPC.
        tags: the tags of all that is made.
    """

    def __init__(self, scope: Construct, id: str, *, name: Expression, cidr: Expression, tags: Mapping[str, str]) -> None:
        super().__init__(scope, id)
        self.add(
            DataAwsAvailabilityZones,
            "data.aws_availability_zones.available",
            # No local zones, and none that the account would have to opt in to.
            filter=[DataAwsAvailabilityZonesFilter(name="opt-in-status", values=["opt-in-not-required"])],
        )
        self.add(TerraformLocal, "local.azs", "${data.aws_availability_zones.available.names}")
        excluded = json.dumps(ZONES_WITHOUT_CONTROL_PLANE)
        self.add(
            TerraformLocal,
            "local.control_plane_azs",
            f"${{[for k, zone in [for zone in local.azs : zone if !contains({excluded}, zone)] : zone"
            f" if k < {CONTROL_PLANE_ZONES}]}}",
        )
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

    @property
    def control_plane_subnets(self) -> Expression:
        """A list: the ids of the intra subnets in the zones that are chosen for the control plane."""
        subnets = hcl(self.vpc.intra_subnets)
        return f"${{[for k, zone in local.azs : {subnets}[k] if contains(local.control_plane_azs, zone)]}}"


def _subnets(cidr: Expression, *, new_bits: int, first: int) -> Expression:
    """The networks for zone 0, 1, ...: number `first`, `first` + 1, ... of those that are `new_bits` longer than `cidr`."""
    number = f"k + {first}" if first else "k"
    return f"${{[for k, zone in local.azs : cidrsubnet({hcl(cidr)}, {new_bits}, {number})]}}"
