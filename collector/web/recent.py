"""The last hour of each host's CPU, small enough to be kept in memory and drawn a thousand times on one page."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence
from itertools import pairwise

from rules.model import Outcome

SERIES = "cpu_used_pct"
STEPS, STEP_MS = 20, 180_000
WIDTH, HEIGHT = STEPS - 1, 16
"""Of the box that a line is drawn in."""
POINTS_MIN = 4
"""A line of fewer is a speck that says nothing."""
HOSTS_MAX = 50_000
_NOTHING = array("f", [math.nan] * STEPS)


class _Line:
    """The mean of each step, the newest at `step % STEPS`."""

    __slots__ = ("count", "index", "layout", "means", "step")

    def __init__(self) -> None:
        self.layout: Sequence[str] = ()
        self.index = -1
        self.step, self.count = 0, 0
        self.means = _NOTHING[:]

    def take(self, step: int, value: float) -> None:
        if step > self.step:
            for skipped in range(max(self.step, step - STEPS) + 1, step + 1):
                self.means[skipped % STEPS] = math.nan
            self.step, self.count = step, 0
        if step == self.step and value == value:
            self.count += 1
            mean = self.means[step % STEPS] if self.count > 1 else value
            self.means[step % STEPS] = mean + (value - mean) / self.count


class Recent:
    """`note` is called after each commit and costs about a microsecond a batch. What came late is left out."""

    def __init__(self) -> None:
        self._lines: dict[int, _Line] = {}

    def note(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            arrival = outcome.arrival
            if arrival is None:
                continue
            line = self._lines.get(arrival.host)
            if line is None:
                if len(self._lines) >= HOSTS_MAX:
                    continue
                line = self._lines[arrival.host] = _Line()
            if line.layout is not arrival.layout:  # most batches come with the very layout of the one before
                line.layout = arrival.layout
                line.index = arrival.layout.index(SERIES) if SERIES in arrival.layout else -1
            if line.index >= 0:
                line.take(arrival.at // STEP_MS, float(arrival.values[line.index]))

    def forget(self, hosts: Iterable[int]) -> None:
        """These are no more."""
        for host in hosts:
            self._lines.pop(host, None)

    def path(self, host: int, now: int) -> str:
        """The line up to now as an SVG path in a box of WIDTH by HEIGHT; empty where there is too little to draw."""
        line = self._lines.get(host)
        if line is None:
            return ""
        first = now // STEP_MS - STEPS + 1
        points = [
            (step - first, line.means[step % STEPS])
            for step in range(max(first, line.step - STEPS + 1), line.step + 1)
        ]
        known = [(x, value) for x, value in points if value == value and x >= 0]
        if len(known) < POINTS_MIN:
            return ""
        begins = [True, *(after[0] - before[0] > 1 for before, after in pairwise(known))]
        return "".join(
            f"{'M' if begin else 'L'}{x} {_y(value)}" for begin, (x, value) in zip(begins, known, strict=True)
        )


def _y(value: float) -> int:
    return round(HEIGHT * (1 - min(100.0, max(0.0, value)) / 100))
