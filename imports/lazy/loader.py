"""The import hook: it loads the modules that jsii-pacmak generated, and nothing else.

- A provider's `__init__.py` is run without its `from . import x` lines; a submodule is imported when somebody asks for it (PEP 562,
  which newer jsii-pacmak generates itself).
- Annotations are compiled as strings (PEP 563): evaluating those, for thousands of arguments that are never given, is nearly all
  the time that an import takes.
- jsii's checks of the arguments that are given stay. They evaluate the annotations of a function when it is first called, and keep
  the result.
"""

import __future__

import importlib
import json
import marshal
import re
import sys
import typing
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path
from types import CodeType, ModuleType, NoneType
from typing import Any

from imports.lazy import slim

# CDK Terrain, the fork of CDKTF that is maintained, is built the same way under names of its own.
PROVIDER = re.compile(r"(cdktf_cdktf|cdktn)_provider_\w+")
GENERATED = ("cdktf", "cdktn", "constructs")

_TARBALL = re.compile(r'"([^"]+\.jsii\.tgz)"')
_EAGER_IMPORT = re.compile(r"^from \. import (\w+)$", re.MULTILINE)


class LazyFinder(MetaPathFinder):
    """Finds the generated packages and what is in them."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The module's ordinary spec with a lazy loader.

        Raises:
            ImportError: it is a submodule that was cut from the provider's assembly.
        """
        package, _, submodule = fullname.partition(".")
        if not _is_provider(package) and package not in GENERATED:
            return None
        if _is_cut_off(package, submodule):
            raise ImportError(
                f"{fullname}: no Python file of the project names it, and so it was not loaded. "
                "Import it by this name in one, or set CDKTF_KARPENTER_EAGER=1."
            )
        spec = PathFinder.find_spec(fullname, path, target)
        if spec and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _LazyLoader(spec.loader.name, spec.loader.path)
        return spec


class _LazyLoader(SourceFileLoader):
    """Loads a generated module: its annotations as strings, and a provider's submodules on demand."""

    def get_code(self, fullname: str) -> CodeType:
        """The module's code, from a cache beside the ordinary one, which stays that of the ordinary module."""
        package, _, rest = fullname.partition(".")
        if rest == "_jsii" and package in slim.named():
            return self._with_slim_tarball(package)
        source = Path(self.path)
        stat = source.stat()
        header = MAGIC_NUMBER + f"{stat.st_mtime_ns} {stat.st_size} ".encode()
        cached = Path(cache_from_source(self.path, optimization="lazy"))
        with suppress(OSError):
            data = cached.read_bytes()
            if data.startswith(header):
                code: CodeType = marshal.loads(data[len(header) :])  # noqa: S302  (we wrote it)
                return code
        text = _EAGER_IMPORT.sub("", source.read_text()) if _is_provider(fullname) else source.read_text()
        code = _compiled(text, self.path)
        if not sys.dont_write_bytecode:
            with suppress(OSError):
                cached.parent.mkdir(exist_ok=True)
                self.set_data(str(cached), header + marshal.dumps(code))
        return code

    def _with_slim_tarball(self, package: str) -> CodeType:
        """The code of a provider's `_jsii`, which names the tarball that jsii loads."""
        folder = Path(self.path).parent
        return _compiled(
            _TARBALL.sub(
                lambda name: json.dumps(str(slim.slim(folder / name[1], slim.named()[package]))), Path(self.path).read_text()
            ),
            self.path,
        )

    def exec_module(self, module: ModuleType) -> None:
        """Run the code, and make what it left out available."""
        super().exec_module(module)
        vars(module).update(typing=_typing(), typeguard=_typeguard())
        name = module.__name__
        if not _is_provider(name):
            return
        submodules = frozenset(_EAGER_IMPORT.findall(Path(self.path).read_text()))

        def __getattr__(attribute: str) -> object:  # noqa: N807  (PEP 562)
            if attribute in submodules:
                return importlib.import_module(f"{name}.{attribute}")
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")

        # `publication` has put another module in the place of the one that was run.
        for target in (module, sys.modules[name]):
            vars(target)["__getattr__"] = __getattr__
        _tell_jsii(name, submodules)


def _compiled(text: str, path: str) -> CodeType:
    """Code with its annotations as strings."""
    code: CodeType = compile(text, path, "exec", flags=__future__.annotations.compiler_flag, dont_inherit=True)
    return code


def _is_provider(name: str) -> bool:
    return PROVIDER.fullmatch(name) is not None


def _is_cut_off(package: str, submodule: str) -> bool:
    """Whether the assembly that jsii gets of the provider is without the submodule."""
    kept = slim.named().get(package)
    return kept is not None and re.fullmatch(r"[^_.][^.]*", submodule) is not None and submodule not in kept


def _tell_jsii(name: str, submodules: frozenset[str]) -> None:
    """Where jsii finds the Python class of an object that it returns, if nothing has imported that submodule yet."""
    from jsii import _reference_map as references

    assembly = next((a for a, module in references._assembly_to_module.items() if module == name), None)
    for submodule in submodules if assembly else ():
        references._submodule_fqn_map[f"{assembly}.{slim.namespace(submodule)}"] = f"{name}.{submodule}"


@cache
def _typing() -> ModuleType:
    """`typing` for the generated modules, which ask for a function's hints at every call of it."""
    return _like(typing, get_type_hints=cache(typing.get_type_hints))


@cache
def _typeguard() -> ModuleType:
    """`typeguard` for them: it would try each member of a Union on each argument that is not given."""
    typeguard = importlib.import_module("typeguard")

    def check_type(*, value: object, expected_type: Any, **more: Any) -> None:
        if value is not None or NoneType not in typing.get_args(expected_type):
            typeguard.check_type(value=value, expected_type=expected_type, **more)

    return _like(typeguard, check_type=check_type)


def _like(module: ModuleType, **other: object) -> ModuleType:
    """A module with what another has, but for `other`."""
    made = ModuleType(module.__name__)
    vars(made).update(vars(module), **other)
    return made
