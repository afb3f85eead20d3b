"""What is in a store and whether it is sound, seen from beside it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from collector.caretaker import Contents
from collector.store import Keep, StoreError
from collector.stores.sqlite import contents, open_store
from collector.stores.sqlite.caretaker import SqliteCaretaker
from rules.model import Outcome
from tests.collector.stores.builders import NOW, alert, batch, enrolled, forgotten, incident, notice

HOUR_MS = 3_600_000
START = NOW - NOW % (24 * HOUR_MS)
MINUTE_MS = 60_000
DAYS = 2


def nobody(_what: str, _share: float | None) -> None:
    """Told of everything, does nothing."""


async def lived_in(folder: Path, hours: int = DAYS * 24) -> None:
    """Alice's batches of two series, a minute apart, packed and summed up; two fresh ones of bob's."""
    store = await open_store(folder, role="collector")
    alice, bob = (await enrolled(store, "alice")).id, (await enrolled(store, "bob")).id
    for hour in range(hours):
        times = [START + hour * HOUR_MS + minute * MINUTE_MS for minute in range(60)]
        await store.commit([batch(alice, at, {"a": float(at % 7), "b": 1.0}) for at in times])
    now = START + hours * HOUR_MS
    while await store.seal(now + HOUR_MS):
        pass
    await store.commit([batch(bob, now + at, {"a": 1.0}) for at in (0, 1)])
    await store.commit([Outcome(incidents=[incident(1)], notices=[notice("n1")])])
    await store.close()


def found_in(folder: Path) -> Contents:
    found = SqliteCaretaker(folder).check(nobody)
    assert found.damage == []
    assert found.contents is not None
    return found.contents


async def test_each_tier_and_each_host_is_counted(tmp_path: Path) -> None:
    await lived_in(tmp_path)
    inside = found_in(tmp_path)
    fresh, packed, rollups = inside.tiers
    assert (packed.name, packed.batches, packed.samples) == (
        "packed",
        DAYS * 24 * 60 - 1,
        2 * (DAYS * 24 * 60 - 1),
    )
    assert (packed.rows, packed.oldest_at) == (DAYS * 24, START)
    assert (rollups.name, rollups.rows, rollups.samples) == ("rollups", DAYS, 0)
    assert (rollups.oldest_at, rollups.newest_at) == (START, START + (DAYS - 1) * 24 * HOUR_MS)
    newest_of_alice = START + DAYS * 24 * HOUR_MS - MINUTE_MS  # a host's newest is never packed
    assert (fresh.name, fresh.rows, fresh.batches, fresh.samples) == ("fresh", 3, 3, 4)
    assert (fresh.oldest_at, fresh.newest_at) == (newest_of_alice, START + DAYS * 24 * HOUR_MS + 1)
    assert [host.name for host in inside.hosts] == ["alice", "bob"]
    alice, bob = inside.hosts
    assert (alice.batches, bob.batches) == (DAYS * 24 * 60, 2)
    assert alice.bytes > bob.bytes == 16
    assert inside.others == {"hosts": 2, "incidents": 1, "alerts": 0, "transitions": 0, "notices": 1}
    assert sum(tier.bytes for tier in inside.tiers) < inside.file_bytes


async def test_hosts_are_counted_as_people_count_them(tmp_path: Path) -> None:
    store = await open_store(tmp_path, role="collector")
    await enrolled(store, "alice")
    bob = await enrolled(store, "bob")
    shop = await store.hosts.add_service("shop", NOW)
    await store.commit([batch(bob.id, NOW), batch(shop.id, NOW)])
    assert await store.hosts.remove(bob.id)
    await store.close()
    assert found_in(tmp_path).others["hosts"] == 1
    copied = SqliteCaretaker(tmp_path).backup(tmp_path / "copy.db", nobody, replace=False)
    assert copied.hosts == 1


async def test_where_sqlite_cannot_tell_what_a_table_takes_its_values_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lived_in(tmp_path, hours=2)
    with_pages = found_in(tmp_path)
    monkeypatch.setattr(contents, "PAGES_OF_TABLES", contents.PAGES_OF_TABLES.replace("dbstat", "no_dbstat"))
    by_values = found_in(tmp_path)
    for more, less in zip(with_pages.tiers[:2], by_values.tiers[:2], strict=True):
        assert 0 < less.bytes < more.bytes


async def test_an_empty_store_has_nothing_in_it(tmp_path: Path) -> None:
    await (await open_store(tmp_path, role="collector")).close()
    inside = found_in(tmp_path)
    assert [(tier.rows, tier.samples, tier.oldest_at) for tier in inside.tiers] == [(0, 0, None)] * 3
    assert inside.hosts == []


async def test_a_removed_host_is_told_of_while_samples_of_it_are_to_go_and_then_no_more(
    tmp_path: Path,
) -> None:
    store = await open_store(tmp_path, role="collector")
    alice, bob = (await enrolled(store, "alice")).id, (await enrolled(store, "bob")).id
    await store.commit([batch(alice, NOW), batch(bob, NOW)])
    await store.commit([Outcome(incidents=[incident(1)], alerts=[alert(1, of=1, host=alice)])])
    await store.hosts.remove(alice)
    inside = found_in(tmp_path)
    assert [(host.name, host.batches) for host in inside.hosts] == [
        (f"alice (removed, {alice})", 1),
        ("bob", 1),
    ]
    assert inside.others["hosts"] == 1
    await forgotten(store, Keep(), NOW)
    assert [host.id for host in (await store.remember(NOW)).hosts if host.name != "bob"] == [
        alice
    ]  # an alert is open
    assert [(host.name, host.batches) for host in found_in(tmp_path).hosts] == [("bob", 1)]
    await store.close()


async def test_a_collector_may_be_at_work_and_its_log_is_seen(tmp_path: Path) -> None:
    store = await open_store(tmp_path, role="collector")
    host = (await enrolled(store)).id
    await store.commit([batch(host, NOW)])
    inside = found_in(tmp_path)
    assert inside.tiers[0].batches == 1
    assert inside.log_bytes > 0
    await store.close()


def root_of(connection: sqlite3.Connection, table: str) -> int:
    (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", [table]).fetchone()
    return int(page)


def overwrite(file: Path, page: int) -> None:
    with file.open("rb+") as opened:
        opened.seek((page - 1) * 4096)
        opened.write(b"\xa5" * 4096)


def the_hosts(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        page = root_of(connection, "hosts")
    overwrite(file, page)


def an_index(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        page = root_of(connection, "blocks_by_age")
    overwrite(file, page)


def a_reference(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("DELETE FROM hosts WHERE name = 'bob'")


def its_end(file: Path) -> None:
    with file.open("rb+") as opened:
        opened.truncate(file.stat().st_size // 2 // 4096 * 4096)


def all_of_it(file: Path) -> None:
    file.write_bytes(b"hello\n" * 10_000)


@pytest.mark.parametrize("damage", [the_hosts, an_index, a_reference, its_end, all_of_it])
async def test_damage_of_any_kind_is_found_and_told(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    await lived_in(tmp_path)
    damage(tmp_path / "watchkeeper.db")
    found = SqliteCaretaker(tmp_path).check(nobody)
    assert found.damage
    assert all(found.damage)
    if damage in (an_index, a_reference):  # what can be told then is told
        assert found.contents is not None


async def test_what_is_no_store_of_ours_is_refused(tmp_path: Path) -> None:
    caretaker = SqliteCaretaker(tmp_path)
    with pytest.raises(StoreError, match="there is no store in"):
        caretaker.check(nobody)
    with contextlib.closing(sqlite3.connect(tmp_path / "watchkeeper.db", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE recipes (name)")
    with pytest.raises(StoreError, match="is another program's database"):
        caretaker.check(nobody)
