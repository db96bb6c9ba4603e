"""Questions and their verdicts. Plain Python."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from stacks.operations.checks.calls import TITLES
from stacks.operations.checks.facts import Facts, NotKnownError


class Verdict(StrEnum):
    """What a check found."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"
    CANNOT_BE_TOLD = "cannot be told"


@dataclass(frozen=True)
class Answer:
    """A verdict and its reasons.

    Attributes:
        verdict: what was found.
        figure: the figure behind the verdict, in a few words.
        found: a line for each thing that the reader should know.
        do: what to do; "" if nothing has to be done.
    """

    verdict: Verdict
    figure: str = ""
    found: tuple[str, ...] = ()
    do: str = ""


@dataclass(frozen=True)
class Check:
    """An answer with its question: the name, and the commands whose output was looked at."""

    name: str
    looked_at: str
    verdict: Verdict
    figure: str = ""
    found: tuple[str, ...] = ()
    do: str = ""


@dataclass(frozen=True)
class Question:
    """A question about facts.

    Attributes:
        name: what holds if the check passes.
        of: the names of the calls that the question looks at.
        answer: the question itself.
    """

    name: str
    of: Sequence[str]
    answer: Callable[[Facts], Answer]

    def ask(self, facts: Facts) -> Check:
        """The verdict. Facts that are missing, or that have a shape that nobody knows, make it `cannot be told`."""
        looked_at = ", ".join(TITLES[name] for name in self.of)
        try:
            answer = self.answer(facts)
        except NotKnownError as error:
            answer = Answer(Verdict.CANNOT_BE_TOLD, str(error), do=error.do)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            answer = Answer(
                Verdict.CANNOT_BE_TOLD,
                f"an answer has a shape that this program does not know ({type(error).__name__})",
                do=f"Please file an issue with the output of {looked_at}.",
            )
        return Check(self.name, looked_at, answer.verdict, answer.figure, answer.found, answer.do)


def question(name: str, *of: str) -> Callable[[Callable[[Facts], Answer]], Question]:
    """Make a question of a function."""
    return lambda function: Question(name, of, function)


@dataclass(frozen=True)
class Finding:
    """What is wrong with one thing, or, if not `certain`, what cannot be told about it."""

    words: str
    certain: bool = True


def counted(number: int, thing: str) -> str:
    """Such as `1 node`, `2 node classes` or `no pods`."""
    plural = f"{thing}{'es' if thing.endswith('s') else 's'}"
    return f"{number or 'no'} {thing if number == 1 else plural}"


def of_each(names: Sequence[str], ask: Callable[[str], Iterable[Finding]]) -> list[Finding]:
    """What is found about each thing: what one call does not answer hides nothing about the other things.

    Raises:
        NotKnownError: nothing is known about any of them.
    """
    findings: list[Finding] = []
    unknown = []
    for name in names:
        try:
            findings += ask(name)
        except NotKnownError as error:
            unknown.append(error)
            findings.append(Finding(f"{name}: {error}.", certain=False))
    if unknown and len(unknown) == len(names):
        raise unknown[0]
    return findings


def judged(
    total: int, thing: str, findings: Sequence[Finding], do: str = "", *, said: str = "", notes: Sequence[str] = ()
) -> Answer:
    """The verdict about a number of things, by what was found about some of them.

    Args:
        total: how many things there are; without any, the question is not applicable.
        thing: what each is called, in the singular.
        findings: what is wrong, at most one for each thing.
        do: what to do about it.
        said: the figure, if nothing is wrong, instead of the number of things.
        notes: lines that say something, and nothing wrong.
    """
    wrong = [one for one in findings if one.certain]
    lines = (*(one.words for one in sorted(findings, key=lambda one: not one.certain)), *notes)
    if wrong:
        return Answer(Verdict.FAILED, f"{len(wrong)} of {counted(total, thing)}", lines, do)
    if findings:
        return Answer(Verdict.CANNOT_BE_TOLD, f"{len(findings)} of {counted(total, thing)}", lines)
    return Answer(Verdict.PASSED if total else Verdict.NOT_APPLICABLE, said or counted(total, thing), lines)
