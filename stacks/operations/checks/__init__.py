"""The checks of a living cluster: questions about what kubectl and aws answered. `make doctor` asks them; so may other commands.

    reading = read(cluster, QUESTIONS)            # each call once, all read-only
    checks = examine(reading.facts, QUESTIONS)    # a name, a verdict, the figure, what to do

A file per subject. A question gets facts, plain JSON, and starts no program.
"""

from collections.abc import Iterable, Sequence

from stacks.operations.checks import capacity, nodes, pools, removal, system, versions
from stacks.operations.checks.facts import Facts
from stacks.operations.checks.question import Check, Question

CAPACITY: Sequence[Question] = (system.api, pools.launches, *capacity.QUESTIONS)
REMOVAL: Sequence[Question] = removal.QUESTIONS
QUESTIONS: Sequence[Question] = (
    *system.QUESTIONS,
    *pools.QUESTIONS,
    *nodes.QUESTIONS,
    *versions.QUESTIONS,
    *capacity.QUESTIONS,
    *REMOVAL,
)


def examine(facts: Facts, questions: Iterable[Question] = QUESTIONS) -> list[Check]:
    """The answers to questions, in their order. Never raises an error because of what the facts contain."""
    return [question.ask(facts) for question in questions]
