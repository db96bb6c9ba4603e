"""Run a page that lists clusters, and fail if the page writes nothing: `python -m stacks main.py`."""

import sys
from pathlib import Path

from stacks.app import run

arguments = sys.argv[1:]
page = "main.py" if not arguments or arguments[0].startswith("-") else arguments.pop(0)
run(Path(page), arguments)
