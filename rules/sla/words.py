"""Spans, shares and moments in the words of people who sign promises."""

from __future__ import annotations

import math

from rules.sla.periods import DAY_MS, HOUR_MS
from rules.times.zones import wall, zone_named

MINUTE_MS = 60_000
WEEK_MS = 7 * DAY_MS


def span_in_words(ms: int) -> str:
    """43 min, 4 min 20 s, 2 h 5 min, 3 d 4 h; nobody counts the seconds of ten minutes."""
    if ms < 1_000:
        return f"{ms} ms" if ms else "0 min"
    units = ((DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "min"), (1_000, "s"))
    for (size, unit), (below, smaller) in zip(units, [*units[1:], (1, "")], strict=True):
        if ms >= size:
            whole, rest = divmod(ms, size)
            more = rest // below if smaller and not (smaller == "s" and whole >= 10) else 0
            return f"{whole} {unit}" + (f" {more} {smaller}" if more else "")
    raise AssertionError("a second is the smallest of the units")


def share(pct: float) -> str:
    """99.95 %, with as many digits as tell it from 100 %; never rounded up to a promise that was not kept."""
    if pct in (0, 100):
        return percent(pct)
    digits = min(6, max(2, math.ceil(-math.log10(min(pct, 100 - pct))) + 1))
    cut = math.floor(pct * 10**digits + 1e-6) / 10**digits
    return percent(cut)


def percent(pct: float) -> str:
    return f"{pct:.6f}".rstrip("0").rstrip(".") + " %"


def moment_in_words(at: int, now: int, zone: str) -> str:
    """Thursday 14:00 within a week, otherwise with its date, by the clock of a place."""
    place = zone_named(zone)
    shown = wall(at, place)
    day = f"{shown:%A}" if 0 <= at - now < WEEK_MS - DAY_MS else f"{shown.day} {shown:%B %Y}"
    return f"{day} {shown:%H:%M}" + (" UTC" if zone == "UTC" else "")
