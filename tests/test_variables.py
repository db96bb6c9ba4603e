"""Fields that are Terraform variables: their defaults, and what may be null."""

from typing import Any

from stacks.config import ClusterConfig
from stacks.config.fields import options_of
from tests.synthesis import Json, synth_stack


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
