from tests.constructs import TAGS, network
from tests.synthesis import addresses, synth


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
