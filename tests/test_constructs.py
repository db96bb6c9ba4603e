"""The constructs as other projects use them: alone, in their own stack, in a subclass of KarpenterStack."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from imports.vpc import Vpc

import pytest
from cdktf import App, TerraformLocal, TerraformOutput, TerraformStack, TerraformVariable
from cdktf import Testing as CdktfTesting
from cdktf_cdktf_provider_aws.data_aws_availability_zones import DataAwsAvailabilityZones
from cdktf_cdktf_provider_aws.provider import AwsProvider
from cdktf_cdktf_provider_aws.s3_bucket import S3Bucket
from cdktf_cdktf_provider_helm.provider import HelmProvider
from constructs import Construct

from stacks.app import PROJECT
from stacks.aws.cluster import Cluster
from stacks.aws.network import Network
from stacks.config import ClusterConfig
from stacks.config.common import Common
from stacks.config.control_plane import ControlPlane
from stacks.config.fields import documented
from stacks.config.network import NetworkOptions
from stacks.config.node_group import NodeGroup
from stacks.config.node_pools import NodePoolOptions
from stacks.hcl.expressions import Expression, hcl
from stacks.hcl.rules import EmptyList, Rule
from stacks.karpenter_stack import KarpenterStack
from stacks.kubernetes.karpenter import Karpenter
from stacks.kubernetes.load_balancer_controller import LoadBalancerController
from stacks.kubernetes.node_pools import NodePools
from stacks.terraform.addresses import Addressed, add_requirements
from stacks.testing import Testing, synth_cluster
from tests.constructs import COMMON, cluster, karpenter, network
from tests.synthesis import Json, synth

# --- Expressions ----------------------------------------------------------------------------------------------------------------


def test_an_expression_knows_its_text() -> None:
    region = Expression("var.region")
    assert (region, region.hcl) == ("${var.region}", "var.region")
    assert isinstance(region, str)
    assert f"{region}-x" == "${var.region}-x"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (8, "8"),
        (1.5, "1.5"),
        ("a", '"a"'),
        ('say "a"', r'"say \"a\""'),
        ("naïve", '"naïve"'),
        ("a\nb", r'"a\nb"'),
        (Expression("var.x"), "var.x"),
        (["a", 1, Expression("var.x")], '["a", 1, var.x]'),
        (("a", ("b",)), '["a", ["b"]]'),
        ({"a": {"b": [Expression("var.x"), None]}}, '{"a" = {"b" = [var.x, null]}}'),
        ({Expression("local.name"): 1}, "{(local.name) = 1}"),
        ([], "[]"),
        ({}, "{}"),
    ],
)
def test_a_value_as_hcl(value: object, expected: str) -> None:
    assert hcl(value) == expected


@pytest.mark.parametrize("value", ["${a} and {b}", "${var.a}${var.b}", "${var.a}", "%{if x}y%{endif}", ["x", {"y": "${var.a}-z"}]])
def test_a_template_inside_an_expression_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"An expression must not contain the template .*\. Make the template a local"):
        hcl(value)


def test_a_token_of_cdktf_inside_an_expression_is_refused(tmp_path: Path) -> None:
    """It has no text yet: what was written would be `TfToken[...]`."""
    stack = TerraformStack(App(outdir=str(tmp_path)), "stack")
    variable = TerraformVariable(stack, "x", type="any")
    for token in (variable.string_value, variable.list_value, variable.number_value, {"a": [variable.number_value]}):
        with pytest.raises(ValueError, match="An expression must not contain"):
            hcl(token)


# --- Addresses ------------------------------------------------------------------------------------------------------------------


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


# --- Requirements ---------------------------------------------------------------------------------------------------------------

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


# --- A subclass of the stack ----------------------------------------------------------------------------------------------------


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
    variables = {field.name for field in documented(ClusterConfig) if field.variable}
    assert variables == document["variable"].keys() - {"bucket", "native"}
    for field in fields(ClusterConfig):
        value = getattr(made.options, field.name)
        assert value == (f"${{var.{field.name}}}" if field.name in variables else getattr(made.config, field.name))


# --- Literals, lists, tuples and tokens as arguments ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def literal() -> Json:
    """A network and a cluster from literals alone."""

    def make(stack: TerraformStack) -> None:
        options = NetworkOptions(vpc_cidr="10.8.0.0/18", availability_zones=("us-west-2a", "us-west-2b"))
        group = NodeGroup(
            karpenter_node_instance_types=("m6i.large",),
            karpenter_node_min_size=2,
            karpenter_node_max_size=4,
            karpenter_node_desired_size=3,
            karpenter_node_release_version="1.53.0-4fc45e5a",
        )
        control_plane = ControlPlane(addon_versions={"coredns": "v1.12.1-eksbuild.2"})
        made = Network(stack, "network", COMMON, options=options)
        Cluster(stack, "cluster", COMMON, network=made, control_plane=control_plane, node_group=group)
        add_requirements(stack, on=TerraformOutput(stack, "x", value="y"))

    return synth(make)


def test_a_literal_becomes_a_local_that_a_condition_can_name(literal: Json) -> None:
    """Terraform refuses a condition that refers to nothing."""
    given = {
        "vpc_cidr": "10.8.0.0/18",
        "availability_zones": ["us-west-2a", "us-west-2b"],
        "karpenter_node_instance_types": ["m6i.large"],
        "karpenter_node_min_size": 2,
        "karpenter_node_max_size": 4,
        "karpenter_node_desired_size": 3,
        "karpenter_node_availability_zones": [],
        "karpenter_node_release_version": "1.53.0-4fc45e5a",
        "addon_versions": {"coredns": "v1.12.1-eksbuild.2"},
    }
    assert {name: literal["locals"][name] for name in given} == given
    conditions = [check["assert"][0]["condition"] for check in literal["check"].values()]
    conditions += [rule["condition"] for rule in literal["output"]["x"]["precondition"]]
    assert len(conditions) > 10
    assert all("local." in condition or "data." in condition for condition in conditions)
    assert "var." not in json.dumps(literal)


def test_a_literal_reaches_the_module_through_its_local(literal: Json) -> None:
    assert literal["module"]["vpc"]["cidr"] == "${local.vpc_cidr}"
    (group,) = literal["module"]["eks"]["eks_managed_node_groups"].values()
    assert group["min_size"] == "${local.karpenter_node_min_size}"
    assert group["instance_types"] == "${local.karpenter_node_instance_types}"
    assert group["ami_release_version"] == "${local.karpenter_node_release_version}"


def test_no_release_is_null_and_the_latest_one() -> None:
    def make(stack: TerraformStack) -> None:
        Cluster(stack, "cluster", COMMON, network=Network(stack, "network", COMMON))

    document = synth(make)
    (group,) = document["module"]["eks"]["eks_managed_node_groups"].values()
    assert group["ami_release_version"] == "${null}"
    assert group["use_latest_ami_release_version"] == "${null == null}"
    assert (document["locals"]["availability_zones"], document["locals"]["addon_versions"]) == ([], {})
    sizes = {size: document["locals"][f"karpenter_node_{size}_size"] for size in ("min", "max", "desired")}
    assert sizes == {"min": 2, "max": 3, "desired": 2}
    assert document["locals"]["karpenter_node_instance_types"] == ["m5.large"]


@pytest.fixture(scope="module")
def of_tokens() -> Json:
    """All constructs, from variables that CDKTF made."""

    def make(stack: TerraformStack) -> None:
        text, many, number = (TerraformVariable(stack, name, type="any") for name in ("text", "many", "number"))
        common = Common(name=text.string_value, region=text.string_value, tags={"a": text.string_value})
        network = Network(
            stack,
            "network",
            common,
            options=NetworkOptions(vpc_cidr=text.string_value, availability_zones=many.list_value),
        )
        group = NodeGroup(
            karpenter_node_instance_types=many.list_value,
            karpenter_node_min_size=number.number_value,  # type: ignore[arg-type]
            karpenter_node_max_size=number.number_value,  # type: ignore[arg-type]
            karpenter_node_desired_size=number.number_value,  # type: ignore[arg-type]
            karpenter_node_availability_zones=[text.string_value, "us-west-2b"],
            karpenter_node_release_version=text.string_value,
        )
        cluster = Cluster(stack, "cluster", common, network=network, node_group=group)
        made = Karpenter(stack, "karpenter", common, cluster=cluster)
        LoadBalancerController(stack, "alb", common, karpenter=made)
        options = NodePoolOptions(
            gpu_instance_types=many.list_value,
            gpu_capacity_type=many.list_value,
            gpu_limit=number.number_value,  # type: ignore[arg-type]
            gpu_drift_budget=text.string_value,
        )
        NodePools(stack, "pools", common, karpenter=made, options=options)

    return synth(make)


def test_a_token_of_cdktf_is_an_argument_like_another(of_tokens: Json) -> None:
    assert "TfToken" not in json.dumps(of_tokens)
    expected = {
        "vpc_cidr": "${var.text}",
        "availability_zones": "${var.many}",
        "karpenter_node_instance_types": "${var.many}",
        "karpenter_node_min_size": "${var.number}",
        "karpenter_node_availability_zones": ["${var.text}", "us-west-2b"],
        "karpenter_node_release_version": "${var.text}",
        "gpu_instance_types": "${var.many}",
        "gpu_limit": "${var.number}",
        "gpu_drift_budget": "${var.text}",
    }
    assert {name: of_tokens["locals"][name] for name in expected} == expected
    assert of_tokens["module"]["vpc"]["name"] == "${var.text}"
    (alb,) = of_tokens["resource"]["helm_release"]["aws_load_balancer_controller"]["values"]
    assert "region: ${var.text}\n" in alb
    assert of_tokens["locals"]["ec2nodeclass_gpu"]["spec"]["role"] == "${var.text}"


@pytest.mark.parametrize("zones", [(), ("us-west-2a", "us-west-2b")])
def test_two_constructs_may_not_be_given_one_literal_even_if_it_is_equal(zones: tuple[str, ...]) -> None:
    """A local belongs to one construct: what two of them need, one takes from the other."""

    def make(stack: TerraformStack) -> None:
        Network(stack, "network", COMMON, options=NetworkOptions(availability_zones=zones))
        Addressed(stack, "another").bind("availability_zones", zones)

    with pytest.raises(ValueError, match=r"^local\.availability_zones must be unique in its stack"):
        synth(make)


def test_two_constructs_may_be_given_the_same_expression() -> None:
    def make(stack: TerraformStack) -> None:
        for name in ("one", "other"):
            assert Addressed(stack, name).bind("zones", Expression("var.zones")) == "${var.zones}"
            assert Addressed(stack, f"{name}-null").bind("zones", None) == "${null}"

    assert "locals" not in synth(make)


# --- Testing --------------------------------------------------------------------------------------------------------------------


def test_synth_scope_has_the_contract_of_cdktfs() -> None:
    """A callable gets a bare stack; what comes back is the stack's JSON, as text."""
    seen: list[TerraformStack] = []

    def make(stack: TerraformStack) -> str:
        seen.append(stack)
        TerraformOutput(stack, "x", value="y")
        return "ignored"

    text = Testing.synth_scope(make)
    assert json.loads(text)["output"] == {"x": {"value": "y"}}
    assert isinstance(seen[0], TerraformStack)
    assert Testing.to_have_resource(Testing.synth_scope(lambda stack: S3Bucket(stack, "b")), "aws_s3_bucket") is True
    assert Testing.synth_scope(make) == text


def test_testing_has_every_method_of_cdktfs_and_the_example_shows_the_assertions() -> None:
    theirs = {name for name in vars(CdktfTesting) if not name.startswith("_")}
    assert all(callable(getattr(Testing, name)) for name in theirs)
    page = (PROJECT / "examples" / "test_constructs.py").read_text()
    assert [name for name in sorted(theirs) if name.startswith("to_") and f"Testing.{name}(" not in page] == []


def test_a_test_of_a_user_may_import_cdktf_first(tmp_path: Path) -> None:
    """Without conftest.py, all of a provider would be loaded."""
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(PROJECT / name, tmp_path)
    for name in ("imports", "stacks"):
        (tmp_path / name).symlink_to(PROJECT / name)
    (tmp_path / "mytests").mkdir()
    (tmp_path / "mytests" / "test_mine.py").write_text(
        "from cdktf import Testing\nfrom cdktf_cdktf_provider_random.pet import Pet\nimport sys\n"
        "def test_lazy():\n    assert 'cdktf_cdktf_provider_random.integer' not in sys.modules\n"
    )
    ran = subprocess.run([sys.executable, "-m", "pytest", "mytests"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.returncode, "1 passed" in ran.stdout, "warning" in ran.stdout) == (0, True, False), ran.stdout


def test_synth_cluster_refuses_what_a_synthesis_refuses() -> None:
    with pytest.raises(ValueError, match=r"Prod\.name must be at most 63 lower-case letters"):
        synth_cluster(ClusterConfig("Prod"))


# --- Plain Python ---------------------------------------------------------------------------------------------------------------

PLAIN = {
    "stacks.hcl": ["stacks.hcl.expressions", "stacks.hcl.rules"],
    "stacks.knowledge": [f"stacks.knowledge.{name}" for name in ("catalogue", "gpu_drivers", "regions", "versions")],
    "stacks.config": ["stacks.config", "stacks.config.fleet", "stacks.config.recommended"],
    "stacks.operations": [
        "stacks.operations.output",
        "stacks.operations.clean",
        "stacks.operations.destroy",
        "stacks.operations.deploy",
    ],
    "stacks.kubernetes": ["stacks.kubernetes.manifests", "stacks.kubernetes.bottlerocket"],
}


@pytest.mark.parametrize("room", PLAIN)
def test_plain_python_loads_neither_cdktf_nor_node(room: str) -> None:
    report = f"import {', '.join(PLAIN[room])}; import sys; print(sorted(name.partition('.')[0] for name in sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", report], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    assert [name for name in ("cdktf", "constructs", "jsii", "cdktf_cdktf_provider_aws") if f"'{name}'" in loaded] == []
