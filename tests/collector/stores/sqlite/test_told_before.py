"""What an older version wrote of who was told: a severity for each channel, of problems that were over as well."""

from __future__ import annotations

import contextlib
import gzip
import sqlite3
from pathlib import Path

from collector.stores.sqlite import open_store
from rules.model import Told
from tests.collector.stores.builders import NOW

FILE = Path(__file__).parents[3] / "data" / "stores" / "6-promises.db.gz"


async def test_who_was_told_becomes_when_they_were_told_and_ends_owe_nothing(tmp_path: Path) -> None:
    (tmp_path / "watchkeeper.db").write_bytes(gzip.decompress(FILE.read_bytes()))
    with contextlib.closing(sqlite3.connect(tmp_path / "watchkeeper.db")) as old:
        told = """{"mail": "critical", "nobody": "warning"}"""
        old.execute("UPDATE incidents SET told = ?", [told])
        again = "INSERT INTO notices SELECT NULL, 'again', 2, 'mail', 'escalated', " + (
            "severity, host, title, text, created_at + 60000, started_at, NULL, alerts, 'sent', 1, 0, 0, 0, '', 0 "
            "FROM notices WHERE incident = 2"
        )
        old.execute(again)
        (opened_at,) = old.execute("SELECT opened_at FROM incidents WHERE id = 2").fetchone()
        old.commit()
    store = await open_store(tmp_path, role="collector")
    over, still = await store.incidents.get(1), await store.incidents.get(2)
    await store.close()
    assert over is not None
    assert still is not None
    assert (over.told, over.withheld, over.came) == ({}, (), ())
    assert still.told == {
        "mail": Told("critical", NOW, NOW + 60_000, 2),
        "nobody": Told("warning", opened_at, opened_at, 1),
    }
