"""The table itself refuses what would make a timeline of people's acts worth nothing."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from collector.stores.sqlite import open_store
from rules.model import Outcome, Remark
from tests.collector.stores.builders import NOW, incident


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE remarks SET text = 'nothing happened'", "never altered"),
        ("UPDATE remarks SET by = 'bob'", "never altered"),
        ("DELETE FROM remarks", "removed with its incident only"),
    ],
)
async def test_a_remark_is_not_altered_behind_our_back(tmp_path: Path, statement: str, why: str) -> None:
    store = await open_store(tmp_path, role="collector")
    await store.commit([Outcome(incidents=[incident(1)], remarks=[Remark(1, NOW, "ada", "note", "hm")])])
    with (
        contextlib.closing(sqlite3.connect(tmp_path / "watchkeeper.db")) as connection,
        pytest.raises(sqlite3.IntegrityError, match=why),
    ):
        connection.execute(statement)
    assert len(await store.incidents.remarks(1)) == 1
    await store.close()
