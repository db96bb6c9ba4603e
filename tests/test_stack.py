import json
import re
from pathlib import Path

import pytest
from cdktf import App, TerraformStack
from cdktf_cdktf_provider_random.string_resource import StringResource

from stacks.config import ClusterConfig, S3Backend, recommended
from stacks.terraform.addresses import Addressed
from tests.synthesis import Json, addresses, synth, synth_stack

GOLDEN = Path(__file__).with_name("golden") / "cdk.tf.json"

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


def test_further_variables_say_nothing_by_default(stack: Json) -> None:
    further = {name: variable["default"] for name, variable in stack["variable"].items() if name not in VARIABLES}
    assert further == {
        "availability_zones": [],
        "karpenter_node_availability_zones": [],
        "gpu_limit": None,
        "gpu_drift_budget": None,
        "karpenter_node_release_version": None,
        "addon_versions": {},
    }


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


def test_providers_have_an_upper_bound_that_admits_the_lock_files_of_the_hcl(stack: Json) -> None:
    assert stack["terraform"]["required_version"] == ">= 1.5.7"
    assert stack["terraform"]["required_providers"] == {
        "aws": {"source": "hashicorp/aws", "version": ">= 6.23, != 6.57.0, < 7.0"},
        "helm": {"source": "hashicorp/helm", "version": ">= 3.1.2, < 3.2"},
        "kubernetes": {"source": "hashicorp/kubernetes", "version": ">= 2.10, < 4.0"},
        "kubectl": {"source": "gavinbunney/kubectl", "version": ">= 1.14, < 2.0"},
        "random": {"source": "hashicorp/random", "version": ">= 3.0, < 4.0"},
    }


def test_modules_have_one_version(stack: Json) -> None:
    assert {name: module["version"] for name, module in stack["module"].items()} == {
        "vpc": "6.5.1",
        "eks": "21.11.0",
        "karpenter": "21.11.0",
    }


def test_all_three_kubernetes_providers_log_in_with_the_aws_cli(stack: Json) -> None:
    (helm,), (kubernetes,), (kubectl,) = (stack["provider"][name] for name in ("helm", "kubernetes", "kubectl"))
    (login,) = kubernetes["exec"]
    assert login == {
        "api_version": "client.authentication.k8s.io/v1beta1",
        "command": "aws",
        "args": [
            "eks",
            "get-token",
            "--cluster-name",
            "${module.eks.cluster_name}",
            "--region",
            "${var.region}",
            "--profile",
            "default",
        ],
    }
    assert kubectl["exec"] == [login]
    assert helm["kubernetes"]["exec"] == login
    reached = {
        "host": "${module.eks.cluster_endpoint}",
        "cluster_ca_certificate": "${base64decode(module.eks.cluster_certificate_authority_data)}",
    }
    for provider in (kubernetes, kubectl, helm["kubernetes"]):
        assert {name: provider[name] for name in reached} == reached
    assert helm["repository_cache"] == "${path.module}/.helm/cache"
    assert helm["repository_config_path"] == "${path.module}/.helm/repositories.yaml"
    assert (kubectl["apply_retry_count"], kubectl["load_config_file"]) == (5, False)


def test_aws_is_reached_in_the_region_and_in_us_east_1(stack: Json) -> None:
    assert stack["provider"]["aws"] == [
        {"region": "${var.region}", "profile": "default"},
        {"region": "us-east-1", "profile": "default", "alias": "virginia"},
    ]


def test_recommended_needs_no_registry_login() -> None:
    document = synth_stack(recommended("karpenter"))
    assert document["provider"]["aws"] == [{"region": "${var.region}", "profile": "default"}]
    assert "registries" not in document["provider"]["helm"][0]
    assert "data.aws_ecrpublic_authorization_token.token" not in addresses(document)
    assert (
        document["resource"]["helm_release"]["karpenter"]
        .keys()
        .isdisjoint({"repository_username", "repository_password", "lifecycle"})
    )


def test_everything_that_must_hold_is_a_precondition_of_the_first_resource(stack: Json) -> None:
    """Not a postcondition of a data source: a precondition lets a destroy pass, and can name locals."""
    conditions = [rule["condition"] for rule in stack["resource"]["random_string"]["suffix"]["lifecycle"]["precondition"]]
    for part in ("local.control_plane_azs", "local.karpenter_node_azs_without_the_types", "local.gpu_types_with_arm64_cpus"):
        assert any(part in condition for condition in conditions)
    # `local.name` has the suffix in it: what names the cluster is a precondition of an output.
    assert not any("local.name" in condition for condition in conditions)
    assert "postcondition" not in json.dumps(stack)


def test_the_json_is_the_golden_copy_byte_for_byte(stack_file: Path) -> None:
    """After a wanted change: `make golden`, and read the diff."""
    assert stack_file.read_text() == GOLDEN.read_text()


def test_nothing_written_holds_a_path_of_this_machine(stack_file: Path) -> None:
    absolute = re.compile(rf"(?<![\w:/.*-])/(?:{'|'.join(p.name for p in Path('/').iterdir())})/")
    written = stack_file.read_text()
    assert [path for path in absolute.findall(written) if path != "/var/"] == []
    assert str(Path.home()) not in written


def test_local_state_is_in_the_project_and_survives_cdktf_out(stack: Json) -> None:
    assert stack["terraform"]["backend"]["local"] == {
        "path": "../../../terraform.karpenter.tfstate",
        "workspace_dir": "../../../terraform.karpenter.tfstate.d",
    }


def test_state_may_be_in_s3() -> None:
    backend = S3Backend(bucket="states", region="eu-west-1", profile="team", kms_key_id="arn:aws:kms:eu-west-1:1:key/a")
    document = synth_stack(ClusterConfig("karpenter", backend=backend))
    assert document["terraform"]["backend"]["s3"] == {
        "bucket": "states",
        "key": "karpenter/terraform.tfstate",
        "region": "eu-west-1",
        "profile": "team",
        "encrypt": True,
        "kms_key_id": "arn:aws:kms:eu-west-1:1:key/a",
        "use_lockfile": True,
    }


def test_an_older_terraform_can_do_without_a_lock_file() -> None:
    backend = S3Backend(bucket="states", region="eu-west-1", use_lockfile=False)
    assert "use_lockfile" not in synth_stack(ClusterConfig("karpenter", backend=backend))["terraform"]["backend"]["s3"]


def test_two_elements_with_one_address_are_refused() -> None:
    def twice(stack: TerraformStack) -> None:
        scope = Addressed(stack, "scope")
        for _ in range(2):
            scope.add_local("name", "x")

    with pytest.raises(ValueError, match=r"local\.name must be unique in its stack"):
        synth(twice)


def test_the_refusal_holds_across_constructs(tmp_path: Path) -> None:
    stack = TerraformStack(App(outdir=str(tmp_path)), "stack")
    Addressed(stack, "one").add(StringResource, "random_string.name", length=4)
    with pytest.raises(ValueError, match=r"random_string\.name"):
        Addressed(stack, "two").add(StringResource, "random_string.name", length=4)
