"""Synthesis for tests: of one construct on a bare stack, or of the whole stack as main.py does it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from cdktf import App, TerraformStack
from cdktf import Testing as CdktfTesting  # under its own name, pytest would collect it

from main import PROJECT
from stacks.karpenter_stack import KarpenterStack
from stacks.settings import Settings

Json: TypeAlias = dict[str, Any]


def synth_scope(fn: Callable[[TerraformStack], object]) -> str:
    """What `Testing.synth_scope` does, which takes no Python function: the JSON of what `fn` makes on a bare stack."""
    stack = TerraformStack(CdktfTesting.app(), "stack")
    fn(stack)
    synthesized: str = CdktfTesting.synth(stack)
    return synthesized


def synth(fn: Callable[[TerraformStack], object]) -> Json:
    """As `synth_scope`, parsed."""
    document: Json = json.loads(synth_scope(fn))
    return document


def synth_stack(outdir: Path, settings: Settings | None = None) -> Path:
    """Write the whole stack below `outdir`; returns its cdk.tf.json."""
    settings = settings or Settings()
    app = App(outdir=str(outdir), stack_traces=False)
    KarpenterStack(app, settings)
    app.synth()
    return outdir / "stacks" / settings.stack / "cdk.tf.json"


def copy_program(folder: Path) -> None:
    """Copy what a synthesis needs into another folder."""
    for name in ("main.py", "cdktf.json"):
        shutil.copy(PROJECT / name, folder)
    for name in ("stacks", "imports"):
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))


def addresses(document: Json) -> set[str]:
    """The addresses of resources, data sources and modules, as `terraform state list` has them."""
    blocks = [("", "resource"), ("data.", "data")]
    found = {f"{p}{kind}.{name}" for p, block in blocks for kind, named in document.get(block, {}).items() for name in named}
    return found | {f"module.{name}" for name in document.get("module", {})}
