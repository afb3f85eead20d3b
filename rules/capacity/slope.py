"""How fast something grows, said by the median of the slopes between all pairs of points (Theil and Sen), with a range.

Up to a third of the points may be plainly wrong before it moves. The range is that of Kendall's test, made wider by how
much neighbours resemble each other: points of one slow wave are not as many proofs as there are points.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from msgspec import Struct

Times = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]

POINTS_MAX = 720
"""All pairs of more would take longer than the answer is worth; more are thinned."""
POINTS_MIN = 3
FEW = 6
"""Of fewer points than this Kendall's range says nothing; all slopes there are make the range then."""
Z = 1.96
ALIKE_MAX = 0.98
ROUNDING = 1e-20
"""Residues of less than this share, squared, are what adding floats leaves."""


class Slope(Struct, frozen=True):
    """A line: `level` at the time `at`, and what is added per millisecond, by the best guess and by a range that holds
    the true one 19 times out of 20. An end of the range is infinite where the points say nothing."""

    at: int
    level: float
    per_ms: float
    low: float
    high: float

    def value(self, at: int) -> float:
        return self.level + self.per_ms * (at - self.at)

    def line(self, at: Times) -> Numbers:
        return self.level + self.per_ms * (at - self.at).astype(np.float64)


def theil_sen(at: Times, values: Numbers, until: int) -> Slope | None:
    """The line through some points, with its level at `until`; None for fewer than POINTS_MIN times.

    `at` ascends; `values` are finite. At most POINTS_MAX points: see `thinned`.
    """
    slopes = _slopes(at, values)
    if len(at) < POINTS_MIN or not len(slopes):
        return None
    count = len(slopes)
    per_ms = float(np.median(slopes, overwrite_input=True))
    since = (at - until).astype(np.float64)
    residues = values - per_ms * since
    level = float(np.median(residues))
    if len(at) < FEW:
        return Slope(until, level, per_ms, float(slopes.min()), float(slopes.max()))
    reach = Z * math.sqrt(_kendall_variance(len(at)) * _repetition(residues - level, values))
    first, last = math.floor((count - reach) / 2), math.ceil((count + reach) / 2)
    if first < 0 or last >= count:
        return Slope(until, level, per_ms, -math.inf, math.inf)
    slopes.partition((first, last))
    return Slope(until, level, per_ms, float(slopes[first]), float(slopes[last]))


def thinned(at: Times, values: Numbers, points_max: int = POINTS_MAX) -> tuple[Times, Numbers]:
    """At most so many of the points, evenly chosen, the newest among them; those without an answer are left out, and
    all but the first of one time."""
    answered = np.isfinite(values)
    at, values = at[answered], values[answered]
    again = np.flatnonzero(np.diff(at) <= 0) + 1
    at, values = np.delete(at, again), np.delete(values, again)
    if len(at) <= points_max:
        return at, values
    chosen = np.linspace(0, len(at) - 1, points_max).round().astype(np.int64)
    return at[chosen], values[chosen]


def _slopes(at: Times, values: Numbers) -> Numbers:
    """Between all pairs that are told apart by time; a distance at a time, which is quicker than all at once."""
    times, points = at.astype(np.float64), len(at)
    rises, apart = np.empty((2, points * (points - 1) // 2))
    filled = 0
    for distance in range(1, points):
        upto = filled + points - distance
        np.subtract(values[distance:], values[:-distance], out=rises[filled:upto])
        np.subtract(times[distance:], times[:-distance], out=apart[filled:upto])
        filled = upto
    told_apart = apart > 0
    return rises[told_apart] / apart[told_apart]


def _kendall_variance(points: int) -> float:
    return points * (points - 1) * (2 * points + 5) / 18


def _repetition(residues: Numbers, values: Numbers) -> float:
    """How many points say what one says: 1 where neighbours are independent, many where they go the same way."""
    power = float(residues @ residues)
    if power <= ROUNDING * float(values @ values):
        return 1.0
    alike = min(max(float(residues[1:] @ residues[:-1]) / power, 0.0), ALIKE_MAX)
    return (1 + alike) / (1 - alike)
