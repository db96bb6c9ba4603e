"""Arguments of constructs that cannot be right, refused before CDKTF sees them: its own refusals bury the cause in JavaScript."""

from collections.abc import Callable
from functools import cache
from typing import Any, get_type_hints

from stacks.config.checks import ConfigurationError, mistakes_of
from stacks.hcl.expressions import is_expression


def check_arguments(construct: type, **arguments: object) -> None:
    """Check arguments of a construct against the type hints of its `__init__`, and the checks and the rules of their classes.

    A Terraform expression or a CDKTF token passes: Terraform judges the value.

    Raises:
        ConfigurationError: an argument cannot be right. The message names all that cannot.
    """
    hints = _type_hints(construct.__init__)  # type: ignore[misc]
    wanted = {name: hints[name] for name in arguments}
    if found := list(mistakes_of(construct.__name__, arguments, wanted, skip=is_expression)):
        raise ConfigurationError("\n".join(found))


@cache
def _type_hints(make: Callable[..., None]) -> dict[str, Any]:
    found = get_type_hints(make)
    return {name: hint for name, hint in found.items() if name not in ("scope", "id", "return")}
