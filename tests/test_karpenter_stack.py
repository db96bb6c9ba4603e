import json
from dataclasses import fields
from pathlib import Path

import pytest
from cdktf import App, TerraformOutput, TerraformVariable
from cdktf_cdktf_provider_aws.s3_bucket import S3Bucket
from constructs import Construct

from stacks.aws.cluster import Cluster
from stacks.aws.network import Network
from stacks.config import ClusterConfig, recommended
from stacks.config.fields import options_of
from stacks.hcl.expressions import Expression
from stacks.hcl.rules import Rule
from stacks.karpenter_stack import KarpenterStack, import_further
from stacks.kubernetes.karpenter import Karpenter
from stacks.kubernetes.load_balancer_controller import LoadBalancerController
from stacks.kubernetes.node_pools import NodePools
from stacks.terraform.addresses import Addressed
from tests.synthesis import Json, addresses, synth_stack

ADDRESSES = {
    "data.aws_availability_zones.available",
    "data.aws_ecrpublic_authorization_token.token",
    "aws_eks_pod_identity_association.aws_load_balancer_controller",
    "aws_iam_policy.aws_load_balancer_controller",
    "aws_iam_role.aws_load_balancer_controller",
    "aws_iam_role_policy_attachment.aws_load_balancer_controller",
    "helm_release.aws_load_balancer_controller",
    "helm_release.karpenter",
    "kubectl_manifest.ec2nodeclass_default",
    "kubectl_manifest.ec2nodeclass_gpu",
    "kubectl_manifest.nodepool_default",
    "kubectl_manifest.nodepool_gpu",
    "module.eks",
    "module.karpenter",
    "module.vpc",
    "random_string.suffix",
}

OURS = {
    "data.aws_eks_cluster.existing",
    "data.aws_eks_clusters.existing",
    "data.aws_ec2_instance_type_offerings.gpu",
    "data.aws_ec2_instance_type_offerings.node_group",
    "data.aws_iam_roles.spot",
}

VARIABLES = {
    "region": ("string", None),
    "gpu_instance_types": ("list(string)", None),
    "gpu_capacity_type": ("list(string)", ["spot"]),
    "vpc_cidr": ("string", "10.0.0.0/16"),
    "cluster_name_prefix": ("string", "eks-spot-gpu"),
    "karpenter_node_instance_types": ("list(string)", ["m5.large"]),
    "karpenter_node_min_size": ("number", 2),
    "karpenter_node_max_size": ("number", 3),
    "karpenter_node_desired_size": ("number", 2),
}


def test_its_addresses_are_those_of_the_hcl(stack: Json) -> None:
    assert addresses(stack) - OURS == ADDRESSES


def test_data_sources_that_the_hcl_does_not_have_can_be_left_out() -> None:
    document = synth_stack(ClusterConfig("karpenter", offering_checks=False, spot_role_check=False, version_check=False))
    assert addresses(document) == ADDRESSES
    # Nothing refers to them either.
    assert all(address.removeprefix("data.") not in json.dumps(document) for address in OURS)


def test_every_element_is_made_under_the_address_that_it_has(stack: Json) -> None:
    made = [
        (f"{prefix}{kind}.{name}", element["//"]["metadata"]["path"].rpartition("/")[2])
        for prefix, block in (("", "resource"), ("data.", "data"))
        for kind, named in stack[block].items()
        for name, element in named.items()
    ]
    assert made
    assert all(address == node_id for address, node_id in made)


def test_its_variables_have_the_types_and_defaults_of_the_hcl(stack: Json) -> None:
    found = {name: (variable["type"], variable.get("default")) for name, variable in stack["variable"].items()}
    assert {name: found[name] for name in VARIABLES} == VARIABLES
    assert all(variable["description"] for variable in stack["variable"].values())


def test_only_region_and_gpu_types_must_be_given(stack: Json) -> None:
    required = {name for name, variable in stack["variable"].items() if "default" not in variable}
    assert required == {"region", "gpu_instance_types"}


def test_its_outputs_are_those_of_the_hcl(stack: Json) -> None:
    assert {name: output["value"] for name, output in stack["output"].items()} == {
        "cluster_name": "${module.eks.cluster_name}",
        "cluster_endpoint": "${module.eks.cluster_endpoint}",
        "cluster_version": "${module.eks.cluster_version}",
        "region": "${var.region}",
        "configure_kubectl": "aws eks update-kubeconfig --name ${module.eks.cluster_name} --region ${var.region} --profile default",
    }


def test_modules_have_one_version(stack: Json) -> None:
    assert {name: module["version"] for name, module in stack["module"].items()} == {
        "vpc": "6.5.1",
        "eks": "21.11.0",
        "karpenter": "21.11.0",
    }


def test_everything_that_must_hold_is_a_precondition_of_the_first_resource(stack: Json) -> None:
    """Not a postcondition of a data source: a precondition lets a destroy pass, and can name locals."""
    conditions = [rule["condition"] for rule in stack["resource"]["random_string"]["suffix"]["lifecycle"]["precondition"]]
    for part in ("local.control_plane_azs", "local.karpenter_node_azs_without_the_types", "local.gpu_types_with_arm64_cpus"):
        assert any(part in condition for condition in conditions)
    # `local.name` has the suffix in it: what names the cluster is a precondition of an output.
    assert not any("local.name" in condition for condition in conditions)
    assert "postcondition" not in json.dumps(stack)


class Extended(KarpenterStack):
    """The whole stack and more, added afterwards, as a user would."""

    def __init__(self, scope: Construct, config: ClusterConfig, *, project: Path) -> None:
        super().__init__(scope, config, project=project)
        bucket = self.add_variable("bucket", {"type": "string", "description": "Name of the bucket."})
        self.add_local("upper", Expression(f"upper({bucket.hcl})"))
        self.add_check("bucket_is_short", Rule(f"length({bucket.hcl}) < 9", "bucket should be short."))
        self.add(S3Bucket, "aws_s3_bucket.checkpoints", bucket=bucket)
        TerraformOutput(self, "bucket", value=bucket)
        Addressed(self, "room").add_local("below", 1)
        TerraformVariable(self, "native", type="string")


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> tuple[Extended, Json]:
    """The stack, and what it writes."""
    folder = tmp_path_factory.mktemp("extended")
    app = App(outdir=str(folder))
    made = Extended(app, ClusterConfig("karpenter"), project=folder)
    app.synth()
    return made, json.loads((folder / "stacks" / "karpenter" / "cdk.tf.json").read_text())


def test_what_a_subclass_adds_after_the_stack_is_written(extended: tuple[Extended, Json], stack: Json) -> None:
    _, document = extended
    assert document["variable"].keys() - stack["variable"].keys() == {"bucket", "native"}
    assert document["locals"].keys() - stack["locals"].keys() == {"upper", "below"}
    assert document["locals"]["upper"] == "${upper(var.bucket)}"
    assert document["check"].keys() - stack["check"].keys() == {"bucket_is_short"}
    assert document["resource"]["aws_s3_bucket"]["checkpoints"]["bucket"] == "${var.bucket}"
    assert document["output"].keys() - stack["output"].keys() == {"bucket"}


def test_nothing_of_the_stack_is_lost_in_a_subclass(extended: tuple[Extended, Json], stack: Json) -> None:
    _, document = extended
    for kind in ("variable", "locals", "check", "output", "module", "terraform"):
        assert {name: document[kind][name] for name in stack[kind]}.keys() == stack[kind].keys()
        changed = {name for name, block in stack[kind].items() if document[kind][name] != block}
        assert changed <= {"backend"}


@pytest.mark.parametrize("name", ["region", "bucket"])
def test_a_subclass_cannot_take_a_variable_twice(extended: tuple[Extended, Json], name: str) -> None:
    with pytest.raises(ValueError, match=f"var.{name} must be unique in its stack"):
        extended[0].add_variable(name, {"type": "string"})


def test_the_stack_shows_what_it_consists_of(extended: tuple[Extended, Json]) -> None:
    made, _ = extended
    kinds = {
        "network": Network,
        "cluster": Cluster,
        "karpenter": Karpenter,
        "load_balancer_controller": LoadBalancerController,
        "node_pools": NodePools,
    }
    assert {name: type(getattr(made, name)) for name in kinds} == kinds
    assert made.karpenter.cluster is made.cluster
    assert made.cluster.network is made.network
    assert (made.common.name, made.common.region) == ("${local.name}", "${var.region}")
    assert made.cluster.eks.cluster_name == "${module.eks.cluster_name}"


def test_the_options_of_the_stack_are_its_configuration_with_expressions_for_variables(extended: tuple[Extended, Json]) -> None:
    made, document = extended
    variables = {field.name for field in options_of(ClusterConfig) if field.variable}
    assert variables == document["variable"].keys() - {"bucket", "native"}
    for field in fields(ClusterConfig):
        value = getattr(made.options, field.name)
        assert value == (f"${{var.{field.name}}}" if field.name in variables else getattr(made.config, field.name))


def test_a_synthesis_imports_what_its_clusters_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Further classes of the provider cost time in every synthesis."""
    imported: list[str] = []
    monkeypatch.setattr("stacks.karpenter_stack.import_module", imported.append)
    import_further([ClusterConfig("a")])
    assert imported == []
    import_further([ClusterConfig("a"), recommended("b"), ClusterConfig("c", secondary_cidr="100.64.0.0/16")])
    modules = ["stacks.aws.secondary_subnets", "stacks.aws.endpoints", "stacks.kubernetes.storage", "stacks.kubernetes.health"]
    assert imported == modules
