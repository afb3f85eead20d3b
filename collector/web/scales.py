"""Axes: where the ticks stand and what is written at them. At most five, at round numbers in units people use."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from msgspec import Struct

from collector.web.words import DAY_MS, HOUR_MS, MINUTE_MS, NBSP, Times, scale_of

STEPS_MAX = 4
_ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)
_TIME_STEPS_MIN = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720)
_SHARES_FULL_FROM = 40.0
"""A share that comes this high is drawn on the whole scale up to 100 %."""


class Axis(Struct, frozen=True):
    """From `low` to `high`, with ticks as (value, text)."""

    low: float
    high: float
    ticks: list[tuple[float, str]]

    def part(self, value: float) -> float:
        """Where a value lies between low (0) and high (1)."""
        return (value - self.low) / (self.high - self.low)


def value_axis(unit: str, lowest: float, highest: float, *, from_zero: bool) -> Axis:
    """An axis that holds all values from lowest to highest. They must be finite."""
    if from_zero and lowest >= 0:
        if unit == "%" and _SHARES_FULL_FROM <= highest <= 100:
            return Axis(0, 100, [(value, _say_tick(value, unit)) for value in (0, 25, 50, 75, 100)])
        lowest = 0.0
    factor, name = scale_of(unit, max(abs(lowest), abs(highest)))
    low, high = lowest / factor, highest / factor
    if high - low < 1e-9 * max(1.0, abs(high)):
        around = max(abs(high) / 2, 0.5)
        low, high = (low, max(high, 1.0)) if low == 0 else (low - around, high + around)
    step = _step(high - low)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    if last - first > STEPS_MAX:
        step = _step((last - first) * step * 1.01)
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = [(number * step * factor, _say_tick(number * step, name)) for number in range(first, last + 1)]
    return Axis(first * step * factor, last * step * factor, ticks)


def _say_tick(value: float, unit: str) -> str:
    if value == 0:
        return "0"
    number = f"{value:,.10g}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return f"{number}{NBSP}{unit}" if unit else number


def _step(span: float) -> float:
    """The smallest round step of which STEPS_MAX cover the span."""
    power = 10.0 ** math.floor(math.log10(span / STEPS_MAX))
    return next((r * power for r in _ROUND if r * power * STEPS_MAX >= span * (1 - 1e-9)), 10.0 * power)


def time_ticks(start: int, end: int, times: Times) -> list[tuple[int, str]]:
    """Round times of the reader's zone in [start, end], at most five, as (time, text)."""
    span = end - start
    minutes = next((step for step in _TIME_STEPS_MIN if span <= step * MINUTE_MS * STEPS_MAX), 0)
    if minutes:
        return _ticks(start, end, timedelta(minutes=minutes), "%H:%M", times)
    days = -(-span // (DAY_MS * STEPS_MAX))
    return _ticks(start, end, timedelta(days=days), "%a %-d %b", times)


def _ticks(start: int, end: int, step: timedelta, form: str, times: Times) -> list[tuple[int, str]]:
    """Counted in the wall clock's time, so that a day with a change of the clock keeps its round hours."""
    at = times.local(start).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    found: dict[int, str] = {}
    while (stamp := _stamp(at, times)) <= end + HOUR_MS:
        if start <= stamp <= end:
            found[stamp] = at.strftime(form)
        at += step
    return sorted(found.items())[: STEPS_MAX + 1]


def _stamp(wall: datetime, times: Times) -> int:
    return round(wall.replace(tzinfo=times.zone).timestamp() * 1000)
