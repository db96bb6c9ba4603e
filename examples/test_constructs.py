"""How to test what you build with the constructs: every assertion of CDKTF's `Testing`, on a network, a cluster and a whole stack.

`make test` runs this file. Your own tests can be in any folder of the project: `.venv/bin/pytest mytests`.
"""

import json

import imports  # noqa: F401  (before cdktf: CDKTF's packages load lazily)

import pytest
from cdktf import TerraformOutput, TerraformStack
from cdktf_cdktf_provider_aws.data_aws_availability_zones import DataAwsAvailabilityZones
from cdktf_cdktf_provider_aws.provider import AwsProvider
from cdktf_cdktf_provider_helm.release import Release

from stacks.aws.cluster import Cluster
from stacks.aws.network import Network
from stacks.config import GpuPool, recommended
from stacks.config.common import Common
from stacks.config.network import NetworkOptions
from stacks.terraform.addresses import add_requirements
from stacks.testing import Testing, synth_cluster

ZONES = DataAwsAvailabilityZones.TF_RESOURCE_TYPE
COMMON = Common(name="services", region="us-west-2")


def services(stack: TerraformStack) -> None:
    """What is tested: here a network and a cluster, as in examples/own_stack.py."""
    AwsProvider(stack, "aws", region="us-west-2")
    network = Network(stack, "network", COMMON, options=NetworkOptions(vpc_cidr="10.8.0.0/18"))
    cluster = Cluster(stack, "cluster", COMMON, network=network)
    add_requirements(stack, on=TerraformOutput(stack, "cluster_name", value=cluster.eks.cluster_name))


def test_a_network_looks_for_zones_that_need_no_opting_in() -> None:
    text = Testing.synth_scope(lambda stack: Network(stack, "network", COMMON))
    assert Testing.to_have_data_source(text, ZONES)
    opted = {"filter": [{"name": "opt-in-status", "values": ["opt-in-not-required"]}]}
    assert Testing.to_have_data_source_with_properties(text, ZONES, opted)
    assert not Testing.to_have_data_source_with_properties(text, ZONES, {"state": "impaired"})


def test_a_cluster_is_in_the_region_of_its_provider() -> None:
    text = Testing.synth_scope(services)
    assert Testing.to_have_provider(text, AwsProvider.TF_RESOURCE_TYPE)
    assert Testing.to_have_provider_with_properties(text, AwsProvider.TF_RESOURCE_TYPE, {"region": "us-west-2"})
    assert not Testing.to_have_resource(text, Release.TF_RESOURCE_TYPE)  # Karpenter's


def test_a_cluster_is_a_module_which_the_json_shows() -> None:
    modules = json.loads(Testing.synth_scope(services))["module"]
    assert modules["eks"]["name"] == "services"
    assert modules["eks"]["vpc_id"] == "${module.vpc.vpc_id}"


def test_a_whole_stack_has_karpenter_and_each_pool() -> None:
    inference = GpuPool("inference", families=["g6e"], capacity_types=["on-demand"], limit=16, weight=20)
    config = recommended("training", region="us-west-2", gpu_instance_types=["p5.48xlarge"], gpu_pools=[inference])
    text = synth_cluster(config)
    assert Testing.to_have_resource(text, "kubectl_manifest")
    release = {"name": "karpenter", "namespace": "kube-system"}
    assert Testing.to_have_resource_with_properties(text, Release.TF_RESOURCE_TYPE, release)
    assert "nodepool_inference" in json.loads(text)["resource"]["kubectl_manifest"]


def test_a_stack_is_made_as_cdktf_makes_one() -> None:
    """The methods that `synth_scope` calls, for a stack that you make yourself."""
    app = Testing.stub_version(Testing.app())
    stack = TerraformStack(app, "services")
    services(stack)
    assert json.loads(Testing.synth(stack)) == json.loads(Testing.synth_scope(services))
    assert "network" in Testing.render_construct_tree(app)


@pytest.mark.terraform  # it runs `terraform init` and `terraform validate`: .venv/bin/pytest -m terraform examples
def test_terraform_finds_a_cluster_valid() -> None:
    stack = TerraformStack(Testing.app(), "services")
    services(stack)
    assert Testing.to_be_valid_terraform(Testing.full_synth(stack))
