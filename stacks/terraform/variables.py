"""The Terraform variables of a stack: the fields of `ClusterConfig` that are marked `Variable`."""

from typing import Any

from imports.expressions import Expression

from stacks.config import ClusterConfig
from stacks.config.fields import Documented, documented, terraform_type
from stacks.terraform.addresses import Addressed


class Variables:
    """Each attribute is the expression of the variable of that name: `variables.region` is `${var.region}`."""

    def __init__(self, stack: Addressed, config: ClusterConfig) -> None:
        fields = [field for field in documented(ClusterConfig) if field.variable]
        self._declared = stack.add_first_variables({field.name: _body(field, getattr(config, field.name)) for field in fields})

    def __getattr__(self, name: str) -> Expression:
        try:
            return self._declared[name]
        except KeyError:
            raise AttributeError(f"no variable is named {name!r}") from None


def _body(field: Documented, default: Any) -> dict[str, Any]:
    assert field.variable  # noqa: S101  (the caller asked)
    body: dict[str, Any] = {"type": terraform_type(field.hint), "description": field.text}
    if field.variable.rules:
        body["validation"] = [rule.block() for rule in field.variable.rules]
    required = field.variable.required and default is None
    if not required:
        body["default"] = default
    if field.variable.required or field.default is not None:
        body["nullable"] = False  # a null without a meaning of its own becomes the default
    return body
