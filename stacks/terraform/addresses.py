"""Terraform addresses that stay those of the HCL.

CDKTF makes the address of an element inside a construct from the element's path and a hash. Here every element sets its
address, so that a plan reads `helm_release.karpenter` and a state that the HCL left fits.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

import imports  # noqa: F401  (before cdktf: CDKTF's packages load lazily)

import jsii
from cdktf import TerraformElement, TerraformOutput, TerraformResource, TerraformStack, Token
from constructs import Construct, IValidation

from stacks.hcl.expressions import Expression
from stacks.hcl.rules import EmptyList, Rule

P = ParamSpec("P")
E = TypeVar("E", bound=TerraformElement)


class Addressed(Construct):
    """A construct, or with `TerraformStack` a stack, whose elements are made with the methods below.

    An element says its address itself: `TerraformStack.allocateLogicalId`, CDKTF's own hook, would call Python back for each
    element, at five times the cost.
    """

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        self._stack = TerraformStack.of(self)
        self._known = _stacks.setdefault(self._stack, _Known())

    def add(
        self,
        element: Callable[Concatenate[Construct, str, P], E],
        address: str,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> E:
        """Make an element at `address`, which is as in `terraform state list`: `module.vpc`, `data.aws_x.y`.

        Raises:
            ValueError: the stack has an element at this address.
        """
        self.reserve(address)
        made = element(self, address, *args, **kwargs)
        made.override_logical_id(address.rpartition(".")[2])
        return made

    def add_local(self, name: str, value: Any) -> Expression:
        """Make a local value; returns its expression.

        Raises:
            ValueError: the stack has a local of this name.
        """
        return self._add_block("locals", name, value, f"local.{name}")

    def add_json(self, name: str, document: Any) -> Expression:
        """Make a local of a JSON document, which then reads and diffs as data; returns the expression of the document's text.

        Constructs share the local of a document that is the same, such as what all pod identities trust.

        Raises:
            ValueError: the stack has another local of this name.
        """
        if name not in self._known.documents or self._known.documents[name] != document:
            self.add_local(name, document)
            self._known.documents[name] = document
        return Expression(f"jsonencode(local.{name})")

    def explain(self, address: str, **reasons: str) -> None:
        """Write comments into the JSON: reasons by the argument that they explain, or by the local, for the address `locals`.

        The reasons stand under the key `//`, which Terraform ignores in every block, beside CDKTF's metadata. They are overrides
        of the stack, because CDKTF drops those of a module or a data source under this key.
        https://developer.hashicorp.com/terraform/language/syntax/json#comment-properties
        """
        block = address if address == "locals" or address.startswith(("module.", "data.")) else f"resource.{address}"
        written = self._known.reasons.setdefault(block, {})
        written.update(reasons)
        self._stack.add_override(f"{block}.//", written)

    def add_variable(self, name: str, body: Mapping[str, Any]) -> Expression:
        """Make an input variable; returns its expression.

        Raises:
            ValueError: the stack has a variable of this name.
        """
        return self._add_block("variable", name, body, f"var.{name}")

    def add_first_variables(self, bodies: Mapping[str, Mapping[str, Any]]) -> dict[str, Expression]:
        """Make the first input variables of a stack, in one call to CDKTF; `add_variable` adds further ones.

        Raises:
            ValueError: the stack has a variable already.
        """
        if any(address.startswith("var.") for address in self._known.addresses):
            raise ValueError("add_first_variables must come before any add_variable.")
        for name in bodies:
            self.reserve(f"var.{name}")
        self._stack.add_override("variable", to_jsii(bodies))
        return {name: Expression(f"var.{name}") for name in bodies}

    def add_check(self, name: str, rule: Rule) -> None:
        """Make a `check` block, a warning at plan and apply. CDKTF has no class for it.

        Raises:
            ValueError: the stack has a check of this name.
        """
        self._add_block("check", name, {"assert": [rule.block()]}, f"check.{name}")

    def require(self, *rules: Rule | EmptyList) -> None:
        """Say what must hold before anything is created. `add_requirements` makes preconditions of all rules of a stack."""
        for rule in rules:
            if isinstance(rule, EmptyList):
                self.add_local(rule.local, Expression(rule.listed))
        if rules and not self._known.requirements:
            self._stack.node.add_validation(_NothingUnattached(self._known))
        self._known.requirements += [rule.rule() if isinstance(rule, EmptyList) else rule for rule in rules]

    def as_expression(self, name: str, value: object) -> Expression:
        """A construct's argument as an expression: a literal, a list or a CDKTF token becomes the local `name`, None becomes null.

        Terraform refuses a condition that refers to nothing, and a token has no text inside another expression.
        """
        if value is None:
            return Expression("null")
        return value if isinstance(value, Expression) else self.add_local(name, value)

    def reserve(self, address: str) -> None:
        """Reserve an address for an element.

        Raises:
            ValueError: the stack has an element at this address.
        """
        if address in self._known.addresses:
            raise ValueError(f"{address} must be unique in its stack: CDKTF would merge two elements at one address.")
        self._known.addresses.add(address)

    def _add_block(self, kind: str, name: str, body: Any, address: str) -> Expression:
        self.reserve(address)
        self._stack.add_override(f"{kind}.{name}", to_jsii(body))
        return Expression(address)


@dataclass
class _Known:
    """What the constructs of a stack have made so far."""

    # One set for a whole stack: CDKTF would merge two elements with one address silently.
    addresses: set[str] = field(default_factory=set)
    documents: dict[str, Any] = field(default_factory=dict)
    requirements: list[Rule] = field(default_factory=list)
    attached: bool = False
    reasons: dict[str, dict[str, str]] = field(default_factory=dict)


_stacks: WeakKeyDictionary[TerraformStack, _Known] = WeakKeyDictionary()


@jsii.implements(IValidation)
class _NothingUnattached:
    """Stops a synthesis whose rules nobody attached: what they refuse would fail in the middle of an apply."""

    def __init__(self, known: _Known) -> None:
        self._known = known

    def validate(self) -> list[str]:
        """The mistake, if there is one."""
        if self._known.attached:
            return []
        number = len(self._known.requirements)
        return [
            f"This stack has {number} rule{'s' if number > 1 else ''} that must hold before anything is created, and no resource "
            "has them as preconditions. Call add_requirements(stack, on=...) with a resource or an output, last."
        ]


def add_requirements(stack: TerraformStack, *, on: TerraformResource | TerraformOutput) -> None:
    """Make preconditions of what the constructs of a stack require. Call it after the last construct.

    Args:
        stack: the stack.
        on: where the preconditions stand: the resource that is created first, or an output.
    """
    known = _stacks[stack]
    known.attached = True
    path = "precondition" if isinstance(on, TerraformOutput) else "lifecycle.precondition"
    on.add_override(path, [rule.block() for rule in known.requirements])


def to_jsii(value: Any) -> Any:
    """A value that jsii can take: jsii does not know tuples, and drops None."""
    if value is None:
        return _null()
    if isinstance(value, str) or not isinstance(value, Mapping | Sequence):
        return value
    return {key: to_jsii(part) for key, part in value.items()} if isinstance(value, Mapping) else [to_jsii(part) for part in value]


@cache
def as_list(value: Expression) -> list[str]:
    """An expression of a list, for a binding that takes a Python list. Stacks can share the token."""
    return Token.as_list(value)


@cache
def _null() -> Any:
    return Token.null_value()
