import json
import re
from typing import Any

import pytest
import yaml
from cdktf import TerraformStack

from stacks.config.load_balancer_controller import LoadBalancerControllerOptions, Policy
from stacks.kubernetes.load_balancer_controller import LoadBalancerController, policy_document
from tests.constructs import COMMON, karpenter
from tests.synthesis import Json, addresses, synth

NAME = "aws_load_balancer_controller"


def alb(stack: TerraformStack) -> LoadBalancerController:
    return LoadBalancerController(stack, "alb", COMMON, karpenter=karpenter(stack))


def resource(kind: str) -> dict[str, Any]:
    made: Json = synth(alb)["resource"][kind][NAME]
    return made


def test_it_is_a_policy_a_role_their_attachment_an_association_and_a_release() -> None:
    kinds = ("iam_policy", "iam_role", "iam_role_policy_attachment", "eks_pod_identity_association")
    assert {f"aws_{kind}.{NAME}" for kind in kinds} | {f"helm_release.{NAME}"} <= addresses(synth(alb))


def test_pods_may_take_the_role_by_pod_identity_and_nobody_else() -> None:
    assert resource("aws_iam_role")["assume_role_policy"] == "${jsonencode(local.load_balancer_controller_trust)}"
    trust = synth(alb)["locals"]["load_balancer_controller_trust"]
    assert trust["Version"] == "2012-10-17"
    assert trust["Statement"] == [
        {
            "Effect": "Allow",
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Principal": {"Service": "pods.eks.amazonaws.com"},
        }
    ]


@pytest.mark.parametrize("policy", ["reference", "official"])
def test_the_policy_is_a_local_that_terraform_encodes(policy: Policy) -> None:
    def make(stack: TerraformStack) -> None:
        options = LoadBalancerControllerOptions(load_balancer_controller_policy=policy)
        LoadBalancerController(stack, "alb", COMMON, karpenter=karpenter(stack), options=options)

    document = synth(make)
    assert document["resource"]["aws_iam_policy"][NAME]["policy"] == "${jsonencode(local.load_balancer_controller_policy)}"
    assert document["locals"]["load_balancer_controller_policy"] == policy_document(policy, "2.11.0")


@pytest.mark.parametrize("policy", ["reference", "official"])
def test_no_policy_variable_is_taken_for_a_terraform_template(policy: Policy) -> None:
    """IAM's ${aws:username}, for example, would have to be $${aws:username} in a local."""
    assert not re.search(r"[$%]\{", json.dumps(policy_document(policy, "2.11.0")))


def test_role_and_policy_are_named_after_the_cluster() -> None:
    assert resource("aws_iam_role")["name"] == "gpu-aws-load-balancer-controller"
    assert resource("aws_iam_policy")["name"] == "gpu-AWSLoadBalancerControllerIAMPolicy"


def test_the_release_waits_for_its_credentials_the_cluster_and_karpenter() -> None:
    release = resource("helm_release")
    assert release["depends_on"] == [
        f"aws_eks_pod_identity_association.{NAME}",
        "module.eks",
        "helm_release.karpenter",
        f"aws_iam_role_policy_attachment.{NAME}",
        "module.vpc",
    ]
    assert (release["version"], release["wait"], release["timeout"]) == ("1.11.0", True, 600)


def test_the_controller_knows_its_cluster_vpc_and_region() -> None:
    assert yaml.safe_load(resource("helm_release")["values"][0]) == {
        "clusterName": "${module.eks.cluster_name}",
        "serviceAccount": {"name": "aws-load-balancer-controller"},
        "vpcId": "${module.vpc.vpc_id}",
        "region": "us-west-2",
        "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
    }
