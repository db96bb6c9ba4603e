"""Arguments of constructs and manifests that cannot be right, refused before CDKTF sees them. Pure Python.

CDKTF's own refusals come from JavaScript and bury the cause. A Terraform expression passes: what it stands for is for Terraform.
"""

import ipaddress
import re
from collections.abc import Mapping
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


def check_arguments(construct: object, arguments: Mapping[str, Any]) -> None:
    """Check what a construct's `__init__` was given, its `locals()`, against its type hints.

    Raises:
        ValueError: one has another type.
    """
    for name, hint in _type_hints(type(construct).__init__).items():
        if name in ("scope", "id", "return"):
            continue
        value, allowed = arguments[name], _allowed(hint)
        if not any(isinstance(value, kind) if isinstance(kind, type) else value == kind for kind in allowed):
            wanted = " or ".join(kind.__name__ if isinstance(kind, type) else repr(kind) for kind in allowed)
            raise ValueError(f"{type(construct).__name__}: {name}: {value!r} is not allowed; {wanted} is.")


_type_hints = cache(get_type_hints)  # an app may have many stacks


def check_cidr(what: str, value: str, prefixes: tuple[int, int]) -> None:
    """Check an IPv4 network.

    Raises:
        ValueError: it is none, has host bits, or is larger or smaller than `prefixes`, the shortest and the longest.
    """
    if "${" in value:
        return
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError as error:
        raise ValueError(f"{what}: {value!r} is no IPv4 network ({error}); one looks like 10.0.0.0/16.") from None
    largest, smallest = prefixes
    if not largest <= network.prefixlen <= smallest:
        raise ValueError(f"{what}: {value!r} has another size than /{largest} to /{smallest}.")


def check_positive(what: str, value: int | str) -> None:
    """Check a whole number, 1 at least.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, str) and value.startswith("${"):
        return
    if isinstance(value, str | bool) or value < 1:
        raise ValueError(f"{what}: {value!r} is not allowed; a whole number, 1 at least, or a Terraform expression is.")


def check_shape(what: str, value: str, pattern: str, like: str) -> None:
    """Check a string against a pattern; `like` is an example of what is allowed.

    Raises:
        ValueError: it does not match.
    """
    if "${" not in value and not re.fullmatch(pattern, value):
        raise ValueError(f"{what}: {value!r} is not allowed; {like} is.")


def _allowed(hint: Any) -> tuple[Any, ...]:
    """The classes whose instances a type hint admits, or the values."""
    origin = get_origin(hint)
    if origin is Literal:
        return get_args(hint)
    if origin in (Union, UnionType):
        return tuple(kind for part in get_args(hint) for kind in _allowed(part))
    return (origin or hint,)
