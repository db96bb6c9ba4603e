"""Terraform addresses that stay those of the HCL.

CDKTF makes the address of an element inside a construct from its path and a hash. Here an element says its address itself, so
that a plan reads `helm_release.karpenter` and a state that the HCL left fits.
"""

from collections.abc import Callable, Mapping
from typing import Any, Concatenate, ParamSpec, TypeVar

from imports.expressions import Expression

from cdktf import TerraformElement, TerraformStack
from constructs import Construct

from stacks.rules import Rule

P = ParamSpec("P")
E = TypeVar("E", bound=TerraformElement)


class Addressed(Construct):
    """A construct, or with `TerraformStack` a stack, whose elements are made with `add`.

    Each call across the bridge to CDKTF's JavaScript costs a third of a millisecond, and some apps have many stacks. So an element
    says its address itself (`TerraformStack.allocateLogicalId`, CDKTF's own hook, would call back for each, at five times the
    cost), and what is but data, as a local or a variable, is collected and sent once a stack.
    """

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        # One set for a whole stack: CDKTF would merge two elements with one address without a word.
        self._addresses: set[str] = getattr(scope, "_addresses", set())
        self._blocks: dict[str, dict[str, Any]] | None = getattr(scope, "_blocks", None)

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
        self._claim(address)
        made = element(self, address, *args, **kwargs)
        made.override_logical_id(address.rpartition(".")[2])
        return made

    def add_local(self, name: str, value: Any) -> Expression:
        """Make a local value; returns its expression.

        Raises:
            ValueError: the stack has a local of this name.
        """
        self._add_block("locals", name, value, address=f"local.{name}")
        return f"${{local.{name}}}"

    def add_variable(self, name: str, body: Mapping[str, Any]) -> Expression:
        """Make an input variable; returns its expression.

        Raises:
            ValueError: the stack has a variable of this name.
        """
        self._add_block("variable", name, body, address=f"var.{name}")
        return f"${{var.{name}}}"

    def add_check(self, name: str, rule: Rule) -> None:
        """Make a `check` block, a warning at plan and apply. CDKTF has no class for it.

        Raises:
            ValueError: the stack has a check of this name.
        """
        self._add_block("check", name, {"assert": [rule.block()]}, address=f"check.{name}")

    def _add_block(self, kind: str, name: str, body: Any, *, address: str) -> None:
        self._claim(address)
        if self._blocks is None:
            TerraformStack.of(self).add_override(f"{kind}.{name}", body)
        else:
            self._blocks.setdefault(kind, {})[name] = body

    def _claim(self, address: str) -> None:
        if address in self._addresses:
            raise ValueError(f"{address}: the stack has an element at this address; two of them would be merged into one.")
        self._addresses.add(address)


class AddressedStack(Addressed, TerraformStack):
    """A stack that collects the blocks of its constructs; its last word is `send_blocks`."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        self._blocks = {}

    def send_blocks(self) -> None:
        """Hand over to CDKTF what was collected."""
        for kind, named in (self._blocks or {}).items():
            self.add_override(kind, named)
