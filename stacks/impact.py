"""Say what a plan does to running jobs: `terraform show -json PLAN | python -m stacks.impact`. Plain Python."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from stacks.operations.terminal import coloured, show
from stacks.reports.impact import render
from stacks.reports.impact.change import Level
from stacks.reports.impact.explanation import explain
from stacks.reports.impact.plan import UnreadablePlanError, read

FORMATS = {"text": render.text, "markdown": render.markdown, "json": render.as_json}
UNREADABLE, TOO_MUCH, INTERRUPTED = 1, 3, 130  # exit codes; argparse ends with 2
PIPE = "To pipe one: terraform show -json PLANFILE | python -m stacks.impact"


def main(arguments: Sequence[str]) -> int:
    """Print the explanation of a plan; returns the exit code."""
    options = _options(arguments)
    try:
        plan = read(_input() if options.file == "-" else Path(options.file).read_bytes(), partial=options.incomplete)
    except OSError as error:
        return _unreadable(f"{error.filename or 'Standard input'} cannot be read: {error.strerror}.")
    except UnreadablePlanError as error:
        return _unreadable(str(error))
    try:
        explanation = explain(plan)
    except Exception as error:  # an object of somebody else; its message could have a value in it
        return _unreadable(f"The plan has an object that the program cannot read ({type(error).__name__}). Nothing was explained.")
    show(FORMATS[options.format](explanation))
    if plan.incomplete:
        return _unreadable(plan.incomplete)
    return TOO_MUCH if options.fail_on and explanation.level >= Level[options.fail_on.upper()] else 0


def _options(arguments: Sequence[str]) -> Namespace:
    parser = ArgumentParser(prog="python -m stacks.impact", description=__doc__)
    parser.add_argument("file", nargs="?", default="-", metavar="FILE", help="the plan's JSON; - for standard input")
    parser.add_argument("--format", choices=FORMATS, default="text")
    parser.add_argument(
        "--fail-on",
        choices=[str(level) for level in Level],
        metavar="LEVEL",
        help="exit with 3 from a level on: %(choices)s. Every plan reaches none",
    )
    parser.add_argument("--incomplete", metavar="ARGUMENT", default="", help="an argument of Terraform that the JSON does not show")
    return parser.parse_args(arguments)


def _input() -> bytes:
    if sys.stdin is None:
        raise UnreadablePlanError(f"The JSON of a plan must come from a file or from standard input (got neither). {PIPE}")
    if sys.stdin.isatty():
        print(f"Waiting for the JSON of a plan on standard input. Ctrl-C ends. {PIPE}", file=sys.stderr)
    return sys.stdin.buffer.read()


def _unreadable(sentence: str) -> int:
    print(coloured(sentence, "red", sys.stderr), file=sys.stderr)
    return UNREADABLE


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
