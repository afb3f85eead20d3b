"""A store with one host and an evaluator upon it, and the clock in the hand of the test."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry

from collector.evaluator import Evaluator
from collector.store import Store
from rules.judging.engine import Rule
from rules.kinds import absence, threshold
from rules.model import ChannelView, Host, Outcome
from tests.collector.stores.builders import NOW, TICK, arrival

CPU = threshold.Rule(threshold.Options(name="cpu-high", metric="cpu_used_pct", above=80, for_s=20))
SILENT = absence.Rule(absence.Options(name="host-silent", for_s=0))
OPS = ChannelView("ops")


class Clock:
    """The wall and the monotonic clock of a test, moved by hand; `set_by_ms` is how far the wall clock was set."""

    def __init__(self) -> None:
        self.ms = NOW
        self.set_by_ms = 0

    def now_ms(self) -> int:
        return self.ms + self.set_by_ms

    def monotonic(self) -> float:
        return self.ms / 1000


class House:
    """A store with one host, and an evaluator upon it."""

    def __init__(self, store: Store, host: Host) -> None:
        self.store, self.host = store, host
        self.clock = Clock()
        self.told: list[Outcome] = []
        self.listener: Callable[[Sequence[Outcome]], None] = self.told.extend
        self.registry = CollectorRegistry()
        self.evaluator = self.make([CPU, SILENT])

    def make(self, rules: Sequence[Rule]) -> Evaluator:
        return Evaluator(
            self.store,
            rules,
            [OPS],
            now_ms=self.clock.now_ms,
            on_commit=lambda outcomes: self.listener(outcomes),
            registry=self.registry,
            monotonic=self.clock.monotonic,
        )

    async def push(self, seq: int, cpu: float = 10.0, at: int | None = None) -> str:
        """One batch of the host, sampled in its turn unless `at` says otherwise; it arrives when the clock says."""
        at = NOW + seq * TICK if at is None else at
        self.clock.ms = max(self.clock.ms, at)
        sent = arrival(self.host.id, at, {"cpu_used_pct": cpu}, seq=seq, arrived_at=self.clock.ms)
        [result] = await self.evaluator.take([sent])
        assert isinstance(result, str)
        return result

    async def stored(self) -> list[int]:
        rows = await self.store.samples.rows(self.host.id, 0, 2**62, 1_000)
        return [(row.at - NOW) // TICK for row in rows]

    async def reasons(self) -> list[str]:
        return [row.notice.reason for row in reversed(await self.store.notices.recent(100))]


def pass_time(house: House, seconds: int) -> None:
    for _ in range(seconds):
        house.clock.ms += 1_000
        house.evaluator.tick()


async def settle(house: House) -> None:
    """Let the time pass in which late batches are waited for."""
    for _ in range(60):
        house.clock.ms += 1_000
        house.evaluator.tick()
        await house.evaluator.repair_late()
    await house.evaluator.stop()


def database(house: House) -> Path:
    return Path(house.store._folder.database)  # type: ignore[attr-defined]


def late_transitions(house: House) -> list[tuple[str, str]]:
    with contextlib.closing(sqlite3.connect(database(house))) as connection:
        rows = connection.execute("SELECT before, after FROM transitions WHERE late ORDER BY at")
        return [(before, after) for before, after in rows if (before, after) != ("ok", "pending")]
