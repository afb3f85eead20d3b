"""Loads that are played upon a way of scaling: what may be asked for, and what came of it, drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence

from aiohttp import web
from msgspec import Struct

from collector.desks.plays import Played, Tried
from collector.web.answers import Unclear
from collector.web.asked import text_of
from collector.web.charts import WIDTH, height_at
from collector.web.scales import Axis, value_axis
from collector.web.words import DAY_MS, HOUR_MS, MINUTE_MS, say_duration, say_number

STEP_MS = 5 * MINUTE_MS
SHAPES = {
    "day": "a day with a hill in the afternoon",
    "peak": "quiet, with one sudden peak",
    "growth": "growing all day",
}
RANGES = {"24h": "the last day", "7d": "the last week", "28d": "the last four weeks"}
RANGES_MS = {"24h": DAY_MS, "7d": 7 * DAY_MS, "28d": 28 * DAY_MS}
STEPS_MS = {"24h": STEP_MS, "7d": 30 * MINUTE_MS, "28d": 2 * HOUR_MS}
INSTANCES_MAX = 10_000


class Wanted(Struct, frozen=True):
    """What is to be played: a shape up to `peak` instances busy to 100 %, or a range of the stored past. What is None
    is as the policy has it."""

    source: str
    peak: float
    start: int | None
    min: int | None
    max: int | None
    target_pct: float | None

    @property
    def past_ms(self) -> int | None:
        """How much of the past; None for a shape."""
        return RANGES_MS.get(self.source)

    @property
    def step_ms(self) -> int:
        return STEPS_MS.get(self.source, STEP_MS)

    @property
    def tried(self) -> Tried:
        return Tried(self.start, self.min, self.max, self.target_pct)

    @property
    def load(self) -> tuple[float, ...]:
        """How many instances it keeps busy to 100 %, step by step over a day; nothing where it is of the past."""
        if self.past_ms is not None:
            return ()
        steps = 24 * HOUR_MS // STEP_MS
        return tuple(round(self.peak * _part(self.source, place / steps), 4) for place in range(steps))


class PlayRow(Struct, frozen=True):
    name: str
    slot: int
    above: str
    full: str
    hours: str
    changes: int
    highest: int
    line: str


class Play(Struct, frozen=True):
    rows: list[PlayRow]
    y_ticks: list[tuple[float, str]]
    ends: tuple[str, str]


def _part(shape: str, at: float) -> float:
    """How much of the peak a shape has at a part of the day."""
    match shape:
        case "peak":
            return 1.0 if 0.5 <= at < 0.58 else 0.2
        case "growth":
            return 0.15 + 0.85 * at
        case _:
            return 0.2 + 0.8 * math.exp(-(((at - 0.62) / 0.16) ** 2))


def wanted_by(request: web.Request) -> Wanted | None:
    """What the form asks for; None before it was sent. Unclear."""
    source = text_of(request, "load")
    if not source:
        return None
    if source not in SHAPES and source not in RANGES:
        raise Unclear(f"The load is one of {', '.join([*SHAPES, *RANGES])}.")
    target = _number(request, "target")
    if target is not None and target > 100:
        raise Unclear("The target is in percent, 100 at most.")
    return Wanted(
        source, _number(request, "peak") or 4.0, _count(request, "start"), _count(request, "min"),
        _count(request, "max"), target,
    )  # fmt: skip


def _number(request: web.Request, name: str) -> float | None:
    text = text_of(request, name, 20)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= INSTANCES_MAX:
        raise Unclear(f"{name} has to be a number above 0, up to {INSTANCES_MAX}.")
    return value


def _count(request: web.Request, name: str) -> int | None:
    value = _number(request, name)
    if value is not None and not value.is_integer():
        raise Unclear(f"{name} has to be a whole number.")
    return None if value is None else int(value)


def play_of(played: Played) -> Play:
    runs, step_ms = played.runs, played.step_ms
    highest = max((run.highest for run in runs), default=1)
    axis = value_axis("", 0, highest, from_zero=True)
    steps = max((len(run.instances) for run in runs), default=0)
    rows = [
        PlayRow(
            run.name,
            slot,
            say_duration(run.above_target_s * 1000),
            say_duration(run.full_s * 1000),
            say_number(run.instance_hours),
            run.changes,
            run.highest,
            _line(run.instances.tolist(), axis),
        )
        for slot, run in enumerate(runs, start=1)
    ]
    ticks = [(height_at(axis, value), text) for value, text in axis.ticks if float(value).is_integer()]
    return Play(rows, ticks, ("begin", say_duration(steps * step_ms)))


def _line(counts: Sequence[int], axis: Axis) -> str:
    """Steps: a count holds until it changes."""
    path, before = "", None
    for place, count in enumerate(counts):
        if count != before:
            x, y = round(place * WIDTH / len(counts), 1), height_at(axis, count)
            path += f"M{x},{y}" if before is None else f"H{x}V{y}"
            before = count
    return f"{path}H{WIDTH}" if path else ""
