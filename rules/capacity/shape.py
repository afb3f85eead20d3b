"""What a series does besides growing: it jumps once (a cleanup, a copy, a larger disk), or again and again.

What was before a jump says nothing of what comes, so the past is cut there. Jumps that come again and again are no
break but the way it is: of a sawtooth the tops are what meets the limit first, and of a staircase each next stair.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import numpy as np
from msgspec import Struct

from rules.capacity.slope import Numbers, Times

RECURRING_MIN = 3
"""So many jumps of a kind are a habit, fewer are events."""
ALIKE = 1 / 3
"""Jumps that are at least this share of the greatest are of its kind."""
NOISE_TIMES = 8.0
SPREAD_SHARE = 0.05
LIMIT_SHARE = 0.005
"""What is less than this share of the limit is no jump, however still it is otherwise."""
OVERDUE = 1.5
"""A tooth that goes on this much longer than any before, or rises so much higher, is a tooth no more."""

Kind = Literal["plain", "sawtooth", "staircase"]


class Shape(Struct, frozen=True):
    """The points that say how it goes on. `cut_at` is when the latest jump cut the past, None where nothing did.

    `jumps` come again and again, the next of them at about `next_at`; `overdue` means that they came no more.
    """

    kind: Kind
    at: Times
    values: Numbers
    cut_at: int | None = None
    jumps: int = 0
    overdue: bool = False
    next_at: int = 0


def look(at: Times, values: Numbers, limit: float) -> Shape:
    """See what the points do. They ascend in time, and are finite."""
    cut_at: int | None = None
    while len(at) > 3:
        places, sizes = find_jumps(at, values, limit)
        if not len(places):
            break
        great = np.abs(sizes) >= ALIKE * np.abs(sizes).max()
        places, sizes = places[great], sizes[great]
        if np.sum(sizes < 0) >= RECURRING_MIN:
            return _recurring("sawtooth", at, values, places[sizes < 0], cut_at)
        if np.sum(sizes > 0) >= RECURRING_MIN:
            return _recurring("staircase", at, values, places[sizes > 0], cut_at)
        last = int(places[-1])
        at, values, cut_at = at[last + 1 :], values[last + 1 :], int(at[last + 1])
    return Shape("plain", at, values, cut_at)


def find_jumps(at: Times, values: Numbers, limit: float) -> tuple[Times, Numbers]:
    """Where it jumps, each as the index of the last point before, and by how much. A spike of one point is none."""
    calm = _without_spikes(values)
    rises, apart = np.diff(calm), np.maximum(np.diff(at), 1).astype(np.float64)
    excess = rises - np.median(rises / apart) * apart
    steps = np.diff(values)
    noise = 1.4826 * float(np.median(np.abs(steps - np.median(steps))))
    spread = float(np.subtract(*np.percentile(values, (98, 2))))
    least = max(NOISE_TIMES * noise, SPREAD_SHARE * spread, LIMIT_SHARE * abs(limit))
    return _merged(np.flatnonzero(np.abs(excess) > least), excess)


def _without_spikes(values: Numbers) -> Numbers:
    """Each point as the median of itself and its neighbours."""
    calm = values.copy()
    calm[1:-1] = np.median(np.stack([values[:-2], values[1:-1], values[2:]]), axis=0)
    return calm


def _merged(places: Times, excess: Numbers) -> tuple[Times, Numbers]:
    """Jumps of one direction that follow each other at once are one, and it ends where the last of them does."""
    merged: list[tuple[int, float]] = []
    for place in places.tolist():
        size = float(excess[place])
        if merged and place - merged[-1][0] <= 2 and np.sign(size) == np.sign(merged[-1][1]):
            merged[-1] = (place, merged[-1][1] + size)
        else:
            merged.append((place, size))
    return np.array([place for place, _ in merged], np.int64), np.array([size for _, size in merged])


def _recurring(kind: Kind, at: Times, values: Numbers, jumps: Times, cut_at: int | None) -> Shape:
    """Of each tooth or stair the highest point; the one that is not over counts only where it is the highest yet.

    The first began we know not when, which does not matter to where it ended.
    """
    bounds = [0, *(int(jump) + 1 for jump in jumps), len(at)]
    tops = [start + int(np.argmax(values[start:end])) for start, end in pairwise(bounds) if end > start]
    if kind == "sawtooth" and _overdue(at, values, jumps, tops):
        since = bounds[-2]
        return Shape("plain", at[since:], values[since:], int(at[since]), len(jumps), overdue=True)
    if len(tops) > 1 and values[tops[-1]] < values[tops[-2]]:
        tops.pop()
    chosen = np.array(tops)
    next_at = int(at[jumps[-1]] + np.median(np.diff(at[jumps])))
    return Shape(kind, at[chosen], values[chosen], cut_at, len(jumps), next_at=next_at)


def _overdue(at: Times, values: Numbers, jumps: Times, tops: list[int]) -> bool:
    """Whether what used to empty it has not come when it should have."""
    earlier, height = values[tops[:-1]], float(np.median(values[jumps] - values[jumps + 1]))
    lasted = np.diff(at[jumps])
    waiting = int(at[-1] - at[jumps[-1]])
    beyond = values[tops[-1]] - earlier.max() > (OVERDUE - 1) * height
    return bool(waiting > OVERDUE * lasted.max() and beyond)
