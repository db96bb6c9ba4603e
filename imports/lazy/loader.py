"""The import hook for the packages that jsii-pacmak generated; every other module loads as it always does."""

import importlib
import os
import re
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

EAGER = "EAGER_IMPORTS"

# CDK Terrain, the fork of CDKTF that is maintained, is built the same way under names of its own.
PROVIDER = re.compile(r"(?:cdktf_cdktf|cdktn)_provider_\w+")
_IMPORT = re.compile(r"from \. import (\w+)")
_MODULE = re.compile(rf"{PROVIDER.pattern}(\.\w+)?|\w+\._jsii")


class LazyFinder:
    """Finds providers with their submodules, and the `_jsii` modules that make jsii load an assembly."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The module's ordinary spec with a loader of ours."""
        if not _MODULE.fullmatch(fullname):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        """Run the module, a provider without its submodules."""
        package, _, submodule = module.__name__.partition(".")
        if submodule == "_jsii":
            from imports.lazy.node import environment

            with environment():  # the first of them starts Node
                super().exec_module(module)
        elif os.environ.get(EAGER):
            super().exec_module(module)
        else:
            from imports.lazy.kernel import kernel  # which imports jsii

            if submodule:
                kernel.imports(package, submodule)
                super().exec_module(module)
            else:
                kernel.names(package, self._run_without_submodules(module))

    def _run_without_submodules(self, module: ModuleType) -> set[str]:
        """Leave out `from . import x`, of which a package has one for each submodule at its end; newer packages have none."""
        lines = self.get_data(self.path).decode().splitlines()
        submodules: set[str] = set()
        while lines and (last := _IMPORT.fullmatch(lines[-1])):
            submodules.add(last[1])
            lines.pop()
        if not submodules:
            super().exec_module(module)
            return submodules
        exec(compile("\n".join(lines), self.path, "exec", dont_inherit=True), vars(module))  # noqa: S102  (as importlib does)
        name = module.__name__

        def __getattr__(attribute: str) -> ModuleType:  # noqa: N807  (PEP 562)
            if attribute in submodules:
                return importlib.import_module(f"{name}.{attribute}")
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")

        # `publication` has put another module in the place of the one that was run.
        sys.modules[name].__getattr__ = __getattr__  # type: ignore[method-assign]
        return submodules
