"""What the module bindings share: a module of the public registry, pinned, with typed outputs."""

from collections.abc import Mapping
from typing import Any, ClassVar

from cdktf import TerraformHclModule
from constructs import Construct

from stacks.hcl.expressions import Expression


class RegistryModule(TerraformHclModule):
    """A module of the Terraform registry. `id` is its address: `module.vpc`.

    SOURCE is its address in the registry, VERSION the constraint on its version. An input that is None is left out.
    """

    SOURCE: ClassVar[str]
    VERSION: ClassVar[str]

    def __init__(self, scope: Construct, id: str, inputs: Mapping[str, Any]) -> None:
        given = {name: value for name, value in inputs.items() if value is not None}
        super().__init__(scope, id, source=self.SOURCE, version=self.VERSION, variables=given)
        self._address = id

    def output(self, name: str) -> Expression:
        """The expression of the module's output `name`."""
        return Expression(f"{self._address}.{name}")
