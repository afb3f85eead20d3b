"""A series rises or falls faster than a limit, measured over a while.

The rate is that between the oldest and the newest sample of the window, `over` long. Of a counter (`counter: true`) all
rises are added up instead, and a fall is a start from zero, so that a restart of what counts is no rate. Before the
window is full nothing is said; a hole in what is known begins a new one.
"""

from __future__ import annotations

from itertools import pairwise

from rules import words
from rules.kinds import WINDOW_MS_MAX
from rules.kinds._limits import MARGIN, LimitOptions, LimitRule
from rules.model import Series, Window

CELLS = 20
"""In each twentieth of the window the first and the last sample are kept, and those where a counter began anew."""
POINTS_MAX = 200
_PER: dict[float, str] = {1: "s", 60: "min", 3600: "h", 86_400: "d"}


class Options(LimitOptions, kw_only=True, frozen=True):
    """What a rate can be told; the limits are changes of the series' value, for each `per`.

    over: how long the window is
    per: the time that the limits are for, as in 5 GiB per hour
    counter: whether the series only counts up, so that a fall means that it began anew
    """

    over_s: float = 300.0
    per_s: float = 1.0
    counter: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 10 <= self.over_s <= WINDOW_MS_MAX / 1000:
            raise ValueError(f"over must be between 10s and 2h, not {self.over_s:g} seconds")
        if not 1 <= self.per_s <= 31 * 86_400:
            raise ValueError(f"per must be between 1s and 31d, not {self.per_s:g} seconds")


class Rule(LimitRule):
    def __init__(self, options: Options) -> None:
        self.over_ms = round(options.over_s * 1000)
        self._cell_ms = max(1, self.over_ms // CELLS)
        self._per_s, self._counter = options.per_s, options.counter
        super().__init__(options)

    def slide(self, window: Window | None, at: int, value: float) -> Window:
        if window is None:
            return Window(at, at, value, ((at, value),))
        points = [point for point in window.points if point[0] >= at - self.over_ms]
        if len(points) > 1 and self._in_between(points[-2], points[-1], (at, value)):
            del points[-1]
        points = [*points, (at, value)][-POINTS_MAX:]
        return Window(max(window.began_at, at - self.over_ms), at, value, tuple(points))

    def _in_between(
        self, before: tuple[int, float], point: tuple[int, float], after: tuple[int, float]
    ) -> bool:
        """Whether the one in the middle adds nothing: all three share a cell, and no counter began anew."""
        if before[0] // self._cell_ms != after[0] // self._cell_ms:
            return False
        return not self._counter or before[1] <= point[1] <= after[1]

    def reading(self, window: Window) -> float | None:
        (first_at, first), (last_at, last) = window.points[0], window.points[-1]
        if window.at - window.began_at < self.over_ms or first_at == last_at:
            return None
        change = last - first
        if self._counter:
            values = [value for _, value in window.points]
            change = sum(after - before if after >= before else after for before, after in pairwise(values))
        return change / ((last_at - first_at) / 1000) * self._per_s

    def _left_at(self, limit: float) -> float:
        return limit - abs(limit) * MARGIN * self._sign

    def says(self, value: float) -> str:
        per = _PER.get(self._per_s, f"{self._per_s:g} s")
        return f"{words.reading(self.metric, value)} per {per}"

    def breach(self, series: Series, value: float | None, limit: float | None, detail: str) -> str:
        said = f"{words.what(series)} changes by {'?' if value is None else self.says(value)}"
        return said if limit is None else f"{said} {self.compares} {self.says(limit)}"
