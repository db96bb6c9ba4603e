"""Arguments of constructs that cannot be right, refused before CDKTF sees them: its own refusals bury the cause in JavaScript."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, get_type_hints

from imports.expressions import Expression

from cdktf import Token

from stacks.config.checks import ConfigurationError, mistakes_of


def check_arguments(construct: object, arguments: Mapping[str, Any]) -> None:
    """Check what a construct's `__init__` was given, its `locals()`, against its type hints and the checks in them.

    A Terraform expression or a CDKTF token passes: Terraform judges the value.

    Raises:
        ConfigurationError: an argument cannot be right. The message names all that cannot.
    """
    kind: Any = type(construct)
    if found := list(mistakes_of(kind.__name__, arguments, _type_hints(kind.__init__), skip=is_expression)):
        raise ConfigurationError("\n".join(found))


def is_expression(value: object) -> bool:
    """Whether Terraform, or CDKTF at synthesis, knows the value, and Python does not."""
    if isinstance(value, str):
        return isinstance(value, Expression) or "${" in value
    if isinstance(value, list):
        return any(isinstance(part, str) and "TfToken[" in part for part in value)
    return isinstance(value, float) and bool(Token.is_unresolved(value))


@cache
def _type_hints(make: Callable[..., None]) -> dict[str, Any]:
    found = get_type_hints(make, include_extras=True)
    return {name: hint for name, hint in found.items() if name not in ("scope", "id", "return")}
