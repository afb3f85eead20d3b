"""Many points made few enough to draw, without losing a spike: the mean of each bucket, and its lowest and highest."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from collector.store import Points

POINTS_MAX = 600
"""As many fit into the range of a chart one by one; where they lie closer they are put into buckets."""
GAP_INTERVALS = 2.5

Floats = npt.NDArray[np.float64]

_BUCKETS_MS = tuple(
    1_000 * s
    for s in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 21600, 43200)
)


class Line(Struct, frozen=True):
    """Points to draw, times ascending and no NaN among them. `begins` is true where a gap comes before.

    `low` and `high` equal `mean` where a point stands for itself alone.
    """

    at: npt.NDArray[np.int64]
    mean: Floats
    low: Floats
    high: Floats
    begins: npt.NDArray[np.bool_]
    bucket_ms: int = 0

    @property
    def thinned(self) -> bool:
        return self.bucket_ms > 0


def bucket_ms_for(span_ms: int, buckets_max: int) -> int:
    """The shortest round bucket of which at most `buckets_max` lie in the span."""
    for bucket in _BUCKETS_MS:
        if span_ms <= bucket * buckets_max:
            return bucket
    return -(-span_ms // (buckets_max * 86_400_000)) * 86_400_000


def thin(points: Points, span_ms: int, every_ms: int, points_max: int = POINTS_MAX) -> Line:
    """What to draw of a series over a range this long, of a host that reports every so often."""
    answered = np.isfinite(points.values)
    at, values = points.at[answered], points.values[answered]
    interval_ms = _interval(points.at, every_ms)
    gap_ms = GAP_INTERVALS * interval_ms
    begins = np.ones(len(at), dtype=np.bool_)
    if len(at):
        # A point without an answer ends the line as surely as time without a point does.
        position = np.flatnonzero(answered)
        begins[1:] = (np.diff(at) > gap_ms) | (np.diff(position) > 1)
    if len(at) <= points_max and interval_ms * points_max >= span_ms:
        return Line(at, values, values, values, begins)
    return in_buckets(points, bucket_ms_for(span_ms, points_max // 2), gap_ms)


def in_buckets(points: Points, bucket_ms: int, gap_ms: float = 0.0) -> Line:
    """One point for each bucket that holds any, at its middle.

    Buckets begin at round times, not at the first point: so a live chart does not tremble as it moves on.
    """
    answered = np.isfinite(points.values)
    at, values = points.at[answered], points.values[answered]
    if not len(at):
        return Line(at, values, values, values, np.empty(0, dtype=np.bool_), bucket_ms)
    number = at // bucket_ms
    first = np.flatnonzero(np.diff(number, prepend=number[0] - 1))
    mean = np.add.reduceat(values, first) / np.diff(first, append=len(at))
    middle = number[first] * bucket_ms + bucket_ms // 2
    begins = np.diff(middle, prepend=middle[0] - 2**40) > max(gap_ms, 1.5 * bucket_ms)
    low, high = np.minimum.reduceat(values, first), np.maximum.reduceat(values, first)
    # A mean of equal numbers may come out a hair beside them.
    return Line(middle, np.clip(mean, low, high), low, high, begins, bucket_ms)


def _interval(at: npt.NDArray[np.int64], every_ms: int) -> float:
    """How far apart points lie where nothing is missing; the host may have reported more seldom in the past."""
    return max(float(every_ms), float(np.median(np.diff(at)))) if len(at) > 1 else float(every_ms)
