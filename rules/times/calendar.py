"""Times that come again, as people write them and as the clock on the wall shows them.

    2026-11-21 22:00 to 2026-11-22 06:00            once
    Saturday 22:00 to Sunday 06:00                  every week
    Mon-Fri 08:00 to 18:00, daily 22:00 to 07:00    every such day; an end before the beginning is the day after
    cron 30 3 * * 1 for 2h                          whenever a cron expression says so, for so long

A time zone may follow: `Saturday 22:00 to Sunday 06:00 America/New_York`. Where the clocks are set back, an hour that
is shown twice counts from its first showing to its second; a time that is skipped is the moment at which they are set.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from heapq import merge
from itertools import count, islice

from msgspec import Struct

from rules.times.cron import Cron
from rules.times.zones import DAY_MINUTES, MINUTE_MS, Zone, moment, reached, wall, zone_named

HORIZON_MS = 400 * 86_400_000
"""Nobody waits longer for the end of a time; what goes on beyond it goes on for ever."""
SPANS_MAX = 1_000
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

Span = tuple[int, int]
"""From when to when, the end not included."""


class Once(Struct, frozen=True):
    start: int
    end: int

    def spans(self, at: int) -> Iterator[Span]:
        if self.end > at:
            yield self.start, self.end


class Weekly(Struct, frozen=True):
    """On each of `days` (0 is Monday) from one time to another, both in minutes after that day's midnight."""

    days: frozenset[int]
    begin: int
    end: int
    zone: Zone

    def spans(self, at: int) -> Iterator[Span]:
        first = wall(at, self.zone).date() - timedelta(days=self.end // DAY_MINUTES + 1)
        for ahead in count():
            day = first + timedelta(days=ahead)
            if day.weekday() in self.days:
                start = reached(day, self.begin, self.zone)
                stop = reached(day, self.end, self.zone, last=True)
                if stop == start:  # all of it is skipped, but not what was planned for it
                    stop = start + (self.end - self.begin) * MINUTE_MS
                if stop > at:
                    yield start, stop


class ByCron(Struct, frozen=True):
    cron: Cron
    lasts_ms: int

    def spans(self, at: int) -> Iterator[Span]:
        start = self.cron.next_after(at - self.lasts_ms)
        while start is not None:
            yield start, start + self.lasts_ms
            start = self.cron.next_after(start)


class Times(Struct, frozen=True):
    """Stretches of time, by one way of coming again or by several. `text` is how they were written."""

    text: str
    parts: tuple[Once | Weekly | ByCron, ...]

    def spans(self, at: int) -> Iterator[Span]:
        """Those that end after `at`, in the order in which they begin."""
        return merge(*(part.spans(at) for part in self.parts))

    def active(self, at: int) -> bool:
        return self.until(at) is not None

    def until(self, at: int) -> int | None:
        """The end of the stretch that `at` lies in; None when it lies in none. Stretches that touch are one; of more
        than SPANS_MAX the end is one at which to ask again."""
        end: int | None = None
        for start, stop in islice(self.spans(at), SPANS_MAX):
            if start > (at if end is None else end):
                break
            end = max(end or 0, stop)
            if end - at > HORIZON_MS:
                break
        return end

    def next_change(self, at: int) -> int | None:
        """When, after `at`, they begin or end; None when they do neither before long."""
        end = self.until(at)
        if end is not None:
            return end if end - at <= HORIZON_MS else None
        start = next((start for start, _ in self.spans(at)), None)
        return start if start is not None and start - at <= HORIZON_MS else None


# --- as they are written ----------------------------------------------------------------------------------------------

_DAY = r"[a-z]+(?:-[a-z]+)?"
_CLOCK = r"(\d{1,2}):(\d{2})"
_DATE = r"(\d{4})-(\d{2})-(\d{2})"
_ZONE = r"(?: +(\S+))?"
_WEEKLY = re.compile(rf"({_DAY}(?:, *{_DAY})*) +{_CLOCK} +to +(?:([a-z]+) +)?{_CLOCK}{_ZONE}", re.IGNORECASE)
_ONCE = re.compile(rf"{_DATE} +{_CLOCK} +to +(?:{_DATE} +)?{_CLOCK}{_ZONE}")
_CRON = re.compile(rf"cron +(.+?) +for +((?:\d+[smhd])+){_ZONE}")
_LASTS = {"s": 1_000, "m": MINUTE_MS, "h": 60 * MINUTE_MS, "d": DAY_MINUTES * MINUTE_MS}
LASTS_MS_MAX = 31 * DAY_MINUTES * MINUTE_MS
TEXTS_MAX = 100


def times(written: str | Sequence[str], zone: str = "UTC") -> Times:
    """What was written, one or several; `zone` is meant where they name none. ValueError says what is allowed."""
    texts = [written] if isinstance(written, str) else list(written)
    if not 1 <= len(texts) <= TEXTS_MAX:
        raise ValueError(f"write one time or several, up to {TEXTS_MAX}")
    tidy = [" ".join(text.split()) for text in texts]
    return Times(", ".join(tidy), tuple(_part(text, zone) for text in tidy))


def _part(text: str, zone: str) -> Once | Weekly | ByCron:
    if match := _WEEKLY.fullmatch(text):
        return _weekly(text, match, zone)
    if match := _ONCE.fullmatch(text):
        return _once(text, match, zone)
    if match := _CRON.fullmatch(text):
        return _by_cron(text, match, zone)
    raise ValueError(
        f'"{text:.80}" is no time; write one such as Saturday 22:00 to Sunday 06:00, Mon-Fri 08:00 to 18:00, '
        "2026-11-21 22:00 to 2026-11-22 06:00 or cron 30 3 * * 1 for 2h"
    )


def _weekly(text: str, match: re.Match[str], zone: str) -> Weekly:
    days = frozenset(_days(match[1]))
    begin, end = minutes(match[2], match[3]), minutes(match[5], match[6])
    if match[4] is None:
        end += DAY_MINUTES if end <= begin else 0
    elif len(days) != 1:
        raise ValueError(f'"{text:.80}" begins on several days and ends on one; write each on its own')
    else:
        later = (weekday(match[4]) - next(iter(days))) % 7
        end += (later or (7 if end <= begin else 0)) * DAY_MINUTES
    if end - begin > 7 * DAY_MINUTES:
        raise ValueError(f'"{text:.80}" is longer than a week')
    return Weekly(days, begin, end, zone_named(match[7] or zone))


def _once(text: str, match: re.Match[str], zone: str) -> Once:
    place = zone_named(match[11] or zone)
    begins = _date(match[1], match[2], match[3])
    begin, end = minutes(match[4], match[5]), minutes(match[9], match[10])
    ends = begins + timedelta(days=end <= begin)
    if match[6] is not None:
        ends = _date(match[6], match[7], match[8])
    span = moment(begins, begin, place), moment(ends, end, place, last=True)
    if span[0] >= span[1]:
        raise ValueError(f'"{text:.80}" ends before it begins')
    return Once(*span)


def _by_cron(text: str, match: re.Match[str], zone: str) -> ByCron:
    lasts_ms = sum(int(number) * _LASTS[unit] for number, unit in re.findall(r"(\d+)([smhd])", match[2]))
    if not 0 < lasts_ms <= LASTS_MS_MAX:
        raise ValueError(f'"{text:.80}": it may last from 1s to 31d')
    return ByCron(Cron.parse(match[1], match[3] or zone), lasts_ms)


def _date(year: str, month: str, day: str) -> date:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        raise ValueError(f"there is no {year}-{month}-{day} in the calendar") from None


def minutes(hour: str, minute: str) -> int:
    """Minutes after midnight; 24:00 is the end of the day. ValueError."""
    if int(minute) > 59 or int(hour) * 60 + int(minute) > DAY_MINUTES:
        raise ValueError(f"{hour}:{minute} is no time of day; write 00:00 to 24:00")
    return int(hour) * 60 + int(minute)


def weekday(name: str) -> int:
    """0 for Monday, monday, mon. ValueError."""
    found = [place for place, day in enumerate(WEEKDAYS) if name.lower() in (day, day[:3])]
    if not found:
        raise ValueError(f'"{name:.40}" is no day; write Monday to Sunday, Mon to Sun, or daily')
    return found[0]


def _days(text: str) -> Iterable[int]:
    for part in re.split(r", *", text):
        if part.lower() == "daily":
            yield from range(7)
            continue
        first, _, last = part.partition("-")
        begin = weekday(first)
        end = weekday(last) if last else begin
        yield from ((begin + step) % 7 for step in range((end - begin) % 7 + 1))
