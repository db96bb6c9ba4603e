from typing import Any

import yaml

from tests.constructs import anonymous_karpenter, karpenter
from tests.synthesis import addresses, synth


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
