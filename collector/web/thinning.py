"""Few enough points to draw, without losing a spike: the mean of each step, and its lowest and highest.

The store does the same for long ranges (see its Steps); what is here is for short ones, and for making steps longer.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import replace

from collector.store import Points, Steps

POINTS_MAX = 600
"""As many fit into the range of a chart one by one; where they lie closer they are drawn in steps."""
STEPS_MAX = 300
GAP_INTERVALS = 2.5
VALUE_MAX = 1e290
"""Beyond it a chart's sums and spans are no numbers any more, and no host has so much of anything."""

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]

_STEPS_MS = tuple(
    1_000 * s
    for s in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 21600, 43200)
)


class Line(Struct, frozen=True):
    """What to draw: times ascending and no NaN. `begins` is true where a gap comes before.

    `low` and `high` equal `mean` where a point stands for itself alone; then `step_ms` is 0.
    """

    at: Times
    mean: Floats
    low: Floats
    high: Floats
    begins: npt.NDArray[np.bool_]
    step_ms: int = 0


def bounded(found: Points | Steps) -> Points | Steps:
    """The same with what lies beyond VALUE_MAX at it."""
    if isinstance(found, Points):
        return replace(found, values=found.values.clip(-VALUE_MAX, VALUE_MAX))
    low, high, mean = (values.clip(-VALUE_MAX, VALUE_MAX) for values in (found.low, found.high, found.mean))
    return replace(found, low=low, high=high, mean=mean)


def step_ms_for(span_ms: int, steps_max: int = STEPS_MAX) -> int:
    """The shortest round step of which at most `steps_max` lie in the span."""
    for step in _STEPS_MS:
        if span_ms <= step * steps_max:
            return step
    return -(-span_ms // (steps_max * 86_400_000)) * 86_400_000


def too_close(span_ms: int, every_ms: int) -> bool:
    """Whether the samples of such a range lie too close to be drawn one by one."""
    return every_ms * POINTS_MAX < span_ms


def line_of(found: Points | Steps, span_ms: int, every_ms: int) -> Line:
    """What to draw of a series over a range, of a host that reports every so often."""
    if isinstance(found, Steps):
        return _stepped(found, every_ms)
    if len(found.at) > POINTS_MAX:
        return _stepped(steps_of(found, step_ms_for(span_ms)), every_ms)
    answered = np.isfinite(found.values)
    at, values = found.at[answered], found.values[answered]
    # A point without an answer ends the line as surely as time without a point does.
    begins = _gaps(at, GAP_INTERVALS * _interval(found.at, every_ms)) | _holes(answered)
    return Line(at, values, values, values, begins)


def _stepped(steps: Steps, every_ms: int) -> Line:
    """A step is drawn at its middle. One in which nothing was answered is a gap."""
    answered = steps.count > 0
    at = steps.at[answered] + steps.step_ms // 2
    longest = max(GAP_INTERVALS * every_ms, 1.5 * _interval(steps.at, steps.step_ms))
    begins = _gaps(at, longest) | _holes(answered)
    return Line(at, steps.mean[answered], steps.low[answered], steps.high[answered], begins, steps.step_ms)


def _gaps(at: Times, longest_ms: float) -> npt.NDArray[np.bool_]:
    return np.diff(at, prepend=at[:1] - 2**50) > longest_ms


def _holes(answered: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Of those answered, which come after one that is not."""
    return np.diff(np.flatnonzero(answered), prepend=-1) > 1


def _interval(at: Times, every_ms: int) -> float:
    """How far apart points lie where nothing is missing; the host may have reported more seldom in the past."""
    return max(float(every_ms), float(np.median(np.diff(at)))) if len(at) > 1 else float(every_ms)


# --- steps ------------------------------------------------------------------------------------------------------------


def steps_of(points: Points, step_ms: int) -> Steps:
    """Points in steps that begin at round times, not at the first point: so a live chart does not tremble."""
    answered = np.isfinite(points.values)
    count = answered.astype(np.int64)
    return longer(Steps(1, points.at, points.values, points.values, points.values, count), step_ms)


def longer(steps: Steps, step_ms: int) -> Steps:
    """The same in longer steps, a multiple of what they were."""
    if not len(steps.at):
        return Steps(step_ms, steps.at, steps.low, steps.high, steps.mean, steps.count)
    number = steps.at // step_ms
    first = np.flatnonzero(np.diff(number, prepend=number[0] - 1))
    low, high = np.fmin.reduceat(steps.low, first), np.fmax.reduceat(steps.high, first)
    count = np.add.reduceat(steps.count, first)
    total = np.add.reduceat(np.where(steps.count > 0, steps.mean * steps.count, 0.0), first)
    # A mean of equal numbers may come out a hair beside them.
    mean = np.clip(total / np.maximum(count, 1), low, high)
    return Steps(step_ms, number[first] * step_ms, low, high, mean, count)
