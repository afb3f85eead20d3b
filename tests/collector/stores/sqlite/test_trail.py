"""The audit trail is append-only, whoever has the database open."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from collector.store.trail import Entry
from collector.stores.sqlite import open_store


@pytest.mark.parametrize("statement", ["UPDATE audit SET who = 'bob'", "DELETE FROM audit"])
async def test_a_row_of_the_trail_is_neither_altered_nor_removed(tmp_path: Path, statement: str) -> None:
    store = await open_store(tmp_path, role="collector")
    await store.people.record(Entry(1, "ada", "user.add", "", "{}"))
    with (
        closing(sqlite3.connect(tmp_path / "watchkeeper.db")) as connection,
        pytest.raises(sqlite3.IntegrityError, match="the audit trail is never"),
    ):
        connection.execute(statement)
    assert len(await store.people.audit(10)) == 1
    await store.close()
