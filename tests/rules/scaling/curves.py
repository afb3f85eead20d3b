"""Loads that never were: how many instances they would keep busy, minute by minute, and the weeks before them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rules.capacity.slope import Numbers
from rules.scaling.simulate import Curve

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
START = 1_760_000_400_000 // DAY_MS * DAY_MS
DAYS, DAYS_BEFORE = 3, 21

Shape = Callable[[Numbers, np.random.Generator], Numbers]
"""The load over time in days, 0 being where it is played from."""


def daily(t: Numbers, rng: np.random.Generator) -> Numbers:
    """Steep in the morning, high by day, low by night."""
    hour = 24 * (t % 1)
    day = 1 / (1 + np.exp(-(hour - 8.5) * 4)) - 1 / (1 + np.exp(-(hour - 19) * 1.5))
    return (1.0 + 4.5 * day) * _noise(t, rng)


def flash_crowd(t: Numbers, rng: np.random.Generator) -> Numbers:
    """Little to do, and once, on the second day, five times as much within ten minutes, for three hours."""
    since_h = 24 * (t - 1.4)
    crowd = np.clip(since_h * 6, 0, 1) * np.clip((3.5 - since_h) * 2, 0, 1)
    return (1.2 + 4.8 * crowd) * _noise(t, rng)


def slow_growth(t: Numbers, rng: np.random.Generator) -> Numbers:
    """A third more every day, without any pattern."""
    return 1.6 * 1.33**t * _noise(t, rng)


SHAPES: dict[str, Shape] = {"daily": daily, "flash crowd": flash_crowd, "slow growth": slow_growth}


def curve(shape: Shape, first_day: float, last_day: float, step_ms: int, seed: int = 6) -> Curve:
    at = START + np.arange(round(first_day * DAY_MS), round(last_day * DAY_MS), step_ms, dtype=np.int64)
    return Curve(at, shape((at - START) / DAY_MS, np.random.default_rng(seed)))


def played(shape: Shape) -> Curve:
    return curve(shape, 0, DAYS, MINUTE_MS)


def before(shape: Shape) -> Curve:
    return curve(shape, -DAYS_BEFORE, 0, 15 * MINUTE_MS)


def _noise(t: Numbers, rng: np.random.Generator) -> Numbers:
    return rng.normal(1, 0.04, len(t)).clip(0.85, 1.15)
