"""`python -m stacks.operations.prove APP STACK`."""

import sys

from stacks.operations.prove.command import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
