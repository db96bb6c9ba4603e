"""What all tests share. Loading CDKTF is paid for once a run."""

import json
import os
from pathlib import Path

import imports  # noqa: F401  (before a test module imports cdktf: see imports.lazy)

import pytest

import main
from tests.synthesis import Json
from tests.terraform import Workspace

SHARED = Path(os.environ.get("KARPENTER_SHARED", Path(__file__).parents[2] / "shared"))


@pytest.fixture(scope="session")
def stack_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stack's cdk.tf.json with default settings, as main.py writes it."""
    outdir = tmp_path_factory.mktemp("project") / "cdktf.out"
    with pytest.MonkeyPatch.context() as patch:
        for variable in [name for name in os.environ if name.startswith("CDKTF")]:
            patch.delenv(variable)
        patch.setenv("CDKTF_OUTDIR", str(outdir))
        main.main()
    return outdir / "stacks" / "karpenter" / "cdk.tf.json"


@pytest.fixture(scope="session")
def stack(stack_file: Path) -> Json:
    """The stack's JSON with default settings."""
    document: Json = json.loads(stack_file.read_text())
    return document


@pytest.fixture
def workspace(tmp_path: Path, stack_file: Path) -> Workspace:
    """Terraform on the stack with default settings."""
    return Workspace(tmp_path, stack_file)


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder with the state that the HCL left."""
    folder = SHARED / "reference"
    if not folder.is_dir():
        pytest.skip("the state that the HCL left is not here: KARPENTER_SHARED names the folder that holds reference/")
    return folder
