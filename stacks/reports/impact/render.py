"""An explanation as text, as Markdown for a pull request, and as JSON. Plain Python."""

import json
from collections.abc import Iterator, Sequence

from stacks.reports.impact.change import QUIET, Level
from stacks.reports.impact.explanation import Explanation
from stacks.reports.impact.hours import dollars
from stacks.reports.impact.pools import PODS

NOTHING = "This apply changes nothing that runs."
NOTHING_SHOWN = "What the plan shows changes nothing that runs."
MARK = "<!-- stacks.impact -->"  # by which a workflow finds its comment

MEANS = {
    Level.NONE: NOTHING,
    Level.RESTARTS: "Controllers or add-ons restart.",
    Level.DEFERRED: "Nodes drift, and a budget of 0 holds them back.",
    Level.REPLACES: "Karpenter replaces nodes.",
    Level.ENDS: "Nodes end, or what their jobs need.",
    Level.LOSES: "A whole network, key, role or cluster goes.",
}
WAITS = f"The pods of a node that goes are evicted. Karpenter waits for {' and '.join(PODS)}."


def text(explanation: Explanation) -> str:
    """Lines for a terminal."""
    lines = ((level, ", ".join(whats), words) for level, whats, words in _lines(explanation))
    return "\n".join(": ".join(filter(None, line)) for line in lines)


def markdown(explanation: Explanation) -> str:
    """A comment for a pull request."""
    blocks = [MARK, f"### Impact: {explanation.level}", explanation.incomplete]
    blocks += [MEANS[explanation.level]] if explanation.level else []
    lines = []
    for level, whats, words in _lines(explanation):
        named = ", ".join(f"`{what}`" for what in whats)
        lines.append(f"- {f'**{level}** ' if level else ''}{f'{named}: ' if named else ''}{words.replace('<', '&lt;')}")
    return "\n\n".join(filter(None, [*blocks, "\n".join(lines)]))


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


def _lines(explanation: Explanation) -> Iterator[tuple[str, Sequence[str], str]]:
    """Levels, names and sentences; what has the same words shares a line."""
    shared: dict[tuple[Level, str], list[str]] = {}
    for change in explanation.changes:
        if change.words != QUIET:
            shared.setdefault((change.level, change.words), []).append(change.what)
    if not shared:
        yield "", (), NOTHING_SHOWN if explanation.incomplete else NOTHING
    for (level, words), whats in shared.items():
        yield str(level) if level else "", whats, words
    if any(set(PODS) <= set(change.held_back_by) for change in explanation.changes):
        yield "", (), WAITS
    price = explanation.price
    moved = [change.what for change in explanation.changes if change.level >= Level.DEFERRED]
    named = {change.what for change in explanation.changes if change.words != QUIET}
    if moved and named <= price["pools"].keys() and (others := sorted(price["pools"].keys() - named)):
        yield "", (), f"Nodes and pods of {', '.join(others)} stay."
    changed = [hours for hours in price["pools"].values() if None not in hours.values() and hours["before"] != hours["after"]]
    if len(changed) > 1:
        yield (
            "",
            (),
            f"The most expensive hour of the priced pools together: {dollars(price['before'])} to {dollars(price['after'])}.",
        )
