"""Statements that took long to read, how often and how long, and the plans by which SQLite goes about them."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from collector.store.queries import SlowQuery

SLOW_S = 0.05
STATEMENTS_MAX = 100
PARAMETERS_MAX = 32
PLAN_LINES_MAX = 30


class Timed(sqlite3.Connection):
    """A connection that remembers what it was asked since `begin`, and when."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.asked: list[tuple[str, float]] = []

    def begin(self) -> None:
        self.asked = []
        self.execute("BEGIN")

    def execute(self, statement: str, parameters: Any = (), /) -> sqlite3.Cursor:
        self.asked.append((statement, time.perf_counter()))
        return super().execute(statement, parameters)

    def took(self) -> list[tuple[str, float]]:
        """Each statement with the seconds until the next one: what it cost, its rows read and made into values."""
        ends = [began for _, began in self.asked[1:]] + [time.perf_counter()]
        return [(statement, end - began) for (statement, began), end in zip(self.asked, ends, strict=True)]


class _Tally(Struct):
    times: int = 0
    seconds: float = 0.0
    worst_s: float = 0.0


class Slow:
    """Several threads note here what they saw. Of many statements, those that cost least are forgotten."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tallies: dict[str, _Tally] = {}

    def note(self, took: Sequence[tuple[str, float]]) -> None:
        for statement, seconds in took:
            if seconds < SLOW_S:
                continue
            with self._lock:
                tally = self._tallies.setdefault(statement, _Tally())
                tally.times += 1
                tally.seconds += seconds
                tally.worst_s = max(tally.worst_s, seconds)
                if len(self._tallies) > STATEMENTS_MAX:
                    del self._tallies[min(self._tallies, key=lambda one: self._tallies[one].seconds)]

    def slowest(self, connection: sqlite3.Connection, limit: int) -> list[SlowQuery]:
        with self._lock:
            tallies = sorted(self._tallies.items(), key=lambda one: -one[1].seconds)[:limit]
        return [
            SlowQuery(
                statement=" ".join(statement.split()),
                times=tally.times,
                mean_ms=round(1000 * tally.seconds / tally.times, 1),
                worst_ms=round(1000 * tally.worst_s, 1),
                plan=plan_of(connection, statement),
            )
            for statement, tally in tallies
        ]


def plan_of(connection: sqlite3.Connection, statement: str) -> list[str]:
    """How SQLite goes about a statement, whatever it is given; nothing where it does not say."""
    for count in range(PARAMETERS_MAX):
        try:
            rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}", [None] * count).fetchall()
        except sqlite3.ProgrammingError:
            continue  # it wants another number of values
        except sqlite3.Error:
            break
        return [str(row[3]) for row in rows[:PLAN_LINES_MAX]]
    return []
