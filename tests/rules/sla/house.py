"""A little past to look at: one host's ticks, its check's answers, and services, in seconds after T0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rules.sla.courses import Course, course, intervals_of
from rules.sla.model import CLASSES, CheckPart, Interval, ServiceOptions
from rules.sla.timeline import Answers, Heard, Range

T0 = 1_795_140_000_000
"""2026-11-20 02:00:00 UTC, a Friday"""
EVERY_S = 10
MIN, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NONE = np.empty(0, dtype=np.int64)


def at(*seconds: float) -> np.ndarray:
    return np.array([T0 + round(1000 * second) for second in seconds], dtype=np.int64)


def over(start_s: float, end_s: float, *away: tuple[float, float]) -> Range:
    spans = tuple((T0 + round(1000 * a), T0 + round(1000 * b)) for a, b in away)
    return Range(T0 + round(1000 * start_s), T0 + round(1000 * end_s), spans)


def heard(*seconds: float, every_s: float = EVERY_S, first_s: float | None = 0) -> Heard:
    first_at = None if first_s is None else T0 + round(1000 * first_s)
    return Heard(at(*seconds), np.full(len(seconds), round(1000 * every_s), dtype=np.int64), first_at)


def said(states: dict[float, float | None], slow: Sequence[float] = ()) -> Answers:
    values = np.array([np.nan if value is None else value for value in states.values()], dtype=np.float64)
    return Answers(at(*states), values, at(*slow) if slow else NONE)


def service(**options: Any) -> ServiceOptions:
    return ServiceOptions(**{"name": "shop", "checks": [CheckPart(id="web")], **options})


def told(one: Course) -> list[tuple[float, float, str, str]]:
    """The intervals in seconds after T0, without marks."""
    return [
        ((span.start - T0) / 1000, (span.end - T0) / 1000, span.state, span.cause)
        for span in intervals_of(one)
    ]


def spans(*given: tuple[float, float, str]) -> list[Interval]:
    """Intervals from (from, until, class), in minutes after T0."""
    return [
        Interval(T0 + round(a * MIN), T0 + round(b * MIN), state, "" if state == "up" else f"it was {state}")  # type: ignore[arg-type]
        for a, b, state in given
    ]


def part(*given: tuple[float, str], until: float) -> Course:
    """A course from (since, class), in seconds; `-` is nothing."""
    codes = [CLASSES.index(state) if state != "-" else -1 for _, state in given]
    words = ["" if state in ("up", "-") else f"{state} here" for _, state in given]
    return course(
        T0 + round(1000 * until),
        at(*(since for since, _ in given)),
        np.array(codes, dtype=np.int8),
        np.arange(len(given), dtype=np.int32),
        words,
    )
