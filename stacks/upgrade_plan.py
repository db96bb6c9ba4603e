"""`make upgrade-plan STACK=…`: the steps of docs/upgrading.md that remain for a deployed cluster.

The state says what is deployed, and the APIs of EKS and Kubernetes what runs. One that does not answer takes only its part away.
Exit codes: 0 if the steps are told, also where none remains; 1 if there is no state to read.
"""

import json
import shutil
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stacks.config.checks import ConfigurationError
from stacks.config.recommended import RECOMMENDED
from stacks.config.variable_files import variables_in
from stacks.operations.checks import examine, upgrade
from stacks.operations.checks.facts import short
from stacks.operations.checks.question import Check, Verdict
from stacks.operations.checks.reader import read
from stacks.operations.checks.report import without_accounts
from stacks.operations.deployment import JSON, DeploymentError, NotDeployedError, Stack, synthesized
from stacks.operations.terminal import coloured, show
from stacks.reports.upgrade.deployed import Deployed, deployed
from stacks.reports.upgrade.page import page
from stacks.reports.upgrade.remaining import of_page, remaining
from stacks.reports.upgrade.render import FORMATS, Report, asked

PROGRAMS = ("kubectl", "aws")


def main(arguments: Sequence[str]) -> int:
    """Print the steps that remain for the cluster of a stack; returns the exit code.

    Raises:
        DeploymentError: there is no such stack, no login for the state, or no cluster in the state.
        ConfigurationError: a variable file cannot be read.
    """
    parser = ArgumentParser(prog="make upgrade-plan STACK=…", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("stack", nargs="?", default="", help="the name of the stack")
    parser.add_argument("--format", choices=FORMATS, default="text")
    options = parser.parse_args(arguments)
    there = synthesized()
    stack = Stack.named(there[0] if not options.stack and len(there) == 1 else options.stack)
    state = stack.pulled_state()
    cluster = deployed(state)
    if cluster is None:
        raise NotDeployedError(f"Workspace {stack.workspace()} has no cluster in its state, and so nothing to upgrade.")
    checks, notes = _ask(stack, state)
    cluster, moved = _as_eks_says(cluster, checks)
    today = datetime.now(UTC).date()
    elsewhere = {name for file in stack.variable_files() for name in variables_in(file)}
    has = page(json.loads((stack.folder / JSON).read_text()), elsewhere)
    steps = remaining(cluster, RECOMMENDED, checks, today, has)
    early = of_page(cluster, [one.step for one in steps], has)
    report = Report(stack.folder.name, cluster, steps, checks, [*moved, *early, *notes], today)
    show(without_accounts(FORMATS[options.format](report)))
    return 0


def _ask(stack: Stack, state: list[dict[str, Any]]) -> tuple[list[Check], list[str]]:
    """What the living cluster says, and what could not be asked."""
    if missing := [program for program in PROGRAMS if not shutil.which(program)]:
        return [], [f"Only the state was read: {' and '.join(missing)} must be on the PATH to ask the cluster."]
    try:
        with tempfile.TemporaryDirectory() as folder:
            cluster = stack.cluster(Path(folder, "kubeconfig"), "make-upgrade-plan", state)
            facts = read(cluster, upgrade.QUESTIONS).facts
    except DeploymentError as error:
        return [], [f"Only the state was read, because the cluster could not be asked: {short(str(error))}"]
    checks = examine(facts, upgrade.QUESTIONS)
    return checks, list(asked(checks))


def _as_eks_says(cluster: Deployed, checks: Sequence[Check]) -> tuple[Deployed, list[str]]:
    """The cluster with the version of its control plane, which may be newer than the state."""
    given = {check.name: check for check in checks if check.verdict is Verdict.PASSED}
    told, known = given.get(upgrade.control_plane.name), cluster.versions.kubernetes
    if told is None or not told.figure or told.figure == known:
        return cluster, []
    return cluster.at_kubernetes(told.figure), [
        f"EKS says that the control plane has Kubernetes {told.figure}, and the state says {known}: main.py must have "
        f'kubernetes_version="{told.figure}" before the next apply.'
    ]


def run(arguments: Sequence[str]) -> int:
    """Run `main`; an error and Ctrl-C end with a sentence. Returns the exit code."""
    try:
        return main(arguments)
    except (DeploymentError, ConfigurationError) as error:
        print(coloured(without_accounts(str(error)), "red", sys.stderr), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. Nothing was changed.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
