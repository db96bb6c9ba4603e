"""The fields of a configuration: one home, documentation, a class of change and a type each."""

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import FrozenInstanceError, dataclass, fields, is_dataclass, replace
from typing import Annotated, Any

import pytest

import stacks.config
from stacks.config import (
    S3,
    AccessEntry,
    Budget,
    CapacityReservation,
    ClusterConfig,
    DataVolume,
    Ebs,
    Efs,
    Fsx,
    GeneralPool,
    GpuPool,
    ImageCache,
    LocalBackend,
    Mps,
    PodIdentity,
    S3Backend,
    Snapshots,
    SociParallelPull,
    Statement,
    Taint,
    TimeSlicing,
    VpcCni,
)
from stacks.config.checks import has_type, mistakes
from stacks.config.fields import Change, Variable, options_of, terraform_type

MODEL: set[type] = {
    kind for name in stacks.config.__all__ if isinstance(kind := getattr(stacks.config, name), type) and is_dataclass(kind)
}


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


def test_every_variable_has_a_type_of_terraform() -> None:
    variables = [field for field in options_of(ClusterConfig) if isinstance(field.variable, Variable)]
    assert len(variables) > 10
    for field in variables:
        assert terraform_type(field.hint) in ("string", "number", "list(string)", "map(string)")


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
    TimeSlicing(replicas=2),
    Mps(replicas=2),
    VpcCni(warm_ip_target=2, minimum_ip_target=16),
    ImageCache(registries=["quay.io"]),
    Ebs(),
    Efs(),
    Fsx(),
    S3(buckets=["acme-models"]),
    Snapshots(),
    PodIdentity(namespace="a", service_account="b", policies=["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]),
    Statement(actions=["s3:GetObject"], resources=["*"]),
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
