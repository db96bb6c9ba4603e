"""VPC endpoints: S3 and DynamoDB by routes, other services by an address in each zone."""

from cdktf_cdktf_provider_aws.data_aws_vpc_endpoint_service import DataAwsVpcEndpointService
from cdktf_cdktf_provider_aws.security_group import SecurityGroup, SecurityGroupIngress
from cdktf_cdktf_provider_aws.vpc_endpoint import VpcEndpoint
from constructs import Construct

from stacks.aws.network import Network
from stacks.config.common import Common
from stacks.config.endpoints import EndpointOptions
from stacks.hcl.expressions import Expression, hcl
from stacks.knowledge.endpoints import GatewayService, InterfaceService
from stacks.terraform.addresses import Addressed, as_list
from stacks.terraform.arguments import check_arguments


class Endpoints(Addressed):
    """The VPC endpoints of a network, which become part of its way out: a destroy removes them after the nodes.

    Raises:
        ConfigurationError: a literal argument cannot be right, or a construct came before that uses the whole way out.
    """

    def __init__(
        self, scope: Construct, id: str, common: Common, *, network: Network, options: EndpointOptions | None = None
    ) -> None:
        super().__init__(scope, id)
        options = options or EndpointOptions()
        check_arguments(Endpoints, common=common, network=network, options=options)
        self._common, self._network = common, network
        made = [self._gateway(service) for service in options.gateway_endpoints]
        if options.interface_endpoints:
            made.append(self._interfaces(list(options.interface_endpoints)))
        network.extend(*made)

    def _gateway(self, service: GatewayService) -> VpcEndpoint:
        return self.add(
            VpcEndpoint,
            f"aws_vpc_endpoint.{service}",
            vpc_id=self._network.vpc.vpc_id,
            service_name=f"com.amazonaws.{self._common.region}.{service}",
            vpc_endpoint_type="Gateway",
            route_table_ids=as_list(self._network.vpc.private_route_table_ids),
            tags={**self._common.tags, "Name": f"{self._common.name}-{service}"},
        )

    def _interfaces(self, services: list[InterfaceService]) -> VpcEndpoint:
        network, common = self._network, self._common
        group = self.add(
            SecurityGroup,
            "aws_security_group.endpoints",
            name=f"{common.name}-endpoints",
            description="HTTPS from the VPC to its interface endpoints",
            vpc_id=network.vpc.vpc_id,
            ingress=[SecurityGroupIngress(protocol="tcp", from_port=443, to_port=443, cidr_blocks=network.cidrs)],
            tags={**common.tags, "Name": f"{common.name}-endpoints"},
        )
        offered = Expression("data.aws_vpc_endpoint_service.interface")
        each = Expression(f"toset({hcl(services)})")
        data = self.add(DataAwsVpcEndpointService, offered.hcl, service=Expression("each.value"), service_type="Interface")
        data.add_override("for_each", each)
        zones = Expression(f"{offered.hcl}[each.value].availability_zones")
        endpoint = self.add(
            VpcEndpoint,
            "aws_vpc_endpoint.interface",
            vpc_id=network.vpc.vpc_id,
            service_name=Expression(f"{offered.hcl}[each.value].service_name"),
            vpc_endpoint_type="Interface",
            private_dns_enabled=True,
            subnet_ids=as_list(network.private_subnets_in(zones)),
            security_group_ids=[group.id],
            tags={**common.tags, "Name": f"{common.name}-${{each.value}}"},
        )
        endpoint.add_override("for_each", each)
        self.explain("aws_vpc_endpoint.interface", subnet_ids="A service may lack a zone, and EC2 would refuse a subnet there.")
        return endpoint
