"""What something was made from: `make plan` refuses the JSON of an older main.py, `make apply` the plan of an older JSON.

By contents, because a checkout, a copy and a synthesis that writes the same again change times. Plain Python.
"""

import json
import os
import sys
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

SYNTHESIS = "synthesis.json"
DATA = ("*.csv", "*.txt")


def fingerprints(files: Iterable[Path], project: Path) -> dict[str, str]:
    """The files by their path from the project; a file that is missing has an empty fingerprint."""
    return {
        os.path.relpath(file, project): sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
        for file in sorted(set(files))
    }


def changes(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """The files that differ, or that only one side has."""
    return sorted(file for file in before.keys() | now.keys() if before.get(file) != now.get(file))


def forget_synthesis(outdir: Path) -> None:
    """What a synthesis begins with: one that fails leaves no record."""
    if (outdir / SYNTHESIS).exists():
        (outdir / SYNTHESIS).unlink()


def record_synthesis(outdir: Path, page: Path, project: Path) -> None:
    """Write which page wrote the manifest, and the fingerprints of both and of the code and data behind them."""
    modules = [Path(file) for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))]
    ours = [file for file in modules if _within(file, project, page.resolve().parent)]
    data = [file for pattern in DATA for file in (project / "stacks").rglob(pattern)]
    made_from = fingerprints([page.resolve(), outdir.resolve() / "manifest.json", *ours, *data], project)
    record = {"page": os.path.relpath(page.resolve(), project), "made_from": made_from}
    (outdir / SYNTHESIS).write_text(json.dumps(record, indent=1))


def changed_since_synthesis(outdir: Path, project: Path) -> tuple[str, list[str]] | None:
    """The page that wrote the JSON, and what changed since; None if the last synthesis failed, or left no record."""
    try:
        record = json.loads((outdir / SYNTHESIS).read_text())
    except OSError:
        return None
    before = record["made_from"]
    return record["page"], changes(before, fingerprints((project / file for file in before), project))


def _within(file: Path, *folders: Path) -> bool:
    """Whether a module is the user's or the project's, and not one that is installed."""
    return any(file.is_relative_to(folder) for folder in folders) and not file.is_relative_to(sys.prefix)
