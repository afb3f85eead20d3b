"""A series, by default the state of a check, changes too often within a while.

It is over when so few changes are left in the window as `clear` says, by default half the limit. A sample without an
answer is no change. Before the window is full only too many changes can be told, not that there are few.
"""

from __future__ import annotations

from rules import words
from rules.kinds import WINDOW_MS_MAX
from rules.kinds._limits import LimitOptions, LimitRule
from rules.model import Series, Window

CHANGES_MAX = 200


class Options(LimitOptions, kw_only=True, frozen=True):
    """What flapping can be told; the limits count changes.

    metric: a series name, check_state by default; labels in {} narrow it
    over: how long the window is
    """

    metric: str = "check_state"
    over_s: float = 1800.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 60 <= self.over_s <= WINDOW_MS_MAX / 1000:
            raise ValueError(f"over must be between 1m and 2h, not {self.over_s:g} seconds")
        if self.above is None:
            raise ValueError(
                "below makes no sense here; give above, the number of changes that is still fine"
            )
        if not all(1 <= limit < CHANGES_MAX for limit in self.limits.values()):
            raise ValueError(f"above must be between 1 and {CHANGES_MAX - 1} changes")


class Rule(LimitRule):
    def __init__(self, options: Options) -> None:
        self.over_ms = round(options.over_s * 1000)
        super().__init__(options)

    def slide(self, window: Window | None, at: int, value: float) -> Window:
        """Its points are the changes: when, and to what."""
        if window is None:
            return Window(at, at, value, ())
        points = window.points
        if points and points[0][0] <= at - self.over_ms:
            points = tuple(point for point in points if point[0] > at - self.over_ms)
        if value != window.value:
            points = (*points, (at, value))[-CHANGES_MAX:]
        return Window(max(window.began_at, at - self.over_ms), at, value, points)

    def reading(self, window: Window) -> float | None:
        changes = len(window.points)
        full = window.at - window.began_at >= self.over_ms
        return float(changes) if full or changes > self._outer[0] else None

    def _left_at(self, limit: float) -> float:
        return limit / 2

    def says(self, value: float) -> str:
        return f"{value:g} changes in {words.duration(self.over_ms)}"

    def breach(self, series: Series, value: float | None, limit: float | None, detail: str) -> str:
        times = "?" if value is None else f"{value:g}"
        most = "" if limit is None else f" > {limit:g}"
        return f"{words.subject(series)} changed {times} times in {words.duration(self.over_ms)}{most}"
