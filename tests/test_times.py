"""Durations and cron schedules: what Karpenter reads, and what it would misread."""

import pytest

from stacks.config.times import schedule, seconds


@pytest.mark.parametrize(
    ("text", "length"), [("0s", 0), ("90s", 90), ("1h30m", 5400), ("1m1m", 120), ("8h0s", 28800), ("2562047h47m16s", 9223372036)]
)
def test_a_duration_is_the_sum_of_its_parts(text: str, length: int) -> None:
    assert seconds(text) == length


@pytest.mark.parametrize(
    "text",
    [
        *("@annually", "@yearly", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"),
        "0 9 * * mon-fri",
        "0 9 * * MON-Fri",
        "59 23 31 12 6",
        "0 0 1 1 0",
        "*/15 0-8,18-23 ? jan,jul sun,sat",
        "5/10 8/2 1-15/3 mar-5/2 */2",
        "00 09 * * 01",
        "0 9  * * 1",  # two spaces
        "0 0 29 2 *",
        "0 0 31 2,3 *",
        "0 0 31 2 mon",  # Mondays in February: a weekday counts beside the day of the month
        "0 0 31 2 0-6",
        "0 0 31 2 */2",
        "0 0 30/1 2 */2",
        "0 0 * 2 *",
    ],
)
def test_a_schedule_that_karpenter_reads_is_accepted(text: str) -> None:
    assert schedule(text) is None


MINUTE, HOUR, DAY = "its minute must be 0 to 59", "its hour must be 0 to 23", "its day of the month must be 1 to 31"
MONTH, WEEKDAY = "its month must be 1 to 12, or jan to dec", "its day of the week must be 0 to 6, or sun to sat"


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("60 9 * * *", MINUTE),
        ("*/0 9 * * *", MINUTE),
        ("*/x 9 * * *", MINUTE),
        ("1/2/3 9 * * *", MINUTE),
        ("1-2-3 9 * * *", MINUTE),
        ("-5 9 * * *", MINUTE),
        ("1,,2 9 * * *", MINUTE),
        (", 9 * * *", MINUTE),
        ("1_0 9 * * *", MINUTE),
        ("\N{ARABIC-INDIC DIGIT FIVE} 9 * * *", MINUTE),
        ("9" * 5000 + " 9 * * *", MINUTE),
        ("mon 9 * * *", MINUTE),
        ("0 24 * * *", HOUR),
        ("0 25 * * *", HOUR),
        ("0 9 0 * *", DAY),
        ("0 9 32 * *", DAY),
        ("0 9 L * *", DAY),
        ("0 9 * 0 *", MONTH),
        ("0 9 * 13 *", MONTH),
        ("0 9 * january *", MONTH),
        ("0 9 * mon *", MONTH),
        ("0 9 * * 7", WEEKDAY),
        ("0 H * * *", HOUR),
        ("0 9 15W * *", DAY),
        ("0 9 * * fri-7", WEEKDAY),
        ("0 9 * * mon-friday", WEEKDAY),
        ("0 9 * * 1#2", WEEKDAY),
    ],
)
def test_the_field_that_karpenter_cannot_read_is_named(text: str, field: str) -> None:
    assert schedule(text) == (
        f"must be a cron schedule such as 0 9 * * mon-fri: {field}, with steps of at least 1; Karpenter does not know L, W, # and H"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0 22-6 * * *", "ranges of its hour must ascend: 22-6 is written 22-23,0-6"),
        ("0 9,17-9/2 * * *", "ranges of its hour must ascend: 17-9 is written 17-23,0-9"),
        ("0 0 * nov-feb *", "ranges of its month must ascend: nov-feb is written nov-dec,jan-feb"),
        ("0 0 * * sat-sun", "ranges of its day of the week must ascend: sat-sun is written sat,sun"),
        ("0 0 * * fri-1", "ranges of its day of the week must ascend: fri-1 is written fri-sat,sun-1"),
    ],
)
def test_a_range_across_the_end_is_shown_as_two(text: str, said: str) -> None:
    assert schedule(text) == f"must be a cron schedule such as 0 9 * * mon-fri: {said}"
    asked, written = said.rpartition(": ")[2].split(" is written ")
    assert schedule(text.replace(asked, written)) is None


@pytest.mark.parametrize(
    "text",
    ["", "@soon", "@Daily", "@daily ", "@every 1h", "0 9 * *", "0 9 * * * *", "TZ=UTC 0 9 * * *", "CRON_TZ=Asia/Tokyo 0 9 * * *"],
)
def test_a_schedule_has_five_fields_and_no_time_zone(text: str) -> None:
    assert schedule(text) == (
        "must be a cron schedule such as 0 9 * * mon-fri, in UTC, with five fields, or one of @annually, @yearly, @monthly, "
        "@weekly, @daily, @midnight, @hourly"
    )


@pytest.mark.parametrize(
    "text", ["0 0 31 2 *", "0 0 30-31 feb ?", "0 0 31 4,6,9,11 *", "0 0 31 2 */1", "0 0 31 2 mon,*", "* * 30 2 ?/01"]
)
def test_a_schedule_that_never_comes_is_refused(text: str) -> None:
    assert (
        schedule(text) == "must name a day that exists, because Karpenter applies a budget at all times if its schedule never comes"
    )
