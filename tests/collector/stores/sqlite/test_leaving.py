"""A removed host leaves nothing behind, whichever tables come to name hosts."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from collector.store import Keep
from collector.stores.sqlite import open_store
from collector.stores.sqlite.leaving import OF_A_HOST
from rules.memory.seen import Seen
from rules.model import CheckAnswer, Outcome
from tests.collector.stores.builders import DAY, NOW, SPOOL, arrival, enrolled, forgotten, sealed

EMPTIED = {*OF_A_HOST, "batches", "blocks", "days"}


async def test_every_table_that_refers_to_hosts_is_emptied_of_one_that_is_removed(tmp_path: Path) -> None:
    store = await open_store(tmp_path, role="collector")
    host = await enrolled(store)
    for day in range(3):
        checks = [CheckAnswer("web", "http", "ok", NOW + day)]
        sent = arrival(host.id, NOW + day * DAY, seq=day)
        await store.commit([Outcome(arrival=sent, seen=Seen(host.id, SPOOL, day + 1), checks=checks)])
    await sealed(store, NOW + 3 * DAY)
    with contextlib.closing(sqlite3.connect(tmp_path / "watchkeeper.db")) as connection:
        assert referring(connection) == EMPTIED
        assert {table: count(connection, table) > 0 for table in EMPTIED} == dict.fromkeys(EMPTIED, True)
        await store.hosts.remove(host.id)
        await forgotten(store, Keep(), NOW + 3 * DAY)
        assert {table: count(connection, table) for table in EMPTIED} == dict.fromkeys(EMPTIED, 0)
        assert count(connection, "hosts") == 0
    await store.close()


def referring(connection: sqlite3.Connection) -> set[str]:
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return {
        table
        for table in tables
        if any(row[2] == "hosts" for row in connection.execute(f"PRAGMA foreign_key_list({table})"))
    }


def count(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
