"""terraform-aws-modules/vpc/aws: https://registry.terraform.io/modules/terraform-aws-modules/vpc/aws

6.5.1: 6.6.0 makes the same resources and requires AWS provider 6.28, which a lock file of the HCL may not have.
"""

from collections.abc import Mapping, Sequence
from typing import TypedDict, Unpack

from imports.module import RegistryModule

from constructs import Construct

from stacks.hcl.expressions import Expression


class VpcInputs(TypedDict, total=False):
    """The module's inputs that are used here."""

    name: str
    cidr: str
    azs: Sequence[str]
    private_subnets: Sequence[str]
    public_subnets: Sequence[str]
    intra_subnets: Sequence[str]
    enable_nat_gateway: bool
    single_nat_gateway: bool
    one_nat_gateway_per_az: bool | None
    public_subnet_tags: Mapping[str, str]
    private_subnet_tags: Mapping[str, str]
    tags: Mapping[str, str]


class Vpc(RegistryModule):
    """A VPC with its subnets, gateways and routes."""

    SOURCE = "terraform-aws-modules/vpc/aws"
    VERSION = "6.5.1"

    def __init__(self, scope: Construct, id: str, **inputs: Unpack[VpcInputs]) -> None:
        super().__init__(scope, id, inputs)

    @property
    def vpc_id(self) -> Expression:
        """The id of the VPC."""
        return self.output("vpc_id")

    @property
    def private_subnets(self) -> Expression:
        """A list: the ids of the private subnets, in the order of the zones."""
        return self.output("private_subnets")

    @property
    def private_route_table_ids(self) -> Expression:
        """A list: the ids of the route tables of the private subnets, one for each NAT gateway, in the order of the zones."""
        return self.output("private_route_table_ids")

    @property
    def intra_subnets(self) -> Expression:
        """A list: the ids of the subnets without a way out, in the order of the zones."""
        return self.output("intra_subnets")
