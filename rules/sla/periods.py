"""What is promised over: the last so many hours or days, or the month, quarter or year that a calendar shows."""

from __future__ import annotations

import re
from datetime import date

from msgspec import Struct

from rules.sla.model import Span
from rules.times.zones import Zone, moment, wall, zone_named

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
ROLLING: dict[Span, int] = {"24h": DAY_MS, "7d": 7 * DAY_MS, "30d": 30 * DAY_MS, "90d": 90 * DAY_MS}
_MONTHS: dict[Span, int] = {"month": 1, "quarter": 3, "year": 12}
_MONTH = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])")


class Period(Struct, frozen=True):
    """From `start` until before `end`, and what people call it. `rolling`: it moves along with the clock."""

    start: int
    end: int
    called: str
    rolling: bool = False

    @property
    def ms(self) -> int:
        return self.end - self.start


def period(span: Span, now: int, zone: str = "UTC") -> Period:
    """The one that `now` lies in, or that ends now."""
    if span in ROLLING:
        amount, unit = int(span[:-1]), {"h": "hours", "d": "days"}[span[-1]]
        return Period(now - ROLLING[span], now, f"the last {amount} {unit}", rolling=True)
    place, length = zone_named(zone), _MONTHS[span]
    shown = wall(now, place)
    first = (shown.month - 1) // length * length + 1
    called = {
        "month": f"{shown:%B %Y}",
        "quarter": f"quarter {(first + 2) // 3} of {shown.year}",
        "year": f"the year {shown.year}",
    }[span]
    return _months(shown.year, first, length, place, called)


def month(text: str, zone: str = "UTC") -> Period:
    """2026-10. ValueError says how a month is written."""
    match = _MONTH.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text:.40}" is no month; write one such as 2026-10')
    year, number = int(match[1]), int(match[2])
    return _months(year, number, 1, zone_named(zone), f"{date(year, number, 1):%B %Y}")


def _months(year: int, first: int, length: int, zone: Zone, called: str) -> Period:
    after = first - 1 + length
    end = date(year + after // 12, after % 12 + 1, 1)
    return Period(moment(date(year, first, 1), 0, zone), moment(end, 0, zone), called)
