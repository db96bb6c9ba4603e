from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cdktf import TerraformStack

from stacks.aws.image_cache import ImageCache as Construct
from stacks.config import ClusterConfig, ImageCache
from stacks.config.checks import ConfigurationError, mistakes
from stacks.config.fleet import refuse_mistakes
from stacks.knowledge.registries import UPSTREAM_REGISTRIES, upstream_registry
from tests.cases import Case, tftest
from tests.constructs import COMMON
from tests.synthesis import Json, addresses, synth, synth_stack, write_stack
from tests.terraform import Workspace, needs_modules, needs_terraform

FREE = ["public.ecr.aws", "registry.k8s.io", "quay.io"]
SECRET = "arn:aws:secretsmanager:us-west-2:123456789012:secret:ecr-pullthroughcache/docker-hub-AbCdEf"  # noqa: S105
HUB = {"registries": ["docker.io"], "credential_arns": {"docker.io": SECRET}}


def made(**fields: Any) -> Json:
    def make(stack: TerraformStack) -> None:
        Construct(stack, "image_cache", COMMON, options=ImageCache(**fields))

    return synth(make)


def test_each_registry_has_a_rule_after_its_template() -> None:
    document = made(registries=FREE)
    rules, templates = (
        document["resource"][f"aws_ecr_{kind}"] for kind in ("pull_through_cache_rule", "repository_creation_template")
    )
    assert {rule["ecr_repository_prefix"]: rule["upstream_registry_url"] for rule in rules.values()} == {
        "ecr-public": "public.ecr.aws",
        "kubernetes": "registry.k8s.io",
        "quay": "quay.io",
    }
    for name, rule in rules.items():
        assert templates[name]["prefix"] == rule["ecr_repository_prefix"]
        assert templates[name]["applied_for"] == ["PULL_THROUGH_CACHE"]
        assert templates[name]["image_tag_mutability"] == "MUTABLE"
        assert "lifecycle_policy" not in templates[name]
        assert rule["depends_on"] == [f"aws_ecr_repository_creation_template.{name}"]
        assert "credential_arn" not in rule


def test_docker_hub_has_its_own_address_and_a_secret() -> None:
    (rule,) = made(**HUB)["resource"]["aws_ecr_pull_through_cache_rule"].values()
    assert rule["upstream_registry_url"] == "registry-1.docker.io"
    assert rule["credential_arn"] == SECRET


def test_copies_expire_where_the_cache_says_so() -> None:
    document = made(registries=FREE, expire_after_days=30)
    (rule,) = document["locals"]["image_cache_lifecycle"]["rules"]
    assert rule["selection"] == {"tagStatus": "any", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 30}
    templates = document["resource"]["aws_ecr_repository_creation_template"].values()
    assert {template["lifecycle_policy"] for template in templates} == {"${jsonencode(local.image_cache_lifecycle)}"}


def test_a_cluster_that_uses_the_rules_of_another_has_the_policy_and_the_output_alone() -> None:
    document = made(registries=FREE, create=False)
    assert addresses(document) == {"aws_iam_policy.image_cache", "data.aws_caller_identity.image_cache"}
    assert document["output"]["image_cache_prefixes"]["value"]["quay.io"].endswith(".dkr.ecr.us-west-2.amazonaws.com/quay")


def test_every_node_may_fill_the_cache_and_nothing_else() -> None:
    document = synth_stack(ClusterConfig("x", image_cache=ImageCache(registries=["quay.io"])))
    (statement,) = document["locals"]["image_cache_policy"]["Statement"]
    assert statement["Action"] == ["ecr:CreateRepository", "ecr:BatchImportUpstreamImage"]
    assert [resource.rpartition(":")[2] for resource in statement["Resource"]] == ["repository/quay/*"]
    policy = {"image_cache": "${aws_iam_policy.image_cache.arn}"}
    assert document["module"]["eks"]["eks_managed_node_groups"]["karpenter"]["iam_role_additional_policies"] == policy
    assert policy.items() <= document["module"]["karpenter"]["node_iam_role_additional_policies"].items()


def test_every_registry_of_the_table_is_found_by_its_host() -> None:
    for registry in UPSTREAM_REGISTRIES:
        assert upstream_registry(registry.host.replace("*", "acme1")) is registry
    assert upstream_registry("*.azurecr.io") is upstream_registry("a.b.azurecr.io") is upstream_registry("quay.io.") is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"registries": []}, "registries must have at least one element"),
        ({"registries": ["quay.io", "quay.io"]}, "registries must not contain duplicates"),
        (
            {"registries": ["nvcr.io"]},
            "registries must not contain nvcr.io: ECR cannot cache it. Copy its images: docs/images.md#copy.",
        ),
        ({"registries": ["https://quay.io"]}, "registries must be among public.ecr.aws, registry.k8s.io"),
        ({"registries": ["registry-1.docker.io"]}, "cgr.dev, <name>.azurecr.io (got ['registry-1.docker.io'])"),
        ({"registries": ["docker.io"]}, "credential_arns must have a secret for docker.io, where ECR logs in. Create the secret"),
        (
            {"registries": ["acme1.azurecr.io", "acme2.azurecr.io"], "create": False},
            "registries must not contain both acme1.azurecr.io and acme2.azurecr.io: their copies would have the same prefix. Keep "
            "one, and copy the images of the other: docs/images.md#copy.",
        ),
        (
            {"registries": ["acme1.azurecr.io", "acme2.azurecr.io"], "credential_arns": {"acme1.azurecr.io": SECRET}},
            "registries must not contain both acme1.azurecr.io and acme2.azurecr.io",
        ),
        (
            {"registries": ["quay.io"], "credential_arns": {"quay.io": SECRET}},
            'credential_arns["quay.io"] must not be set, because ECR does not log in to quay.io',
        ),
        (
            {"registries": ["quay.io"], "credential_arns": {"docker.io": SECRET}},
            "credential_arns[\"docker.io\"] must be for one of registries (['quay.io']). Add the registry",
        ),
        (
            {**HUB, "credential_arns": {"docker.io": "ecr-pullthroughcache/docker-hub"}},
            'credential_arns["docker.io"] must be the ARN of a secret such as arn:aws:secretsmanager:',
        ),
        (
            {**HUB, "credential_arns": {"docker.io": SECRET.replace("ecr-pullthroughcache", "ci")}},
            "must be a secret named ecr-pullthroughcache/... (got 'ci/docker-hub-AbCdEf')",
        ),
        (
            {
                "registries": ["docker.io", "ghcr.io"],
                "credential_arns": {"docker.io": SECRET, "ghcr.io": SECRET.replace("west", "east")},
            },
            "credential_arns must be secrets of one region (got us-east-2, us-west-2)",
        ),
        (
            {
                "registries": ["docker.io", "ghcr.io"],
                "credential_arns": {"docker.io": SECRET, "ghcr.io": SECRET.replace("12:s", "13:s")},
            },
            "credential_arns must be secrets of one account (got 123456789012, 123456789013)",
        ),
        ({**HUB, "create": False}, "credential_arns and expire_after_days must not be set if create is False"),
        ({"registries": ["quay.io"], "create": False, "expire_after_days": 9}, "must not be set if create is False"),
        ({"registries": ["quay.io"], "expire_after_days": 0}, "expire_after_days must be at least 1 (got 0)"),
    ],
)
def test_a_cache_that_ecr_cannot_have_is_refused(fields: Mapping[str, Any], words: str) -> None:
    (text,) = mistakes("x", ClusterConfig("x", image_cache=ImageCache(**fields)))
    assert text.startswith("x.image_cache.")
    assert words in text


def test_a_secret_of_another_region_is_refused() -> None:
    cache = ImageCache(**HUB)  # type: ignore[arg-type]
    assert list(mistakes("x", ClusterConfig("x", image_cache=cache, region="us-west-2"))) == []
    assert list(mistakes("x", ClusterConfig("x", image_cache=cache, region="us-east-1"))) == [
        "x.image_cache.credential_arns must be secrets of the cluster's region us-east-1 (got us-west-2)."
    ]


def test_two_clusters_of_a_region_do_not_both_create_the_rules(tmp_path: Path) -> None:
    def said(one: ClusterConfig, other: ClusterConfig) -> str:
        try:
            refuse_mistakes([one, other], tmp_path)
        except ConfigurationError as error:
            return str(error)
        return ""

    def cluster(name: str, cache: ImageCache, **fields: Any) -> ClusterConfig:
        return ClusterConfig(name, image_cache=cache, **fields)

    both = ImageCache(registries=["quay.io", "public.ecr.aws"])
    assert said(cluster("a", both, region="us-west-2"), cluster("b", both, region="us-west-2")) == (
        "a.image_cache and b.image_cache must not both create the rules of quay.io, public.ecr.aws: rules belong to the account "
        "and region. Set create=False in b."
    )
    assert said(cluster("a", both), cluster("b", both)).endswith("Set create=False in b, or the region of both.")
    assert said(cluster("a", both), cluster("b", ImageCache(registries=["quay.io"], create=False))) == ""
    assert said(cluster("a", both), cluster("b", ImageCache(registries=["registry.k8s.io"]))) == ""
    assert said(cluster("a", both), cluster("b", both, aws_profile="other")) == ""
    assert said(cluster("a", both, region="us-west-2"), cluster("b", both, region="us-east-1")) == ""


@pytest.mark.parametrize("create", [True, False])
def test_two_clusters_of_a_region_do_not_cache_two_registries_of_azure(create: bool, tmp_path: Path) -> None:
    """With the rule of the other, a cluster would pull the images of the other registry."""

    def cluster(name: str, host: str, region: str, *, create: bool = True) -> ClusterConfig:
        arns = {host: SECRET.replace("us-west-2", region)} if create else {}
        return ClusterConfig(name, region=region, image_cache=ImageCache(registries=[host], credential_arns=arns, create=create))

    one = cluster("a", "acme1.azurecr.io", "us-west-2")
    with pytest.raises(ConfigurationError) as caught:
        refuse_mistakes([one, cluster("b", "acme2.azurecr.io", "us-west-2", create=create)], tmp_path)
    assert str(caught.value) == (
        "a.image_cache and b.image_cache must not contain both acme1.azurecr.io and acme2.azurecr.io: their copies would have the "
        "same prefix. Keep one, and copy the images of the other: docs/images.md#copy."
    )
    refuse_mistakes([one, cluster("b", "acme2.azurecr.io", "us-east-1", create=create)], tmp_path)


@pytest.mark.terraform
@needs_terraform
def test_a_plan_refuses_a_secret_of_another_region_or_account(tmp_path: Path) -> None:
    cache = ImageCache(**HUB)  # type: ignore[arg-type]
    workspace = Workspace(tmp_path, write_stack(tmp_path, ClusterConfig("karpenter", image_cache=cache)))
    workspace.stub_modules()

    def asked(name: str, region: str, account: str, says: str = "") -> Case:
        answers = {"data.aws_caller_identity.image_cache": {"account_id": account}}
        return Case(name, {"region": region}, "random_string.suffix" if says else None, says, answers=answers)

    cases = [
        asked("right", "us-west-2", "123456789012"),
        asked("region", "us-east-2", "123456789012", 'secrets of the cluster\'s region "us-east-2" (got us-west-2).'),
        asked("account", "us-west-2", "123456789013", 'secrets of the cluster\'s account "123456789013" (got 123456789012).'),
    ]
    folder = workspace.folder / "tests"
    folder.mkdir()
    (folder / "cases.tftest.hcl").write_text(tftest(cases))
    assert "Success! 3 passed, 0 failed." in workspace.run("test").output
    for case in cases[1:]:
        (folder / "cases.tftest.hcl").write_text(tftest([case], expect=False))
        assert case.says in " ".join(workspace.run("test", expect=1).output.split())


@pytest.mark.terraform
@needs_terraform
@needs_modules
@pytest.mark.parametrize(("create", "added"), [(True, 9), (False, 3)])
def test_the_cache_replaces_nothing_on_an_adopted_state(tmp_path: Path, reference: Path, create: bool, added: int) -> None:
    cache = ImageCache(registries=FREE, create=create)
    workspace = Workspace(tmp_path, write_stack(tmp_path, ClusterConfig("karpenter", image_cache=cache)))
    workspace.adopt(reference)
    actions = [change["change"]["actions"] for change in workspace.plan()["resource_changes"] if change["mode"] == "managed"]
    assert actions.count(["create"]) == added
    assert all(action in (["create"], ["no-op"]) for action in actions)
