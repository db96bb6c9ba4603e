"""When, and how many at a time, Karpenter may disrupt the nodes of a pool, in words. Plain Python.

The strictest of the budgets that apply counts, a percentage rounds up, and a budget applies from each start of its schedule (UTC)
for its duration: GetAllowedDisruptionsByReason and IsActive in pkg/apis/v1/nodepool.go of kubernetes-sigs/karpenter.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeAlias

from stacks.config.times import FIELDS, seconds

Budget: TypeAlias = Mapping[str, Any]

MOST_NODES = 1000  # of a pool, to compare a number with a percentage
DAY, WEEK = 1440, 7 * 1440  # minutes
DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
DEFAULT: tuple[Budget, ...] = ({"nodes": "10%"},)  # the CRD's

DESCRIPTORS = {
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


@dataclass(frozen=True)
class Size:
    """How many nodes at a time: a number, a percentage, both, or neither, which is no limit."""

    number: int | None = None
    percent: int | None = None

    @property
    def zero(self) -> bool:
        """Whether no node may be disrupted."""
        return 0 in (self.number, self.percent)

    def of(self, nodes: int) -> int:
        """How many of some nodes that is."""
        percent = nodes if self.percent is None else -(-nodes * self.percent // 100)
        return min(nodes, percent, nodes if self.number is None else self.number)

    def stricter(self, than: "Size") -> bool:
        """Whether fewer nodes are allowed in a pool of some size. Of a number and a percentage, each may be stricter."""
        return any(self.of(nodes) < than.of(nodes) for nodes in range(1, MOST_NODES + 1))

    def words(self) -> str:
        """Such as "one at a time"."""
        if self.number is None and self.percent is None:
            return "all at once"
        number = "" if self.number is None else NUMBERS[self.number] if self.number < len(NUMBERS) else str(self.number)
        percent = "" if self.percent is None else f"{self.percent}% of the pool's nodes"
        return f"{' or '.join(filter(None, (number, percent)))}{', whichever is less,' if number and percent else ''} at a time"


@dataclass(frozen=True)
class Allowance:
    """What budgets allow for one reason.

    Attributes:
        sizes: those that occur.
        minutes: for each minute of a week, from Sunday, which of the sizes applies.
        irregular: further budgets, whose schedules name days of the month or months.
    """

    sizes: tuple[Size, ...]
    minutes: bytes
    irregular: tuple[Budget, ...] = ()

    @property
    def never(self) -> bool:
        """Whether no node may be disrupted at any time."""
        return all(size.zero for size in self.sizes)

    def words(self) -> str:
        """How many at a time, and when. For `never`, ""."""
        said = [" ".join(filter(None, (size.words(), self.when(size)))) for size in self.sizes if not size.zero]
        rest = [
            f"and {'none' if (size := _size([budget])).zero else f'at most {size.words()}'} for {budget.get('duration')} from each "
            f"`{budget['schedule']}` (cron, UTC) on"
            for budget in self.irregular
        ]
        return ", ".join([" and ".join(said), *rest]) if said else ""

    def when(self, *sizes: Size) -> str:
        """The times of some sizes, such as "between 02:00 and 06:00 UTC"; "" for always."""
        chosen = bytes(number < len(self.sizes) and self.sizes[number] in sizes for number in range(256))
        return _when(self.minutes.translate(chosen))

    def closed(self) -> str:
        """The times at which no node may be disrupted; "" for none, and for always."""
        return self.when(*(size for size in self.sizes if size.zero))

    def opens(self, after: "Allowance") -> bool:
        """Whether nodes that this allowance holds back at some time are not held back then by another."""
        ended = self.irregular != after.irregular and any(_size([budget]).zero for budget in self.irregular)
        return ended or any(one.zero and not other.zero for one, other in self._beside(after))

    def _beside(self, other: "Allowance") -> Iterator[tuple[Size, Size]]:
        """The pairs of sizes that apply in the same minute."""
        return ((self.sizes[mine], other.sizes[theirs]) for mine, theirs in set(zip(self.minutes, other.minutes, strict=True)))

    def stricter(self, than: "Allowance") -> bool:
        """Whether fewer nodes are allowed at some time. Of two allowances, each may be stricter."""
        return any(one.stricter(other) for one, other in self._beside(than)) or bool(
            set(map(str, self.irregular)) - set(map(str, than.irregular))
        )


def allowance(budgets: Sequence[Budget] | None, reason: str) -> Allowance:
    """What the budgets of a pool allow for a reason; without budgets, the CRD's default."""
    always: list[Budget] = []
    scheduled: list[tuple[Budget, bytearray]] = []
    irregular: list[Budget] = []
    for budget in DEFAULT if budgets is None else budgets:
        if reason not in (budget.get("reasons") or [reason]):
            continue
        try:
            if budget.get("schedule"):
                scheduled.append((budget, _active(budget)))
            else:
                always.append(budget)
        except ValueError:
            irregular.append(budget)
    known: dict[tuple[int, ...], int] = {}  # by whether each scheduled budget applies, the number of the size
    if not scheduled:
        return Allowance((_size(always),), bytes(WEEK), tuple(irregular))
    times = zip(*(active for _, active in scheduled), strict=True)
    minutes = bytes(known.setdefault(applying, len(known)) for applying in times)
    of_known = [_size([*always, *(one for (one, _), applies in zip(scheduled, which, strict=True) if applies)]) for which in known]
    sizes = tuple(dict.fromkeys(of_known))
    return Allowance(
        sizes, minutes.translate(bytes(sizes.index(of_known[n]) if n < len(of_known) else 0 for n in range(256))), tuple(irregular)
    )


def _size(budgets: Sequence[Budget]) -> Size:
    texts = [str(budget.get("nodes", "")) for budget in budgets]
    numbers = [int(text) for text in texts if text.isdecimal()]
    percents = [int(text[:-1]) for text in texts if text.endswith("%") and text[:-1].isdecimal()]
    number, percent = min(numbers, default=None), min((one for one in percents if one < 100), default=None)
    return Size(number, None if number == 1 and percent else percent)  # one node is at least every percentage of some


def _active(budget: Budget) -> bytearray:
    """The minutes of a week, from Sunday, in which a scheduled budget applies.

    Raises:
        ValueError: the schedule names days of the month or months, or Karpenter cannot read the schedule.
    """
    text = str(budget["schedule"])
    schedule = DESCRIPTORS.get(text, text).split()
    minute, hour, day, month, weekday = (one.numbers(part) for one, part in zip(FIELDS, schedule, strict=True))
    if len(day) < 31 or len(month) < 12:
        raise ValueError(text)
    lasts = min(int(seconds(str(budget.get("duration") or "0s")) // 60), WEEK)
    found = bytearray(WEEK)
    for start in (d * DAY + h * 60 + m for d in weekday for h in hour for m in minute):
        for offset in range(lasts):
            found[(start + offset) % WEEK] = 1
    return found


def _when(week: bytes) -> str:
    """Times of a week in words; "" for always and for never."""
    if all(week) or not any(week):
        return ""
    day = week[:DAY]
    if week == day * 7:
        return " and ".join(f"between {_clock(start)} and {_clock(start + lasts)}" for start, lasts in _intervals(day)) + " UTC"
    said = []
    by_time = sorted(_intervals(week), key=lambda interval: (interval[1] >= DAY, interval[0] % DAY, interval[1]))
    for (at, lasts), same in groupby(by_time, key=lambda interval: (interval[0] % DAY, interval[1])):
        days = sorted(start // DAY for start, _ in same)
        if lasts < DAY:
            said.append(
                f"between {_clock(at)} and {_clock(at + lasts)} UTC from {_days(days)} on"
                if lasts > DAY - at
                else f"between {_clock(at)} and {_clock(at + lasts)} UTC on {_days(days)}"
            )
        else:
            said += [f"from {_moment(one * DAY + at)} to {_moment(one * DAY + at + lasts)} UTC" for one in days]
    return ", and ".join(said)


def _intervals(times: bytes) -> Iterator[tuple[int, int]]:
    """The runs of true in a cycle, as start and length, by start."""
    cycle = len(times)
    for start in range(cycle):
        if times[start] and not times[start - 1]:
            yield start, next(length for length in range(1, cycle + 1) if not times[(start + length) % cycle])


def _clock(minute: int) -> str:
    return f"{minute % DAY // 60:02}:{minute % 60:02}"


def _moment(minute: int) -> str:
    return f"{DAYS[minute // DAY % 7]} {_clock(minute)}"


def _days(days: Sequence[int]) -> str:
    names = [DAYS[day] for day in sorted(days, key=lambda day: (day - 1) % 7)]  # a week of work begins on Monday
    numbers = [(day - 1) % 7 for day in days]
    if len(names) > 2 and max(numbers) - min(numbers) == len(names) - 1:
        return f"{names[0]} to {names[-1]}"
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
