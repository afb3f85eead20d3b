"""What services were, kept for years as small rows, and what it is reckoned from.

All of it follows from samples, so long as those are kept; later it is all there is. One writer is meant, the collector.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from rules.sla.model import Interval, Tally

INTERVALS_MAX = 200_000
"""No list of intervals is longer: two years of a service that changes every five minutes."""
RUNS_MAX = 10_000
"""Of how many runs of the collector is known when they were; those longest ago are forgotten."""


class Promise(Struct, frozen=True):
    """A service that was made by a person or program at run time; `options` is JSON, as ServiceOptions has it."""

    name: str
    options: str
    changed_at: int
    changed_by: str


class Reach(Struct, frozen=True):
    """From when until before when it is written down what a service was."""

    service: str
    start: int
    end: int


class Day(Struct, frozen=True):
    """A service over the day in UTC that begins at `start`, in milliseconds: as much of the day as is written down."""

    service: str
    start: int
    up: int = 0
    degraded: int = 0
    down: int = 0
    maintenance: int = 0
    unknown: int = 0
    outside: int = 0
    repaired: int = 0

    @property
    def tally(self) -> Tally:
        return Tally(self.up, self.degraded, self.down, self.maintenance, self.unknown, self.outside)


class LateRange(Struct, frozen=True):
    """Batches of a host whose time had been looked at when they came, and the time that they speak for; `noted` counts
    them."""

    host: int
    start: int
    end: int
    noted: int


class Asked(Struct, frozen=True):
    """A host has a check of that id, of that kind: it said something about it, be it long ago."""

    host: int
    check: str
    kind: str


class Spoken(Struct, frozen=True):
    """When batches of a host were sampled in a range, ascending, and how long their ticks are; of each series asked for
    the times and values of those that named it.

    `first_at` is when the host was heard for the first time, so far as samples are kept; None when it never was.
    """

    at: npt.NDArray[np.int64]
    every_ms: npt.NDArray[np.int64]
    series: dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]
    first_at: int | None


class Promises(Protocol):
    async def all(self) -> list[Promise]:
        """In name order."""
        ...

    async def put(self, promise: Promise) -> None:
        """Made, or in the place of the one of that name. StoreError when there are too many."""
        ...

    async def remove(self, name: str) -> bool:
        """What the service was stays written down. False when there is none of that name."""
        ...

    async def reach(self) -> dict[str, Reach]: ...

    async def write(self, intervals: Mapping[str, Sequence[Interval]]) -> None:
        """Of each service what it was over a range, in the place of what stood there.

        The intervals of one touch each other, and what is written down already. StoreError when they leave a hole.
        """
        ...

    async def intervals(self, service: str, start: int, end: int, *, but_up: bool = False) -> list[Interval]:
        """Cut to the range, oldest first; `but_up` leaves out those that were plainly up. StoreError when there are
        more than INTERVALS_MAX."""
        ...

    async def latest(self, service: str, before: int) -> Interval | None:
        """The last that begins before then, whole; None when there is none."""
        ...

    async def tally(self, service: str, start: int, end: int) -> Tally:
        """How long it was what, of as much of the range as is written down."""
        ...

    async def days(self, service: str, start: int, end: int) -> list[Day]:
        """Those that begin in the range and of which something is written down."""
        ...

    async def listened(self, since: int, until: int) -> None:
        """The run of the collector that began then has listened until then."""
        ...

    async def away(self, start: int, end: int) -> list[tuple[int, int]]:
        """When no run of the collector listened, within the range."""
        ...

    async def looks_until(self, until: int) -> None:
        """Samples from before then are about to be looked at. From this call on `commit` notes each batch from before
        then as late, in the same breath: so every batch is either there to be seen or noted, however long it was under
        way, in a queue or in the disk's hands."""
        ...

    async def late(self) -> list[LateRange]:
        """What was noted since it was last called done."""
        ...

    async def late_done(self, ranges: Sequence[LateRange]) -> None:
        """These were looked at; one to which more was added meanwhile stays."""
        ...

    async def asked(self, checks: Sequence[str]) -> list[Asked]:
        """Which hosts have any of these checks, by host and check."""
        ...

    async def take_back(self, service: str, since: int) -> None:
        """What is written down of the time from then on was written by a clock that was wrong."""
        ...

    async def spoken(self, host: int, names: Sequence[str], start: int, end: int) -> Spoken: ...

    async def samples_from(self) -> int | None:
        """Since when there are samples; None while there are none."""
        ...
