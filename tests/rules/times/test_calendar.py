"""Times that come again, over the days on which clocks are set forward and back."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rules.times.calendar import Times, times
from rules.times.zones import wall, zone_named
from tests.rules.times.utc import utc

HOUR_MS = 3_600_000
ZONES = (
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "UTC",
    "Antarctica/Troll",
)
PATCH_NIGHT = times("Saturday 22:00 to Sunday 06:00 America/New_York")


def first_span(written: Any, at: str) -> tuple[str, str]:
    start, end = next(iter(times(written).spans(utc(at))))
    return said(start), said(end)


def said(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("written", "at", "span", "sentence"),
    [
        (
            "Saturday 22:00 to Sunday 06:00 America/New_York",
            "2026-01-07",
            ("2026-01-11 03:00", "2026-01-11 11:00"),
            "a winter night is eight hours, five behind UTC",
        ),
        (
            "Saturday 22:00 to Sunday 06:00 America/New_York",
            "2026-03-05",
            ("2026-03-08 03:00", "2026-03-08 10:00"),
            "when clocks are set forward it is seven hours: it ends at six on the wall",
        ),
        (
            "Saturday 22:00 to Sunday 06:00 America/New_York",
            "2026-07-08",
            ("2026-07-12 02:00", "2026-07-12 10:00"),
            "a summer night is four behind UTC",
        ),
        (
            "Saturday 22:00 to Sunday 06:00 America/New_York",
            "2026-10-29",
            ("2026-11-01 02:00", "2026-11-01 11:00"),
            "when clocks are set back it is nine hours",
        ),
        (
            "daily 22:00 to 07:00",
            "2026-05-01 23:00",
            ("2026-05-01 22:00", "2026-05-02 07:00"),
            "an end before the beginning is the day after",
        ),
        ("Mon-Fri 08:00 to 18:00", "2026-05-02", ("2026-05-04 08:00", "2026-05-04 18:00"), "not at weekends"),
        (
            "sat, SUN 00:00 to 24:00",
            "2026-05-01",
            ("2026-05-02 00:00", "2026-05-03 00:00"),
            "24:00 ends a day",
        ),
        (
            "Fri-Mon 12:00 to 13:00",
            "2026-05-05",
            ("2026-05-08 12:00", "2026-05-08 13:00"),
            "over the weekend",
        ),
        (
            "Monday 09:00 to Monday 08:00",
            "2026-05-04",
            ("2026-04-27 09:00", "2026-05-04 08:00"),
            "nearly a week",
        ),
        (
            "2026-11-21 22:00 to 2026-11-22 06:00 Asia/Kathmandu",
            "2026-01-01",
            ("2026-11-21 16:15", "2026-11-22 00:15"),
            "once, five hours and three quarters before UTC",
        ),
        (
            "2026-11-21 22:00 to 06:00",
            "2026-01-01",
            ("2026-11-21 22:00", "2026-11-22 06:00"),
            "over midnight",
        ),
        (
            "cron 30 3 * * 1 for 1h30m Europe/Berlin",
            "2026-07-01",
            ("2026-07-06 01:30", "2026-07-06 03:00"),
            "so long, whenever cron would start a job",
        ),
        (
            "Sunday 02:15 to 02:45 Europe/Berlin",
            "2026-03-28",
            ("2026-03-29 01:00", "2026-03-29 01:30"),
            "in the hour that is skipped: right after it, and as long as ever",
        ),
        (
            "Sunday 02:15 to 02:45 Europe/Berlin",
            "2026-10-24",
            ("2026-10-25 00:15", "2026-10-25 01:45"),
            "in the hour that comes twice: from its first showing to its second",
        ),
    ],
)
def test_from_when_to_when(written: str, at: str, span: tuple[str, str], sentence: str) -> None:
    assert first_span(written, at) == span, sentence


@pytest.mark.parametrize("night", ["2026-03-08", "2026-11-01", "2026-06-14"])
def test_saturday_night_in_new_york_is_told_by_the_clock_on_the_wall(night: str) -> None:
    midnight = utc(f"{night} 04:00")
    for at in range(midnight - 12 * HOUR_MS, midnight + 12 * HOUR_MS, HOUR_MS // 4):
        shown = wall(at, zone_named("America/New_York"))
        there = (shown.weekday(), shown.hour) >= (5, 22) if shown.weekday() == 5 else shown.hour < 6
        assert PATCH_NIGHT.active(at) == (there and shown.weekday() in (5, 6)), shown


def test_stretches_that_touch_are_one() -> None:
    night = times(["Mon-Fri 22:00 to 07:00", "Sat-Sun 00:00 to 24:00"])
    friday = utc("2026-05-01 23:00")
    assert said(night.until(friday) or 0) == "2026-05-04 00:00", "Monday's own night begins at 22:00"
    assert night.next_change(friday) == night.until(friday)


def test_what_never_ends_has_no_next_change() -> None:
    always = times("daily 00:00 to 24:00 Europe/Berlin")
    assert always.active(utc("2026-03-29 01:30"))
    assert always.next_change(utc("2026-01-01")) is None


def test_what_is_over_for_good_has_no_next_change() -> None:
    assert times("2026-01-01 00:00 to 01:00").next_change(utc("2026-01-01 01:00")) is None


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("Caturday 22:00 to 06:00", '"Caturday" is no day; write Monday to Sunday, Mon to Sun, or daily'),
        ("daily 22:00 to 25:00", "25:00 is no time of day; write 00:00 to 24:00"),
        ("daily 22:00", '"daily 22:00" is no time; write one such as Saturday 22:00 to Sunday 06:00'),
        ("daily 22:00 to 07:00 Mars/North", '"Mars/North" is no time zone that is known here'),
        ("daily 22:00 to 07:00 America", '"America" is no time zone that is known here'),
        ("Mon-Tue 22:00 to Wed 07:00", "begins on several days and ends on one; write each on its own"),
        ("2026-02-30 22:00 to 23:00", "there is no 2026-02-30 in the calendar"),
        ("2026-02-20 22:00 to 2026-02-19 23:00", "ends before it begins"),
        ("cron 61 * * * * for 1h", '"61" is no minute of a cron expression; write 0 to 59'),
        ("cron 0 3 * * * for 40d", "it may last from 1s to 31d"),
        ([], "write one time or several, up to 100"),
    ],
)
def test_what_is_not_a_time_is_refused_in_plain_words(written: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        times(written)


# --- whatever the zone and the day ------------------------------------------------------------------------------------

NEAR_A_CHANGE = [
    utc(day)
    for day in (
        "2026-03-08 07:00", "2026-11-01 06:00", "2026-03-29 01:00", "2026-10-25 01:00", "2026-04-04 15:00",
        "2026-10-03 15:30", "2026-06-01 12:00",
    )
]  # fmt: skip
moments = st.builds(
    lambda day, minutes: day + minutes * 60_000, st.sampled_from(NEAR_A_CHANGE), st.integers(-3000, 3000)
)
clocks = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from([0, 1, 30, 59]))
DAYS = st.sampled_from(["daily", "Sat-Sun", "Monday", "Sun, Wed"])


@given(DAYS, clocks, clocks, st.sampled_from(ZONES), moments)
@settings(max_examples=300, deadline=None)
@example("Sunday", "01:30", "02:30", "America/New_York", utc("2026-11-01 05:45"))
@example("daily", "02:30", "16:01", "Europe/Berlin", utc("2026-03-29 01:10"))
@example("daily", "02:30", "16:01", "Antarctica/Troll", utc("2026-03-29 01:37"))
def test_it_is_on_whenever_the_clock_shows_a_time_in_it(
    days: str, begin: str, end: str, zone: str, at: int
) -> None:
    there = times(f"{days} {begin} to {end} {zone}")
    shown = wall(at, zone_named(zone))
    clock, today = f"{shown:%H:%M}", shown.weekday()
    named = {"daily": set(range(7)), "Sat-Sun": {5, 6}, "Monday": {0}, "Sun, Wed": {6, 2}}.get(days, {6})
    if begin < end:
        on = today in named and begin <= clock < end
    else:
        on = (today in named and clock >= begin) or ((today - 1) % 7 in named and clock < end)
    if on:
        assert there.active(at)


@given(DAYS, clocks, clocks, st.sampled_from(ZONES), moments)
@settings(max_examples=200, deadline=None)
def test_nothing_changes_before_the_next_change(days: str, begin: str, end: str, zone: str, at: int) -> None:
    there: Times = times(f"{days} {begin} to {end} {zone}")
    change = there.next_change(at)
    if change is None:
        return
    assert change > at
    assert there.active(change) != there.active(at)
    for step in range(1, 8):
        assert there.active(at + (change - at) * step // 8) == there.active(at)


def test_of_very_many_stretches_that_touch_so_much_is_looked_at_and_no_more() -> None:
    always, now = times("cron * * * * * for 2m"), utc("2026-05-01")
    end = always.until(now)
    assert end is not None
    assert now + 900 * 60_000 < end < now + 1_100 * 60_000
    assert always.active(end)
