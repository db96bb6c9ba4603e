"""Run a file that lists clusters, and fail if the file writes nothing: `python -m stacks main.py`."""

import os
import sys

try:
    from pathlib import Path

    from stacks.app import run

    arguments = sys.argv[1:]
    page = "main.py" if not arguments or arguments[0].startswith("-") else arguments.pop(0)
    run(Path(page), arguments)
except KeyboardInterrupt:  # while Python loads the program, too
    os.write(2, b"Interrupted. Nothing was written.\n")
    os._exit(130)
