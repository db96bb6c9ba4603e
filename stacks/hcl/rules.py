"""Rules as Terraform conditions. Plain Python.

Terraform evaluates a rule in one of three places:

- A `validation` names its own variable only, because Terraform before 1.9 allows no other reference, and `required_version` admits
  1.5.7. A failing validation also blocks `plan -destroy`. So a validation only refuses what cannot be deployed.
- A requirement is a precondition of `random_string.suffix`, the first resource to be created. A requirement may name several
  variables, locals and data sources, and lets a destroy pass.
- A `check` warns.

A message says what must be, what was given, and what to do. Several mistakes are reported together.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

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


def has_elements(variable: str) -> tuple[Rule, ...]:
    """A list with at least one element, and no null in it."""
    return (
        Rule(f"length(var.{variable}) > 0", f"{variable} must have at least one element (got [])."),
        *without_nulls(variable),
    )


def without_nulls(variable: str) -> tuple[Rule, ...]:
    """A list without null. (`nullable = false` applies to the list, not to its elements.)"""
    return (Rule(f"alltrue([for v in var.{variable} : v != null])", f"{variable} must not contain null (got {given(variable)})."),)


def well_formed(name: str, values: Expression, pattern: str, *, like: str) -> EmptyList:
    """A list of strings that match a pattern, such as instance types; `like` describes what does."""
    return EmptyList(
        f"{name}_malformed",
        f"[for type in {values.hcl} : type if !{matches('type', pattern)}]",
        f"{name} must contain {like} (got {{found}}).",
    )


def no_duplicates(name: str, values: Expression) -> Rule:
    """A list without duplicates."""
    return Rule(
        f"length(distinct({values.hcl})) == length({values.hcl})",
        f"{name} must not contain duplicates (got {shown(values)}).",
    )


def given(variable: str) -> str:
    """The value of a variable in a message, as a template."""
    return shown(Expression(f"var.{variable}"))


def shown(value: Expression) -> str:
    """A value in a message, as a template."""
    return f"${{jsonencode({value.hcl})}}"


def inside_any(cidr: Expression, networks: Sequence[str]) -> str:
    """Whether the first address of `cidr` is in one of `networks`."""
    address = f'split("/", {cidr.hcl})[0]'
    inside = (f'cidrsubnet("${{{address}}}/{network.rpartition("/")[2]}", 0, 0) == "{network}"' for network in networks)
    return f"anytrue([{', '.join(inside)}])"


def matches(expression: str, pattern: str) -> str:
    """Whether a string matches a pattern."""
    return f"can(regex({json.dumps(pattern)}, {expression}))"
