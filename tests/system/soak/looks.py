"""What a process is seen to hold from outside, again and again, and whether that grows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from msgspec import Struct

from tests.bench.process import resident_mib

WARM_UP = 0.4
"""So much of the time is not judged: what is made once is made then."""

PASSING = 2
"""On a busy machine so many more may be there at every look of a while; what leaks grows by far more."""

L = TypeVar("L", bound="Look")


class Look(Struct, frozen=True):
    at_s: float
    resident_mib: float
    descriptors: int
    threads: int


def look(pid: int, at_s: float) -> Look:
    descriptors, threads = (len(list(Path(f"/proc/{pid}/{what}").iterdir())) for what in ("fd", "task"))
    return Look(at_s, resident_mib(pid), descriptors, threads)


def judged(looks: Sequence[L]) -> Sequence[L]:
    return looks[int(len(looks) * WARM_UP) :]


def growth(looks: Sequence[Look], what: str) -> float:
    """By how much it grew, by a straight line through all looks."""
    at_s = [look.at_s for look in looks]
    slope = np.polyfit(at_s, [getattr(look, what) for look in looks], 1)[0]
    return float(slope * (at_s[-1] - at_s[0]))


def leaks(looks: Sequence[Look], growth_mib_max: float) -> list[str]:
    """In words what grew; nothing when all is well."""
    found = []
    seen = judged(looks)
    if (grown := growth(seen, "resident_mib")) > growth_mib_max:
        found.append(f"memory grew by {grown:.2f} MiB")
    halves = seen[: len(seen) // 2], seen[len(seen) // 2 :]
    for what in ("descriptors", "threads"):
        # Files are opened and threads end all the time; what leaks is there at every look.
        first, second = (min(getattr(look, what) for look in half) for half in halves)
        if second > first + PASSING:
            found.append(f"{what} grew from {first} to {second}")
    return found


def told(looks: Sequence[Look]) -> list[str]:
    """What is to be printed of those that are judged: some twenty lines, and how it changed over their time."""
    lines = [
        f"{one.at_s:6.0f} s {one.resident_mib:7.2f} MiB {one.descriptors} descriptors {one.threads} threads"
        for one in looks[:: max(1, len(looks) // 20)]
    ]
    first, last = looks[0], looks[-1]
    grown = growth(looks, "resident_mib")
    lines.append(
        f"memory {first.resident_mib:.2f} -> {last.resident_mib:.2f} MiB, by a straight line {grown:+.2f} MiB, "
        f"descriptors {first.descriptors} -> {last.descriptors}, threads {first.threads} -> {last.threads}"
    )
    return lines
