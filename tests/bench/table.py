"""A row of the table: what was measured, how it came out, and where the goals are."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from msgspec import Struct, structs


class Goal(Struct, frozen=True):
    """Where a row may be called resolved, and where it is something to be proud of. Less is better unless `more`."""

    resolved: float
    proud: float
    more: bool = False

    def verdict(self, value: float) -> str:
        if self._reached(value, self.proud):
            return "proud"
        return "resolved" if self._reached(value, self.resolved) else "missed"

    def words(self, limit: float) -> str:
        return f"{'≥' if self.more else '≤'} {limit:g}"

    def _reached(self, value: float, limit: float) -> bool:
        return value >= limit if self.more else value <= limit


class Row(Struct, frozen=True):
    """`figure` is what people read, `value` what the goal is held against: None when it was not measured."""

    what: str
    figure: str
    value: float | None = None
    goal: Goal | None = None

    @property
    def unjudged(self) -> Row:
        """The same, held against no goal."""
        return structs.replace(self, goal=None)

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        if self.goal is None:
            return self.what, self.figure, "", "", "" if self.value is not None else "not measured"
        verdict = "not measured" if self.value is None else self.goal.verdict(self.value)
        return (
            self.what,
            self.figure,
            self.goal.words(self.goal.resolved),
            self.goal.words(self.goal.proud),
            verdict,
        )


HEADINGS = ("what", "figure", "resolved", "proud", "verdict")


def markdown(rows: Sequence[Row]) -> str:
    """A table that reads well in a terminal and on a page."""
    lines = [HEADINGS, *(row.cells for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    written = [
        "| " + " | ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    return "\n".join([written[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *written[1:]])


def spread(values: Sequence[float], digits: int = 2) -> str:
    """The median of several rounds and how far they lay apart: "1.52 (1.49 to 1.60)"."""
    middle = f"{statistics.median(values):,.{digits}f}"
    return (
        middle if len(values) == 1 else f"{middle} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"
    )


def quantile(values: Sequence[float], share: float) -> float:
    """The value below or at which that share of them lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
