from typing import Any

import pytest
import yaml

from stacks.config import ClusterConfig, recommended
from stacks.knowledge.versions import karpenter_permissions
from tests.constructs import TAGS, anonymous_karpenter, karpenter
from tests.synthesis import Json, addresses, synth, synth_stack


def release() -> dict[str, Any]:
    made: dict[str, Any] = synth(karpenter)["resource"]["helm_release"]["karpenter"]
    return made


def test_it_is_a_module_a_token_and_a_release() -> None:
    assert {
        "module.karpenter",
        "data.aws_ecrpublic_authorization_token.token",
        "helm_release.karpenter",
    } <= addresses(synth(karpenter))


def test_the_nodes_role_has_the_name_that_node_classes_use() -> None:
    module = synth(karpenter)["module"]["karpenter"]
    assert module["node_iam_role_name"] == "gpu"
    assert module["node_iam_role_use_name_prefix"] is False
    assert module["create_pod_identity_association"] is True
    assert list(module["node_iam_role_additional_policies"]) == ["AmazonSSMManagedInstanceCore"]


def test_the_chart_comes_from_public_ecr_with_a_token_of_us_east_1() -> None:
    document = synth(karpenter)
    token = document["data"]["aws_ecrpublic_authorization_token"]["token"]
    assert token["provider"] == "aws.virginia"
    made = document["resource"]["helm_release"]["karpenter"]
    assert (made["repository"], made["chart"], made["version"]) == (
        "oci://public.ecr.aws/karpenter",
        "karpenter",
        "1.6.0",
    )
    assert made["repository_password"] == "${sensitive(data.aws_ecrpublic_authorization_token.token.password)}"  # noqa: S105
    assert made["lifecycle"] == {"ignore_changes": ["repository_password"]}
    assert made["wait"] is True
    assert made["wait_for_jobs"] is True


def test_without_a_provider_for_us_east_1_the_chart_is_pulled_anonymously() -> None:
    document = synth(anonymous_karpenter)
    assert "data.aws_ecrpublic_authorization_token.token" not in addresses(document)
    release = document["resource"]["helm_release"]["karpenter"]
    assert release["repository"] == "oci://public.ecr.aws/karpenter"
    assert release.keys().isdisjoint({"repository_username", "repository_password", "lifecycle"})


def test_the_service_linked_role_for_spot_is_looked_up_and_not_created() -> None:
    document = synth(karpenter)
    assert document["data"]["aws_iam_roles"]["spot"]["path_prefix"] == "/aws-service-role/spot.amazonaws.com/"
    assert "aws_iam_service_linked_role" not in document["resource"]


def test_the_controller_runs_on_the_node_group_and_knows_its_cluster_and_queue() -> None:
    values = yaml.safe_load(release()["values"][0])
    assert values == {
        "nodeSelector": {"karpenter.sh/controller": "true"},
        "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
        "dnsPolicy": "Default",
        "settings": {
            "clusterName": "${module.eks.cluster_name}",
            "clusterEndpoint": "${module.eks.cluster_endpoint}",
            "interruptionQueue": "${module.karpenter.queue_name}",
        },
        "webhook": {"enabled": False},
    }


@pytest.fixture(scope="module")
def newest() -> Json:
    """A cluster with the newest Karpenter, limits of AWS and tags."""
    config = recommended(
        "karpenter",
        permissions_boundary="arn:aws:iam::123456789012:policy/boundary",
        endpoint_public_access=False,
        cluster_support_type="EXTENDED",
    )
    return synth_stack(config)


def test_the_crds_of_a_newer_karpenter_are_a_release_that_takes_them_over_and_keeps_them(newest: Json) -> None:
    releases = newest["resource"]["helm_release"]
    crds = releases["karpenter_crd"]
    assert (crds["chart"], crds["name"], crds["version"]) == ("karpenter-crd", "karpenter-crd", releases["karpenter"]["version"])
    assert crds["take_ownership"] is True
    assert yaml.safe_load(crds["values"][0]) == {"additionalAnnotations": {"helm.sh/resource-policy": "keep"}}
    assert "take_ownership" not in releases["karpenter"]
    assert "helm_release.karpenter_crd" in releases["karpenter"]["depends_on"]


def settings(document: Json) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(document["resource"]["helm_release"]["karpenter"]["values"][0])["settings"]
    return found


def test_a_karpenter_whose_nodes_drift_with_the_ca_gets_the_ca_of_the_plan(newest: Json) -> None:
    assert settings(newest)["clusterCABundle"] == "${module.eks.cluster_certificate_authority_data}"
    before = ClusterConfig("karpenter", karpenter_version="1.11.3")
    assert settings(synth_stack(before)).keys() == {"clusterName", "clusterEndpoint", "interruptionQueue"}


def test_the_dry_run_of_a_node_class_is_disabled_on_demand_alone(newest: Json) -> None:
    assert "disableDryRun" not in settings(newest)
    config = ClusterConfig("karpenter", karpenter_version="1.6.8", disable_dry_run=True)
    assert settings(synth_stack(config))["disableDryRun"] is True


def test_a_newer_karpenter_is_allowed_what_the_modules_policy_lacks_in_its_region_alone(newest: Json) -> None:
    policy = newest["resource"]["aws_iam_policy"]["karpenter_additional"]
    assert policy["policy"] == "${jsonencode(local.karpenter_additional_policy)}"
    document = newest["locals"]["karpenter_additional_policy"]
    (statement,) = document["Statement"]
    assert document["Version"] == "2012-10-17"
    assert statement.pop("Action") == [permission.action for permission in karpenter_permissions("1.14.1")] != []
    assert statement == {
        "Effect": "Allow",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:RequestedRegion": "${var.region}"}},
    }
    assert newest["module"]["karpenter"]["iam_role_policies"] == {"additional": "${aws_iam_policy.karpenter_additional.arn}"}
    assert policy["tags"] == newest["module"]["karpenter"]["tags"] == newest["module"]["eks"]["tags"]
    assert policy["tags"]["Example"] == "${local.name}"


def test_the_module_has_the_tags_and_the_boundary_that_are_given(newest: Json) -> None:
    assert synth(karpenter)["module"]["karpenter"]["tags"] == TAGS
    assert synth(karpenter)["module"]["eks"]["tags"] == TAGS
    boundary = "arn:aws:iam::123456789012:policy/boundary"
    module = newest["module"]["karpenter"]
    assert (module["iam_role_permissions_boundary_arn"], module["node_iam_role_permissions_boundary"]) == (boundary, boundary)


def test_the_control_plane_is_as_it_is_given(newest: Json) -> None:
    eks = newest["module"]["eks"]
    assert eks["endpoint_public_access"] is False
    assert eks["upgrade_policy"] == {"support_type": "EXTENDED"}
    assert eks["kubernetes_version"] == "1.35"
