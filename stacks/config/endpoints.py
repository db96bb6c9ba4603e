"""VPC endpoints: ways to AWS's services beside the NAT gateway. Plain Python."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from stacks.config.checks import DECIDES, distinct
from stacks.config.fields import Change
from stacks.knowledge.endpoints import GatewayService, InterfaceService


@dataclass(frozen=True, kw_only=True)
class EndpointOptions:
    """The VPC endpoints."""

    gateway_endpoints: Annotated[Sequence[GatewayService], DECIDES, Change.IN_PLACE, distinct] = ()
    """Services that nodes reach by a gateway endpoint, which is free, instead of the NAT gateway, which charges for each GB."""
    interface_endpoints: Annotated[Sequence[InterfaceService], DECIDES, Change.IN_PLACE, distinct] = ()
    """Services that nodes reach by an interface endpoint: private, and no faster. About $0.01 an hour for each service and zone.
    Needs ec2:DescribeVpcEndpointServices."""
