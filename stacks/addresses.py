"""Terraform addresses that stay those of the HCL.

CDKTF makes the address of an element inside a construct from its path and a hash. Here an element says its address itself, so
that a plan reads `helm_release.karpenter` and a state that the HCL left fits.
"""

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from cdktf import TerraformElement, TerraformStack
from constructs import Construct

from stacks.rules import Rule

P = ParamSpec("P")
E = TypeVar("E", bound=TerraformElement)


class Addressed(Construct):
    """A construct, or with `TerraformStack` a stack, whose elements are made with `add`."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        # One set for a whole stack: CDKTF would merge two elements with one address without a word.
        self._addresses: set[str] = getattr(scope, "_addresses", set())
        self._stack: TerraformStack = getattr(scope, "_stack", None) or TerraformStack.of(self)

    def add(
        self,
        element: Callable[Concatenate[Construct, str, P], E],
        address: str,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> E:
        """Make an element at `address`, which is as in `terraform state list`: `module.vpc`, `data.aws_x.y`, `local.z`.

        Raises:
            ValueError: the stack has an element at this address.
        """
        if address in self._addresses:
            raise ValueError(f"{address}: the stack has an element at this address; two of them would be merged into one.")
        made = element(self, address, *args, **kwargs)
        # Asked once here, in Python. `TerraformStack.allocateLogicalId`, CDKTF's own hook, would call back from JavaScript for
        # each element, which costs five times as much.
        made.override_logical_id(address.rpartition(".")[2])
        self._addresses.add(address)
        return made

    def add_check(self, name: str, rule: Rule) -> None:
        """Make a `check` block, a warning at plan and apply. CDKTF has no class for it."""
        self._stack.add_override(f"check.{name}", {"assert": [rule.block()]})
