"""Elements at addresses of their own, and the rules that they bring along."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from imports.vpc import Vpc

import pytest
from cdktf import App, TerraformLocal, TerraformOutput, TerraformStack
from cdktf_cdktf_provider_aws.data_aws_availability_zones import DataAwsAvailabilityZones
from cdktf_cdktf_provider_aws.provider import AwsProvider
from cdktf_cdktf_provider_aws.s3_bucket import S3Bucket
from cdktf_cdktf_provider_helm.provider import HelmProvider
from cdktf_cdktf_provider_random.string_resource import StringResource
from constructs import Construct

from stacks.aws.network import Network
from stacks.config.network import NetworkOptions
from stacks.hcl.expressions import Expression
from stacks.hcl.rules import EmptyList, Rule
from stacks.terraform.addresses import Addressed, add_requirements
from tests.constructs import COMMON, cluster, karpenter, network
from tests.synthesis import Json, synth


def test_a_local_below_a_plain_construct_is_written() -> None:
    def make(stack: TerraformStack) -> None:
        room = Construct(stack, "room")
        Addressed(Construct(room, "inner"), "addressed").add_local("x", 1)
        TerraformLocal(room, "y", 2)

    assert sorted(synth(make)["locals"].values()) == [1, 2]
    assert synth(make)["locals"]["x"] == 1


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ((1, ("a",), {"b": (2,)}), [1, ["a"], {"b": [2]}]),
        (None, None),
        ({"a": None}, {"a": None}),
        ("a", "a"),
        ([], []),
        (Expression("var.x"), "${var.x}"),
    ],
)
def test_a_local_is_written_as_it_was_given(value: Any, written: Any) -> None:
    def make(stack: TerraformStack) -> None:
        assert Addressed(stack, "scope").add_local("x", value) == "${local.x}"

    assert synth(make)["locals"] == {"x": written}


@pytest.mark.parametrize(
    ("add", "address"),
    [
        (lambda scope: scope.add_local("x", 1), r"local\.x"),
        (lambda scope: scope.add_variable("x", {"type": "string"}), r"var\.x"),
        (lambda scope: scope.add_check("x", Rule("true", "x")), r"check\.x"),
        (lambda scope: scope.add(S3Bucket, "aws_s3_bucket.x"), r"aws_s3_bucket\.x"),
        (lambda scope: scope.reserve("NodePool x"), "NodePool x"),
        (lambda scope: scope.require(EmptyList("x", "[]", "{found}")), r"local\.x"),
    ],
)
def test_an_address_is_taken_once_in_a_stack_wherever_its_scope_is(
    add: Callable[[Addressed], object], address: str, tmp_path: Path
) -> None:
    stack = TerraformStack(App(outdir=str(tmp_path)), "stack")
    add(Addressed(stack, "one"))
    with pytest.raises(ValueError, match=f"^{address} must be unique in its stack"):
        add(Addressed(Construct(stack, "room"), "two"))
    add(Addressed(TerraformStack(App(outdir=str(tmp_path)), "another"), "three"))


def test_a_check_is_an_assertion_and_not_a_local() -> None:
    document = synth(lambda stack: Addressed(stack, "scope").add_check("x", Rule("var.a > 1", "A.")))
    assert document["check"] == {"x": {"assert": [{"condition": "${var.a > 1}", "error_message": "A."}]}}
    assert "locals" not in document


RULES: tuple[Rule | EmptyList, ...] = (Rule("var.a > 1", "A."), EmptyList("wrong", "[for x in var.b : x]", "B has {found}."))


BLOCKS = [
    {"condition": "${var.a > 1}", "error_message": "A."},
    {"condition": "${length(local.wrong) == 0}", "error_message": "B has ${jsonencode(local.wrong)}."},
]


def written(folder: Path, make: Callable[[TerraformStack], object]) -> Json:
    """What `make` makes in a program of one's own."""
    app = App(outdir=str(folder))
    stack = TerraformStack(app, "own")
    AwsProvider(stack, "aws", region="us-west-2")
    HelmProvider(stack, "helm")
    make(stack)
    app.synth()
    document: Json = json.loads((folder / "stacks" / "own" / "cdk.tf.json").read_text())
    return document


def test_the_rules_of_all_constructs_are_preconditions_of_the_resource_that_is_named(tmp_path: Path) -> None:
    def make(stack: TerraformStack) -> None:
        first, second = Addressed(stack, "first"), Addressed(Construct(stack, "room"), "second")
        bucket = first.add(S3Bucket, "aws_s3_bucket.x")
        for scope, rule in zip((first, second), RULES, strict=True):
            scope.require(rule)
        add_requirements(stack, on=bucket)

    document = written(tmp_path, make)
    assert document["resource"]["aws_s3_bucket"]["x"]["lifecycle"]["precondition"] == BLOCKS
    assert document["locals"] == {"wrong": "${[for x in var.b : x]}"}


def test_the_rules_may_be_preconditions_of_an_output(tmp_path: Path) -> None:
    def make(stack: TerraformStack) -> None:
        Addressed(stack, "scope").require(*RULES)
        add_requirements(stack, on=TerraformOutput(stack, "x", value="y"))

    assert written(tmp_path, make)["output"] == {"x": {"value": "y", "precondition": BLOCKS}}


@pytest.mark.parametrize("construct", [network, cluster, karpenter])
def test_rules_that_nobody_attached_stop_a_synthesis(construct: Callable[[TerraformStack], object], tmp_path: Path) -> None:
    """In the middle of an apply would be too late."""
    with pytest.raises(RuntimeError, match="that must hold before anything is created") as refused:
        written(tmp_path, construct)
    assert re.search(
        r"This stack has \d+ rules that must hold before anything is created, and no resource has them as preconditions\. "
        r"Call add_requirements\(stack, on=\.\.\.\) with a resource or an output, last\.",
        str(refused.value),
    )
    assert list(tmp_path.rglob("*.json")) == []


@pytest.mark.parametrize("construct", [network, cluster, karpenter])
def test_a_stack_of_ones_own_attaches_the_rules_with_a_line(construct: Callable[[TerraformStack], object], tmp_path: Path) -> None:
    def make(stack: TerraformStack) -> None:
        construct(stack)
        add_requirements(stack, on=TerraformOutput(stack, "x", value="y"))

    document = written(tmp_path, make)
    rules = document["output"]["x"]["precondition"]
    assert len(rules) >= 3
    named = {name for rule in rules for name in re.findall(r"local\.(\w+)", rule["condition"])}
    assert named <= document["locals"].keys()


def test_a_stack_without_rules_needs_no_line(tmp_path: Path) -> None:
    assert written(tmp_path, lambda stack: Addressed(stack, "scope").add_local("x", 1))["locals"] == {"x": 1}


def test_the_rules_of_one_stack_are_not_those_of_another(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    one, other = (TerraformStack(app, name) for name in ("one", "other"))
    for stack, rule in zip((one, other), RULES, strict=True):
        Addressed(stack, "scope").require(rule)
        add_requirements(stack, on=TerraformOutput(stack, "x", value="y"))
    app.synth()
    for name, block in zip(("one", "other"), BLOCKS, strict=True):
        document = json.loads((tmp_path / "stacks" / name / "cdk.tf.json").read_text())
        assert document["output"]["x"]["precondition"] == [block]


def test_a_json_document_is_a_local_that_terraform_encodes() -> None:
    def make(stack: TerraformStack) -> None:
        assert Addressed(stack, "scope").add_json("x", {"a.b": ["c"]}) == "${jsonencode(local.x)}"

    assert synth(make)["locals"] == {"x": {"a.b": ["c"]}}


def test_constructs_share_the_local_of_the_same_document_and_of_no_other() -> None:
    def make(stack: TerraformStack) -> None:
        texts = {Addressed(stack, name).add_json("x", {"a": [1]}) for name in ("one", "two")}
        assert texts == {"${jsonencode(local.x)}"}
        with pytest.raises(ValueError, match=r"^local\.x must be unique in its stack"):
            Addressed(stack, "three").add_json("x", {"a": [2]})
        with pytest.raises(ValueError, match=r"^local\.x must be unique in its stack"):
            Addressed(stack, "four").add_local("x", {"a": [1]})

    assert synth(make)["locals"] == {"x": {"a": [1]}}


def test_reasons_stand_beside_the_metadata_of_every_kind_of_block(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path), skip_validation=True)  # not CDKTF's `Testing`, which leaves out what stands under `//`
    scope = Addressed(TerraformStack(app, "stack"), "scope")
    scope.add(Vpc, "module.vpc", name="x")
    scope.add(DataAwsAvailabilityZones, "data.aws_availability_zones.x", state="available")
    scope.add(S3Bucket, "aws_s3_bucket.x", bucket="x", force_destroy=True)
    scope.add_local("x", 1)
    scope.explain("module.vpc", name="A.")
    scope.explain("data.aws_availability_zones.x", state="B.")
    scope.explain("aws_s3_bucket.x", bucket="C.")
    scope.explain("aws_s3_bucket.x", force_destroy="D.")
    scope.explain("locals", x="E.")
    app.synth()
    document = json.loads((tmp_path / "stacks" / "stack" / "cdk.tf.json").read_text())
    module, data = document["module"]["vpc"], document["data"]["aws_availability_zones"]["x"]
    bucket = document["resource"]["aws_s3_bucket"]["x"]
    assert [block["//"].pop("metadata")["uniqueId"] for block in (module, data, bucket)] == ["vpc", "x", "x"]
    assert (module["//"], data["//"], bucket["//"]) == ({"name": "A."}, {"state": "B."}, {"bucket": "C.", "force_destroy": "D."})
    assert (bucket["bucket"], document["locals"]) == ("x", {"//": {"x": "E."}, "x": 1})


@pytest.mark.parametrize("zones", [(), ("us-west-2a", "us-west-2b")])
def test_two_constructs_may_not_be_given_one_literal_even_if_it_is_equal(zones: tuple[str, ...]) -> None:
    """The local of an argument belongs to one construct: what two of them need, one takes from the other."""

    def make(stack: TerraformStack) -> None:
        Network(stack, "network", COMMON, options=NetworkOptions(availability_zones=zones))
        Addressed(stack, "another").as_expression("availability_zones", zones)

    with pytest.raises(ValueError, match=r"^local\.availability_zones must be unique in its stack"):
        synth(make)


def test_two_constructs_may_be_given_the_same_expression() -> None:
    def make(stack: TerraformStack) -> None:
        for name in ("one", "other"):
            assert Addressed(stack, name).as_expression("zones", Expression("var.zones")) == "${var.zones}"
            assert Addressed(stack, f"{name}-null").as_expression("zones", None) == "${null}"

    assert "locals" not in synth(make)


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
