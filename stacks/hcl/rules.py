"""Rules: what a value must be, as Terraform conditions, and as judgements of what Python gives. Plain Python.

Terraform evaluates a rule in one of three places:

- A `validation` names its own variable only, because Terraform before 1.9 allows no other reference, and `required_version` admits
  1.5.7. A failing validation also blocks `plan -destroy`. So a validation only refuses what cannot be deployed.
- A requirement is a precondition of the first resource to be created. A requirement may name several variables, locals and data
  sources, and lets a destroy pass.
- A `check` warns.

A message says what must be, what was given, and what to do. Several mistakes are reported together. A literal is judged by the
same rules when the JSON is written, with the same words: `Must` and `Elements` know both.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from stacks.hcl.expressions import Expression


@dataclass(frozen=True)
class Rule:
    """A Terraform condition, without `${}`, and the message (a template) for when the condition is false."""

    condition: str
    message: str

    def block(self) -> dict[str, str]:
        """As a `validation`, `precondition` or `assert` block."""
        return {"condition": f"${{{self.condition}}}", "error_message": self.message}


@dataclass(frozen=True)
class EmptyList:
    """The rule that a list of what is wrong must be empty. The list becomes a local, which the message names as `{found}`."""

    local: str
    listed: str
    message: str

    def rule(self) -> Rule:
        """The rule, once the stack has the local."""
        return Rule(f"length(local.{self.local}) == 0", self.message.replace("{found}", f"${{jsonencode(local.{self.local})}}"))


VALUE = "VALUE"
"""The place of the value in the condition of a `Must`."""

Words = tuple[str, Callable[[Any], str]]
"""A part of a message: as a template of `VALUE`, and of a literal."""


def as_json(value: Any) -> str:
    """A literal as Terraform's `jsonencode` writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


END: Words = (".", lambda value: ".")
GIVEN: Words = (f"${{jsonencode({VALUE})}}", as_json)


@dataclass(frozen=True)
class Must:
    """What a value must be.

    Attributes:
        be: what it must be, as `be an AWS region such as us-west-2`; or `not contain null`, or `have at least one element`.
        condition: in HCL, of `VALUE`.
        holds: the same of a literal.
        got: what was given.
        tail: the end of the message.
        optional: whether null is right too.
    """

    be: str
    condition: str
    holds: Callable[[Any], bool]
    got: Words = GIVEN
    tail: Words = END
    optional: bool = False

    def rule(self, name: str, value: Expression) -> Rule:
        """In Terraform."""
        condition = self.condition.replace(VALUE, value.hcl)
        message = f"{name} must {self.be} (got {self.got[0]}){self.tail[0]}".replace(VALUE, value.hcl)
        return Rule(f"{value.hcl} == null ? true : {condition}" if self.optional else condition, message)

    def mistake(self, name: str, value: Any) -> str | None:
        """What is wrong with a literal; None if nothing is."""
        if (self.optional and value is None) or self.holds(value):
            return None
        return f"{name} must {self.be} (got {self.got[1](value)}){self.tail[1](value)}"


@dataclass(frozen=True)
class Elements:
    """What the elements of a list must be: the rule that the list of the wrong ones is empty.

    Attributes:
        local: the name of the local that lists the wrong ones.
        listed: the same in HCL, of `VALUE`.
        wrong: whether an element of a literal is.
        message: names the list as `{found}`.
    """

    local: str
    listed: str
    wrong: Callable[[str], bool]
    message: str

    def rule(self, values: Expression) -> EmptyList:
        """In Terraform."""
        return EmptyList(self.local, self.listed.replace(VALUE, values.hcl), self.message)

    def mistake(self, values: Sequence[str] | Mapping[str, str]) -> str | None:
        """What is wrong with a literal list or map; None if nothing is."""
        found: Any = [value for value in values if self.wrong(value)]
        if isinstance(values, Mapping):
            found = {key: value for key, value in values.items() if self.wrong(value)}
        return self.message.replace("{found}", as_json(found)) if found else None


def mistakes(name: str, value: Any, musts: Sequence[Must]) -> Iterator[str]:
    """What is wrong with a literal, up to the first rule that it breaks: what follows may suppose that this rule holds."""
    for must in musts:
        if mistake := must.mistake(name, value):
            yield mistake
            return


def ending(text: str) -> Words:
    """The end of a message that does not depend on the value."""
    return text, lambda value: text


def match(pattern: str, be: str, *, unless: bool = False, optional: bool = False, tail: Words = END) -> Must:
    """A string that matches a pattern, or with `unless` does not."""
    condition = matches(VALUE, pattern)
    return Must(
        be,
        f"!{condition}" if unless else condition,
        lambda value: found(pattern, value) is not unless,
        optional=optional,
        tail=tail,
    )


def found(pattern: str, value: str) -> bool:
    """Whether a pattern is found in a string. Terraform's `$` is the end of the string, and its digits are those of ASCII."""
    return re.search(re.sub(r"\$$", r"\\Z", pattern), value, re.ASCII) is not None


HAS_ELEMENTS = Must("have at least one element", f"length({VALUE}) > 0", bool, got=("[]", as_json))

# `nullable = false` applies to a list, not to its elements.
WITHOUT_NULLS = Must("not contain null", f"alltrue([for v in {VALUE} : v != null])", lambda values: None not in values)

DISTINCT = Must(
    "not contain duplicates",
    f"length(distinct({VALUE})) == length({VALUE})",
    lambda values: len(set(values)) == len(values),
)


def has_at_most(most: int, what: str, tail: str) -> Must:
    """A list with at most so many elements."""
    count = f"${{length({VALUE})}}", lambda values: str(len(values))
    return Must(f"have at most {most} {what}", f"length({VALUE}) <= {most}", lambda v: len(v) <= most, got=count, tail=ending(tail))


def whole(be: str, *, optional: bool = False) -> Must:
    """A whole number of at least 1."""
    return Must(be, f"{VALUE} >= 1 && floor({VALUE}) == {VALUE}", lambda v: v >= 1 and v == int(v), optional=optional)


# More than any account has, and exact in Kubernetes, in Bottlerocket and in JavaScript, through which CDKTF writes the JSON.
MOST = 2**31 - 1


def at_most(most: int, be: str, *, optional: bool = False, tail: Words = END) -> Must:
    """A number of at most so much."""
    return Must(be, f"{VALUE} <= {most}", lambda value: value <= most, optional=optional, tail=tail)


def well_formed(name: str, pattern: str, *, like: str) -> Elements:
    """Strings that match a pattern, such as instance types; `like` describes what does."""
    return Elements(
        f"{name}_malformed",
        types_if(f"!{matches('type', pattern)}"),
        lambda value: not found(pattern, value),
        f"{name} must contain {like} (got {{found}}).",
    )


def types_if(condition: str) -> str:
    """The elements of `VALUE` that meet a condition, which names an element `type`, in HCL."""
    return f"[for type in {VALUE} : type if {condition}]"


def shown(value: Expression) -> str:
    """A value in a message, as a template."""
    return f"${{jsonencode({value.hcl})}}"


def matches(expression: str, pattern: str) -> str:
    """Whether a string matches a pattern, in HCL."""
    return f"can(regex({json.dumps(pattern)}, {expression}))"


def inside_any(cidr: str, networks: Sequence[str]) -> str:
    """Whether the first address of `cidr` is in one of `networks`, in HCL."""
    address = f'split("/", {cidr})[0]'
    inside = (f'cidrsubnet("${{{address}}}/{network.rpartition("/")[2]}", 0, 0) == "{network}"' for network in networks)
    return f"anytrue([{', '.join(inside)}])"


def apart(cidr: str, network: str) -> str:
    """Whether `cidr` does not overlap a literal network, in HCL: the larger of two that overlap has the first address of both."""
    address = network.partition("/")[0]
    return f'!{inside_any(cidr, [network])} && cidrsubnet("{address}/${{split("/", {cidr})[1]}}", 0, 0) != {cidr}'


def overlap(cidr: str, network: str) -> bool:
    """The opposite of two literals."""
    return IPv4Network(cidr, strict=False).overlaps(IPv4Network(network))


def starts_inside(cidr: str, networks: Sequence[str]) -> bool:
    """The same of a literal."""
    address = IPv4Network(cidr, strict=False).network_address
    return any(address in IPv4Network(network) for network in networks)
