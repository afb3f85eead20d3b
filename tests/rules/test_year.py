"""A year of nights, weekends, flapping, restarts and one rack that dies: how many messages, and why just so many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime

import pytest

from rules.judging.engine import Rule
from rules.model import ChannelView, Host
from rules.policy import Maintenance, Policy, Route, Silence, Step
from tests.rules.house import limit, silence
from tests.rules.policy.cases import believed
from tests.rules.year import BERLIN, HOUR, MINUTE, NEW_YORK, Event, Year, at, days

RACK = [f"r{number}" for number in range(200)]
STORM = [f"web{number}" for number in range(60)]
NAMES = ["batch", "evening", "db", "flappy", "quarter", "grave", *STORM, *RACK]
HOSTS = [
    Host(
        number, name, {"rack": "7", "site": "cellar"} if name in RACK else {"role": name.rstrip("0123456789")}
    )
    for number, name in enumerate(NAMES, 1)
]
RULES: list[Rule] = [limit("full", "disk_used_pct", above={"warning": 80.0, "critical": 95.0}), silence()]
CHANNELS = [ChannelView("mail", per_hour=20), ChannelView("pager", "critical"), ChannelView("boss")]
ROUTES = [
    Route(
        from_severity="critical",
        channels=("mail", "pager"),
        escalate=(Step(after_s=1800, channels=("boss",)),),
    ),
    Route(channels=("mail",)),
]
PATCH_NIGHT = Maintenance(
    name="patch night", when="Saturday 22:00 to Sunday 06:00 America/New_York", where={"role": "db"}
)
FINE, WARNING, CRITICAL = 10.0, 90.0, 99.0
SPRING, AUTUMN = date(2026, 3, 8), date(2026, 11, 1)
"""When the clocks of New York are set."""


def policy(silences: Sequence[Silence]) -> Policy:
    return Policy(
        routes=ROUTES,
        quiet_hours="daily 22:00 to 07:00",
        maintenance=[PATCH_NIGHT],
        silences=silences,
        zone="Europe/Berlin",
    )


def disk(year: Year, when: int, name: str, value: float) -> Event:
    return when, lambda: year.says(name, {"disk_used_pct": value})


def bad(year: Year, name: str, since: int, until: int, value: float = WARNING) -> list[Event]:
    return [disk(year, since, name, value), disk(year, until, name, FINE)]


def every_night(year: Year) -> list[Event]:
    """One problem that comes and goes within the quiet hours, and one that begins before them and ends in them."""
    events: list[Event] = []
    for day in days():
        events += bad(year, "batch", at(day, "03:30"), at(day, "04:30"))
        events += bad(year, "evening", at(day, "21:30"), at(day, "23:00"))
    return events


def every_weekend(year: Year) -> list[Event]:
    """Work on the database; when clocks are set it takes twenty minutes longer than it may."""
    events: list[Event] = []
    for day in days():
        if day.weekday() == 6:
            ends = "06:20" if day in (SPRING, AUTUMN) else "05:59"
            events += bad(year, "db", at(day, "00:15", NEW_YORK), at(day, ends, NEW_YORK), CRITICAL)
    return events


def every_month(year: Year) -> list[Event]:
    """Half an hour of flapping at noon, and a grave problem that somebody acknowledges after ten minutes."""
    events: list[Event] = []
    for month in range(1, 13):
        noon, two = at(date(2026, month, 5), "12:00"), at(date(2026, month, 6), "14:00")
        for turn in range(60):
            events += bad(year, "flappy", noon + turn * 30_000, noon + turn * 30_000 + 10_000)
        events += bad(year, "grave", two, two + 6 * HOUR, CRITICAL)
        events.append((two + 10 * MINUTE, year.acknowledge_all))
    return events


def every_quarter(year: Year) -> list[Event]:
    """A problem that a silence outlasts, and one that outlasts its silence."""
    events: list[Event] = []
    for month in (2, 5, 8, 11):
        for day, hours in ((10, 1), (11, 4)):
            ten = at(date(2026, month, day), "10:00")
            events.append((ten - 1, lambda until=ten + 3 * HOUR: year.silence("quarter", until)))  # type: ignore[misc]
            events += bad(year, "quarter", ten, ten + hours * HOUR)
    return events


def once(year: Year) -> list[Event]:
    """A rack dies for nine hours; sixty hosts are bad for half an hour; the collector is started anew all the time."""
    nine, storm = at(date(2026, 6, 17), "09:00"), at(date(2026, 9, 9), "12:00")
    events: list[Event] = [(nine, lambda: year.dies(RACK)), (nine + 9 * HOUR, lambda: year.is_back(RACK))]
    for name in STORM:
        events += bad(year, name, storm, storm + 30 * MINUTE)
    for day in days():
        if day.day in (5, 17) or day in (SPRING, AUTUMN):
            events += [
                (at(day, clock) + 3_000, year.restart) for clock in ("02:10", "11:20", "12:07", "23:30")
            ]
    events.append((storm + 5 * MINUTE + 1, year.restart))
    return events


@pytest.mark.slow
def test_a_year_has_just_so_many_messages() -> None:
    year = Year(RULES, HOSTS, CHANNELS, policy, at(date(2025, 12, 31), "12:00"))
    told = (every_night, every_weekend, every_month, every_quarter, once)
    year.live([event for tell in told for event in tell(year)])
    year.until(at(date(2027, 1, 2), "12:00"))
    assert believed(year.notices) == set(), "everybody has heard of every end"
    evenings, weekends, months, quarters = 365, 2, 12, 4
    assert year.counts() == {
        # Each evening is told, and its end in the morning; the nights tell nobody. Two weekends go on after their work.
        # A flapping noon is told at its first three comings, and its first two ends and the last. What was silenced is
        # told of four times. Of sixty at once twenty have a message, the others two together: of beginning and end.
        ("mail", "first"): evenings + weekends + 3 * months + months + quarters + 20 + 1,
        ("mail", "resolved"): evenings + weekends + 3 * months + months + quarters + 20 + 1,
        ("mail", "digest"): 2,
        # The rack: nine hours without anybody are two times four hours.
        ("mail", "repeat"): 2,
        ("pager", "first"): weekends + months + 1,
        ("pager", "resolved"): weekends + months + 1,
        ("pager", "repeat"): 2,
        # Half an hour without an acknowledgement: the rack alone, for weekends end before and months are acknowledged.
        ("boss", "first"): 1,
        ("boss", "repeat"): 2,
        ("boss", "resolved"): 1,
    }
    assert year.restarts > 100
    mornings = {
        f"{datetime.fromtimestamp(notice.created_at / 1000, BERLIN):%H:%M:%S}"
        for notice in year.notices
        if notice.reason == "resolved" and notice.host == "evening"
    }
    assert mornings == {"07:00:00"}, "by the clock on the wall, all year"
    weekends_told = [
        f"{datetime.fromtimestamp(notice.created_at / 1000, NEW_YORK):%d %b %H:%M:%S}"
        for notice in year.notices
        if notice.channel == "pager" and notice.host == "db" and notice.reason == "first"
    ]
    assert weekends_told == ["08 Mar 06:00:00", "01 Nov 06:00:00"]
    digests = [notice for notice in year.notices if notice.reason == "digest"]
    assert [Counter(line.reason for line in digest.about) for digest in digests] == [
        Counter(first=40),
        Counter(resolved=40),
    ]
