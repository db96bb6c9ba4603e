"""`make doctor STACK=…`: examine a living cluster, and say what to do. `make capacity STACK=…`: the part about capacity.

Both only read, with a kubeconfig of their own. A right that is missing takes away the checks that need it, and is named.
Exit codes: 0 if no check failed, 3 if one failed, 1 if nothing could be examined.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from stacks.operations.checks import CAPACITY, QUESTIONS, REMOVAL, examine, system
from stacks.operations.checks.question import Check, Question, Verdict
from stacks.operations.checks.reader import read
from stacks.operations.checks.report import FORMATS, Report, without_accounts
from stacks.operations.deployment import DeployedCluster, DeploymentError, Stack, synthesized
from stacks.operations.terminal import coloured, show

FAILED, NOT_EXAMINED = 3, 1
REACHED = system.api  # which alone examines nothing
COMMANDS: dict[str, Sequence[Question]] = {"doctor": QUESTIONS, "capacity": CAPACITY}


def main(arguments: list[str]) -> int:
    """Examine the cluster of a stack; returns the exit code.

    Args:
        arguments: `doctor` or `capacity`, the name of the stack (empty for the only one), and options.

    Raises:
        DeploymentError: there is no state, no login, or no cluster.
    """
    command, *rest = arguments
    parser = argparse.ArgumentParser(prog=f"make {command} STACK=…", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("stack", nargs="?", default="", help="the name of the stack")
    parser.add_argument("--format", choices=FORMATS, default="text")
    parser.add_argument("--account", action="store_true", help="print account numbers, which are left out by default")
    parser.add_argument(
        "--before-destroy", action="store_true", help="fail on load balancers, volumes and snapshots that a destroy would stop at"
    )
    options = parser.parse_args(rest)
    started = time.monotonic()
    there = synthesized()
    stack = Stack.named(there[0] if not options.stack and len(there) == 1 else options.stack, "kubectl", "aws")
    with tempfile.TemporaryDirectory() as folder:
        reading = read(_cluster(stack, Path(folder, "kubeconfig"), command), COMMANDS[command])
    checks = examine(reading.facts, COMMANDS[command])
    if not options.before_destroy:
        checks = [_set_aside(check) for check in checks]
    report = Report(command.capitalize(), reading, checks, time.monotonic() - started)
    words = FORMATS[options.format](report)
    show(words if options.account else without_accounts(words))
    if all(check.verdict is Verdict.CANNOT_BE_TOLD for check in checks if check.name != REACHED.name):
        raise DeploymentError("Nothing could be examined.")
    return FAILED if any(check.verdict is Verdict.FAILED for check in checks) else 0


def _cluster(stack: Stack, kubeconfig: Path, command: str) -> DeployedCluster:
    """The cluster in the state."""
    cluster = stack.cluster(kubeconfig, f"make-{command}", stack.pulled_state())
    if not cluster.endpoint:
        raise DeploymentError(
            f"The state has no EKS cluster {cluster.name}: its destroy began. Run: make destroy STACK={stack.folder.name}"
        )
    return cluster


def _set_aside(check: Check) -> Check:
    """A load balancer or a volume is no fault of a cluster that nobody wants to destroy."""
    if check.verdict is Verdict.FAILED and check.name in {question.name for question in REMOVAL}:
        return replace(check, verdict=Verdict.NOT_APPLICABLE, figure=f"{check.figure}; no destroy is planned", do="")
    return check


def run(arguments: list[str]) -> int:
    """Run `main`; an error and Ctrl-C end with a sentence. Returns the exit code."""
    try:
        return main(arguments)
    except DeploymentError as error:
        print(coloured(without_accounts(str(error)), "red", sys.stderr), file=sys.stderr)
        return NOT_EXAMINED
    except KeyboardInterrupt:
        print("\nInterrupted. Nothing was changed.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
