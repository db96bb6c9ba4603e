"""Durations and cron schedules as Karpenter reads them, which is stricter than the patterns of its CRDs. Plain Python.

What the API server accepts and Karpenter does not is worse than a refusal: nothing in an apply names the cause.

Sources: pkg/apis/v1/duration.go and nodepool.go of kubernetes-sigs/karpenter, v1.6.0 to v1.14.1; time.ParseDuration of Go;
parser.go and spec.go of robfig/cron v3.0.1.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from stacks.config.checks import Check

# --- Durations ------------------------------------------------------------------------------------------------------------------

NEVER = "Never"
DURATION = r"(\d+(s|m|h))+"
SECONDS = {"s": 1, "m": 60, "h": 3600}

# Go counts nanoseconds in 63 bits. A duration that does not fit fails the decoder, and with it the list of all NodePools.
LONGEST, LONGEST_SECONDS = "2562047h47m16s", (2**63 - 1) // 10**9
TOO_LONG = "Karpenter cannot read any pool while one pool has a longer duration"


def duration(pattern: str, like: str, *, least: str = "0s", reason: str = "") -> Check:
    """A duration that matches a pattern, which `like` describes, and is at least `least`, for a reason; or `Never`."""

    def check(value: str) -> str | None:
        if not re.fullmatch(pattern, value, re.ASCII):
            return f"must be {like}"
        if value == NEVER:
            return None
        if seconds(value) > LONGEST_SECONDS:
            return f"must be at most {LONGEST}, because {TOO_LONG}"
        return None if seconds(value) >= seconds(least) else f"must be at least {least}, {reason}"

    return check


def seconds(value: str) -> float:
    """The length of a duration such as 1h30m. (A float, because Python refuses to read an int of thousands of digits.)"""
    return sum(float(number) * SECONDS[unit] for number, unit in re.findall(r"(\d+)([smh])", value))


# --- Cron schedules -------------------------------------------------------------------------------------------------------------

DESCRIPTORS = ("@annually", "@yearly", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")


_NUMBER = "[0-9]{1,9}|[A-Za-z]+"


@dataclass(frozen=True)
class CronField:
    """A field of a schedule: what it counts, from where to where, and the names of the numbers, in order."""

    title: str
    first: int
    last: int
    names: Sequence[str] = ()

    def words(self) -> str:
        """What the field may hold."""
        names = f", or {self.names[0]} to {self.names[-1]}" if self.names else ""
        return (
            f"its {self.title} must be {self.first} to {self.last}{names}, with steps of at least 1; Karpenter does not know L, W, "
            "# and H"
        )

    def numbers(self, text: str) -> set[int]:
        """The numbers that a text stands for: a list of `*`, `?`, a number or a range, each with a step if need be.

        Raises:
            ValueError: Karpenter cannot read the text. The message says what the field must be.
        """
        found: set[int] = set()
        for part in text.split(","):
            match = re.fullmatch(rf"([*?]|(?P<low>{_NUMBER})(-(?P<high>{_NUMBER}))?)(/(?P<step>[0-9]{{1,9}}))?", part)
            if not match or (match["step"] and not int(match["step"])):
                raise ValueError(self.words())
            low, high, step = match["low"], match["high"], match["step"]
            first = self._number(low) if low else self.first
            last = self._number(high or low) if low and (high or not step) else self.last  # 5/10 means 5-59/10
            if not (self.first <= first <= self.last and self.first <= last <= self.last):
                raise ValueError(self.words())
            if first > last:
                start, end = (self.first, self.last) if low.isdecimal() else (self.names[0], self.names[-1])
                split = ",".join(one if one == other else f"{one}-{other}" for one, other in ((low, f"{end}"), (f"{start}", high)))
                raise ValueError(f"ranges of its {self.title} must ascend: {low}-{high} is written {split}")
            found |= set(range(first, last + 1, int(step or 1)))
        return found

    def _number(self, text: str) -> int:
        """The number that a text names; -1, which no field holds, for an unknown name."""
        name = text.lower()
        return self.first + self.names.index(name) if name in self.names else int(text) if text.isdecimal() else -1


FIELDS = (
    CronField("minute", 0, 59),
    CronField("hour", 0, 23),
    CronField("day of the month", 1, 31),
    CronField("month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    CronField("day of the week", 0, 6, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)
DAYS = {month: 29 if month == 2 else 30 if month in (4, 6, 9, 11) else 31 for month in range(1, 13)}


def schedule(text: str) -> str | None:
    """A cron schedule that Karpenter can read, and whose day exists.

    Karpenter reads a schedule behind `TZ=UTC`, so that a time zone of one's own is a field too many. With a schedule that it cannot
    read, all budgets of the pool are 0. A schedule that never comes applies always, because Next returns the year 1.
    """
    like = "must be a cron schedule such as 0 9 * * mon-fri"
    if text in DESCRIPTORS:
        return None
    fields = [part for part in text.split(" ") if part]
    if len(fields) != len(FIELDS):
        return f"{like}, in UTC, with five fields, or one of {', '.join(DESCRIPTORS)}"
    numbers = []
    for field, part in zip(FIELDS, fields, strict=True):
        try:
            numbers.append(field.numbers(part))
        except ValueError as error:
            return f"{like}: {error}"
    _, _, days, months, _ = numbers
    # A weekday that is restricted counts beside the day of the month.
    every_weekday = any(re.fullmatch(r"[*?](/0*1)?", part) for part in fields[4].split(","))
    if every_weekday and min(days) > max(DAYS[month] for month in months):
        return "must name a day that exists, because Karpenter applies a budget at all times if its schedule never comes"
    return None
