"""The Terraform variables of a stack: the fields of `ClusterConfig` that are marked `Variable`."""

from dataclasses import replace
from typing import Any

from stacks.config import ClusterConfig
from stacks.config.fields import Option, options_of, terraform_type
from stacks.hcl.expressions import Expression
from stacks.terraform.addresses import Addressed


def add_variables(stack: Addressed, config: ClusterConfig) -> ClusterConfig:
    """Declare the variables; returns the configuration with the expression of each variable in the place of its default."""
    unused = config.unused_options()
    fields = [field for field in options_of(ClusterConfig) if field.variable and field.name not in unused]
    declared: dict[str, Any] = dict(
        stack.add_first_variables({field.name: _body(field, getattr(config, field.name)) for field in fields})
    )
    return replace(config, **declared)


def _body(field: Option, default: Any) -> dict[str, Any]:
    assert field.variable  # noqa: S101  (the caller asked)
    body: dict[str, Any] = {"type": terraform_type(field.hint), "description": field.text}
    if field.variable.musts:
        value = Expression(f"var.{field.name}")
        body["validation"] = [must.rule(field.name, value).block() for must in field.variable.musts]
    required = field.variable.required and default is None
    if not required:
        body["default"] = default
    if field.variable.required or field.default is not None:
        body["nullable"] = False  # a null without a meaning of its own becomes the default
    return body
