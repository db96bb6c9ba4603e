"""What all tests share. Loading CDKTF is paid for once a run."""

import json
import os
from pathlib import Path

import imports  # noqa: F401  (before cdktf: CDKTF's packages load lazily)

import pytest

from stacks.config import ClusterConfig
from tests.synthesis import Json, write_stack
from tests.terraform import Workspace

# Files of others that some tests compare with: Karpenter's CRDs, the controller's policies, a state that the HCL left.
SHARED = Path(os.environ.get("KARPENTER_SHARED", Path(__file__).parents[2] / "shared"))


def without(what: str) -> str:
    """Why a test is skipped where files of others are not there, for somebody who never heard of the files."""
    return f"nothing is wrong: the test compares with {what}, which this repository does not include (CONTRIBUTING.md)"


needs_crds = pytest.mark.skipif(not (SHARED / "crds").is_dir(), reason=without("Karpenter's CRDs"))
needs_policies = pytest.mark.skipif(not (SHARED / "iam").is_dir(), reason=without("the load balancer controller's IAM policies"))


@pytest.fixture(scope="session")
def stack_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cdk.tf.json of a cluster with default fields."""
    return write_stack(tmp_path_factory.mktemp("stack"), ClusterConfig("karpenter"))


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
        pytest.skip(without("a state that the HCL left"))
    return folder
