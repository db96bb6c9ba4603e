"""A security scan of what is synthesized, against a baseline in which each finding that stays has its reason."""

import json
import subprocess
from pathlib import Path

import pytest

from stacks.app import PROJECT
from tests.synthesis import Json

CHECKOV = PROJECT / ".venv-scan" / "bin" / "checkov"
BASELINE = Path(__file__).with_name("scan_baseline.json")

pytestmark = [
    pytest.mark.scan,
    pytest.mark.skipif(not CHECKOV.exists(), reason="checkov is not here: `make test-scan` brings it from PyPI"),
]


def test_the_scan_finds_what_the_baseline_has_reasons_for_and_nothing_else(stack: Json, tmp_path: Path) -> None:
    scanned = tmp_path / "cdk.tf.json"
    terraform = {key: value for key, value in stack["terraform"].items() if key != "required_version"}  # checkov 3.3 trips over it
    scanned.write_text(json.dumps({**stack, "terraform": terraform}, indent=2))
    scan = subprocess.run(
        [
            CHECKOV,
            "--file",
            scanned,
            "--framework",
            "terraform_json",
            "--skip-download",
            "--output",
            "json",
            "--compact",
            "--soft-fail",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    report = json.loads(scan.stdout)
    found = {f"{check['check_id']} {check['resource']}" for check in report["results"]["failed_checks"]}
    print(json.dumps(report["summary"]))  # noqa: T201  (pytest -rP shows it)
    assert report["summary"]["passed"] > 0
    assert report["summary"]["parsing_errors"] == 0
    assert found == json.loads(BASELINE.read_text()).keys()
