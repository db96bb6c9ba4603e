from typing import get_args

import pytest
from cdktf import TerraformStack

from stacks.aws.endpoints import Endpoints
from stacks.config.checks import mistakes
from stacks.config.endpoints import EndpointOptions
from stacks.knowledge.endpoints import InterfaceService
from tests.constructs import COMMON, TAGS, network
from tests.synthesis import Json, addresses, synth

OPTIONS = EndpointOptions(gateway_endpoints=["s3"], interface_endpoints=["ecr.api", "eks-auth"])


@pytest.fixture(scope="module")
def made() -> Json:
    def make(stack: TerraformStack) -> None:
        Endpoints(stack, "endpoints", COMMON, network=network(stack), options=OPTIONS)

    return synth(make)


def test_a_gateway_endpoint_is_on_every_private_route_table_and_asks_aws_nothing(made: Json) -> None:
    s3 = made["resource"]["aws_vpc_endpoint"]["s3"]
    assert s3["vpc_endpoint_type"] == "Gateway"
    assert s3["service_name"] == "com.amazonaws.us-west-2.s3"
    assert s3["route_table_ids"] == "${module.vpc.private_route_table_ids}"
    assert s3["tags"] == {**TAGS, "Name": "gpu-s3"}


def test_interface_endpoints_are_in_the_zones_that_the_service_has(made: Json) -> None:
    (data,) = made["data"]["aws_vpc_endpoint_service"].values()
    endpoint = made["resource"]["aws_vpc_endpoint"]["interface"]
    assert endpoint["for_each"] == data["for_each"] == '${toset(["ecr.api", "eks-auth"])}'
    zones = "data.aws_vpc_endpoint_service.interface[each.value].availability_zones"
    assert endpoint["subnet_ids"] == (f"${{[for k, zone in local.azs : module.vpc.private_subnets[k] if contains({zones}, zone)]}}")
    assert endpoint["private_dns_enabled"] is True


def test_the_whole_vpc_reaches_its_interface_endpoints_by_https_alone(made: Json) -> None:
    (rule,) = made["resource"]["aws_security_group"]["endpoints"]["ingress"]
    assert rule["cidr_blocks"] == ["${local.vpc_cidr}"]
    assert (rule["protocol"], rule["from_port"], rule["to_port"]) == ("tcp", 443, 443)


def test_without_interface_endpoints_there_is_no_security_group_and_no_question() -> None:
    def make(stack: TerraformStack) -> None:
        Endpoints(stack, "endpoints", COMMON, network=network(stack), options=EndpointOptions(gateway_endpoints=["dynamodb"]))

    of_network = {"data.aws_availability_zones.available", "module.vpc"}
    assert addresses(synth(make)) == {*of_network, "aws_vpc_endpoint.dynamodb"}


def test_an_unknown_service_is_refused_with_the_list_of_those_that_are_known() -> None:
    wrong = EndpointOptions(gateway_endpoints=["ecr"], interface_endpoints=["s3"])  # type: ignore[list-item]
    gateway, interface = mistakes("x", wrong)
    assert gateway == "x.gateway_endpoints must be a list of 's3' or 'dynamodb' (got ['ecr'])."
    services = " or ".join(map(repr, get_args(InterfaceService)))
    assert interface == f"x.interface_endpoints must be a list of {services} (got ['s3'])."
    (text,) = mistakes("x", EndpointOptions(gateway_endpoints=["s3", "s3"]))
    assert text == "x.gateway_endpoints must not contain duplicates (got ['s3', 's3'])."
