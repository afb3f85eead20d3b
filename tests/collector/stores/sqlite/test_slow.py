"""What took long to read is known, with how SQLite goes about it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from collector.stores.sqlite import open_store, slow
from collector.stores.sqlite.slow import STATEMENTS_MAX, Slow, Timed, plan_of
from tests.collector.stores.builders import NOW, batch, enrolled


def test_the_slowest_in_all_come_first_and_the_quick_are_not_noted() -> None:
    seen = Slow()
    seen.note([("SELECT 1", 0.06), ("SELECT 2", 0.3), ("SELECT 3", 0.01)])
    seen.note([("SELECT 1", 0.5)])
    first, second = seen.slowest(sqlite3.connect(":memory:"), 10)
    assert (first.statement, first.times, first.mean_ms, first.worst_ms) == ("SELECT 1", 2, 280.0, 500.0)
    assert second.statement == "SELECT 2"
    assert len(seen.slowest(sqlite3.connect(":memory:"), 1)) == 1


def test_of_too_many_statements_the_one_that_cost_least_is_forgotten() -> None:
    seen = Slow()
    seen.note([(f"SELECT {number}", 0.1 + number) for number in range(STATEMENTS_MAX + 5)])
    found = seen.slowest(sqlite3.connect(":memory:"), 1_000)
    assert len(found) == STATEMENTS_MAX
    assert "SELECT 0" not in {one.statement for one in found}


def test_a_plan_is_told_whatever_a_statement_is_given() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT)")
    assert plan_of(connection, "SELECT * FROM things WHERE name = ?1 AND id > ?3") == [
        "SEARCH things USING INTEGER PRIMARY KEY (rowid>?)"
    ]
    assert plan_of(connection, "SELECT * FROM things WHERE name = ?")[0].startswith("SCAN things")
    assert plan_of(connection, "SELECT * FROM nothing") == []


def test_what_a_statement_cost_ends_where_the_next_begins() -> None:
    connection = sqlite3.connect(":memory:", factory=Timed, isolation_level=None)
    connection.begin()
    connection.execute("SELECT 1").fetchall()
    took = connection.took()
    assert [statement for statement, _ in took] == ["BEGIN", "SELECT 1"]
    assert all(seconds >= 0 for _, seconds in took)


async def test_a_store_tells_what_it_was_slow_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await open_store(tmp_path, role="collector")
    host = await enrolled(store)
    await store.commit([batch(host.id, NOW)])
    assert await store.queries.slowest(10) == []
    monkeypatch.setattr(slow, "SLOW_S", 0.0)
    await store.samples.overview()
    slowest = await store.queries.slowest(100)
    assert any("FROM hosts" in one.statement and one.plan for one in slowest)
    await store.close()
