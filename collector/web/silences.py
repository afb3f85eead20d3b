"""What pages say of silences and maintenance: about what, until when, who wanted it; and a calendar of what is planned.

Pure: values and the time in, words for the templates out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

from msgspec import Struct

from collector.web.charts import Work
from collector.web.incidents import When, when
from collector.web.standing import Mark
from collector.web.words import Times, say_duration
from rules.labels import listed
from rules.policy import Maintenance, Match, Planned, Silence

WEEKS = 5
NAMES_SHOWN_MAX = 6


class SilenceRow(Struct, frozen=True):
    id: int
    mark: Mark
    about: str
    start: When
    end: When
    left: str
    by: str
    comment: str


class WorkRow(Struct, frozen=True):
    """`id` is 0 for one that stands in the config."""

    id: int
    name: str
    when: list[str]
    about: str
    by: str
    mark: Mark
    next: str


class Day(Struct, frozen=True):
    number: int
    name: str
    is_today: bool
    is_over: bool
    works: list[tuple[str, str]]


def about(match: Match) -> str:
    """Which problems are meant, in words."""
    parts = []
    if match.rules:
        parts.append(f"rule {_some(match.rules)}")
    hosts = listed(match.where.get("host", ()))
    if hosts:
        parts.append(f"on {_some(hosts)}")
    labels = [
        f"{name}={_some(listed(value), ' or ')}" for name, value in match.where.items() if name != "host"
    ]
    if labels:
        parts.append(f"hosts with {', '.join(labels)}")
    if match.categories:
        parts.append(f"category {_some(match.categories)}")
    if match.services:
        parts.append(f"service {_some(match.services)}")
    if match.subject:
        parts.append(match.subject)
    if match.from_severity != "info":
        parts.append(f"from {match.from_severity} on")
    return ", ".join(parts) or "everything"


def _some(names: Sequence[str], sign: str = ", ") -> str:
    more = len(names) - NAMES_SHOWN_MAX
    return sign.join(names[:NAMES_SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")


def silence_rows(silences: Iterable[Silence], times: Times) -> list[SilenceRow]:
    """Those that hold first, then those to come, then those that are over; of each, what ends first."""
    rows = [_silence(silence, times) for silence in sorted(silences, key=lambda s: (s.end, s.id))]
    order = {"maintenance": 0, "unknown": 1, "up": 2}
    return sorted(rows, key=lambda row: order[row.mark.shape])


def _silence(silence: Silence, times: Times) -> SilenceRow:
    if times.now >= silence.end:
        mark, left = Mark("up", "over"), ""
    elif times.now < silence.start:
        mark, left = Mark("unknown", "to come"), say_duration(silence.end - silence.start)
    else:
        mark, left = Mark("maintenance", "active"), say_duration(silence.end - times.now)
    return SilenceRow(
        silence.id,
        mark,
        about(silence),
        when(silence.start, times),
        when(silence.end, times),
        left,
        silence.by,
        silence.comment,
    )


def work_row(work: Maintenance, spans: Sequence[Work], times: Times) -> WorkRow:
    """`spans` are its times from now on."""
    now = spans[0] if spans and spans[0].start <= times.now else None
    ahead = next((span for span in spans if span.start > times.now), None)
    mark = Mark("maintenance", "now") if now else Mark("unknown", "to come") if ahead else Mark("up", "over")
    said = f"until {times.clock(now.end)}" if now else f"next {times.clock(ahead.start)}" if ahead else ""
    return WorkRow(
        work.id if isinstance(work, Planned) else 0,
        work.name,
        list(listed(work.when)),
        about(work),
        work.by if isinstance(work, Planned) else "the config",
        mark,
        said,
    )


# --- the calendar -----------------------------------------------------------------------------------------------------


def first_day(times: Times) -> date:
    """The Monday of this week, where the reader is."""
    today = times.local(times.now).date()
    return today - timedelta(days=today.weekday())


def stamp(day: date, times: Times) -> int:
    """When a day begins where the reader is."""
    return round(datetime(day.year, day.month, day.day, tzinfo=times.zone).timestamp() * 1000)


def calendar(works: Sequence[Work], times: Times) -> list[list[Day]]:
    """Weeks of days from this Monday on, each with what is planned on it."""
    monday, today = first_day(times), times.local(times.now).date()
    weeks = []
    for week in range(WEEKS):
        days = [monday + timedelta(days=7 * week + at) for at in range(7)]
        weeks.append([_day(day, today, works, times) for day in days])
    return weeks


def _day(day: date, today: date, works: Sequence[Work], times: Times) -> Day:
    begins, ends = stamp(day, times), stamp(day + timedelta(days=1), times)
    found = [
        (_hours(work, begins, ends, times), work.name)
        for work in works
        if work.start < ends and work.end > begins
    ]
    return Day(day.day, f"{day:%A} {day.day} {day:%B}", day == today, day < today, found)


def _hours(work: Work, begins: int, ends: int, times: Times) -> str:
    """Of what lies on one day: 22:00–24:00, or all day."""
    if work.start <= begins and work.end >= ends:
        return "all day"
    first = "00:00" if work.start <= begins else f"{times.local(work.start):%H:%M}"
    last = "24:00" if work.end >= ends else f"{times.local(work.end):%H:%M}"
    return f"{first}–{last}"
