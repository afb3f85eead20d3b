"""How much of what is promised was kept, how much more may go wrong, and when that is used up at this pace."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

from rules.sla.model import Interval, ServiceOptions, Tally
from rules.sla.periods import DAY_MS, Period
from rules.sla.words import moment_in_words, percent, share, span_in_words

PACE_SHARE = 4
"""The pace is that of the last quarter of the period: a bad night weighs for a week of a month, and not for ever."""
AHEAD_MS_MAX = 366 * DAY_MS


class Budget(Struct, frozen=True):
    """What is promised and how it stands, in milliseconds.

    `counted_ms` is the period less maintenance, time outside of hours, and time of which nothing is known (unless that
    counts as down). Of a month that goes on, what is to come is in it: the whole month's budget is what there is. So is
    what was over before a service was first looked at, of a period that moves along.
    What is left is below zero where more was used than allowed; of nothing there is no percentage. `ends_at` is when it
    is used up at this pace; None when it is used up already, or lasts.
    """

    objective_pct: float
    counted_ms: int
    allowed_ms: int
    used_ms: int
    left_ms: int
    left_pct: float | None = None
    ends_at: int | None = None


def counted_ms(tally: Tally, service: ServiceOptions) -> int:
    """The time that a promise is measured by."""
    return tally.up + tally.degraded + tally.down + (tally.unknown if service.unknown == "down" else 0)


def down_ms(tally: Tally, service: ServiceOptions) -> int:
    """The time in which it was not available."""
    return tally.down + (tally.unknown if service.unknown == "down" else 0)


def availability_pct(tally: Tally, service: ServiceOptions) -> float | None:
    """None when there is nothing to measure by."""
    counted = counted_ms(tally, service)
    return 100 * (tally.up + tally.degraded) / counted if counted else None


def within_limit_pct(tally: Tally) -> float | None:
    """How much of the time in which it answered it did so fast enough; None when it never answered."""
    answered = tally.up + tally.degraded
    return 100 * tally.up / answered if answered else None


def budget(
    service: ServiceOptions,
    tally: Tally,
    period: Period,
    now: int,
    downs: Sequence[Interval],
    unwatched_ms: int = 0,
) -> Budget | None:
    """`tally` is of the part of the period that is over, `downs` are the times in it that count as down, oldest first.

    `unwatched_ms` is how much of the period was over when the service was first looked at; it is not held against it.
    None for a service of which nothing is promised.
    """
    if service.objective_pct is None:
        return None
    counted = counted_ms(tally, service) + max(0, period.end - now) + unwatched_ms
    # Whole milliseconds of what the percentage says, as a person who reckons it by hand comes to.
    allowed = round(counted * (100 - service.objective_pct) / 100)
    used = down_ms(tally, service)
    ends_at = _ends_at(allowed, used, period, now, downs) if used < allowed else None
    left = allowed - used
    left_pct = 100 * left / allowed if allowed else None
    return Budget(service.objective_pct, counted, allowed, used, left, left_pct, ends_at)


def _ends_at(allowed: int, used: int, period: Period, now: int, downs: Sequence[Interval]) -> int | None:
    """When it is used up if it goes on as it did in the last quarter of the period; None if that is not before its end.

    Out of a period that moves along, what was down long ago falls in time.
    """
    since = max(period.start, now - period.ms // PACE_SHARE)
    lately = sum(max(0, min(down.end, now) - max(down.start, since)) for down in downs)
    if not lately or now <= since:
        return None
    pace = lately / (now - since)
    if not period.rolling:
        end = now + round((allowed - used) / pace)
        return end if end < period.end else None
    left = float(allowed - used)
    edges = [edge for down in downs for edge in (down.start - period.start, down.end - period.start)]
    edges = sorted({0, period.ms, *(edge for edge in edges if 0 < edge < period.ms)})
    for begin, until in pairwise(edges):
        falls_out = any(
            down.start - period.start <= begin and until <= down.end - period.start for down in downs
        )
        speed = pace - (1 if falls_out else 0)
        if speed > 0 and left <= speed * (until - begin):
            return now + begin + round(left / speed)
        left -= speed * (until - begin)
    return None


# --- in words ---------------------------------------------------------------------------------------------------------


def sentence(service: ServiceOptions, tally: Tally, period: Period, now: int, standing: Budget | None) -> str:
    """How it stands, for whoever has to decide whether tonight is a good night for a release."""
    reached = availability_pct(tally, service)
    if reached is None:
        return f"Nothing that counts is known of {period.called}."
    said = f"{share(reached)} available in {period.called}"
    if standing is None:
        return f"{said}; down for {span_in_words(down_ms(tally, service))}."
    promise = f"{said}, {percent(standing.objective_pct)} promised"
    allowed, used = span_in_words(standing.allowed_ms), span_in_words(standing.used_ms)
    if standing.left_ms < 0:
        return f"{promise}: {allowed} allowed, {used} used, {span_in_words(-standing.left_ms)} too much."
    if standing.ends_at is None:
        return f"{promise}: {allowed} allowed, {used} used; at this pace it lasts."
    gone = moment_in_words(standing.ends_at, now, service.zone)
    return f"{promise}: {allowed} allowed, {used} used; at this pace gone on {gone}."
