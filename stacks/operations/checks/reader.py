"""Ask a living cluster: each call once, several at a time, and a call that is refused is noted by the right that it lacks."""

import json
import re
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from stacks.operations.checks.calls import REACH, Call, further, of_cluster
from stacks.operations.checks.facts import Facts, Missing, short
from stacks.operations.checks.question import Question
from stacks.operations.deployment import DeployedCluster, DeploymentError

# Most of a call is the start of a Python or the wait for an answer. More at a time are no faster on two cores, and get throttled.
AT_A_TIME = 8

# A call that hangs must not use up the minute. The AWS CLI tries again by itself.
AWS_OPTIONS = ("--output", "json", "--cli-connect-timeout", "5", "--cli-read-timeout", "20")
KUBECTL_OPTIONS = ("--request-timeout=15s",)

REFUSED = re.compile(
    r"\((AccessDenied\w*|Unauthorized\w*|Forbidden)\)|is not authorized to perform|You must be logged in to the server"
)
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
    now = datetime.now(UTC)
    answers: dict[str, Any] = {}
    missing: dict[str, Missing] = {}
    asked: list[Asked] = []
    reached = _connect(cluster, asked)
    unconnected = reached if isinstance(reached, Missing) else None
    (missing if unconnected else answers)[REACH.name] = reached

    def make(call: Call) -> tuple[Call, Any, float]:
        started = time.monotonic()
        if call.program == "kubectl" and unconnected:
            return call, unconnected, 0.0
        return call, _ask(cluster, call), time.monotonic() - started

    wanted = {name for question in questions for name in question.of}

    def make_all(calls: Iterable[Call]) -> None:
        for call, answer, seconds in pool.map(make, [call for call in calls if call.name.partition("/")[0] in wanted]):
            lacks = isinstance(answer, Missing)
            (missing if lacks else answers)[call.name] = answer
            if answer is not unconnected:
                asked.append(Asked(call.command, round(seconds, 1), answered=not lacks))

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        make_all(of_cluster(cluster.name))
        make_all(further(Facts(cluster.name, cluster.region, now, answers, missing)))
    return Reading(Facts(cluster.name, cluster.region, now, answers, missing), tuple(asked))


def _connect(cluster: DeployedCluster, asked: list[Asked]) -> Any:
    """Write the kubeconfig, and try whether the API answers. Its version, or why kubectl need not be asked."""
    try:
        cluster.connect()
    except DeploymentError as error:
        if REFUSED.search(str(error)):
            return Missing(right=CONNECT_RIGHT)
        raise
    started = time.monotonic()
    answer = _ask(cluster, REACH)
    if isinstance(answer, Missing) and answer.right:
        answer = {}  # a refusal is an answer
    asked.append(Asked(REACH.command, round(time.monotonic() - started, 1), answered=not isinstance(answer, Missing)))
    return answer


def _ask(cluster: DeployedCluster, call: Call) -> Any:
    """The answer to a call, or why there is none."""
    try:
        if call.program == "aws":
            return json.loads(cluster.aws(*call.arguments, *AWS_OPTIONS))
        if call.is_log:
            return cluster.kubectl(*call.arguments, *KUBECTL_OPTIONS)
        output = () if call is REACH else ("--output=json",)
        return json.loads(cluster.kubectl(*call.arguments, *output, *KUBECTL_OPTIONS))
    except DeploymentError as error:
        said = str(error)
        if "the server doesn't have a resource type" in said:
            return {"items": []}
        if REFUSED.search(said):
            return Missing(right=call.right)
        return Missing(said=f"{call.title} failed: {_reason(error)}")
    except ValueError:
        return Missing(said=f"{call.title} did not answer in JSON")


def _reason(error: DeploymentError) -> str:
    """What a program said, on one line. The last line is kubectl's reason; before that, it logs its attempts."""
    said = str(error)
    lines = (said.partition(" failed: ")[2] or said).strip().splitlines()
    return short(lines[-1] if said.startswith("`kubectl") else " ".join(lines), 120)
