"""Checks as text for people, as Markdown for an issue, and as JSON for programs. Plain Python."""

import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from stacks.operations.checks.question import Check, Verdict
from stacks.operations.checks.reader import Reading
from stacks.operations.terminal import coloured

# An account number: 12 digits, in an ARN, an address of ECR, or alone.
ACCOUNT = re.compile(r"(?<![0-9A-Za-z])[0-9]{12}(?![0-9A-Za-z])")
# The name of a session is the address or the login of a person, such as in `User: arn:aws:sts::…:assumed-role/Admin/jane@acme.com`.
PERSON = re.compile(r"(:(?:assumed-role/[^/\s]+|federated-user|user)/)[^\s\"'`,;)]+")

MOST_LINES = 20  # of a check in words; JSON has all

COLOURS: dict[Verdict, Literal["red", "green", "yellow"]] = {
    Verdict.PASSED: "green",
    Verdict.FAILED: "red",
    Verdict.CANNOT_BE_TOLD: "yellow",
}


@dataclass(frozen=True)
class Report:
    """Checks of a cluster.

    Attributes:
        title: what was done, such as `Doctor`.
        reading: the facts, and the calls that were made.
        checks: the verdicts.
        seconds: how long everything took.
    """

    title: str
    reading: Reading
    checks: Sequence[Check]
    seconds: float

    def heading(self) -> str:
        """Which cluster, and when."""
        facts = self.reading.facts
        return f"{self.title}: {facts.cluster} in {facts.region}, {facts.now:%Y-%m-%d %H:%M} UTC"

    def summary(self) -> str:
        """How many of each verdict, and what it took."""
        counts = Counter(check.verdict for check in self.checks)
        verdicts = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
        return f"{verdicts}. {len(self.reading.asked)} calls in {self.seconds:.0f} s, all read-only."


def without_accounts(words: str) -> str:
    """Words without account numbers, and without the login and the folders of a person."""
    for folder, name in ((str(Path.home()), "~"), (tempfile.gettempdir(), "TMP")):
        words = words.replace(f"{folder}/", f"{name}/")
    return ACCOUNT.sub("ACCOUNT", PERSON.sub(r"\1NAME", words))


def as_text(report: Report) -> str:
    """A line per check, and below it what was found, and what to do."""
    width = max(len(check.name) for check in report.checks)
    lines = [report.heading(), ""]
    said: set[str] = set()  # one missing right may take many checks away
    for check in report.checks:
        verdict = f"{check.verdict:<15}"
        colour = COLOURS.get(check.verdict)
        shown = coloured(verdict, colour, sys.stdout) if colour else verdict
        lines.append(f"{shown} {check.name:<{width}}  {check.figure}".rstrip())
        lines += [f"{'':15}   {line}" for line in _found(check)]
        lines += [f"{'':15}   Do: {check.do}"] if check.do and check.do not in said else []
        said.add(check.do)
    return "\n".join([*lines, "", report.summary()])


def as_markdown(report: Report) -> str:
    """A table of all checks, and a section for each that found something."""
    rows = [f"| {cell(check.name)} | {check.verdict} | {cell(check.figure)} |" for check in report.checks]
    lines = [f"## {report.heading()}", "", "| check | verdict | figure |", "|---|---|---|", *rows, ""]
    for check in report.checks:
        if check.found or check.do:
            lines += [f"### {check.name}: {check.verdict}", "", *_block(_found(check))]
            lines += [f"What to do: {cell(check.do)}", ""] if check.do else []
            lines += [f"Looked at: `{check.looked_at}`", ""]
    return "\n".join([*lines, report.summary()])


def as_json(report: Report) -> str:
    """Everything, with the calls."""
    facts = report.reading.facts
    document = {
        "cluster": facts.cluster,
        "region": facts.region,
        "at": facts.now.isoformat(timespec="seconds"),
        "seconds": round(report.seconds, 1),
        "verdicts": dict(Counter(check.verdict for check in report.checks)),
        "checks": [asdict(check) for check in report.checks],
        "calls": [asdict(call) for call in report.reading.asked],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


FORMATS = {"text": as_text, "markdown": as_markdown, "json": as_json}


def _found(check: Check) -> list[str]:
    rest = len(check.found) - MOST_LINES
    return [*check.found[:MOST_LINES], *([f"and {rest:,} more: --format json"] if rest > 0 else [])]


def cell(words: str) -> str:
    """Words in a cell of a table of Markdown."""
    return words.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _block(lines: Sequence[str]) -> list[str]:
    """Lines as code, where words of others are no link, image or mention."""
    return ["```text", *(line.replace("```", "") for line in lines), "```", ""] if lines else []
