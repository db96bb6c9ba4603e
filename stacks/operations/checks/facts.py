"""What programs answered about a cluster, and how to read objects that others wrote. Plain Python.

An object may lack anything, and anything in it may be null or of another type: a release that nobody here knows wrote it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from stacks.operations.deployment import Object

# As the API server writes large and small numbers.
SUFFIXES = {"": 1, "m": 0.001, "k": 1000, "M": 1000_000}


class NotKnownError(Exception):
    """Why a question cannot be answered, and what to do."""

    def __init__(self, why: str, do: str = "") -> None:
        super().__init__(why)
        self.do = do


@dataclass(frozen=True)
class Missing:
    """A call without an answer: the right that it lacks, or else which call it was, and what the program said."""

    right: str = ""
    said: str = ""


@dataclass(frozen=True)
class Facts:
    """Answers by the name of their call.

    Attributes:
        cluster, region: the name of the EKS cluster, and where it is.
        now: when they were asked, in UTC.
        answers: what kubectl and aws printed, as JSON; logs are text.
        missing: the calls that have no answer.
    """

    cluster: str
    region: str
    now: datetime
    answers: Mapping[str, Any]
    missing: Mapping[str, Missing] = field(default_factory=dict)

    def answer(self, name: str) -> Any:
        """An answer.

        Raises:
            NotKnownError: there is none.
        """
        if name in self.answers:
            return self.answers[name]
        lacks = self.missing.get(name, Missing(said=f"{name} was not asked"))
        if lacks.right:
            raise NotKnownError(f"the right {lacks.right} is missing", f"Allow {lacks.right}: docs/doctor.md#rights.")
        raise NotKnownError(lacks.said)

    def objects(self, name: str) -> list[Object]:
        """The Kubernetes objects of a kind.

        Raises:
            NotKnownError: there is no answer, or it is not a list.
        """
        items = at(self.answer(name), "items")
        if not isinstance(items, list):
            raise NotKnownError(f"the answer about {name} is not a list")
        return [item for item in items if isinstance(item, dict)]

    def text(self, name: str) -> str:
        """A log.

        Raises:
            NotKnownError: there is no answer.
        """
        return str(self.answer(name) or "")

    def each(self, subject: str) -> list[str]:
        """The things of a subject that were asked about: `each("addon")` has the names of the add-ons."""
        names = (name.partition("/") for name in sorted({*self.answers, *self.missing}))
        return [thing for kind, slash, thing in names if slash and kind == subject]

    def age(self, item: object) -> float | None:
        """Seconds since an object was made; None if the object does not say."""
        made = moment(at(item, "metadata", "creationTimestamp"))
        return (self.now - made).total_seconds() if made else None


def at(thing: object, *path: str) -> Any:
    """What is at a path; None if anything on the way is missing."""
    for name in path:
        if not isinstance(thing, dict):
            return None
        thing = thing.get(name)
    return thing


def text(thing: object, *path: str) -> str:
    """The text at a path; "" if there is none."""
    found = at(thing, *path)
    return found if isinstance(found, str) else ""


def listed(thing: object, *path: str) -> list[Any]:
    """The list at a path; [] if there is none."""
    found = at(thing, *path)
    return found if isinstance(found, list) else []


def texts(thing: object, *path: str) -> list[str]:
    """The texts of the list at a path."""
    return [one for one in listed(thing, *path) if isinstance(one, str)]


def name_of(item: object) -> str:
    """The name of an object, with its namespace if it has one."""
    return "/".join(filter(None, (text(item, "metadata", "namespace"), text(item, "metadata", "name") or "(without a name)")))


def moment(value: object) -> datetime | None:
    """A time as Kubernetes and AWS write it; None if it is not one."""
    try:
        found = datetime.fromisoformat(value.replace("Z", "+00:00")) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is None or found.tzinfo else None


def last_seen(event: object) -> datetime | None:
    """When an event of Kubernetes was last seen; None if it does not say."""
    times = (at(event, "series", "lastObservedTime"), at(event, "lastTimestamp"), at(event, "eventTime"))
    return next((when for time in times if (when := moment(time))), None)


def whole(value: object) -> int | None:
    """A Kubernetes quantity without unit, such as 32, "1k" or "500m", rounded down; None if it is not one."""
    match = re.fullmatch(r"([0-9]{1,15})([mkM]?)", str(value))
    return int(int(match[1]) * SUFFIXES[match[2]]) if match else None


@dataclass(frozen=True)
class Condition:
    """A condition in the status of an object."""

    type: str
    status: str
    reason: str
    message: str

    def words(self) -> str:
        """Such as `Ready is False, KubeletNotReady: container runtime is down`."""
        said = ": ".join(filter(None, (self.reason, self.message)))
        return f"{self.type} is {self.status or 'not set'}{f', {said}' if said else ''}"


def conditions(item: object) -> dict[str, Condition]:
    """The conditions of an object, by type."""
    found = [
        Condition(*(text(one, part) for part in ("type", "status", "reason", "message")))
        for one in listed(item, "status", "conditions")
    ]
    return {one.type: one for one in found if one.type}


def short(words: str, length: int = 300) -> str:
    """Words of others on one line, without what a terminal would obey, and not more than so many characters."""
    line = "".join(filter(str.isprintable, " ".join(words.split())))
    return line if len(line) <= length else f"{line[: length - 1]}…"
