"""An explanation as text, as Markdown for a pull request, and as JSON. Plain Python."""

import json
from collections.abc import Iterator

from stacks.reports.impact.change import QUIET, Change, Level
from stacks.reports.impact.explanation import Explanation
from stacks.reports.impact.hours import dollars
from stacks.reports.impact.pools import PODS

NOTHING = "This apply changes nothing that runs."
MARK = "<!-- stacks.impact -->"  # by which a workflow finds its comment

MEANS = {
    Level.NONE: NOTHING,
    Level.RESTARTS: "Controllers or add-ons restart.",
    Level.DEFERRED: "Nodes drift, and a budget of 0 holds them back.",
    Level.REPLACES: "Karpenter replaces nodes.",
    Level.ENDS: "Nodes end, or what their jobs need.",
    Level.LOSES: "A whole network, key, role or cluster goes.",
}
WAITS = f"Karpenter waits for {' and '.join(PODS)}."


def text(explanation: Explanation) -> str:
    """Lines for a terminal."""
    return "\n".join(f"{f'{level}: ' if level else ''}{line}" for level, line in _lines(explanation))


def markdown(explanation: Explanation) -> str:
    """A comment for a pull request."""
    heading = f"### Impact: {explanation.level}"
    said = "" if explanation.level is Level.NONE else f"{MEANS[explanation.level]}\n\n"
    lead = f"{explanation.incomplete}\n\n" if explanation.incomplete else ""
    lines = (f"- **{level}** {_escaped(line)}" if level else f"- {_escaped(line)}" for level, line in _lines(explanation))
    return f"{MARK}\n{heading}\n\n{lead}{said}" + "\n".join(lines)


def as_json(explanation: Explanation) -> str:
    """For programs."""
    document = {
        "level": str(explanation.level),
        "changes": [
            {
                "what": change.what,
                "level": str(change.level),
                "class": change.change,
                "held_back_by": list(change.held_back_by),
                "words": change.words,
            }
            for change in explanation.changes
        ],
        "price": explanation.price,
        **({"incomplete": explanation.incomplete} if explanation.incomplete else {}),
    }
    return json.dumps(document, indent=2)


def _lines(explanation: Explanation) -> Iterator[tuple[str, str]]:
    """Levels and sentences; what has the same words shares a line."""
    shared: dict[tuple[Level, str], list[Change]] = {}
    for change in explanation.changes:
        if change.words != QUIET:
            shared.setdefault((change.level, change.words), []).append(change)
    if not shared:
        yield "", NOTHING
    for (level, words), changes in shared.items():
        yield str(level) if level else "", f"{', '.join(change.what for change in changes)}: {words}"
    if any(set(PODS) <= set(change.held_back_by) for change in explanation.changes):
        yield "", WAITS
    before, after = explanation.price["before"], explanation.price["after"]
    if before != after:
        hours = (dollars(hour or 0.0) for hour in (before, after))
        yield "", f"The most expensive hour of all pools that are priced: {' to '.join(hours)}."


def _escaped(line: str) -> str:
    """Text that Markdown would read as a mark: names of resources have underscores."""
    return line.replace("_", r"\_").replace("*", r"\*").replace("<", "&lt;")
