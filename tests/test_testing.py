"""What tests of users synthesize with."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cdktf import TerraformOutput, TerraformStack
from cdktf import Testing as CdktfTesting
from cdktf_cdktf_provider_aws.s3_bucket import S3Bucket

from stacks.app import PROJECT
from stacks.config import ClusterConfig
from stacks.testing import Testing, synth_cluster


def test_synth_scope_has_the_contract_of_cdktfs() -> None:
    """A callable gets a bare stack; what comes back is the stack's JSON, as text."""
    seen: list[TerraformStack] = []

    def make(stack: TerraformStack) -> str:
        seen.append(stack)
        TerraformOutput(stack, "x", value="y")
        return "ignored"

    text = Testing.synth_scope(make)
    assert json.loads(text)["output"] == {"x": {"value": "y"}}
    assert isinstance(seen[0], TerraformStack)
    assert Testing.to_have_resource(Testing.synth_scope(lambda stack: S3Bucket(stack, "b")), "aws_s3_bucket") is True
    assert Testing.synth_scope(make) == text


def test_testing_has_every_method_of_cdktfs_and_the_example_shows_the_assertions() -> None:
    theirs = {name for name in vars(CdktfTesting) if not name.startswith("_")}
    assert all(callable(getattr(Testing, name)) for name in theirs)
    page = (PROJECT / "examples" / "test_constructs.py").read_text()
    assert [name for name in sorted(theirs) if name.startswith("to_") and f"Testing.{name}(" not in page] == []


@pytest.mark.slow
def test_a_test_of_a_user_may_import_cdktf_first(tmp_path: Path) -> None:
    """Without conftest.py, all of a provider would be loaded."""
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(PROJECT / name, tmp_path)
    for name in ("imports", "stacks"):
        (tmp_path / name).symlink_to(PROJECT / name)
    (tmp_path / "mytests").mkdir()
    (tmp_path / "mytests" / "test_mine.py").write_text(
        "from cdktf import Testing\nfrom cdktf_cdktf_provider_random.pet import Pet\nimport sys\n"
        "def test_lazy():\n    assert 'cdktf_cdktf_provider_random.integer' not in sys.modules\n"
    )
    ran = subprocess.run([sys.executable, "-m", "pytest", "mytests"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.returncode, "1 passed" in ran.stdout, "warning" in ran.stdout) == (0, True, False), ran.stdout


def test_synth_cluster_refuses_what_a_synthesis_refuses() -> None:
    with pytest.raises(ValueError, match=r"Prod\.name must be at most 63 lower-case letters"):
        synth_cluster(ClusterConfig("Prod"))
