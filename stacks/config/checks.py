"""Find every mistake in a configuration, each with its place and what to do. Plain Python.

A configuration consists of dataclasses that check nothing when they are made, because a constructor that raises would report the
first mistake only. What a field may hold is its type hint, with checks in it: `Annotated[int, at_least(1)]`. What concerns several
fields is a method `mistakes` of the class. `mistakes` below walks through all of it and adds the places.
"""

import ipaddress
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

from stacks.hcl.rules import mistakes as mistakes_of_literal

Check: TypeAlias = Callable[[Any], str | None]
"""Judges a value: None, or what the value must be, such as `must be at least 1`."""


DECIDES = "decides what exists"
"""Marks a field in its type hint: a Terraform expression cannot stand for its value."""


class ConfigurationError(ValueError):
    """A configuration with mistakes. The message names all of them, a line each."""


def refuse(place: str, value: object) -> None:
    """Stop if a configuration has mistakes.

    Raises:
        ConfigurationError: it has some.
    """
    if found := list(mistakes(place, value)):
        raise ConfigurationError("\n".join(found))


def mistakes(
    place: str, value: Any, skip: Callable[[object], bool] = lambda value: False, *, part: type | None = None
) -> Iterator[str]:
    """The mistakes in a dataclass and in all dataclasses inside it; of a class that it inherits from, if `part` names one."""
    kind: Any = part or type(value)
    wanted = field_types(kind)
    yield from mistakes_of(place, {name: getattr(value, name) for name in wanted}, wanted, skip)
    rules = getattr(kind, "mistakes", None)
    if rules and not any(wrongly_typed(value, skip, part=kind)):
        yield from (f"{place}.{text}" for text in rules(value))


def mistakes_of(
    place: str, given: Mapping[str, Any], wanted: Mapping[str, Any], skip: Callable[[object], bool] = lambda value: False
) -> Iterator[str]:
    """The mistakes in named values, each with its type hint; values that `skip` names are for others to judge."""
    for name, hint in wanted.items():
        value, inner, checks = given[name], *_parts(hint)
        where = f"{place}.{name}"
        if skip(value):
            if DECIDES in get_args(hint):
                yield f"{where} must be a value that Python knows, because it decides what exists (got {shortened(str(value))})."
            continue
        if not has_type(value, inner):
            yield f"{where} must be {type_in_words(inner)} (got {shortened(value)}).{_slip(value, inner, checks)}"
        elif value is not None:
            yield from (f"{where} {text} (got {shortened(value)})." for check in checks if (text := check(value)))
            yield from (f"{place}.{text}" for text in judged(name, value, hint))
        for key, part in _inside(value):
            yield from mistakes(f"{where}{key}", part, skip, part=_declared(part, inner))


@cache
def field_types(kind: Any) -> dict[str, Any]:
    """The type hints of a class's fields, with the checks in them, in the order of `subjects`."""
    found = get_type_hints(kind, include_extras=True)
    return {name: found[name] for name in subjects(kind)}


def subjects(kind: type) -> list[str]:
    """The fields of a dataclass as a reader expects them: those of its first base first. (`fields` begins with the last one.)"""
    return list(dict.fromkeys(field.name for base in (*kind.__bases__, kind) if is_dataclass(base) for field in fields(base)))


def has_type(value: object, hint: Any) -> bool:
    """Whether a value has the type that a hint names. A string is not a list of strings, and True is not a number."""
    hint, _ = _parts(hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(has_type(value, part) for part in arguments)
    if origin is Literal:
        return value in arguments
    if hint is Any:
        return True
    if origin and issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(has_type(k, arguments[0]) and has_type(v, arguments[1]) for k, v in value.items())
    if origin and issubclass(origin, Sequence):
        return isinstance(value, Sequence) and not isinstance(value, str) and all(has_type(part, arguments[0]) for part in value)
    if hint is float:  # CDKTF types its number tokens so
        hint = int | float
    return isinstance(value, hint) and (hint is bool or not isinstance(value, bool))


_SINGULARS = {str: "a string", int: "a whole number", float: "a number", bool: "True or False"}
_PLURALS = {str: "strings", int: "whole numbers"}


def type_in_words(hint: Any) -> str:
    """What a type hint admits, in words."""
    hint, _ = _parts(hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join("None" if part is NoneType else type_in_words(part) for part in arguments)
    if origin is Literal:
        return " or ".join(map(repr, arguments))
    if origin and issubclass(origin, Mapping):
        return "a dict" if arguments[1] is Any else f"a dict of {_plural(arguments[1])}"
    if origin and issubclass(origin, Sequence):
        return f"a list of {_plural(arguments[0])}"
    return _SINGULARS.get(hint) or f"{'an' if re.match('[AEIOU]|S[0-9]|Mp', hint.__name__) else 'a'} {hint.__name__}"


def _plural(hint: Any) -> str:
    """What a type hint admits, in words for several."""
    hint, _ = _parts(hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(map(_plural, arguments))
    if origin and origin is not Literal and issubclass(origin, Mapping):
        return f"dicts of {_plural(arguments[1])}"
    if origin and origin is not Literal and issubclass(origin, Sequence):
        return f"lists of {_plural(arguments[0])}"
    return _PLURALS.get(hint) or (hint.__name__ if isinstance(hint, type) else type_in_words(hint))


def _parts(hint: Any) -> tuple[Any, tuple[Check, ...]]:
    """A type hint, and the checks that it carries."""
    if get_origin(hint) is not Annotated:
        return hint, ()
    inner, *extras = get_args(hint)
    return inner, tuple(extra for extra in extras if callable(extra))


def judged(name: str, value: Any, hint: Any) -> Iterator[str]:
    """What a plan would refuse of a literal that is the default of a Terraform variable, in Terraform's words."""
    for extra in get_args(hint)[1:] if get_origin(hint) is Annotated else ():
        yield from mistakes_of_literal(name, value, getattr(extra, "musts", ()))


def _inside(value: Any) -> Iterator[tuple[str, object]]:
    """The dataclasses in a value, each with its key: by name where it has one, else by number."""
    if is_dataclass(value) and not isinstance(value, type):
        yield "", value
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for number, part in enumerate(value):
            if is_dataclass(part) and not isinstance(part, type):
                yield f'["{part.name}"]' if hasattr(part, "name") else f"[{number}]", part


def _declared(value: object, hint: Any) -> type | None:
    """The dataclass that a hint names for a value: a part of the configuration, where the whole of it is given."""
    named = [hint, *get_args(hint)]
    return next((kind for kind in named if isinstance(kind, type) and is_dataclass(kind) and isinstance(value, kind)), None)


def _slip(value: object, hint: Any, checks: Collection[Check]) -> str:
    """What to do about a value that is right but for a comma or for quotes."""
    if extra_comma(value, hint):
        return " Remove the comma behind the value."
    if isinstance(value, int | float) and not isinstance(value, bool) and has_type(str(value), hint):
        # Python reads 1.30 as 1.3.
        right = [text for text in (str(value), f"{value:.2f}") if checks and not any(check(text) for check in checks)]
        if right:
            return f' Write "{right[0]}", in quotes.'
        if isinstance(value, float) and not checks:
            return " Write the value in quotes."
    return ""


def extra_comma(value: object, hint: Any) -> bool:
    """Whether a comma has made a tuple of a value that has the type of a hint."""
    return isinstance(value, tuple) and len(value) == 1 and has_type(value[0], hint)


MOST_CHARACTERS = 300


def shortened(value: Any) -> str:
    """A value in a message: a dataclass by its name and a long list by its start, because the whole would fill the screen."""
    if is_dataclass(value) and not isinstance(value, type):
        return f"{type(value).__name__}({repr(value.name) if hasattr(value, 'name') else '...'})"
    if not isinstance(value, list | tuple) or not value:
        text = repr(value)
        return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}..."
    parts = [shortened(part) for part in value]
    if len(", ".join(parts)) > MOST_CHARACTERS:
        parts[3:] = [f"... {len(parts)} in all"]
    text = ", ".join(parts)
    return f"[{text}]" if isinstance(value, list) else f"({text},)" if len(value) == 1 else f"({text})"


def wrongly_typed(value: Any, skip: Callable[[object], bool] = lambda value: False, *, part: type | None = None) -> Iterator[str]:
    """The fields with a value of another type, or with an expression for what Python must know, at any depth."""
    kind: Any = part or type(value)
    for name, hint in field_types(kind).items():
        given = getattr(value, name)
        if skip(given):
            if DECIDES in get_args(hint):
                yield name
            continue
        if not has_type(given, hint):
            yield name
        else:
            for _, inner in _inside(given):
                yield from wrongly_typed(inner, skip)


# Checks


def at_least(least: int) -> Check:
    """A number of at least `least`."""
    return lambda value: None if value >= least else f"must be at least {least}"


def at_most(most: int) -> Check:
    """A number of at most `most`."""
    return lambda value: None if value <= most else f"must be at most {most}"


def has_at_most(most: int) -> Check:
    """A list with at most `most` elements."""
    return lambda value: None if len(value) <= most else f"must have at most {most} elements"


def between(least: int, most: int) -> Check:
    """A number between two others."""
    return lambda value: None if least <= value <= most else f"must be between {least} and {most}"


def whole(value: float) -> str | None:
    """A whole number."""
    return None if value == int(value) else "must be a whole number"


def matches(pattern: str, like: str) -> Check:
    """A string that matches a pattern as a whole; `like` describes what does. Digits and letters are those of ASCII, as in Go."""
    return lambda value: None if re.fullmatch(pattern, value, re.ASCII) else f"must be {like}"


def not_empty(value: Collection[object]) -> str | None:
    """A list with at least one element, or a string with at least one character."""
    return None if value else "must not be empty" if isinstance(value, str) else "must have at least one element"


def distinct(value: Sequence[object]) -> str | None:
    """A list without duplicates."""
    return None if all(part not in value[:number] for number, part in enumerate(value)) else "must not contain duplicates"


def each(check: Check) -> Check:
    """A list whose elements pass a check."""
    return lambda values: next((text for value in values if (text := check(value))), None)


def literal(value: str) -> str | None:
    """A string that means what it says: nobody expands variables in it."""
    if re.search(r"\$[\w{(]|%\{", value) or value.startswith("~"):
        return "must not contain $NAME, ${...}, %{...} or ~, which nothing expands here: write the value, or compute it in Python"
    return None


def ipv4_networks(values: Sequence[str]) -> str | None:
    """IPv4 networks that EKS accepts for its public endpoint."""
    return "must have at most 40 networks" if len(values) > 40 else each(ipv4_network(0, 32))(values)


# What every AWS service accepts in a tag.
TAG = r"[\w .:/=+\-@]"


def user_tags(values: Mapping[str, str]) -> str | None:
    """AWS tags that a user may set. https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html"""
    for key, value in values.items():
        if key == "Name" or key.lower().startswith(("aws:", "eks:", "karpenter.", "kubernetes.io/cluster/")):
            return f"must not contain the tag {key!r}, which AWS, Karpenter or Terraform sets"
        if not re.fullmatch(rf"{TAG}{{1,128}}", key) or not re.fullmatch(rf"{TAG}{{0,256}}", value):
            return f"must have keys of 1 to 128 and values of at most 256 letters, digits, spaces and _.:/=+-@ (tag {key!r})"
    return None


def ipv4_network(largest: int, smallest: int) -> Check:
    """An IPv4 network with a prefix length between two others."""

    def check(value: str) -> str | None:
        try:
            network = ipaddress.IPv4Network(value)
        except ValueError as error:
            return f"must be an IPv4 network such as 10.0.0.0/16: {error}"
        if str(network) != value:
            return f"must be written with a prefix length, as {network} instead of {value}"
        return None if largest <= network.prefixlen <= smallest else f"must be a /{largest} to /{smallest} network"

    return check
