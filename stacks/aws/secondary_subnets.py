"""The second network of the VPC, and its subnets for Karpenter's nodes."""

from cdktf_cdktf_provider_aws.route_table_association import RouteTableAssociation
from cdktf_cdktf_provider_aws.subnet import Subnet
from cdktf_cdktf_provider_aws.vpc_ipv4_cidr_block_association import VpcIpv4CidrBlockAssociation
from constructs import Construct

from stacks.aws.network import Network
from stacks.config.common import Common
from stacks.config.secondary_subnets import SECONDARY_SUBNET_BITS, SecondarySubnetOptions, beside
from stacks.hcl.expressions import Expression, hcl
from stacks.terraform.addresses import Addressed
from stacks.terraform.arguments import check_arguments


class SecondarySubnets(Addressed):
    """A subnet per zone in a second network of the VPC. Karpenter finds the subnets by tag, and takes the emptiest one of a zone.

    They are not subnets of the module: those are the node group's too, and carry the tag for internal load balancers, which
    could move. A node in them has its way out through the associations with the route tables.

    Raises:
        ConfigurationError: a literal argument cannot be right, or a construct came before that uses all of the network.
    """

    def __init__(self, scope: Construct, id: str, common: Common, *, network: Network, options: SecondarySubnetOptions) -> None:
        super().__init__(scope, id)
        check_arguments(SecondarySubnets, common=common, network=network, options=options)
        cidr, vpc, azs = options.secondary_cidr, network.vpc, network.azs
        if cidr is None:
            return
        self.require(*(must.rule("vpc_cidr", network.vpc_cidr) for must in beside(cidr)))
        association = self.add(
            VpcIpv4CidrBlockAssociation, "aws_vpc_ipv4_cidr_block_association.nodes", vpc_id=vpc.vpc_id, cidr_block=cidr
        )
        each = Expression(f"{{for k, zone in {azs.hcl} : zone => cidrsubnet({hcl(cidr)}, {SECONDARY_SUBNET_BITS}, k)}}")
        subnets = self.add(
            Subnet,
            "aws_subnet.nodes",
            vpc_id=association.vpc_id,
            availability_zone=Expression("each.key"),
            cidr_block=Expression("each.value"),
            tags={**common.tags, "Name": f"{common.name}-nodes-${{each.key}}", "karpenter.sh/discovery": common.name},
        )
        subnets.add_override("for_each", each)
        # One table, or one per zone: `element` starts again at the end of a list.
        table = f"element({vpc.private_route_table_ids.hcl}, index({azs.hcl}, each.key))"
        routes = self.add(
            RouteTableAssociation,
            "aws_route_table_association.nodes",
            subnet_id=Expression("each.value.id"),
            route_table_id=Expression(table),
        )
        routes.add_override("for_each", Expression("aws_subnet.nodes"))
        self.explain(
            "aws_subnet.nodes",
            vpc_id="Through the association, so that a destroy removes the subnets before their network.",
        )
        network.extend(routes, cidr=cidr, addresses=options.secondary_addresses_per_zone())
