"""A host's clock that is moved by hand, what it puts into its spool, and what is found there."""

from __future__ import annotations

import os
import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent import wire
from agent.clock import Moment
from agent.spool import Held, Limits, Spool

NOON = 1_790_000_000_000
TICK_MS = 10_000
HOUR_MS = 3_600_000
EVERYTHING = 10**9


class Clock:
    """A clock of a host, moved by hand."""

    def __init__(self) -> None:
        self.boots = 0
        self.boot_ms = 1_000_000
        self.wall_ms = NOON

    def now(self) -> Moment:
        return Moment(f"boot-{self.boots}", self.boot_ms, self.wall_ms)

    def pass_(self, ms: int) -> Moment:
        self.boot_ms += ms
        self.wall_ms += ms
        return self.now()

    def reboot(self, away_ms: int = 60_000) -> Moment:
        self.boots += 1
        self.boot_ms = 5_000
        self.wall_ms += away_ms
        return self.now()


def batch(load: float = 1.0, filler: str = "") -> wire.Batch:
    return wire.Batch(0, 0, 0, TICK_MS, {"load1": load}, facts={"filler": filler} if filler else None)


def fill(spool: Spool, clock: Clock, count: int, filler: str = "") -> None:
    for number in range(count):
        spool.add(batch(number, filler), clock.pass_(TICK_MS))


def loads(held: list[Held]) -> list[float]:
    return [float(re.findall(rb'"load1":([0-9.]+)', one.tail)[0]) for one in held]


def everything(spool: Spool, now: Moment) -> list[Held]:
    return spool.oldest(now, EVERYTHING, EVERYTHING)


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.segment"))


def on_disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in segments(folder))


def again(spool: Spool, now: Moment, limits: Limits | None = None) -> Spool:
    """What the next start finds after a kill -9: only the lock is gone."""
    os.close(spool._lock_file)
    return Spool(spool.folder, limits or spool.limits, now)


@contextmanager
def no_file_may_grow_beyond(size_bytes: int) -> Iterator[None]:
    """A full disk, as far as a process can make one for itself: a write beyond fails, or stops short."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
