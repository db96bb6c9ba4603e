"""Arguments of constructs and manifests: literals, lists, tuples and tokens all work; a wrong one is an error that reads well."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cdktf import App, TerraformOutput, TerraformStack, TerraformVariable

from stacks.aws.cluster import Cluster
from stacks.aws.network import Network
from stacks.config import ClusterConfig, GeneralPool, GpuPool, ImageCache, VpcCni
from stacks.config.administrators import Administrators
from stacks.config.checks import ConfigurationError, mistakes_of
from stacks.config.common import Common
from stacks.config.control_plane import ControlPlane
from stacks.config.endpoints import EndpointOptions
from stacks.config.karpenter import KarpenterOptions
from stacks.config.load_balancer_controller import LoadBalancerControllerOptions
from stacks.config.network import NetworkOptions
from stacks.config.node_group import NodeGroup
from stacks.config.node_pools import NodePoolOptions
from stacks.config.pools import Pool
from stacks.config.secondary_subnets import SecondarySubnetOptions
from stacks.hcl.expressions import is_expression
from stacks.kubernetes.karpenter import Karpenter
from stacks.kubernetes.load_balancer_controller import LoadBalancerController
from stacks.kubernetes.manifests import NodeClass, NodePool
from stacks.kubernetes.node_pools import NodePools
from stacks.terraform.addresses import add_requirements
from tests import constructs
from tests.constructs import COMMON, var
from tests.synthesis import Json, synth

Make = Callable[[TerraformStack], object]


def network(common: Common = COMMON, **wrong: Any) -> Make:
    return lambda stack: Network(stack, "n", common, options=NetworkOptions(**wrong))


def control_plane(**wrong: Any) -> Make:
    return lambda stack: Cluster(stack, "c", COMMON, network=constructs.network(stack), control_plane=ControlPlane(**wrong))


def administrators(**wrong: Any) -> Make:
    return lambda stack: Cluster(stack, "c", COMMON, network=constructs.network(stack), administrators=Administrators(**wrong))


def node_group(**wrong: Any) -> Make:
    return lambda stack: Cluster(stack, "c", COMMON, network=constructs.network(stack), node_group=NodeGroup(**wrong))


def karpenter(**wrong: Any) -> Make:
    return lambda stack: Karpenter(stack, "k", COMMON, cluster=constructs.cluster(stack), options=KarpenterOptions(**wrong))


def alb(**wrong: Any) -> Make:
    options = LoadBalancerControllerOptions(**wrong)
    return lambda stack: LoadBalancerController(stack, "alb", COMMON, karpenter=constructs.karpenter(stack), options=options)


def node_pools(**wrong: Any) -> Make:
    options = NodePoolOptions(**{"gpu_instance_types": ["p5.48xlarge"], **wrong})
    return lambda stack: NodePools(stack, "pools", COMMON, karpenter=constructs.karpenter(stack), options=options)


def node_class(**wrong: Any) -> Make:
    given: dict[str, Any] = {"name": "gpu", "role": "r", "discovery": "d", "user_data": ""} | wrong
    return lambda stack: NodeClass(**given).manifest()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (network(replace(COMMON, name=7)), "Network.common.name must be a string (got 7)."),  # type: ignore[arg-type]
        (network(replace(COMMON, tags="a=b")), "Network.common.tags must be a dict of strings (got 'a=b')."),  # type: ignore[arg-type]
        (
            network(replace(COMMON, permissions_boundary="boundary")),
            "Network.common.permissions_boundary must be the ARN of an IAM policy (got 'boundary').",
        ),
        (network(vpc_cidr="10.0.0.0/24"), 'Network.options.vpc_cidr must be a /16 to /20 network (got "10.0.0.0/24").'),
        (
            network(vpc_cidr="10.0.0.1/16"),
            'Network.options.vpc_cidr must not have host bits (got "10.0.0.1/16"). The network is 10.0.0.0/16.',
        ),
        (network(vpc_cidr="10.0.0.0/21"), 'Network.options.vpc_cidr must be a /16 to /20 network (got "10.0.0.0/21").'),
        (network(vpc_cidr="10.0.0.0/15"), 'Network.options.vpc_cidr must be a /16 to /20 network (got "10.0.0.0/15").'),
        (network(vpc_cidr=16), "Network.options.vpc_cidr must be a string (got 16)."),
        (
            network(availability_zones="us-west-2a"),
            "Network.options.availability_zones must be a list of strings (got 'us-west-2a').",
        ),
        (
            lambda stack: Network(stack, "n", COMMON, options={"vpc_cidr": "10.0.0.0/16"}),  # type: ignore[arg-type]
            "Network.options must be a NetworkOptions or None (got {'vpc_cidr': '10.0.0.0/16'}).",
        ),
        (lambda stack: Network(stack, "n", "gpu"), "Network.common must be a Common (got 'gpu')."),  # type: ignore[arg-type]
        (control_plane(kubernetes_version="1"), "Cluster.control_plane.kubernetes_version must be one of 1.33, "),
        (
            control_plane(endpoint_public_access=False, endpoint_public_access_cidrs=["203.0.113.7/32"]),
            "Cluster.control_plane.endpoint_public_access_cidrs must be () if endpoint_public_access is False.",
        ),
        (
            administrators(kms_key_administrators=["arn:aws:iam::123456789012:role/ci"]),
            "Cluster.administrators.kms_key_administrators must not be set without cluster_admin_arn",
        ),
        (
            node_group(karpenter_node_min_size=0),
            "Cluster.node_group.karpenter_node_min_size must be a whole number of at least 1 (got 0).",
        ),
        (
            node_group(karpenter_node_max_size=True),
            "Cluster.node_group.karpenter_node_max_size must be a whole number (got True).",
        ),
        (node_group(karpenter_node_max_size=2.5), "Cluster.node_group.karpenter_node_max_size must be a whole number (got 2.5)."),
        (
            node_group(karpenter_node_desired_size=-1),
            "Cluster.node_group.karpenter_node_desired_size must be a whole number of at least 1 (got -1).",
        ),
        (
            node_group(karpenter_node_instance_types=()),
            "Cluster.node_group.karpenter_node_instance_types must have at least one element (got []).",
        ),
        (
            node_group(karpenter_node_instance_types=["m7g.large"]),
            'Cluster.node_group.karpenter_node_instance_types must have x86_64 CPUs, as the node group\'s AMI (got ["m7g.large"]',
        ),
        (
            node_group(karpenter_node_min_size=5),
            "Cluster.node_group.karpenter_node_desired_size must be between karpenter_node_min_size and karpenter_node_max_size",
        ),
        (
            karpenter(karpenter_version="1.8.0"),
            "Karpenter.options.karpenter_version must not be 1.8.0: its controller panics with the chart's default values",
        ),
        (karpenter(karpenter_version="1.8"), 'Karpenter.options.karpenter_version must be a release such as 1.14.1 (got "1.8").'),
        (
            karpenter(karpenter_version="1.6.0", disable_dry_run=True),
            "Karpenter.options.disable_dry_run must be False before Karpenter 1.6.2 (got True, karpenter_version 1.6.0).",
        ),
        (
            alb(load_balancer_controller_policy="best"),
            "LoadBalancerController.options.load_balancer_controller_policy must be 'reference' or 'official' (got 'best').",
        ),
        (
            alb(load_balancer_controller_version="3.2.1", load_balancer_controller_policy="official"),
            "LoadBalancerController.options.load_balancer_controller_version must not be 3.2.1: it crashes where the Gateway API's",
        ),
        (
            alb(load_balancer_controller_version="3.5.0"),
            "LoadBalancerController.options.load_balancer_controller_policy must be 'official' for another release than 2.11.0",
        ),
        (
            node_pools(node_tags={f"team-{number}": "a" for number in range(62)}),
            "NodePools.options.node_tags must have at most 42 tags (got 62): AWS allows 50, of which 8 are set already.",
        ),
        (
            node_pools(gpu_pools=[GpuPool("a", instance_types=["g7.2xlarge"], limit=8, weight=1)]),
            'NodePools.options.gpu_pools["a"].instance_types must have GPUs that the driver of Bottlerocket supports (got',
        ),
        (
            node_pools(gpu_instance_types=["g7.2xlarge"]),
            'NodePools.options.gpu_instance_types must have GPUs that the driver of Bottlerocket supports (got ["g7.2xlarge"])',
        ),
        (
            node_pools(bottlerocket_version="v1.30.0"),
            'NodePools.options.bottlerocket_version must be at least "v1.50.0" for user data that mounts the NVMe disks',
        ),
        (node_class(name="GPU"), "NodeClass.name must be a Kubernetes name such as gpu-spot (got 'GPU')."),
        (node_class(ami_alias="al2023@latest"), "NodeClass.ami_alias must be an alias such as bottlerocket@v1.53.0"),
        (node_class(ami_alias="bottlerocket@v1.53.0-x"), "NodeClass.ami_alias must be an alias"),
        (
            node_pools(general_pools=[GeneralPool("web", cpu_limit=8, weight=1, consolidate_after="1 hour")]),
            'NodePools.options.general_pools["web"].consolidate_after must be a duration such as 30s or 1h30m, or Never',
        ),
    ],
)
def test_a_wrong_argument_is_refused_in_one_line(make: Make, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        make(TerraformStack(App(outdir=str(tmp_path)), "stack"))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_all_wrong_arguments_are_named_together(tmp_path: Path) -> None:
    wrong = replace(COMMON, name=7, tags=[])  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError) as refused:
        network(wrong, vpc_cidr="10.0.0.0/8")(TerraformStack(App(outdir=str(tmp_path)), "stack"))
    assert [line.split()[0] for line in str(refused.value).splitlines()] == [
        "Network.common.name",
        "Network.common.tags",
        "Network.options.vpc_cidr",
    ]


def test_a_construct_judges_its_own_part_of_a_whole_configuration(tmp_path: Path) -> None:
    """`refuse_mistakes` judges the whole of it, and names the cluster instead of the construct."""
    config = ClusterConfig("a", vpc_cidr="10.0.0.0/8", karpenter_version="1.8.0")
    stack = TerraformStack(App(outdir=str(tmp_path)), "stack")
    with pytest.raises(ConfigurationError, match=r"^Network\.options\.vpc_cidr must be .*\.$"):
        Network(stack, "wrong", COMMON, options=config)
    cluster = Cluster(stack, "cluster", COMMON, network=constructs.network(stack), node_group=config)
    with pytest.raises(ConfigurationError, match=r"^Karpenter\.options\.karpenter_version must not be 1\.8\.0: .*\.$"):
        Karpenter(stack, "karpenter", COMMON, cluster=cluster, options=config)


def test_an_expression_and_a_token_are_for_terraform_to_judge() -> None:
    def make(stack: TerraformStack) -> None:
        cidr = TerraformVariable(stack, "cidr", type="string")
        Network(stack, "network", COMMON, options=NetworkOptions(vpc_cidr=cidr.string_value))

    assert synth(make)["locals"]["vpc_cidr"] == "${var.cidr}"
    assert synth(lambda stack: Network(stack, "n", COMMON, options=NetworkOptions(vpc_cidr=var("x"))))["check"]


@pytest.mark.parametrize("consolidate_after", ["1h30m", "Never", "30s"])
def test_a_duration_may_have_several_units(consolidate_after: str) -> None:
    inner = NodeClass(name="gpu", role="r", discovery="d", user_data="")
    pool = Pool("a" * 40, consolidate_after=consolidate_after)
    made = NodePool(pool=pool, node_class=inner, requirements=[], limits={"cpu": 8}).manifest()
    assert made["spec"]["disruption"]["consolidateAfter"] == consolidate_after


@pytest.fixture(scope="module")
def literal() -> Json:
    """A network and a cluster from literals alone."""

    def make(stack: TerraformStack) -> None:
        options = NetworkOptions(vpc_cidr="10.8.0.0/18", availability_zones=("us-west-2a", "us-west-2b"))
        group = NodeGroup(
            karpenter_node_instance_types=("m6i.large",),
            karpenter_node_min_size=2,
            karpenter_node_max_size=4,
            karpenter_node_desired_size=3,
            karpenter_node_release_version="1.53.0-4fc45e5a",
        )
        control_plane = ControlPlane(addon_versions={"coredns": "v1.12.1-eksbuild.2"})
        made = Network(stack, "network", COMMON, options=options)
        Cluster(stack, "cluster", COMMON, network=made, control_plane=control_plane, node_group=group)
        add_requirements(stack, on=TerraformOutput(stack, "x", value="y"))

    return synth(make)


def test_a_literal_becomes_a_local_that_a_condition_can_name(literal: Json) -> None:
    """Terraform refuses a condition that refers to nothing."""
    given = {
        "vpc_cidr": "10.8.0.0/18",
        "availability_zones": ["us-west-2a", "us-west-2b"],
        "karpenter_node_instance_types": ["m6i.large"],
        "karpenter_node_min_size": 2,
        "karpenter_node_max_size": 4,
        "karpenter_node_desired_size": 3,
        "karpenter_node_availability_zones": [],
        "karpenter_node_release_version": "1.53.0-4fc45e5a",
        "addon_versions": {"coredns": "v1.12.1-eksbuild.2"},
    }
    assert {name: literal["locals"][name] for name in given} == given
    conditions = [check["assert"][0]["condition"] for check in literal["check"].values()]
    conditions += [rule["condition"] for rule in literal["output"]["x"]["precondition"]]
    assert len(conditions) > 10
    assert all("local." in condition or "data." in condition for condition in conditions)
    assert "var." not in json.dumps(literal)


def test_a_literal_reaches_the_module_through_its_local(literal: Json) -> None:
    assert literal["module"]["vpc"]["cidr"] == "${local.vpc_cidr}"
    (group,) = literal["module"]["eks"]["eks_managed_node_groups"].values()
    assert group["min_size"] == "${local.karpenter_node_min_size}"
    assert group["instance_types"] == "${local.karpenter_node_instance_types}"
    assert group["ami_release_version"] == "${local.karpenter_node_release_version}"


def test_no_release_is_null_and_the_latest_one() -> None:
    def make(stack: TerraformStack) -> None:
        Cluster(stack, "cluster", COMMON, network=Network(stack, "network", COMMON))

    document = synth(make)
    (group,) = document["module"]["eks"]["eks_managed_node_groups"].values()
    assert group["ami_release_version"] == "${null}"
    assert group["use_latest_ami_release_version"] == "${null == null}"
    assert (document["locals"]["availability_zones"], document["locals"]["addon_versions"]) == ([], {})
    sizes = {size: document["locals"][f"karpenter_node_{size}_size"] for size in ("min", "max", "desired")}
    assert sizes == {"min": 2, "max": 3, "desired": 2}
    assert document["locals"]["karpenter_node_instance_types"] == ["m5.large"]


@pytest.fixture(scope="module")
def of_tokens() -> Json:
    """All constructs, from variables that CDKTF made."""

    def make(stack: TerraformStack) -> None:
        text, many, number = (TerraformVariable(stack, name, type="any") for name in ("text", "many", "number"))
        common = Common(name=text.string_value, region=text.string_value, tags={"a": text.string_value})
        network = Network(
            stack,
            "network",
            common,
            options=NetworkOptions(vpc_cidr=text.string_value, availability_zones=many.list_value),
        )
        group = NodeGroup(
            karpenter_node_instance_types=many.list_value,
            karpenter_node_min_size=number.number_value,  # type: ignore[arg-type]
            karpenter_node_max_size=number.number_value,  # type: ignore[arg-type]
            karpenter_node_desired_size=number.number_value,  # type: ignore[arg-type]
            karpenter_node_availability_zones=[text.string_value, "us-west-2b"],
            karpenter_node_release_version=text.string_value,
        )
        cluster = Cluster(stack, "cluster", common, network=network, node_group=group)
        made = Karpenter(stack, "karpenter", common, cluster=cluster)
        LoadBalancerController(stack, "alb", common, karpenter=made)
        options = NodePoolOptions(
            gpu_instance_types=many.list_value,
            gpu_capacity_type=many.list_value,
            gpu_limit=number.number_value,  # type: ignore[arg-type]
            gpu_drift_budget=text.string_value,
        )
        NodePools(stack, "pools", common, karpenter=made, options=options)

    return synth(make)


def test_a_token_of_cdktf_is_an_argument_like_another(of_tokens: Json) -> None:
    assert "TfToken" not in json.dumps(of_tokens)
    expected = {
        "vpc_cidr": "${var.text}",
        "availability_zones": "${var.many}",
        "karpenter_node_instance_types": "${var.many}",
        "karpenter_node_min_size": "${var.number}",
        "karpenter_node_availability_zones": ["${var.text}", "us-west-2b"],
        "karpenter_node_release_version": "${var.text}",
        "gpu_instance_types": "${var.many}",
        "gpu_limit": "${var.number}",
        "gpu_drift_budget": "${var.text}",
    }
    assert {name: of_tokens["locals"][name] for name in expected} == expected
    assert of_tokens["module"]["vpc"]["name"] == "${var.text}"
    (alb,) = of_tokens["resource"]["helm_release"]["aws_load_balancer_controller"]["values"]
    assert "region: ${var.text}\n" in alb
    assert of_tokens["locals"]["ec2nodeclass_gpu"]["spec"]["role"] == "${var.text}"


X = var("x").value


@pytest.mark.parametrize(
    ("part", "names"),
    [
        (lambda: NetworkOptions(nat_gateway=X, node_traffic_all=X), ["nat_gateway", "node_traffic_all"]),
        (
            lambda: EndpointOptions(gateway_endpoints=X, interface_endpoints=X),
            ["gateway_endpoints", "interface_endpoints"],
        ),
        (lambda: SecondarySubnetOptions(secondary_cidr=X), ["secondary_cidr"]),
        (
            lambda: ControlPlane(vpc_cni=VpcCni(warm_ip_target=X, minimum_ip_target=X)),
            ["warm_ip_target", "minimum_ip_target"],
        ),
        (lambda: ImageCache(registries=X, create=X), ["registries", "create"]),
    ],
)
def test_an_expression_cannot_stand_for_what_decides_what_exists(part: Callable[[], Any], names: list[str]) -> None:
    hint = type(part())
    found = list(mistakes_of("Construct", {"options": part()}, {"options": hint}, skip=is_expression))
    assert len(found) == len(names)
    for name, text in zip(names, found, strict=True):
        assert f"{name} must be a value that Python knows, because it decides what exists (got " in text
