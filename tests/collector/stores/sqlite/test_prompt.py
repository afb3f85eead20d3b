"""What a person reads who opens the file at a SQL prompt, with none of our code beside it."""

from __future__ import annotations

import contextlib
import math
import random
import re
import sqlite3
import struct
from pathlib import Path
from typing import Any

from collector.stores.sqlite import open_store
from rules.model import Outcome
from tests.collector.stores.builders import NOW, alert, batch, enrolled, incident
from tests.system.programs import ROOT

PAGE = ROOT / "docs" / "samples.md"
ODD = [0.0, -0.0, 1.0, -2.5, 0.1, 5e-324, 2.0**-1022, 1.1e-310, 1.7976931348623157e308, 2.0**53 - 1, math.pi]


def asked(folder: Path, sql: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(folder / "watchkeeper.db")) as connection:
        return connection.execute(sql).fetchall()


async def test_the_page_asks_what_can_be_answered(tmp_path: Path) -> None:
    store = await open_store(tmp_path, role="collector")
    await store.commit([batch((await enrolled(store, "db-3")).id, NOW, {"load1": 0.5})])
    await store.close()
    queries = re.findall(r'^    sqlite3 .*"(SELECT .*)"$', PAGE.read_text(), flags=re.MULTILINE)
    answers = [asked(tmp_path, query) for query in queries]
    assert answers == [[("db-3", "2027-01-15T08:00:00Z", 0, 0)], [("load1", 0.5)]]


async def test_how_each_host_is(tmp_path: Path) -> None:
    store = await open_store(tmp_path, role="collector")
    alice = await enrolled(store, "alice")
    await enrolled(store, "bob")
    await store.commit([batch(alice.id, NOW, {"a": 1.0, "b": 2.0})])
    await store.commit([Outcome(incidents=[incident(1)], alerts=[alert(1, of=1, host=alice.id)])])
    rows = asked(tmp_path, "SELECT name, sampled_at, series, alerts_open FROM system_health ORDER BY name")
    assert rows == [("alice", "2027-01-15T08:00:00Z", 2, 1), ("bob", None, None, 0)]
    await store.close()


async def test_the_newest_number_of_each_series_to_the_last_bit(tmp_path: Path) -> None:
    store = await open_store(tmp_path, role="collector")
    alice, bob = await enrolled(store, "alice"), await enrolled(store, "bob")
    wild = random.Random(1).randbytes(8 * 300)
    numbers = [*ODD, *(number for (number,) in struct.iter_unpack("<d", wild) if math.isfinite(number))]
    samples = {f'x{{n="{place}"}}': number for place, number in enumerate(numbers)}
    await store.commit([batch(alice.id, NOW - 1, {"x": 1.0}), batch(alice.id, NOW, samples)])
    await store.commit([batch(bob.id, NOW, {"load1": math.nan, "swap": math.inf})])
    query = "SELECT series, value FROM performance_metrics WHERE name = 'alice'"
    assert dict(asked(tmp_path, query)) == samples
    query = "SELECT name, sampled_at, series, value FROM performance_metrics WHERE name <> 'alice'"
    assert asked(tmp_path, query) == [
        ("bob", "2027-01-15T08:00:00Z", "load1", None),
        ("bob", "2027-01-15T08:00:00Z", "swap", None),
    ]
    await store.hosts.remove(alice.id)
    assert {name for (name,) in asked(tmp_path, "SELECT name FROM performance_metrics")} == {"bob"}
    await store.close()
