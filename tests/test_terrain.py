"""CDK Terrain (cdktn), the maintained fork of the archived CDKTF: the day a user must move is a day of renaming."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from stacks.app import PROJECT
from tests.synthesis import Json, copy_program

PYTHON = PROJECT / ".venv-terrain" / "bin" / "python"

pytestmark = [
    pytest.mark.terrain,
    pytest.mark.skipif(not PYTHON.exists(), reason="CDK Terrain is not here: `make test-terrain` brings it from PyPI"),
]

# As in docs/design.md.
RENAMED = ((r"\bcdktf_cdktf_provider_", "cdktn_provider_"), (r"(?m)^( *)(from|import) cdktf\b", r"\1\2 cdktn"))


def test_with_its_imports_renamed_the_program_writes_the_same_configuration(tmp_path: Path, stack: Json) -> None:
    copy_program(tmp_path)
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
