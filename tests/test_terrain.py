"""CDK Terrain (cdktn), the maintained fork of the archived CDKTF: the day a user must move is a day of renaming."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.synthesis import Json

PROJECT = Path(__file__).parents[1]
PYTHON = PROJECT / ".venv-terrain" / "bin" / "python"

pytestmark = [
    pytest.mark.terrain,
    pytest.mark.skipif(not PYTHON.exists(), reason="CDK Terrain is not here: `make test-terrain` brings it from PyPI"),
]

# As in the README.
RENAMED = ((r"\bcdktf_cdktf_provider_", "cdktn_provider_"), (r"(?m)^( *)(from|import) cdktf\b", r"\1\2 cdktn"))


def test_with_its_imports_renamed_the_program_writes_the_same_configuration(tmp_path: Path, stack: Json) -> None:
    for name in ("main.py", "cdktf.json"):
        shutil.copy(PROJECT / name, tmp_path)
    for name in ("stacks", "imports"):
        shutil.copytree(PROJECT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in tmp_path.rglob("*.py"):
        text = file.read_text()
        for pattern, name in RENAMED:
            text = re.sub(pattern, name, text)
        file.write_text(text)

    environment = {name: value for name, value in os.environ.items() if not name.startswith("CDKTF")}
    subprocess.run([PYTHON, "main.py"], cwd=tmp_path, env=environment, check=True)

    written = json.loads((tmp_path / "cdktf.out" / "stacks" / "karpenter" / "cdk.tf.json").read_text())
    assert written["//"]["metadata"].pop("version") != stack["//"]["metadata"]["version"]
    del written["//"]["metadata"]["overrides"], written["//"]["metadata"]["backend"]
    assert {key: value for key, value in written.items() if key != "//"} == {k: v for k, v in stack.items() if k != "//"}
