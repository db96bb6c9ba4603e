"""The configuration model: what a user may set, and what is said of a mistake."""

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import FrozenInstanceError, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

import stacks.config
from stacks.app import PROJECT
from stacks.config import (
    AccessEntry,
    Budget,
    CapacityReservation,
    ClusterConfig,
    DataVolume,
    GeneralPool,
    GpuPool,
    LocalBackend,
    S3Backend,
    SociParallelPull,
    Taint,
    VpcCni,
    recommended,
)
from stacks.config.backends import bucket_name, object_key
from stacks.config.checks import (
    ConfigurationError,
    at_least,
    between,
    distinct,
    each,
    has_type,
    ipv4_network,
    ipv4_networks,
    literal,
    matches,
    mistakes,
    mistakes_of,
    not_empty,
    shortened,
    type_in_words,
    user_tags,
    whole,
)
from stacks.config.fields import Change, Variable, options_of, terraform_type
from stacks.config.fleet import refuse_mistakes
from stacks.config.recommended import RECOMMENDED
from stacks.config.replaced_settings import refuse_replaced_settings
from tests.synthesis import Json, synth_stack

MODEL: set[type] = {
    kind
    for module in pkgutil.iter_modules(stacks.config.__path__)
    for kind in vars(importlib.import_module(f"stacks.config.{module.name}")).values()
    if isinstance(kind, type) and is_dataclass(kind) and kind.__name__ in stacks.config.__all__
}


def wrong(**fields: Any) -> list[str]:
    """What a cluster with these fields is refused for, without the cluster's name."""
    return [text.removeprefix("c.") for text in mistakes("c", ClusterConfig("c", **fields))]


# --- Fields ---------------------------------------------------------------------------------------------------------------------


def test_the_model_is_what_the_package_offers() -> None:
    assert {ClusterConfig, GpuPool, GeneralPool, S3Backend, LocalBackend, Budget, DataVolume, Taint, SociParallelPull} <= MODEL
    assert stacks.config.recommended("x") != ClusterConfig("x")


@pytest.mark.parametrize("kind", sorted(MODEL, key=repr))
def test_every_field_has_documentation_and_a_class_of_change(kind: type) -> None:
    described = options_of(kind)
    assert sorted(field.name for field in described) == sorted(field.name for field in fields(kind))
    for field in described:
        assert re.match(r"[ZUDR]\b", field.change), f"{kind.__name__}.{field.name}: {field.change!r}"
        assert len(field.text) > 10
        assert field.text.endswith("."), f"{kind.__name__}.{field.name}: {field.text!r}"


PARTS = ClusterConfig.__bases__


def test_no_field_is_in_two_parts() -> None:
    """Of two fields with one name, `dataclass` would keep one silently."""
    names = [field.name for part in PARTS for field in fields(part)]
    assert len(PARTS) > 5
    assert sorted(names) == sorted({field.name for field in fields(ClusterConfig)})


def test_the_fields_are_documented_in_the_order_of_their_parts() -> None:
    assert [field.name for field in options_of(ClusterConfig)] == [field.name for part in PARTS for field in options_of(part)]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_a_default_stands_once_in_its_part(part: type) -> None:
    whole = {field.name: field.default for field in options_of(ClusterConfig)}
    assert {field.name: field.default for field in options_of(part)}.items() <= whole.items()
    assert set(inspect.get_annotations(ClusterConfig)) == set()


@dataclass(frozen=True)
class Undocumented:
    """For the test below."""

    name: Annotated[str, Change("Z")]
    """Option."""
    size: Annotated[int, Change("Z")] = 1


@dataclass(frozen=True)
class Unclassed:
    """For the test below."""

    size: int = 1
    """Option."""


@pytest.mark.parametrize(("kind", "field"), [(Undocumented, "Undocumented.size"), (Unclassed, "Unclassed.size")])
def test_a_field_without_documentation_or_class_is_found(kind: type, field: str) -> None:
    with pytest.raises(LookupError, match=f"{field} must have a class of change in its type hint, and a docstring below"):
        options_of(kind)


def test_a_configuration_cannot_be_changed_afterwards() -> None:
    with pytest.raises(FrozenInstanceError):
        ClusterConfig("c").region = "us-west-2"  # type: ignore[misc]


def test_all_but_the_name_is_given_by_keyword() -> None:
    """So that a new field breaks no page of a user."""
    for kind in (ClusterConfig, GpuPool, GeneralPool):
        positional = [p.name for p in inspect.signature(kind).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
        assert positional == ["name"]


# --- Terraform variables --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (str, "string"),
        (str | None, "string"),
        (int, "number"),
        (int | None, "number"),
        (Sequence[str], "list(string)"),
        (Sequence[str] | None, "list(string)"),
        (Mapping[str, str], "map(string)"),
    ],
)
def test_the_type_of_a_variable_follows_from_the_field(hint: Any, expected: str) -> None:
    assert terraform_type(hint) == expected


def test_every_variable_is_a_field_and_takes_its_default(stack: Json) -> None:
    variables = {field.name: field for field in options_of(ClusterConfig) if field.variable}
    assert stack["variable"].keys() == variables.keys()
    for name, field in variables.items():
        default = list(field.default) if isinstance(field.default, tuple) else field.default
        assert stack["variable"][name].get("default") == default
        assert stack["variable"][name]["description"] == field.text


def test_a_field_that_is_given_becomes_the_default_of_its_variable() -> None:
    given: dict[str, Any] = {
        "region": "us-west-2",
        "gpu_instance_types": ("p5.48xlarge",),
        "gpu_limit": 8,
        "karpenter_node_min_size": 3,
        "karpenter_node_desired_size": 3,
        "availability_zones": ["us-west-2a", "us-west-2b"],
        "addon_versions": {"coredns": "v1.12.1-eksbuild.2"},
    }
    variables = synth_stack(ClusterConfig("c", **given))["variable"]
    assert {name: variables[name]["default"] for name in given} == given | {"gpu_instance_types": ["p5.48xlarge"]}


def test_null_is_refused_where_it_says_nothing(stack: Json) -> None:
    nullable = {name for name, variable in stack["variable"].items() if variable.get("nullable") is not False}
    assert nullable == {"gpu_limit", "gpu_drift_budget", "gpu_expire_after", "karpenter_node_release_version"}
    required = {field.name for field in options_of(ClusterConfig) if field.variable and field.variable.required}
    assert required == {"region", "gpu_instance_types"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"region": "us-west2"}, 'region must be an AWS region such as us-west-2 (got "us-west2").'),
        (
            {"region": "cn-north-1"},
            'region must be in the AWS partition aws (got "cn-north-1"). Regions that start with cn, us-gov, ',
        ),
        (
            {"cluster_name_prefix": "-"},
            "cluster_name_prefix must consist of letters, digits, hyphens and underscores, and start with",
        ),
        (
            {"cluster_name_prefix": "a" * 25},
            f'cluster_name_prefix must have at most 24 characters (got "{"a" * 25}", 25 characters): IAM takes 38 for the name',
        ),
        (
            {"vpc_cidr": "10.0.0.0/8"},
            'vpc_cidr must be a /16 to /20 network (got "10.0.0.0/8"). A VPC cannot be larger, and from a',
        ),
        (
            {"vpc_cidr": "10.0.0.0/24"},
            'vpc_cidr must be a /16 to /20 network (got "10.0.0.0/24"). A VPC cannot be larger, and from a',
        ),
        ({"vpc_cidr": "10.0.0.1/16"}, 'vpc_cidr must not have host bits (got "10.0.0.1/16"). The network is 10.0.0.0/16.'),
        ({"vpc_cidr": "10.0.0/16"}, 'vpc_cidr must be an IPv4 network such as 10.0.0.0/16 (got "10.0.0/16").'),
        ({"vpc_cidr": "127.0.0.0/16"}, "vpc_cidr must not be in 0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/4 (got"),
        (
            {"availability_zones": ["us-west-2a"] * 2},
            'availability_zones must not contain duplicates (got ["us-west-2a","us-west-2a"])',
        ),
        ({"karpenter_node_min_size": 0}, "karpenter_node_min_size must be a whole number of at least 1 (got 0)."),
        ({"karpenter_node_desired_size": -1}, "karpenter_node_desired_size must be a whole number of at least 1 (got -1)."),
        (
            {"karpenter_node_max_size": 1},
            "karpenter_node_desired_size must be between karpenter_node_min_size and karpenter_node_max_size (got 2, not between 2",
        ),
        ({"karpenter_node_instance_types": ()}, "karpenter_node_instance_types must have at least one element (got [])."),
        (
            {"karpenter_node_instance_types": ["m7g.large"]},
            'karpenter_node_instance_types must have x86_64 CPUs, as the node group\'s AMI (got ["m7g.large"]',
        ),
        (
            {"addon_versions": {"efs": "v1.0.0-eksbuild.1"}},
            "addon_versions must name add-ons of the cluster: coredns, kube-proxy, eks-pod-identity-agent, vpc-cni (got",
        ),
        ({"gpu_limit": 0}, "gpu_limit must be a whole number of at least 1, or null for no limit (got 0)."),
        ({"gpu_limit": 4, "gpu_instance_types": ["p5.48xlarge"]}, "gpu_limit must be at least 8, the GPUs of the smallest of gpu_"),
        ({"gpu_capacity_type": ["ondemand"]}, 'gpu_capacity_type must contain only "spot", "on-demand" and "reserved" (got'),
        (
            {"gpu_instance_types": ["p5.48xlarge", "m5.large"]},
            'gpu_instance_types must have NVIDIA GPUs (got ["m5.large"]): pods of',
        ),
        (
            {"gpu_drift_budget": "many"},
            'gpu_drift_budget must be a number of nodes such as "1", a percentage such as "10%", or null',
        ),
    ],
    ids=str,
)
def test_python_judges_the_value_that_it_gives_to_a_variable(given: dict[str, Any], said: str) -> None:
    """In Terraform's words: tests/cases.py has what a plan would say."""
    (text,) = wrong(**given)
    assert text.startswith(said)


def test_every_variable_has_a_type_of_terraform() -> None:
    variables = [field for field in options_of(ClusterConfig) if isinstance(field.variable, Variable)]
    assert len(variables) > 10
    for field in variables:
        assert terraform_type(field.hint) in ("string", "number", "list(string)", "map(string)")


# --- Mistakes -------------------------------------------------------------------------------------------------------------------

TEN_MISTAKES = ClusterConfig(
    "prod",
    vpc_cidr=16,  # type: ignore[arg-type]
    registry_login="no",  # type: ignore[arg-type]
    backend=S3Backend(bucket="", region="us-west-2"),
    load_balancer_controller_policy="best",  # type: ignore[arg-type]
    gpu_pools=[
        GpuPool("inference", instance_types=["g6e.12xlarge"], limit=0, budgets=[Budget(nodes="1"), Budget(nodes="many")], weight=1),
        GpuPool("research", gpu_names=["h1000"], limit=8, weight=2, data_volume=DataVolume(size_gib=1)),
        GpuPool("batch", instance_types="p5.48xlarge", limit=8, weight=3, taints=[Taint(key="team", value="a b")]),
    ],
    general_pools=[GeneralPool("web", cpu_limit=True, weight=4)],
)
TEN_LINES = """\
prod.backend.bucket must be 3 to 63 lower-case letters, digits, hyphens and dots, and start and end with a letter or a digit (got \
'').
prod.vpc_cidr must be a string (got 16).
prod.registry_login must be True or False (got 'no').
prod.gpu_pools["inference"].budgets[1].nodes must be a number of nodes such as 1, or a percentage such as 10% (got 'many').
prod.gpu_pools["inference"].limit must be at least 1 (got 0).
prod.gpu_pools["research"].data_volume.size_gib must be between 20 and 59000 (got 1).
prod.gpu_pools["research"].gpu_names must be in the catalogue (got ['h1000']). Its GPUs: t4, a10g, l4, l40s, rtx-pro-4500, \
rtx-pro-server-6000, v100, a100, h100, h200, b200, b300.
prod.gpu_pools["batch"].instance_types must be a list of strings (got 'p5.48xlarge').
prod.gpu_pools["batch"].taints[0].value must be at most 63 letters, digits, hyphens, underscores and dots, with a letter or a \
digit at both ends (got 'a b').
prod.general_pools["web"].cpu_limit must be a whole number (got True).
prod.load_balancer_controller_policy must be 'reference' or 'official' (got 'best')."""


def test_every_mistake_is_reported_in_a_line_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        refuse_mistakes([TEN_MISTAKES], tmp_path)
    assert str(refused.value) == TEN_LINES


def test_mistakes_of_several_clusters_are_reported_together(tmp_path: Path) -> None:
    clusters = [
        ClusterConfig("a", gpu_pools=[GpuPool("x", instance_types=["p5.48xlarge"], limit=0, weight=1)]),
        ClusterConfig("b", wait_for_nodes="yes"),  # type: ignore[arg-type]
        ClusterConfig("a"),
        ClusterConfig("c", backend=LocalBackend("terraform.a.tfstate")),
    ]
    with pytest.raises(ConfigurationError) as refused:
        refuse_mistakes(clusters, tmp_path)
    assert [line.split(" must")[0] for line in str(refused.value).splitlines()] == [
        'a.gpu_pools["x"].limit',
        "b.wait_for_nodes",
        "The name of each cluster",
        "a.backend and c.backend",
        "a.backend and c.backend",
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"wait_for_nodes": 1}, "wait_for_nodes must be True or False (got 1)."),
        ({"karpenter_node_min_size": True}, "karpenter_node_min_size must be a whole number (got True)."),
        ({"karpenter_node_min_size": 2.0}, "karpenter_node_min_size must be a whole number (got 2.0)."),
        ({"gpu_limit": "8"}, "gpu_limit must be a whole number or None (got '8')."),
        ({"gpu_instance_types": "p5.48xlarge"}, "gpu_instance_types must be a list of strings or None (got 'p5.48xlarge')."),
        ({"gpu_instance_types": {"p5.48xlarge"}}, "gpu_instance_types must be a list of strings or None (got {'p5.48xlarge'})."),
        ({"availability_zones": [1]}, "availability_zones must be a list of strings (got [1])."),
        ({"addon_versions": {"coredns": 1}}, "addon_versions must be a dict of strings (got {'coredns': 1})."),
        ({"addon_versions": ["coredns"]}, "addon_versions must be a dict of strings (got ['coredns'])."),
        ({"vpc_cidr": None}, "vpc_cidr must be a string (got None)."),
        ({"backend": "s3"}, "backend must be a LocalBackend or an S3Backend (got 's3')."),
        ({"backend": S3Backend}, f"backend must be a LocalBackend or an S3Backend (got {S3Backend!r})."),
        ({"gpu_pools": "x"}, "gpu_pools must be a list of GpuPool (got 'x')."),
        ({"gpu_pools": ["x"]}, "gpu_pools must be a list of GpuPool (got ['x'])."),
        (
            {"gpu_pools": [GeneralPool("web", cpu_limit=8, weight=1)]},
            "gpu_pools must be a list of GpuPool (got [GeneralPool('web')]).",
        ),
        ({"backend": LocalBackend("")}, "backend.path must not be empty (got '')."),
        (
            {"backend": LocalBackend("cdktf.out/x.tfstate")},
            "backend.path must be outside cdktf.out, because `make clean` and the cdktf CLI remove files there (got "
            "'cdktf.out/x.tfstate'). The default is terraform.<name>.tfstate.",
        ),
        ({"backend": LocalBackend("x/../cdktf.out/y")}, "backend.path must be outside cdktf.out, because `make clean` and the"),
        (
            {"backend": S3Backend(bucket="states", region="oregon")},
            "backend.region must be an AWS region such as us-west-2 (got 'oregon')",
        ),
        ({"backend": S3Backend(bucket="states", region="us-west-2", key="")}, "backend.key must not be empty (got '')."),
        (
            {"backend": S3Backend(bucket="states", region="us-west-2", kms_key_id="")},
            "backend.kms_key_id must not be empty (got '').",
        ),
        ({"backend": S3Backend(bucket="states", region="us-west-2", profile="")}, "backend.profile must not be empty (got '')."),
        (
            {"backend": S3Backend(bucket="states", region="us-west-2", kms_key_id="arn:aws:kms:eu-west-1:123456789012:key/a")},
            "backend.kms_key_id must be a key in the bucket's region us-west-2 (got 'arn:aws:kms:eu-west-1:123456789012:key/a')",
        ),
        (
            {"backend": S3Backend(bucket="states", region="us-west-2", key="${terraform.workspace}/x")},
            "backend.key must not contain ${...}, which nothing expands here; S3 keeps workspaces apart by itself, below env:/",
        ),
        (
            {"backend": LocalBackend("~/states/x.tfstate")},
            "backend.path must not contain $NAME, ${...}, %{...} or ~, which nothing expands here: write the value, or compute it",
        ),
        ({"aws_profile": "$AWS_PROFILE"}, "aws_profile must not contain $NAME, ${...}, %{...} or ~, which nothing expands here"),
    ],
)
def test_a_wrong_value_is_one_line(given: dict[str, Any], said: str) -> None:
    (text,) = wrong(**given)
    assert text.startswith(said)
    assert len(text) < 200


@pytest.mark.parametrize("name", ["", "Prod", "prod_1", "1prod", "-prod", "prod.usw2", "a" * 64])
def test_a_name_that_cannot_be_a_folder_is_refused(name: str) -> None:
    (text,) = mistakes(name, ClusterConfig(name))
    expected = f"name must be at most 63 lower-case letters, digits and hyphens, and start with a letter (got {name!r})."
    assert text == f"{name}.{expected}"


@pytest.mark.parametrize("name", ["a", "prod-usw2", "a" * 63])
def test_a_name_may_have_63_characters(name: str) -> None:
    assert list(mistakes("c", ClusterConfig(name))) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kubernetes_version": 1.34}, 'kubernetes_version must be a string (got 1.34). Write "1.34", in quotes.'),
        ({"karpenter_version": 1.8}, "karpenter_version must be a string (got 1.8). Write the value in quotes."),
        ({"bottlerocket_version": 1.53}, "bottlerocket_version must be a string (got 1.53)."),
        ({"vpc_cidr": 16}, "vpc_cidr must be a string (got 16)."),
        ({"vpc_cidr": True}, "vpc_cidr must be a string (got True)."),
        (
            {"gpu_pools": [GpuPool("a", families=["p5"], limit=8, weight=1, budgets=[Budget(nodes=1)])]},  # type: ignore[arg-type]
            'gpu_pools["a"].budgets[0].nodes must be a string (got 1). Write "1", in quotes.',
        ),
        (
            {"gpu_pools": ([GeneralPool("a", cpu_limit=8)],)},
            "gpu_pools must be a list of GpuPool (got ([GeneralPool('a')],)).",
        ),
        (
            {"gpu_pools": ([GpuPool("a", families=["p5"], limit=8)],)},
            "gpu_pools must be a list of GpuPool (got ([GpuPool('a')],)). Remove the comma behind the value.",
        ),
        (
            {"backend": (LocalBackend(),)},
            "backend must be a LocalBackend or an S3Backend (got (LocalBackend(...),)). Remove the comma behind the value.",
        ),
    ],
)
def test_a_comma_too_many_and_quotes_that_are_missing_are_named(given: dict[str, Any], said: str) -> None:
    assert wrong(**given) == [said]


def test_a_version_that_python_reads_as_a_shorter_number_keeps_its_zero() -> None:
    wanted = {"version": Annotated[str, matches(r"\d\.\d\d", "a version")]}
    (text,) = mistakes_of("c", {"version": 1.30}, wanted)
    assert text == 'c.version must be a string (got 1.3). Write "1.30", in quotes.'


def test_a_long_value_is_cut_in_a_message() -> None:
    (text,) = wrong(gpu_pools=[GpuPool("a", families=["p5"], limit=8, weight=1, budgets=[Budget(nodes="1")] * 51)])
    assert text == (
        'gpu_pools["a"].budgets must have at most 50 elements (got [Budget(...), Budget(...), Budget(...), ... 51 in all]).'
    )
    assert shortened(["10.0.0.0/32"] * 41) == "['10.0.0.0/32', '10.0.0.0/32', '10.0.0.0/32', ... 41 in all]"
    assert len(shortened("a" * 5000)) < 310
    for short in (["p5.48xlarge"] * 15, ("a",), (), [], ("a", "b"), "a" * 200, {"a": 1}):
        assert shortened(short) == repr(short)


def test_a_list_with_one_wrong_element_does_not_hide_the_mistakes_of_the_others() -> None:
    pools = ["x", GpuPool("a", instance_types=["p5.48xlarge"], limit=0, weight=1)]
    assert wrong(gpu_pools=pools) == [
        "gpu_pools must be a list of GpuPool (got ['x', GpuPool('a')]).",
        'gpu_pools["a"].limit must be at least 1 (got 0).',
    ]


def test_lists_and_tuples_are_both_lists() -> None:
    assert wrong(gpu_instance_types=["p5.48xlarge"], availability_zones=("us-west-2a",), gpu_pools=[], general_pools=()) == []


SAMPLES = (
    ClusterConfig("c"),
    LocalBackend(),
    S3Backend(bucket="states", region="us-west-2"),
    AccessEntry("a", principal_arn="arn:aws:iam::123456789012:role/ci", policy="View"),
    GpuPool("a", instance_types=["p5.48xlarge"], limit=8),
    GeneralPool("a", cpu_limit=8),
    Budget(nodes="1"),
    CapacityReservation(id="cr-0123456789abcdef0"),
    DataVolume(size_gib=100),
    Taint(key="a"),
    SociParallelPull(downloads=1, chunk_size="16mb", unpacks=1),
    VpcCni(warm_ip_target=2, minimum_ip_target=16),
)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_a_string_that_nobody_would_expand_is_refused(sample: Any) -> None:
    """Terraform takes what is written in a backend as it is, and a template elsewhere; Python and AWS expand neither."""
    kind: Any = type(sample)
    assert list(mistakes("x", sample)) == []
    accepted = [
        f"{field.name}: {given!r}"
        for field in options_of(kind)
        for text in ("${HOME}/a", "%{ if true }a", "~/a")
        for given in (text, [text], {"a": text})
        if not field.variable  # Terraform judges the value of a variable
        and has_type(given, field.hint)
        and not list(mistakes("x", replace(sample, **{field.name: given})))
    ]
    assert accepted == []


def test_every_class_with_strings_is_tried() -> None:
    assert {type(sample) for sample in SAMPLES} == MODEL


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        (True, bool, True),
        (True, int, False),
        (1, bool, False),
        (1, int, True),
        (1.0, int, False),
        (1.5, float, True),
        (1, float, True),
        (True, float, False),
        (None, int | None, True),
        (None, int, False),
        ("x", Literal["x", "y"], True),
        ("z", Literal["x", "y"], False),
        ("ab", Sequence[str], False),
        (["a"], Sequence[str], True),
        (("a", 1), Sequence[str], False),
        ({"a": "b"}, Mapping[str, str], True),
        ({1: "b"}, Mapping[str, str], False),
        ([Budget(nodes="1")], Sequence[Budget], True),
        ([Taint(key="a")], Sequence[Budget], False),
        (object(), Any, True),
        (1, Annotated[int, at_least(2)], True),
    ],
)
def test_what_fits_a_type_hint(value: object, hint: Any, expected: bool) -> None:
    assert has_type(value, hint) is expected


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (str | None, "a string or None"),
        (Sequence[str], "a list of strings"),
        (Sequence[int], "a list of whole numbers"),
        (Sequence[Budget], "a list of Budget"),
        (Sequence[Literal["a", "b"]], "a list of 'a' or 'b'"),
        (Mapping[str, str], "a dict of strings"),
        (Mapping[str, Any], "a dict"),
        (Budget, "a Budget"),
        (S3Backend, "an S3Backend"),
        (SociParallelPull, "a SociParallelPull"),
        (bool, "True or False"),
    ],
)
def test_a_type_hint_in_words(hint: Any, expected: str) -> None:
    assert type_in_words(hint) == expected


@pytest.mark.parametrize(
    ("check", "right", "wrong", "said"),
    [
        (whole, 2.0, 2.5, "must be a whole number"),
        (at_least(2), 2, 1, "must be at least 2"),
        (between(2, 4), 2, 1, "must be between 2 and 4"),
        (between(2, 4), 4, 5, "must be between 2 and 4"),
        (matches("ab+", "like abb"), "abb", "abbc", "must be like abb"),
        (matches("ab+", "like abb"), "ab", "xab", "must be like abb"),
        (matches(r"\d+", "digits"), "12", "1\uff12", "must be digits"),  # a digit of another script
        (not_empty, ["a"], [], "must have at least one element"),
        (not_empty, "a", "", "must not be empty"),
        (distinct, [1, 2], [1, 2, 1], "must not contain duplicates"),
        (ipv4_network(16, 20), "10.0.0.0/16", "10.0.0.0/15", "must be a /16 to /20 network"),
        (ipv4_network(16, 20), "10.0.0.0/20", "10.0.0.0/21", "must be a /16 to /20 network"),
        (ipv4_networks, ["10.0.0.0/32", "0.0.0.0/0"], ["10.0.0.0/8", "x"], "must be an IPv4 network such as 10.0.0.0/16: "),
        (ipv4_networks, ["10.0.0.0/32"] * 40, ["10.0.0.0/32"] * 41, "must have at most 40 networks"),
        (
            ipv4_network(0, 32),
            "203.0.113.7/32",
            "203.0.113.7",
            "must be written with a prefix length, as 203.0.113.7/32 instead of 203",
        ),
        (each(at_least(2)), [2, 3], [2, 1], "must be at least 2"),
        *((literal, "a~b $ %", text, "which nothing expands here") for text in ("~/x", "$HOME/x", "a/${x}", "%{if x}", "$(pwd)")),
        *(
            (bucket_name, name, wrong, said)
            for name, wrong, said in (
                ("abc", "ab", "must be 3 to 63"),
                ("a" * 63, "a" * 64, "must be 3 to 63"),
                ("acme.states-1", "Acme", "must be 3 to 63"),
                ("0acme", "-acme", "must be 3 to 63"),
                ("acme0", "acme.", "must be 3 to 63"),
                ("a.b.c", "a..b", "must not be an IP address or have two dots in a row"),
                ("192.168.5", "192.168.5.4", "must not be an IP address or have two dots in a row"),
                ("xn-states", "xn--states", "must not start with xn--, sthree-, amzn-s3-demo-"),
                ("states-s3", "states-s3alias", "must not start with"),
            )
        ),
        *((object_key, "a/b.tfstate", wrong, "no slash at its start or end") for wrong in ("/a", "a/", "a" * 1025)),
        *((object_key, "a" * 1024, wrong, "characters that S3 does not advise against") for wrong in ("~/a", "a\\b", "ü", "a#b")),
        (user_tags, {"a" * 128: "b" * 256}, {"a" * 129: ""}, "must have keys of 1 to 128 and values of at most 256 letters"),
        (user_tags, {"name": ""}, {"Name": ""}, "must not contain the tag 'Name'"),
        (user_tags, {"a": "b" * 256}, {"a": "b" * 257}, "(tag 'a')"),
        (user_tags, {"x:aws": ""}, {"AWS:x": ""}, "must not contain the tag 'AWS:x'"),
    ],
)
def test_both_sides_of_a_check(check: Any, right: Any, wrong: Any, said: str) -> None:
    assert check(right) is None
    assert said in check(wrong)


# --- Recommended ----------------------------------------------------------------------------------------------------------------


def differences(config: ClusterConfig) -> dict[str, Any]:
    """The fields of a configuration that are not the default's."""
    default = ClusterConfig("c")
    return {f.name: getattr(config, f.name) for f in fields(ClusterConfig) if getattr(config, f.name) != getattr(default, f.name)}


# A cluster is called what its entry is called.
VALUES = RECOMMENDED | {"cluster_name_prefix": "c"}


def test_recommended_differs_from_the_default_in_its_values_and_in_nothing_else() -> None:
    assert differences(recommended("c")) == VALUES
    assert list(mistakes("c", recommended("c"))) == []


@pytest.mark.parametrize("name", RECOMMENDED)
def test_each_recommended_value_can_be_switched_by_itself(name: str) -> None:
    default = getattr(ClusterConfig("c"), name)
    assert differences(recommended("c", **{name: default})) == {k: v for k, v in VALUES.items() if k != name}
    assert differences(ClusterConfig("c", **{name: RECOMMENDED[name]})) == {name: RECOMMENDED[name]}


def test_recommended_keeps_what_is_given() -> None:
    assert differences(recommended("c", region="eu-west-1", gpu_limit=8)) == VALUES | {"region": "eu-west-1", "gpu_limit": 8}


def test_a_recommended_cluster_is_called_what_its_entry_is_called_unless_a_prefix_is_given() -> None:
    prefixes = {cluster.cluster_name_prefix for cluster in (recommended("a", cluster_name_prefix="b"), ClusterConfig("a"))}
    assert (recommended("a").cluster_name_prefix, prefixes) == ("a", {"b", "eks-spot-gpu"})


def test_a_name_that_is_too_long_for_a_recommended_cluster_is_refused_with_the_field_to_set() -> None:
    (text,) = mistakes("a" * 25, recommended("a" * 25))
    assert text.startswith(f"{'a' * 25}.cluster_name_prefix must have at most 24 characters (got ")
    assert list(mistakes("a" * 25, recommended("a" * 25, cluster_name_prefix="a"))) == []


def test_the_recommended_values_can_be_printed() -> None:
    ran = subprocess.run([sys.executable, "-m", "stacks.config"], cwd=PROJECT, capture_output=True, text=True, check=True)
    printed = ran.stdout.splitlines()
    default = ClusterConfig("c")
    assert ran.stderr == ""
    assert len(printed) == 2 * len(RECOMMENDED)
    for name, value in RECOMMENDED.items():
        (line,) = (line for line in printed if line.startswith(f"{name} "))
        assert line.startswith(f"{name} = {value!r}   # {getattr(default, name)!r} by default; class ")


# --- Settings of earlier versions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "instead"),
    [
        ("stack", "use ClusterConfig(name) in main.py."),
        ("preset", "use recommended(name) instead of ClusterConfig(name) in main.py."),
        ("offering_checks", "use the field offering_checks in main.py."),
        ("spot_role_check", "use the field spot_role_check in main.py."),
        ("backend", "use the field backend: LocalBackend() or S3Backend(...) in main.py."),
        ("local_path", "use the field backend: LocalBackend(path) in main.py."),
        ("s3_bucket", "use the field backend: S3Backend(bucket=...) in main.py."),
        ("s3_key", "use the field backend: S3Backend(key=...) in main.py."),
        ("s3_region", "use the field backend: S3Backend(region=...) in main.py."),
        ("s3_use_lockfile", "use the field backend: S3Backend(use_lockfile=...) in main.py."),
        ("s3_kms_key_id", "use the field backend: S3Backend(kms_key_id=...) in main.py."),
        ("s3_profile", "use the field backend: S3Backend(profile=...) in main.py."),
    ],
)
def test_a_setting_of_an_earlier_version_is_refused_with_what_replaces_it(setting: str, instead: str) -> None:
    variable = f"CDKTF_KARPENTER_{setting.upper()}"
    with pytest.raises(ConfigurationError) as refused:
        refuse_replaced_settings({variable: "x"}, {})
    assert str(refused.value) == f"{variable} must not be set: settings are Python now. Unset it, and {instead}"
    with pytest.raises(ConfigurationError) as refused:
        refuse_replaced_settings({}, {setting: "x"})
    assert str(refused.value) == (
        f'"{setting}" must not be in the context of cdktf.json: settings are Python now. Remove it, and {instead}'
    )


def test_all_settings_of_an_earlier_version_are_named_together() -> None:
    environment = {"CDKTF_KARPENTER_BACKEND": "s3", "CDKTF_KARPENTER_FOO": "1", "PATH": "/bin"}
    with pytest.raises(ConfigurationError) as refused:
        refuse_replaced_settings(environment, {"preset": "recommended", "excludeStackIdFromLogicalIds": "true"})
    lines = str(refused.value).splitlines()
    assert [line.split()[0] for line in lines] == ["CDKTF_KARPENTER_BACKEND", "CDKTF_KARPENTER_FOO", '"preset"']


def test_what_the_cdktf_cli_sets_is_accepted() -> None:
    refuse_replaced_settings({"CDKTF_OUTDIR": "x", "CDKTF_CONTEXT_JSON": "{}"}, {"excludeStackIdFromLogicalIds": "true"})
