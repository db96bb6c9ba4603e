"""IAM roles of the user's own pods."""

import re
from collections.abc import Sequence
from typing import Any

import pytest
from cdktf import TerraformStack

from stacks.aws.pod_identities import PodIdentities
from stacks.config import ClusterConfig, PodIdentity, Statement
from stacks.config.checks import ConfigurationError, mistakes
from stacks.config.common import CLUSTER_NAME_PREFIX_LENGTH, Common
from stacks.config.pod_identities import ROLE_NAME_LENGTH, PodIdentityOptions, escaped, name_of
from tests.constructs import cluster
from tests.synthesis import Json, addresses, synth, synth_stack

READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"
BOUNDED = Common(name="gpu", region="us-west-2", tags={"Example": "gpu"}, permissions_boundary=BOUNDARY)
READ = Statement(actions=["s3:GetObject"], resources=["arn:aws:s3:::acme-models/*"])


def identity(*policies: str | Statement, namespace: str = "training", account: str = "trainer") -> PodIdentity:
    return PodIdentity(namespace=namespace, service_account=account, policies=policies)


def of_length(number: int) -> Statement:
    """A statement that makes a policy of so many characters."""
    rest = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::${aws:username}"]}]}'
    return Statement(actions=["s3:*"], resources=["arn:aws:s3:::${aws:username}" + "a" * (number - len(rest))])


def made(*identities: PodIdentity) -> Json:
    def make(stack: TerraformStack) -> None:
        options = PodIdentityOptions(pod_identities=identities)
        PodIdentities(stack, "pod_identities", BOUNDED, cluster=cluster(stack), options=options)

    return synth(make)


def refusals(*identities: PodIdentity) -> list[str]:
    return list(mistakes("c", ClusterConfig("karpenter", pod_identities=identities)))


def test_an_identity_is_a_role_its_policies_and_an_association() -> None:
    document = made(identity(READ_ONLY, READ), identity(READ_ONLY, namespace="web", account="a.b"))
    assert {address for address in addresses(document) if "pod_identity" in address.partition(".")[2]} == {
        "aws_iam_policy.pod_identity_training_trainer",
        "aws_iam_role.pod_identity_training_trainer",
        "aws_iam_role_policy_attachment.pod_identity_training_trainer",
        "aws_iam_role_policy_attachment.pod_identity_training_trainer_AmazonS3ReadOnlyAccess",
        "aws_eks_pod_identity_association.pod_identity_training_trainer",
        "aws_iam_role.pod_identity_web_a__b",
        "aws_iam_role_policy_attachment.pod_identity_web_a__b_AmazonS3ReadOnlyAccess",
        "aws_eks_pod_identity_association.pod_identity_web_a__b",
    }
    resources = document["resource"]
    role = resources["aws_iam_role"]["pod_identity_training_trainer"]
    assert (role["name"], role["permissions_boundary"]) == ("gpu-training.trainer", BOUNDARY)
    assert role["assume_role_policy"] == "${jsonencode(local.pod_identities_trust)}"
    (trust,) = document["locals"]["pod_identities_trust"]["Statement"]
    assert (trust["Principal"], trust["Action"]) == ({"Service": "pods.eks.amazonaws.com"}, ["sts:AssumeRole", "sts:TagSession"])
    association = resources["aws_eks_pod_identity_association"]["pod_identity_web_a__b"]
    assert (association["namespace"], association["service_account"]) == ("web", "a.b")
    assert association["role_arn"] == "${aws_iam_role.pod_identity_web_a__b.arn}"
    attachments = resources["aws_iam_role_policy_attachment"]
    assert {name: one["policy_arn"] for name, one in attachments.items() if "training" in name} == {
        "pod_identity_training_trainer": "${aws_iam_policy.pod_identity_training_trainer.arn}",
        "pod_identity_training_trainer_AmazonS3ReadOnlyAccess": READ_ONLY,
    }


def test_a_stack_may_have_identities_in_several_constructs() -> None:
    def make(stack: TerraformStack) -> None:
        one = cluster(stack)
        for team in ("training", "web"):
            options = PodIdentityOptions(pod_identities=[identity(READ_ONLY, namespace=team)])
            PodIdentities(stack, team, BOUNDED, cluster=one, options=options)

    assert set(synth(make)["resource"]["aws_iam_role"]) == {"pod_identity_training_trainer", "pod_identity_web_trainer"}


def test_pods_keep_their_roles_until_their_nodes_are_gone() -> None:
    config = ClusterConfig("karpenter", pod_identities=[identity(READ_ONLY)])
    for name in ("default", "gpu"):
        after = synth_stack(config)["resource"]["kubectl_manifest"][f"ec2nodeclass_{name}"]["depends_on"]
        assert after == [
            "helm_release.karpenter",
            "aws_eks_pod_identity_association.pod_identity_training_trainer",
            "aws_iam_role_policy_attachment.pod_identity_training_trainer_AmazonS3ReadOnlyAccess",
        ]


def test_statements_are_one_policy_in_which_terraform_leaves_the_variables_of_iam() -> None:
    own = Statement(
        actions=["s3:PutObject"],
        resources=["arn:aws:s3:::${var.bucket}/${aws:PrincipalTag/kubernetes-namespace}/*"],
        conditions={"Bool": {"aws:SecureTransport": "true"}},
    )
    document = made(identity(own, Statement(effect="Deny", actions=["s3:Delete*"], resources=["*"])))
    assert document["locals"]["pod_identity_training_trainer_policy"] == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:PutObject"],
                "Resource": ["arn:aws:s3:::${var.bucket}/$${aws:PrincipalTag/kubernetes-namespace}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "true"}},
            },
            {"Effect": "Deny", "Action": ["s3:Delete*"], "Resource": ["*"]},
        ],
    }


@pytest.mark.parametrize("text", ["${*}", "${?}", "${$}", "${aws:username}", "${s3:prefix, 'none'}"])
def test_what_iam_replaces_is_escaped(text: str) -> None:
    assert escaped(text) == f"${text}"


@pytest.mark.parametrize("text", ["${var.bucket}", "${provider::aws::arn_parse(local.arn)}", "$HOME"])
def test_what_terraform_replaces_is_not_escaped(text: str) -> None:
    assert escaped(text) == text


@pytest.mark.parametrize("account", ["trainer", "a" * 26, "a" * 27, "a" * 253])
def test_a_role_has_a_name_that_iam_takes_whatever_the_cluster_is_called(account: str) -> None:
    name = f"{'c' * CLUSTER_NAME_PREFIX_LENGTH}-xxxx-{name_of(identity(account=account).words, ROLE_NAME_LENGTH)}"
    assert re.fullmatch(r"[\w+=,.@-]{1,64}", name)


@pytest.mark.parametrize(("namespace", "account"), [("n" * 20, "s" * 80), ("n" * 63, "s" * 253)])
def test_a_policy_has_a_name_that_iam_takes(namespace: str, account: str) -> None:
    (policy,) = made(identity(READ, namespace=namespace, account=account))["resource"]["aws_iam_policy"].values()
    assert len(policy["name"]) - len("gpu") + CLUSTER_NAME_PREFIX_LENGTH + len("-xxxx") <= 128


def test_names_that_are_shortened_alike_differ() -> None:
    long = "a" * 60
    names = {name_of(f"{long}.{account}", ROLE_NAME_LENGTH) for account in ("a", "b")}
    assert len(names) == 2
    assert name_of(f"{long}.a", ROLE_NAME_LENGTH) in names, "the same at every synthesis"


def test_a_namespace_and_an_account_do_not_make_the_names_of_others() -> None:
    two = identity(READ, namespace="a", account="b-c"), identity(READ, namespace="a-b", account="c")
    assert len({one.address for one in two}) == len({one.words for one in two}) == 2
    attached = (
        identity("arn:aws:iam::123456789012:policy/c", namespace="a", account="b"),
        identity(READ, namespace="a", account="b.c"),
    )
    assert attached[1].address not in attached[0].arns()


@pytest.mark.parametrize(
    ("policies", "words"),
    [
        ([], "policies must have at least one element (got ())."),
        (["AmazonS3ReadOnlyAccess"], "policies must be the ARN of an IAM policy, or a Statement (got 'AmazonS3ReadOnlyAccess')."),
        ([READ_ONLY, READ_ONLY], "policies must not contain duplicates"),
        (
            [READ_ONLY, "arn:aws:iam::123456789012:policy/AmazonS3ReadOnlyAccess"],
            "their attachments would have one address. Write one of them as statements.",
        ),
        (
            [*(f"arn:aws:iam::aws:policy/p{number}" for number in range(10)), READ],
            "policies must have at most 10 policies, with all statements as one (got 11): IAM attaches no more to a role.",
        ),
        ([of_length(6145)], "policies must have statements of at most 6,144 characters together (got 6,145): IAM takes no longer"),
        (
            ["${aws_iam_policy.a.arn}"],
            "policies must contain ARNs that Python knows (got '${aws_iam_policy.a.arn}'), because addresses",
        ),
        (
            [Statement(actions=["s3:*"], resources=["arn:aws:s3"])],
            ".resources must be ARNs such as arn:aws:s3:::acme-models/*, or * (",
        ),
        *(
            (
                [Statement(actions=["s3:*"], resources=[f"arn:aws:s3:::a/{variable}/*"])],
                f".resources must write policy variables as ${{aws:username}} (got '{variable[:-13]}'): Terraform would read that",
            )
            for variable in ("&{aws:username}", "$${aws:username}", "%{aws:username}")
        ),
        ([{"Effect": "Allow"}], "policies must be a list of strings or Statement (got ({'Effect': 'Allow'},))."),
        ([Statement(actions=["GetObject"], resources=["*"])], ".actions must be actions such as s3:GetObject (got ['GetObject'])."),
        ([Statement(actions=["s3:*"], resources=[])], ".resources must have at least one element (got [])."),
        (
            [Statement(actions=["s3:*"], resources=["acme-models"])],
            ".resources must be ARNs such as arn:aws:s3:::acme-models/*, or * (got ['acme-models']).",
        ),
    ],
)
def test_policies_that_iam_would_not_take_are_refused(policies: Sequence[Any], words: str) -> None:
    (mistake,) = refusals(identity(*policies))
    assert mistake.startswith('c.pod_identities["training/trainer"].policies')
    assert words in mistake


@pytest.mark.parametrize(
    "resource", ["*", "arn:aws:s3:::a/*", "${aws_s3_bucket.a.arn}/*", "${TfToken[TOKEN.1]}/*", "${one(var.a)}"]
)
def test_a_statement_takes_arns_and_expressions(resource: str) -> None:
    assert not refusals(identity(Statement(actions=["s3:GetObject"], resources=[resource])))


def test_ten_policies_and_6144_characters_pass() -> None:
    assert not refusals(identity(*(f"arn:aws:iam::aws:policy/p{number}" for number in range(9)), of_length(6144)))


@pytest.mark.parametrize(
    ("namespace", "account"), [("Training", "a"), ("a.b", "a"), ("a" * 64, "a"), ("", "a"), ("a", "A"), ("a", "a_b"), ("a", "a..b")]
)
def test_names_that_kubernetes_would_not_take_are_refused(namespace: str, account: str) -> None:
    (mistake,) = refusals(identity(READ, namespace=namespace, account=account))
    assert " must be a Kubernetes " in mistake


def test_a_service_account_has_one_identity() -> None:
    assert refusals(identity(READ), identity(READ_ONLY), identity(READ, namespace="other")) == [
        "c.pod_identities must not contain two identities for the service account training/trainer: EKS gives a service account "
        "one role. Put the policies together."
    ]


@pytest.mark.parametrize(
    ("account", "whose"), [("karpenter", "Karpenter"), ("aws-load-balancer-controller", "the load balancer controller")]
)
def test_an_account_with_a_role_of_ours_is_refused(account: str, whose: str) -> None:
    assert refusals(identity(READ, namespace="kube-system", account=account)) == [
        f"c.pod_identities must not contain the service account kube-system/{account}, because {whose} has its role already. Use a "
        "service account of your own."
    ]
    assert not refusals(identity(READ, account=account))


def test_the_construct_refuses_what_the_configuration_refuses() -> None:
    with pytest.raises(ConfigurationError, match="must not contain two identities"):
        made(identity(READ), identity(READ))
