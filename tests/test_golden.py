"""The golden files: the default, and every option away from its default."""

import json
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from docs.generate import classes
from stacks.config import ClusterConfig, GeneralPool, GpuPool
from stacks.config.fields import options_of
from stacks.testing import synth_cluster
from tests.configurations import EVERY_OPTION, GOLDEN
from tests.synthesis import Json

FOLDER = Path(__file__).with_name("golden")
# Judged when the JSON is written, and not in it.
UNWRITTEN = {"max_hourly_usd"}
OPTIONS = {
    f"{kind.__name__}.{field.name}": (kind, field)
    for kind in (ClusterConfig, *classes())
    for field in options_of(kind)
    if field.name not in UNWRITTEN
}

# Instead of a default that cannot be synthesized with the other options: with Kubernetes 1.35, with S3, and in a pool without other
# types.
INSTEAD: dict[str, Any] = {
    "ClusterConfig.karpenter_version": "1.14.0",
    "ClusterConfig.general_pools": [GeneralPool("build", cpu_limit=128)],
    "GpuPool.instance_types": ["p9.24xlarge"],
    "GpuPool.families": ["p5"],
    "GpuPool.gpu_names": ["h100"],
}

Place = tuple[str | int, ...]


@cache
def synthesized(name: str) -> str:
    """What is in a golden file, if it is current."""
    return synth_cluster(GOLDEN[name])


@pytest.mark.parametrize("name", GOLDEN)
def test_the_json_is_the_golden_copy_byte_for_byte(name: str) -> None:
    """After a wanted change: `make golden`, and read the diff."""
    assert synthesized(name) == (FOLDER / name).read_text()


def parts(value: object, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """The dataclasses in a value, itself included, each with its place."""
    if is_dataclass(value):
        yield place, value
        for field in fields(value):
            yield from parts(getattr(value, field.name), (*place, field.name))
    elif isinstance(value, list | tuple):
        for number, one in enumerate(value):
            yield from parts(one, (*place, number))


def shown(option: str) -> list[tuple[str, Place]]:
    """The golden files with a value of an option that is not its default, with the place of the value in the configuration."""
    kind, field = OPTIONS[option]
    return [
        (name, (*place, field.name))
        for name, config in GOLDEN.items()
        for place, part in parts(config)
        if type(part) is kind and getattr(part, field.name) != field.default
    ]


def changed(option: str, value: Any, place: Place) -> Any:
    """A value with the default of an option at a place; where an option has no default, with something else."""
    if not place:
        default = INSTEAD.get(option, OPTIONS[option][1].default)
        return default if default is not MISSING else value + 1 if isinstance(value, int) else f"1{value}"
    first, others = place[0], place[1:]
    if isinstance(first, int):
        return [changed(option, one, others) if number == first else one for number, one in enumerate(value)]
    return replace(value, **{first: changed(option, getattr(value, first), others)})


def test_a_golden_file_gives_every_option_a_value_that_is_not_its_default() -> None:
    assert {path.name for path in FOLDER.glob("*.json")} == GOLDEN.keys()
    assert [option for option in OPTIONS if not shown(option)] == []


POOL_PARTS = {GpuPool, *classes(GpuPool), GeneralPool, *classes(GeneralPool)}
# Without the names of pools, which are the addresses of their objects.
IN_POOLS = [option for option, (kind, field) in OPTIONS.items() if kind in POOL_PARTS and field.name != "name"]
VARIABLES = [option for option, (kind, field) in OPTIONS.items() if field.variable]
OTHERS = [option for option, (kind, field) in OPTIONS.items() if kind not in POOL_PARTS and not field.variable]


@pytest.fixture
def unjudged(monkeypatch: pytest.MonkeyPatch) -> None:
    """No mistake is found: an option may need others."""
    for finds in ("stacks.config.checks.mistakes", "stacks.terraform.arguments.mistakes_of"):
        monkeypatch.setattr(finds, lambda *arguments, **options: ())


@pytest.mark.slow
@pytest.mark.usefixtures("unjudged")
@pytest.mark.parametrize("option", OTHERS)
def test_an_option_changes_the_json(option: str) -> None:
    assert any(synth_cluster(changed(option, GOLDEN[name], place)) != synthesized(name) for name, place in shown(option))


def test_every_variable_has_the_value_of_its_field_and_is_used() -> None:
    document: Json = json.loads((FOLDER / "every_option.cdk.tf.json").read_text())
    variables = document.pop("variable")
    for name, variable in variables.items():
        value = getattr(EVERY_OPTION, name)
        assert variable["default"] == (list(value) if isinstance(value, tuple) else value)
        assert f"var.{name}" in json.dumps(document)
    assert variables.keys() == {OPTIONS[option][1].name for option in VARIABLES}


@pytest.mark.slow
@pytest.mark.usefixtures("unjudged")
def test_an_option_of_a_pool_changes_its_objects() -> None:
    """One synthesis, where each pool has a twin for each of its options."""
    twins: dict[str, Any] = {kind: [*getattr(EVERY_OPTION, kind)] for kind in ("gpu_pools", "general_pools")}
    origins: dict[str, tuple[str, str]] = {}  # by the name of the twin, the option and the name of the pool
    for option in IN_POOLS:
        for name, (kind, number, *place) in shown(option):
            if GOLDEN[name] is EVERY_OPTION and kind in twins:
                pool, twin = twins[str(kind)][int(number)], f"twin{len(origins)}"
                if getattr(pool, "efa", False) and option not in ("GpuPool.efa", "GpuPool.placement_group"):
                    continue  # rules of EFA need a zone and known types
                twins[str(kind)].append(replace(changed(option, pool, tuple(place)), name=twin))
                origins[twin] = option, pool.name
    objects = json.loads(synth_cluster(replace(EVERY_OPTION, **twins)))["locals"]

    def written(pool: str) -> str:
        return json.dumps([objects[f"{kind}_{pool}"] for kind in ("nodepool", "ec2nodeclass")]).replace(f'"{pool}"', "")

    differing = {option for twin, (option, pool) in origins.items() if written(twin) != written(pool)}
    assert set(IN_POOLS) - differing == set()
