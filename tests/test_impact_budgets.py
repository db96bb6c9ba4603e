"""When Karpenter may disrupt nodes, in words."""

import pytest

from stacks.config.budgets import allowance
from tests.synthesis import Json


def budget(nodes: str, schedule: str = "", duration: str = "", *reasons: str) -> Json:
    found: Json = {"nodes": nodes, "reasons": list(reasons), "schedule": schedule, "duration": duration}
    return {key: value for key, value in found.items() if value}


@pytest.mark.parametrize(
    ("budgets", "words"),
    [
        (None, "10% of the pool's nodes at a time"),
        ([], "all at once"),  # the CRD's default is for a pool that does not say
        ([budget("1")], "one at a time"),
        ([budget("3")], "three at a time"),
        ([budget("12")], "12 at a time"),
        ([budget("50%"), budget("20%")], "20% of the pool's nodes at a time"),
        ([budget("10%"), budget("1")], "one at a time"),  # a percentage rounds up
        ([budget("10%"), budget("2")], "two or 10% of the pool's nodes, whichever is less, at a time"),
        ([budget("0", "", "", "Empty")], "all at once"),
        ([budget("1"), budget("0", "0 6 * * *", "20h")], "one at a time between 02:00 and 06:00 UTC"),
        ([budget("1"), budget("0", "0 6,18 * * *", "6h")], "one at a time between 00:00 and 06:00 and between 12:00 and 18:00 UTC"),
        (
            [budget("2"), budget("0", "0 9 * * mon-fri", "8h")],
            "two at a time between 17:00 and 09:00 UTC from Monday to Thursday on, and from Friday 17:00 to Monday 09:00 UTC",
        ),
        ([budget("1"), budget("0", "@daily", "24h")], ""),
        ([budget("1"), budget("0", "@weekly", "144h")], "one at a time from Saturday 00:00 to Sunday 00:00 UTC"),
        (
            [budget("2"), budget("1", "0 6 * * *", "12h")],
            "two at a time between 18:00 and 06:00 UTC and one at a time between 06:00 and 18:00 UTC",
        ),
        ([budget("2"), budget("0", "0 0 1 * *", "48h")], "two at a time, and none for 48h from each `0 0 1 * *` (cron, UTC) on"),
        ([budget("100%")], "all at once"),
        ([budget("0")], ""),
        ([budget("0%")], ""),
    ],
)
def test_budgets_become_words(budgets: list[Json] | None, words: str) -> None:
    assert allowance(budgets, "Drifted").words() == words


def test_a_window_that_ends_after_midnight_of_the_week_goes_on() -> None:
    night = allowance([budget("1"), budget("0", "0 22 * * sat", "4h")], "Drifted")
    assert night.closed() == "between 22:00 and 02:00 UTC from Saturday on"


@pytest.mark.parametrize(
    ("before", "after", "opens", "stricter"),
    [
        ([budget("0")], [budget("1")], True, False),
        ([budget("1")], [budget("0")], False, True),
        ([budget("1")], [budget("2")], False, False),
        ([budget("2")], [budget("1")], False, True),
        ([budget("10%")], [budget("1")], False, True),
        ([budget("1")], [budget("10%")], False, False),
        ([budget("10%")], [budget("2")], False, True),  # of more than 20 nodes
        ([budget("2")], [budget("10%")], False, True),  # of fewer
        ([budget("100%")], [budget("2")], False, True),
        ([budget("0", "0 6 * * *", "20h")], [budget("0", "0 8 * * *", "18h")], True, False),
        ([budget("0", "0 8 * * *", "18h")], [budget("0", "0 6 * * *", "20h")], False, True),
        ([budget("0", "0 0 1 * *", "48h")], None, True, True),
    ],
)
def test_budgets_compare(before: list[Json], after: list[Json] | None, opens: bool, stricter: bool) -> None:
    old, new = allowance(before, "Drifted"), allowance(after, "Drifted")
    assert (old.opens(new), new.stricter(old)) == (opens, stricter)


def test_other_reasons_do_not_count() -> None:
    assert allowance([budget("0", "", "", "Empty"), budget("1")], "Drifted").words() == "one at a time"
