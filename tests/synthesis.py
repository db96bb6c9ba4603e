"""Synthesis for tests."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from cdktf import TerraformStack

from stacks.app import PROJECT
from stacks.config import ClusterConfig
from stacks.testing import Testing, synth_cluster

Json: TypeAlias = dict[str, Any]


def synth(fn: Callable[[TerraformStack], object]) -> Json:
    """What `fn` makes on a bare stack."""
    document: Json = json.loads(Testing.synth_scope(fn))
    return document


_WRITTEN: dict[str, str] = {}


def stack_text(config: ClusterConfig) -> str:
    """The cdk.tf.json of a cluster, made once, however many tests ask."""
    if (key := repr(config)) not in _WRITTEN:
        _WRITTEN[key] = synth_cluster(config)
    return _WRITTEN[key]


def synth_stack(config: ClusterConfig) -> Json:
    """A cluster's stack."""
    document: Json = json.loads(stack_text(config))
    return document


def write_stack(folder: Path, config: ClusterConfig) -> Path:
    """Write a cluster's cdk.tf.json to a folder; returns the file."""
    file = folder / "cdk.tf.json"
    file.write_text(stack_text(config))
    return file


def copy_program(folder: Path) -> None:
    """Copy what a synthesis needs into another folder, with the main.py of a newcomer."""
    shutil.copy(PROJECT / "cdktf.json", folder)
    for name in ("stacks", "imports"):
        shutil.copytree(PROJECT / name, folder / name)  # with the bytecode, which Python compares with its file
    (folder / "main.py").write_text(MAIN)


MAIN = """\
from stacks.app import synthesize
from stacks.config import ClusterConfig

if __name__ == "__main__":
    synthesize([ClusterConfig("karpenter")])
"""


def addresses(document: Json) -> set[str]:
    """The addresses of resources, data sources and modules, as `terraform state list` has them."""
    blocks = [("", "resource"), ("data.", "data")]
    found = {f"{p}{kind}.{name}" for p, block in blocks for kind, named in document.get(block, {}).items() for name in named}
    return found | {f"module.{name}" for name in document.get("module", {})}
