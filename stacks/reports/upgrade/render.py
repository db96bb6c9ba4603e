"""The steps that remain as text, as Markdown for an issue, and as JSON. Plain Python."""

import json
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date

from stacks.knowledge.versions import KUBERNETES, karpenter_releases
from stacks.operations.checks import upgrade
from stacks.operations.checks.question import Check, Verdict
from stacks.reports.impact import render as impact
from stacks.reports.upgrade.deployed import Deployed
from stacks.reports.upgrade.remaining import Remaining, support, the_ca, to_know

NOTHING = "Nothing remains: the cluster has the versions of recommended, or newer ones."
UNKNOWN = "the program's table does not have the release"
WIDTH = 130
RULES = (
    "Jobs: by the rules of make impact, on the pools, classes and versions in the state. What else main.py changes, and which "
    "values AWS gives, only make plan knows."
)


@dataclass(frozen=True)
class Report:
    """What remains for a cluster.

    Attributes:
        stack: the name of the stack.
        cluster: what is deployed.
        steps: what remains.
        checks: what the living cluster said.
        notes: what the reader should know about what was asked.
        today: the day of the report.
    """

    stack: str
    cluster: Deployed
    steps: Sequence[Remaining]
    checks: Sequence[Check]
    notes: Sequence[str]
    today: date

    def heading(self) -> str:
        """Which cluster, and when."""
        return f"Upgrade plan of {self.stack}: {self.cluster.name} in {self.cluster.region}, {self.today}"

    def rows(self) -> list[tuple[str, str, str]]:
        """What is deployed: what, which version, and what to know about it."""
        cluster, versions = self.cluster, self.cluster.versions
        row = karpenter_releases(versions.karpenter) if versions.karpenter else None
        pins = sorted({pin for pin in cluster.bottlerocket.values() if pin})
        by_class = ", ".join(f"{name} {pin}" for name, pin in cluster.bottlerocket.items()) if len(pins) > 1 else ", ".join(pins)
        listed = [
            ("Kubernetes", versions.kubernetes, support(versions.kubernetes, cluster.support, self.today)),
            ("Karpenter", versions.karpenter, f"for Kubernetes {row.kubernetes} at most" if row else UNKNOWN),
            ("Load balancer controller", versions.load_balancer_controller, ""),
            ("Bottlerocket", by_class, ""),
            ("Node group", "; ".join(cluster.node_groups.values()), ""),
            ("Add-ons", ", ".join(f"{name} {version}" for name, version in cluster.addons.items()), ""),
            ("Nodes", next((check.figure for check in self.checks if check.name == upgrade.nodes.name), ""), ""),
        ]
        return [one for one in listed if one[1]]

    def to_know(self) -> list[str]:
        """Sentences beside the steps."""
        own = self.cluster.own_budgets
        return [
            *self.notes,
            *to_know(self.cluster),
            *the_ca(self.cluster, self.checks),
            *([f"Pools with budgets of their own keep them: {', '.join(own)}."] if own and self.steps else []),
        ]

    def summary(self) -> str:
        """How many steps remain, and how to make one."""
        if not self.steps:
            return NOTHING if self.cluster.versions.kubernetes in [row.version for row in KUBERNETES] else "No step can be told."
        count = len(self.steps)
        how = f"edit {self.stack} in main.py, make synth, make plan STACK={self.stack}, make apply STACK={self.stack}"
        where = "A field that a variable file sets changes there."
        return f"{count} step{'s remain' if count > 1 else ' remains'}, in this order. Each: {how}. {where}"


def text(report: Report) -> str:
    """Lines for a terminal."""
    rows = report.rows()
    name, version = (max(len(row[n]) for row in rows) for n in (0, 1))
    lines = [report.heading(), ""]
    lines += [f"{what:<{name}}  {f'{value:<{min(version, 8)}}  {note}' if note else value}".rstrip() for what, value, note in rows]
    lines += ["", *report.to_know(), report.summary()] if report.to_know() else ["", report.summary()]
    for number, one in enumerate(report.steps, start=1):
        lines += ["", f"{number}. {one.step.title}"]
        lines += [line for label, words in _parts(one) for line in _wrapped(label, words)]
    return "\n".join([*lines, *(["", RULES] if report.steps else [])])


def markdown(report: Report) -> str:
    """A section for each step."""
    rows = [f"| {what} | {value} | {note} |" for what, value, note in report.rows()]
    blocks = [f"## {report.heading()}", "\n".join(["| what | version | |", "|---|---|---|", *rows]), *report.to_know()]
    blocks.append(report.summary())
    for number, one in enumerate(report.steps, start=1):
        blocks += [f"### {number}. {one.step.title}", *_edit(one), " ".join(one.why)]
        for line in one.first:
            blocks += [f"First: {line.words}", *([f"```sh\n{line.command}\n```"] if line.command else [])]
        blocks.append(impact.markdown(one.impact).partition("\n\n")[2].replace("### Impact", "Impact", 1))
    return "\n\n".join([*blocks, *([RULES] if report.steps else [])])


def as_json(report: Report) -> str:
    """For programs."""
    cluster, versions = report.cluster, report.cluster.versions
    document = {
        "stack": report.stack,
        "cluster": cluster.name,
        "region": cluster.region,
        "at": str(report.today),
        "deployed": {
            "kubernetes": versions.kubernetes,
            "karpenter": versions.karpenter,
            "load_balancer_controller": versions.load_balancer_controller,
            "bottlerocket": dict(cluster.bottlerocket),
            "node_groups": dict(cluster.node_groups),
            "addons": dict(cluster.addons),
        },
        "checks": [asdict(check) for check in report.checks],
        "notes": report.to_know(),
        "steps": [
            {
                "title": one.step.title,
                "class": one.step.change,
                "set": dict(one.step.fields),
                "edit": dict(one.lacking),
                "set_in_pools": {name: dict(fields) for name, fields in one.step.pool_fields.items()},
                "why": list(one.why),
                "first": [asdict(line) for line in one.first],
                "impact": json.loads(impact.as_json(one.impact)),
            }
            for one in report.steps
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


FORMATS = {"text": text, "markdown": markdown, "json": as_json}


def asked(checks: Sequence[Check]) -> Iterator[str]:
    """Which questions have no answer, and why; what has one reason shares a sentence."""
    reasons: dict[str, list[str]] = {}
    for check in checks:
        if check.verdict is Verdict.CANNOT_BE_TOLD:
            reasons.setdefault(f"{check.figure}. {check.do}".strip(), []).append(check.name)
    for reason, names in reasons.items():
        yield f"Cannot be told, because {reason.rstrip('.')}: {'; '.join(names)}."


def _parts(one: Remaining) -> Iterator[tuple[str, str]]:
    yield "Set", one.edit() or f"nothing: main.py has {one.made()} already"
    yield "Why", " ".join(one.why)
    for line in one.first:
        yield "First", line.words
        if line.command:
            yield "", f"$ {line.command}"
    for number, said in enumerate(impact.text(one.impact).splitlines()):
        yield "" if number else "Jobs", said


def _edit(one: Remaining) -> Iterator[str]:
    if edit := one.edit():
        yield f"```python\n{edit}\n```"
    else:
        yield f"Set nothing: main.py has `{one.made()}` already."


def _wrapped(label: str, words: str) -> list[str]:
    """Words beside a label. A command stays on one line, to be copied."""
    if words.startswith("$ "):
        return [f"   {label:<7}{words}"]
    return textwrap.wrap(
        words, WIDTH, initial_indent=f"   {label:<7}", subsequent_indent=" " * 10, break_long_words=False, break_on_hyphens=False
    )
