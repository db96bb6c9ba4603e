"""Record plans: `python -m tests.plans FOLDER`, which has a <option>.json for each option, and a base.json without changes."""

import json
import sys
from pathlib import Path

from tests.plans import RECORDED, trimmed, unchanged

if __name__ == "__main__":
    files = {file.stem: json.loads(file.read_text()) for file in sorted(Path(sys.argv[1]).glob("*.json"))}
    found = {"unchanged": unchanged(files.pop("base")), "options": {name: trimmed(plan) for name, plan in files.items()}}
    RECORDED.write_text(json.dumps(found, indent=1) + "\n")
