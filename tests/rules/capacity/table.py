"""How often a forecast cries wolf and how often it sleeps, beside a plain linear fit.

    python -m tests.rules.capacity.table

A disk is said to be full soon when it is said to be full within SOON_DAYS. That is false when it will not be within
half as long again; it is missed when it will be full soon and is not said to be within half as long again.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

import numpy as np
from msgspec import Struct

from rules.capacity.forecast import forecast
from tests.rules.capacity.disks import DAY_MS, KINDS, LIMIT, NOW, Disk, Maker, disks

SOON_DAYS, LENIENT = 7.0, 1.5
COUNT = 200

Guess = Callable[[Disk], float | None]
"""In how many days a disk is full; infinite for not in sight, None for who knows."""


class Score(Struct):
    """Of so many disks, those that were full soon, and what was said wrongly of each sort; `silent` said nothing."""

    disks: int = 0
    soon: int = 0
    false: int = 0
    missed: int = 0
    silent: int = 0

    @property
    def false_pct(self) -> float:
        return 100 * self.false / max(1, self.disks - self.soon)

    @property
    def missed_pct(self) -> float:
        return 100 * self.missed / max(1, self.soon)

    @property
    def silent_pct(self) -> float:
        return 100 * self.silent / max(1, self.disks)


def ours(disk: Disk) -> float | None:
    found = forecast(disk.at, disk.values, LIMIT, NOW)
    if found.within(LENIENT * SOON_DAYS) is None:
        return None
    return math.inf if found.days is None else found.days


def linear_fit(disk: Disk) -> float | None:
    days = (disk.at - NOW) / DAY_MS
    per_day, level = np.polyfit(days, disk.values, 1)
    return float((LIMIT - level) / per_day) if per_day > 0 else math.inf


def score(make: Maker, guess: Guess, count: int, seed: int = 6) -> Score:
    found = Score()
    for disk in disks(make, count, seed):
        truth = math.inf if disk.full_in_days is None else disk.full_in_days
        said = guess(disk)
        found.disks += 1
        found.soon += truth <= SOON_DAYS
        found.silent += said is None
        found.false += said is not None and said <= SOON_DAYS and truth > LENIENT * SOON_DAYS
        found.missed += truth <= SOON_DAYS and (said is None or said > LENIENT * SOON_DAYS)
    return found


def rows(count: int) -> list[str]:
    """The table, as it stands in docs/advice.md."""
    lines = [
        "| disk | full soon | false: ours | linear fit | missed: ours | linear fit | silent: ours |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, make in KINDS.items():
        mine, theirs = score(make, ours, count), score(make, linear_fit, count)
        lines.append(
            f"| {name} | {mine.soon} of {mine.disks} | {mine.false_pct:.1f} % | {theirs.false_pct:.1f} % "
            f"| {mine.missed_pct:.1f} % | {theirs.missed_pct:.1f} % | {mine.silent_pct:.1f} % |"
        )
    return lines


if __name__ == "__main__":
    print("\n".join(rows(int(sys.argv[1]) if len(sys.argv) > 1 else COUNT)))
