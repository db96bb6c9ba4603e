"""Ask a living cluster: each call once, several at a time, and a call that is refused is noted by the right that it lacks."""

import json
import re
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from stacks.operations.checks.calls import REACH, Call, further, of_cluster
from stacks.operations.checks.facts import Facts, Missing, short
from stacks.operations.checks.question import Question
from stacks.operations.deployment import AWS_TIMES, DeployedCluster, DeploymentError

# Most of a call is the start of a Python or the wait for an answer. More at a time are no faster on two cores, and get throttled.
AT_A_TIME = 8

AWS_OPTIONS = ("--output", "json", *AWS_TIMES)
KUBECTL_OPTIONS = ("--request-timeout=15s",)

REFUSED = re.compile(
    r"\((AccessDenied\w*|Unauthorized\w*|Forbidden)\)|is not authorized to perform|You must be logged in to the server"
)
KUBECTL_ERRORS = ("error:", "Error from server", "Unable to connect")

# `update-kubeconfig` is DescribeCluster and a file.
CONNECT_RIGHT = "eks:DescribeCluster"


@dataclass(frozen=True)
class Asked:
    """A call that was made.

    Attributes:
        command: with its arguments, without those of the connection.
        seconds: how long it took.
        answered: whether it has an answer.
    """

    command: str
    seconds: float
    answered: bool


@dataclass(frozen=True)
class Reading:
    """Facts, and the calls that they come from."""

    facts: Facts
    asked: tuple[Asked, ...]


def read(cluster: DeployedCluster, questions: Iterable[Question]) -> Reading:
    """Connect to a cluster, and make every call that some questions need.

    Raises:
        DeploymentError: the login failed, or the cluster is not the one in the state.
    """
    reader = _Reader(cluster, {name for question in questions for name in question.of})
    reader.connect()
    reader.make(of_cluster(cluster.name))
    reader.make(further(reader.facts()))
    return Reading(reader.facts(), tuple(reader.asked))


def ahead(cluster: DeployedCluster, questions: Iterable[Question], answers: dict[str, Any]) -> Reading:
    """Ask AWS before there is a cluster.

    Args:
        cluster: where it will be.
        questions: those to be answered.
        answers: what the Kubernetes API would answer, such as the pools of a plan.
    """
    reader = _Reader(cluster, {name for question in questions for name in question.of}, answers=dict(answers))
    reader.make(call for call in of_cluster(cluster.name) if call.program == "aws")
    reader.make(further(reader.facts()))
    return Reading(reader.facts(), tuple(reader.asked))


@dataclass
class _Reader:
    """What was answered so far. `wanted` are the names of the calls, or their subjects, that are made."""

    cluster: DeployedCluster
    wanted: set[str]
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    answers: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, Missing] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def facts(self) -> Facts:
        return Facts(self.cluster.name, self.cluster.region, self.now, self.answers, self.missing)

    def connect(self) -> None:
        """Write the kubeconfig, and try whether the API answers."""
        try:
            self.cluster.connect()
        except DeploymentError as error:
            if not REFUSED.search(str(error)):
                raise
            self.missing[REACH.name] = Missing(right=CONNECT_RIGHT)
            return
        self._note(REACH, *self._timed(REACH))
        if self.missing.get(REACH.name, Missing()).right:  # a refusal is an answer
            del self.missing[REACH.name]
            self.answers[REACH.name] = {}

    def make(self, calls: Iterable[Call]) -> None:
        """Make calls, several at a time. kubectl is not asked where its API does not answer."""
        unreached = self.missing.get(REACH.name)
        wanted = [call for call in calls if call.name.partition("/")[0] in self.wanted]
        if unreached:
            self.missing |= {call.name: unreached for call in wanted if call.program == "kubectl"}
        made = [call for call in wanted if call.name not in self.missing]
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            for call, found in zip(made, pool.map(self._timed, made), strict=True):
                self._note(call, *found)

    def _timed(self, call: Call) -> tuple[Any, float]:
        started = time.monotonic()
        return self._ask(call), time.monotonic() - started

    def _note(self, call: Call, answer: Any, seconds: float) -> None:
        lacks = isinstance(answer, Missing)
        (self.missing if lacks else self.answers)[call.name] = answer
        self.asked.append(Asked(call.command, round(seconds, 1), answered=not lacks))

    def _ask(self, call: Call) -> Any:
        """The answer to a call, or why there is none."""
        try:
            if call.program == "aws":
                return json.loads(self.cluster.aws(*call.arguments, *AWS_OPTIONS))
            output = () if call is REACH or call.is_log else ("--output=json",)
            answer = self.cluster.kubectl(*call.arguments, *output, *KUBECTL_OPTIONS)
            return answer if call.is_log else json.loads(answer)
        except DeploymentError as error:
            if "the server doesn't have a resource type" in str(error):
                return {"items": []}
            if REFUSED.search(str(error)):
                return Missing(right=call.right)
            return Missing(said=f"{call.title} failed: {_reason(error)}")
        except ValueError:
            return Missing(said=f"{call.title} did not answer in JSON")


def _reason(error: DeploymentError) -> str:
    """What a program said, on one line. Of kubectl, the last line with an error: around it, it logs attempts and gives hints."""
    said = str(error)
    lines = (said.partition(" failed: ")[2] or said).strip().splitlines()
    if said.startswith("`kubectl"):
        lines = [line for line in lines if line.startswith(KUBECTL_ERRORS)][-1:] or lines[-1:]
    return short(" ".join(lines), 120)
