"""What all tests share. Loading CDKTF is paid for once a run."""

import json
import os
from pathlib import Path

import imports  # noqa: F401  (before cdktf: CDKTF's packages load lazily)

import pytest

from stacks.config import ClusterConfig
from stacks.testing import synth_cluster
from tests.synthesis import Json
from tests.terraform import Workspace

SHARED = Path(os.environ.get("KARPENTER_SHARED", Path(__file__).parents[2] / "shared"))


@pytest.fixture(scope="session")
def stack_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cdk.tf.json of a cluster with default fields."""
    file = tmp_path_factory.mktemp("stack") / "cdk.tf.json"
    file.write_text(synth_cluster(ClusterConfig("karpenter")))
    return file


@pytest.fixture(scope="session")
def stack(stack_file: Path) -> Json:
    """The JSON of a cluster with default fields."""
    document: Json = json.loads(stack_file.read_text())
    return document


@pytest.fixture
def workspace(tmp_path: Path, stack_file: Path) -> Workspace:
    """Terraform on the stack of a cluster with default fields."""
    return Workspace(tmp_path, stack_file)


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder with the state that the HCL left."""
    folder = SHARED / "reference"
    if not folder.is_dir():
        pytest.skip("the state that the HCL left is not here: KARPENTER_SHARED names the folder that holds reference/")
    return folder
