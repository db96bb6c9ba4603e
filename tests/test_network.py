from pathlib import Path
from typing import Any

import pytest
from cdktf import TerraformStack

from stacks.aws.endpoints import Endpoints
from stacks.aws.network import Network
from stacks.aws.secondary_subnets import SecondarySubnets
from stacks.config import ClusterConfig
from stacks.config.checks import ConfigurationError, mistakes
from stacks.config.endpoints import EndpointOptions
from stacks.config.network import NetworkOptions
from stacks.config.secondary_subnets import SecondarySubnetOptions
from stacks.knowledge.endpoints import InterfaceService
from tests.cases import Case, tftest
from tests.constructs import COMMON, TAGS, karpenter, network, var
from tests.synthesis import Json, addresses, synth, synth_stack, write_stack
from tests.terraform import Workspace, needs_modules, needs_terraform


def test_it_is_one_vpc_over_the_zones_that_need_no_opt_in() -> None:
    document = synth(network)
    assert addresses(document) == {"data.aws_availability_zones.available", "module.vpc"}
    (zones,) = document["data"]["aws_availability_zones"].values()
    assert zones["filter"] == [{"name": "opt-in-status", "values": ["opt-in-not-required"]}]
    assert document["locals"]["azs"] == (
        "${length(var.zones) > 0 ? tolist(var.zones) : tolist(data.aws_availability_zones.available.names)}"
    )


def test_each_zone_gets_a_private_a_public_and_an_intra_subnet() -> None:
    vpc = synth(network)["module"]["vpc"]
    assert vpc["azs"] == "${local.azs}"
    assert vpc["private_subnets"] == "${[for k, zone in local.azs : cidrsubnet(local.vpc_cidr, 4, k)]}"
    assert vpc["public_subnets"] == "${[for k, zone in local.azs : cidrsubnet(local.vpc_cidr, 8, k + 128)]}"
    assert vpc["intra_subnets"] == "${[for k, zone in local.azs : cidrsubnet(local.vpc_cidr, 8, k + 192)]}"


def test_one_nat_gateway_serves_all_zones() -> None:
    vpc = synth(network)["module"]["vpc"]
    assert vpc["enable_nat_gateway"] is True
    assert vpc["single_nat_gateway"] is True


def test_load_balancers_and_karpenter_find_their_subnets_by_tag() -> None:
    vpc = synth(network)["module"]["vpc"]
    assert vpc["public_subnet_tags"] == {"kubernetes.io/role/elb": "1"}
    assert vpc["private_subnet_tags"] == {"kubernetes.io/role/internal-elb": "1", "karpenter.sh/discovery": "gpu"}
    assert vpc["tags"] == TAGS


def test_a_zone_without_a_control_plane_is_known_by_its_id_alone() -> None:
    """Which letter an account has for a zone differs."""
    zones = synth(network)["locals"]["control_plane_azs"]
    assert '["use1-az3", "usw1-az2", "cac1-az3"]' in zones
    assert "us-east-1e" not in zones


@pytest.fixture(scope="module")
def wide() -> Json:
    """A network with every option."""
    options = NetworkOptions(vpc_cidr=var("cidr"), nat_gateway="per_zone")

    def make(stack: TerraformStack) -> None:
        made = Network(stack, "network", COMMON, options=options)
        second_network(stack, made)
        assert made.cidrs == ["${var.cidr}", "100.64.0.0/16"]

    return synth(make)


def test_a_nat_gateway_per_zone_is_as_many_as_zones_and_the_quota_is_named_above_five(wide: Json) -> None:
    vpc = wide["module"]["vpc"]
    assert (vpc["single_nat_gateway"], vpc["one_nat_gateway_per_az"]) == (False, True)
    (rule,) = wide["check"]["nat_gateways_fit_the_quota"]["assert"]
    assert rule["condition"] == "${length(local.azs) <= 5}"
    assert "(L-0263D0A3)" in rule["error_message"]


def test_karpenter_finds_the_second_subnets_and_internal_load_balancers_do_not(wide: Json) -> None:
    subnet = wide["resource"]["aws_subnet"]["nodes"]
    assert subnet["for_each"] == '${{for k, zone in local.azs : zone => cidrsubnet("100.64.0.0/16", 3, k)}}'
    assert subnet["tags"] == {**TAGS, "Name": "gpu-nodes-${each.key}", "karpenter.sh/discovery": "gpu"}


def test_the_second_subnets_go_before_their_network_and_have_the_route_of_their_zone(wide: Json) -> None:
    resources = wide["resource"]
    assert resources["aws_subnet"]["nodes"]["vpc_id"] == "${aws_vpc_ipv4_cidr_block_association.nodes.vpc_id}"
    assert resources["aws_route_table_association"]["nodes"] == {
        "for_each": "${aws_subnet.nodes}",
        "subnet_id": "${each.value.id}",
        "route_table_id": "${element(module.vpc.private_route_table_ids, index(local.azs, each.key))}",
    }


def test_the_controllers_keep_their_way_out_until_the_nodes_are_gone() -> None:
    config = ClusterConfig("x", secondary_cidr="100.64.0.0/16", gateway_endpoints=["s3"], interface_endpoints=["ec2"])
    releases = synth_stack(config)["resource"]["helm_release"]
    way_out = ["module.vpc", "aws_route_table_association.nodes", "aws_vpc_endpoint.s3", "aws_vpc_endpoint.interface"]
    for release in releases.values():
        assert [name for name in release["depends_on"] if name in way_out] == way_out


def second_network(stack: TerraformStack, network: Network) -> None:
    second = SecondarySubnetOptions(secondary_cidr="100.64.0.0/16")
    SecondarySubnets(stack, "secondary_subnets", COMMON, network=network, options=second)


def endpoints(stack: TerraformStack, network: Network, *interface: InterfaceService) -> None:
    options = EndpointOptions(gateway_endpoints=["s3"], interface_endpoints=interface)
    Endpoints(stack, "endpoints", COMMON, network=network, options=options)


def test_endpoints_admit_the_second_network_too() -> None:
    def make(stack: TerraformStack) -> None:
        made = network(stack)
        second_network(stack, made)
        endpoints(stack, made, "ec2")

    (rule,) = synth(make)["resource"]["aws_security_group"]["endpoints"]["ingress"]
    assert rule["cidr_blocks"] == ["${local.vpc_cidr}", "100.64.0.0/16"]


def test_constructs_in_an_order_that_would_lack_a_network_or_a_way_out_are_refused() -> None:
    def after_endpoints(stack: TerraformStack) -> None:
        made = network(stack)
        endpoints(stack, made, "ec2")
        second_network(stack, made)

    def endpoints_after_karpenter(stack: TerraformStack) -> None:
        endpoints(stack, karpenter(stack).cluster.network)

    def after_karpenter(stack: TerraformStack) -> None:
        second_network(stack, karpenter(stack).cluster.network)

    for make in (after_endpoints, endpoints_after_karpenter, after_karpenter):
        with pytest.raises(ConfigurationError, match=r"^SecondarySubnets must come before Endpoints, and both before Karpenter: "):
            synth(make)


def test_endpoints_that_have_routes_alone_may_come_before_the_second_network() -> None:
    def make(stack: TerraformStack) -> None:
        made = network(stack)
        endpoints(stack, made)
        second_network(stack, made)

    assert "aws_subnet" in synth(make)["resource"]


@pytest.mark.parametrize("cidr", ["100.64.0.0/16", "10.1.0.0/16", "10.200.16.0/20", "172.30.0.0/17", "192.168.0.0/18"])
def test_a_second_network_may_be_private(cidr: str) -> None:
    assert said(secondary_cidr=cidr) == []


@pytest.mark.parametrize(
    ("cidr", "says"),
    [
        ("100.64.0.0/15", "must be a /16 to /20 network (got '100.64.0.0/15')."),
        ("100.64.0.0/21", "must be a /16 to /20 network (got '100.64.0.0/21')."),
        ("100.64.1.0/16", "must be an IPv4 network such as 10.0.0.0/16: 100.64.1.0/16 has host bits set (got '100.64.1.0/16')."),
        ("10.100.16.0/20", "must not be in 10.100.0.0/16: EKS gives Services addresses of this network (got '10.100.16.0/20')."),
        ("172.20.0.0/16", "must not be in 172.20.0.0/16: EKS gives Services addresses of this network (got '172.20.0.0/16')."),
        ("172.31.0.0/16", "must not be in 172.31.0.0/16: EC2 refuses to add this network to a VPC (got '172.31.0.0/16')."),
        ("198.19.0.0/16", "100.64.0.0/16, for example, suits most VPCs (got '198.19.0.0/16')."),
        ("11.0.0.0/16", "must be in 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10; 100.64.0.0/16, for example,"),
    ],
)
def test_a_second_network_that_ec2_or_eks_cannot_use_is_refused(cidr: str, says: str) -> None:
    (text,) = said(secondary_cidr=cidr)
    assert text.startswith("x.secondary_cidr must ")
    assert says in text


def said(**given: Any) -> list[str]:
    return list(mistakes("x", ClusterConfig("x", gpu_instance_types=["p5.48xlarge"], **given)))


# By vpc_cidr and secondary_cidr, what is wrong.
TOGETHER = {
    ("10.1.0.0/16", "100.64.0.0/16"): None,
    ("100.65.0.0/16", "100.64.0.0/16"): None,
    ("10.1.0.0/16", "10.2.0.0/16"): None,
    ("10.0.0.0/17", "10.1.0.0/16"): None,
    ("10.2.0.0/16", "10.0.0.0/16"): None,
    (
        "10.1.0.0/16",
        "10.1.0.0/16",
    ): 'vpc_cidr must not overlap secondary_cidr (got "10.1.0.0/16"). secondary_cidr is 10.1.0.0/16: choose',
    ("10.1.0.0/16", "10.1.64.0/18"): 'must not overlap secondary_cidr (got "10.1.0.0/16"). secondary_cidr is 10.1.64.0/18: choose',
    ("10.1.64.0/18", "10.1.0.0/16"): 'must not overlap secondary_cidr (got "10.1.64.0/18")',
    (
        "172.16.0.0/16",
        "10.2.0.0/16",
    ): 'vpc_cidr must be in 10.0.0.0/8 like secondary_cidr, because EC2 does not mix private ranges in a VPC (got "172.16.0.0/16")',
    ("100.64.0.0/16", "192.168.0.0/16"): "must be in 192.168.0.0/16 like secondary_cidr",
    (
        "10.1.0.0/16",
        "10.0.16.0/20",
    ): 'must not be in 10.0.0.0/15, because EC2 adds no network of 10.0.0.0/16 there (got "10.1.0.0/16")',
}


@pytest.mark.parametrize(("vpc", "secondary"), TOGETHER)
def test_a_second_network_fits_that_of_the_vpc(vpc: str, secondary: str) -> None:
    found, says = said(vpc_cidr=vpc, secondary_cidr=secondary), TOGETHER[vpc, secondary]
    assert len(found) == (says is not None)
    assert (says or "") in "".join(found)


def test_only_a_plan_knows_what_a_default_network_becomes() -> None:
    assert said(secondary_cidr="172.16.0.0/16") == []


@pytest.mark.terraform
@needs_terraform
def test_a_plan_judges_two_networks_as_python_does(tmp_path: Path) -> None:
    """The words are those of the same rule."""
    for number, secondary in enumerate(dict.fromkeys(secondary for _, secondary in TOGETHER)):
        folder = tmp_path / str(number)
        folder.mkdir()
        workspace = Workspace(folder, write_stack(folder, ClusterConfig("karpenter", secondary_cidr=secondary)))
        workspace.stub_modules()
        cases = [
            Case(vpc, {"vpc_cidr": vpc}, "random_string.suffix" if says else None)
            for (vpc, other), says in TOGETHER.items()
            if other == secondary
        ]
        (workspace.folder / "tests").mkdir()
        (workspace.folder / "tests" / "cases.tftest.hcl").write_text(tftest(cases))
        assert f"Success! {len(cases)} passed, 0 failed." in workspace.run("test").output


# What each option adds to a state that the HCL left, and what it updates.
ADOPTED: dict[str, tuple[dict[str, Any], int, int]] = {
    "gateway_endpoints": ({"gateway_endpoints": ["s3", "dynamodb"]}, 2, 0),
    "node_traffic_all": ({"node_traffic_all": True}, 1, 0),
    "interface_endpoints": ({"interface_endpoints": ["ec2", "eks-auth"]}, 3, 0),
    "nat_gateway": ({"nat_gateway": "per_zone"}, 12, 4),
    "secondary_cidr": ({"secondary_cidr": "100.64.0.0/16"}, 9, 0),
}


@pytest.mark.terraform
@needs_terraform
@needs_modules
def test_an_option_of_the_network_replaces_nothing_on_an_adopted_state(tmp_path: Path, reference: Path) -> None:
    workspace = Workspace(tmp_path, write_stack(tmp_path, ClusterConfig("karpenter")))
    workspace.adopt(reference)
    for options, added, updated in ADOPTED.values():
        write_stack(workspace.folder, ClusterConfig("karpenter", **options))
        actions = [change["change"]["actions"] for change in workspace.plan()["resource_changes"] if change["mode"] == "managed"]
        assert (actions.count(["create"]), actions.count(["update"])) == (added, updated)
        assert all(action in (["create"], ["update"], ["no-op"]) for action in actions)


@pytest.mark.terraform
@needs_terraform
@needs_modules
def test_the_first_step_to_a_nat_gateway_per_zone_moves_no_subnet(tmp_path: Path, reference: Path) -> None:
    """As in docs/network.md."""
    workspace = Workspace(tmp_path, write_stack(tmp_path, ClusterConfig("karpenter", nat_gateway="per_zone")))
    workspace.adopt(reference)
    planned = workspace.run("plan", "-input=false", "-target=module.vpc.aws_route.private_nat_gateway").output
    assert "Plan: 12 to add, 1 to change, 0 to destroy." in planned
    assert "aws_route_table_association" not in planned
