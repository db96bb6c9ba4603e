"""`recommended`: a second set of values, and in nothing else another configuration."""

import subprocess
import sys
from dataclasses import fields
from typing import Any

import pytest

from stacks.app import PROJECT
from stacks.config import ClusterConfig, recommended
from stacks.config.checks import mistakes
from stacks.config.recommended import RECOMMENDED


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
