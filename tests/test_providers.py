from typing import Any

import pytest

from stacks.config import ClusterConfig, recommended
from tests.synthesis import Json, addresses, synth_stack


def test_providers_have_an_upper_bound_that_admits_the_lock_files_of_the_hcl(stack: Json) -> None:
    assert stack["terraform"]["required_version"] == ">= 1.5.7"
    assert stack["terraform"]["required_providers"] == {
        "aws": {"source": "hashicorp/aws", "version": ">= 6.23, != 6.57.0, < 7.0"},
        "helm": {"source": "hashicorp/helm", "version": ">= 3.1.2, < 3.2"},
        "kubernetes": {"source": "hashicorp/kubernetes", "version": ">= 2.10, < 4.0"},
        "kubectl": {"source": "gavinbunney/kubectl", "version": ">= 1.14, < 2.0"},
        "random": {"source": "hashicorp/random", "version": ">= 3.0, < 4.0"},
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


CI = "arn:aws:iam::123456789012:role/ci"


def commands(document: Json) -> list[list[str]]:
    """The arguments of each command that logs in to the cluster, and of the one in the outputs."""
    (helm,), (kubernetes,), (kubectl,) = (document["provider"][name] for name in ("helm", "kubernetes", "kubectl"))
    logins = [helm["kubernetes"]["exec"], kubernetes["exec"][0], kubectl["exec"][0]]
    configure, _, assumed = document["output"]["configure_kubectl"]["value"].partition(" --assume-role-arn ")
    assert assumed in ("", CI)
    return [*(login["args"] for login in logins), configure.split()]


@pytest.mark.parametrize(
    ("fields", "arguments"),
    [
        ({}, ["--region", "${var.region}", "--profile", "default"]),
        ({"aws_profile": "team"}, ["--region", "${var.region}", "--profile", "team"]),
        ({"aws_profile": None}, ["--region", "${var.region}"]),
        ({"aws_profile": None, "assume_role_arn": CI}, ["--region", "${var.region}", "--role-arn", CI]),
    ],
)
def test_every_login_has_the_identity_of_terraform(fields: dict[str, Any], arguments: list[str]) -> None:
    assert all(command[-len(arguments) :] == arguments for command in commands(synth_stack(ClusterConfig("karpenter", **fields))))


def test_both_aws_providers_assume_the_role_and_need_no_profile() -> None:
    document = synth_stack(ClusterConfig("karpenter", aws_profile=None, assume_role_arn=CI))
    for provider in document["provider"]["aws"]:
        assert provider["assume_role"] == [{"role_arn": CI}]
        assert "profile" not in provider
