"""When a cron expression is due, on plain days and on those on which clocks are set."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.times.cron import Cron
from rules.times.zones import wall, zone_named
from tests.rules.times.utc import utc


def due(text: str, zone: str, after: str, count: int = 1) -> list[str]:
    cron, at, found = Cron.parse(text, zone), utc(after), []
    for _ in range(count):
        following = cron.next_after(at)
        assert following is not None
        found.append(f"{datetime.fromtimestamp(following / 1000, UTC):%Y-%m-%d %H:%M}")
        at = following
    return found


@pytest.mark.parametrize(
    ("text", "zone", "after", "expected", "sentence"),
    [
        ("30 3 * * *", "UTC", "2026-05-01 03:30", ["2026-05-02 03:30"], "strictly after"),
        ("*/20 8 * * 1-5", "UTC", "2026-05-01 08:20", ["2026-05-01 08:40", "2026-05-04 08:00"], "steps"),
        ("0 0 29 2 *", "UTC", "2026-05-01", ["2028-02-29 00:00"], "a day that comes every four years"),
        ("0 0 29 2 *", "UTC", "2096-03-01", ["2104-02-29 00:00"], "or eight"),
        ("0 12 13 * fri", "UTC", "2026-05-01 13:00", ["2026-05-08 12:00", "2026-05-13 12:00"], "either day"),
        ("0 12 */2 * fri", "UTC", "2026-05-01 13:00", ["2026-05-15 12:00"], "both, where one begins with *"),
        ("0 9 * jan,JUL sun", "UTC", "2026-02-01", ["2026-07-05 09:00"], "names of months and days"),
        ("0 9 * * 7", "UTC", "2026-05-01", ["2026-05-03 09:00"], "7 is Sunday as well"),
        ("@monthly", "Asia/Tokyo", "2026-05-02", ["2026-05-31 15:00"], "in the zone's own midnight"),
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-28 12:00",
            ["2026-03-29 01:00", "2026-03-30 00:30"],
            "what is due in the hour that is skipped is due right after it",
        ),
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24 12:00",
            ["2026-10-25 00:30", "2026-10-26 01:30"],
            "what is due in the hour that comes twice is due once",
        ),
        (
            "30 * * * *",
            "Europe/Berlin",
            "2026-03-29 00:00",
            ["2026-03-29 00:30", "2026-03-29 01:30"],
            "what is due every hour goes by real time when clocks are set forward",
        ),
        (
            "30 * * * *",
            "Europe/Berlin",
            "2026-10-25 00:00",
            ["2026-10-25 00:30", "2026-10-25 01:30", "2026-10-25 02:30"],
            "and when they are set back",
        ),
    ],
)
def test_when_it_is_due(text: str, zone: str, after: str, expected: list[str], sentence: str) -> None:
    assert due(text, zone, after, len(expected)) == expected, sentence


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("* * * *", "is no cron expression; write five fields: minute hour day month weekday"),
        ("60 * * * *", '"60" is no minute of a cron expression; write 0 to 59'),
        ("* * * * */0", '"*/0" is no day of the week'),
        ("* 5-2 * * *", '"5-2" is no hour'),
        ("0 0 31 2,4 *", "is never due: no such day comes"),
    ],
)
def test_what_is_none_is_refused_in_plain_words(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        Cron.parse(text)


TEXTS = [
    "* * * * *",
    "*/7 * * * *",
    "30 2 * * *",
    "0 1,2,3 * * *",
    "15 */2 * * 6,0",
    "59 23 1 * *",
    "30 1-3 * * sun",
]
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Havana",
    "Antarctica/Troll",
]
moments = st.builds(
    lambda day, seconds: utc(day) + seconds * 1000,
    st.sampled_from(
        ["2026-03-08 07:00", "2026-11-01 06:00", "2026-03-29 01:00", "2026-10-25 01:00", "2026-04-04 15:00"]
    ),
    st.integers(-180_000, 180_000),
)


@given(st.sampled_from(TEXTS), st.sampled_from(ZONES), moments)
@settings(max_examples=300, deadline=None)
def test_the_next_time_is_the_same_from_every_moment_before_it(text: str, zone: str, at: int) -> None:
    cron = Cron.parse(text, zone)
    following = cron.next_after(at)
    assert following is not None
    assert at < following
    assert cron.next_after((at + following) // 2) == following
    assert cron.next_after(following - 1) == following
    after = cron.next_after(following)
    assert after is not None
    assert following < after


@given(st.sampled_from(["30 2 * * *", "15 1 * * *", "0 0 * * *"]), st.sampled_from(ZONES), moments)
@settings(max_examples=200, deadline=None)
def test_what_is_due_once_a_day_is_due_once_on_every_day(text: str, zone: str, at: int) -> None:
    cron, place = Cron.parse(text, zone), zone_named(zone)
    following = cron.next_after(at)
    assert following is not None
    again = cron.next_after(following)
    assert again is not None
    assert (wall(again, place).date() - wall(following, place).date()).days == 1
