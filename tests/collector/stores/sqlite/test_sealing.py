"""What of packing is SQLite's own: when, how much at a time, and what a damaged block does."""

from __future__ import annotations

import contextlib
import logging
import math
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from collector.store import Store, StoreError
from collector.stores.sqlite import open_store, sealing
from collector.stores.sqlite.caretaker import SqliteCaretaker
from collector.stores.sqlite.sealing import GRACE_MS, turn_ms
from tests.collector.stores.builders import DAY, HOUR, NOW, TICK, batch, enrolled, sealed

LATER = NOW + 3 * DAY
EVER = (0, 2**62)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "watchkeeper.db"


@contextlib.contextmanager
def connected(file: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        yield connection


def blocks(file: Path) -> list[tuple[int, int, int, int]]:
    with connected(file) as connection:
        return connection.execute(
            "SELECT host, start, part, count FROM blocks ORDER BY host, start, part"
        ).fetchall()


async def opened(file: Path) -> Store:
    return await open_store(file.parent, role="collector")


async def test_an_hour_is_packed_when_it_is_over_and_what_was_on_its_way_has_come(file: Path) -> None:
    store = await opened(file)
    host = await enrolled(store)
    await store.commit([batch(host.id, NOW + n * HOUR // 2) for n in range(6)])
    for now, hours in (
        (NOW + HOUR - 1, 0),
        (NOW + HOUR + GRACE_MS - 1, 0),
        (NOW + HOUR + GRACE_MS + HOUR, 2),
        (NOW + HOUR + GRACE_MS + 2 * HOUR, 3),
    ):
        await sealed(store, now)
        assert len(blocks(file)) == hours, now
    assert blocks(file)[-1][3] == 1  # the host's newest batch is left where it is
    await store.close()


async def test_each_host_has_its_minute_of_the_hour(file: Path) -> None:
    store = await opened(file)
    hosts = [(await enrolled(store, f"host-{number}")).id for number in range(60)]
    await sealed(store, NOW)
    await store.commit([batch(host, NOW + n * TICK) for host in hosts for n in (0, 1, 2)])
    begin = NOW + 2 * HOUR
    await sealed(store, begin)
    await store.commit([batch(host, NOW + HOUR // 2 + n * TICK) for host in hosts for n in (0, 1)])
    packed = []
    for minute in range(1, 61):
        await sealed(store, begin + minute * 60_000)
        packed.append(sum(count for _, _, _, count in blocks(file)) - 60 * 2)
    assert packed[-1] == 60 * 2
    assert packed == sorted(packed)
    assert len(set(packed)) > 30
    await store.close()


def test_the_turns_of_any_hosts_are_spread_over_the_hour() -> None:
    for hosts in (range(1, 1_001), range(1, 20_000, 20), range(7, 8 * 512, 4)):
        turns = np.histogram([turn_ms(host) for host in hosts], bins=10, range=(0, HOUR))[0]
        assert turns.min() > len(hosts) / 20
    assert max(turn_ms(host) for host in range(10_000)) < HOUR


async def test_an_hour_of_many_batches_becomes_several_parts(file: Path) -> None:
    store = await opened(file)
    host = await enrolled(store)
    every = HOUR // 3_600
    await store.commit([batch(host.id, NOW + n * every, {"x": float(n)}) for n in range(3_600)])
    await store.commit([batch(host.id, LATER)])
    await sealed(store, LATER)
    assert [count for _, _, _, count in blocks(file)] == [1_024, 1_024, 1_024, 528]
    await store.commit([batch(host.id, NOW + 500, {"x": -1.0})])
    await sealed(store, LATER + HOUR)
    assert [count for _, _, _, count in blocks(file)] == [1_024, 1_024, 1_024, 529]
    values = (await store.samples.series(host.id, "x", *EVER)).values.tolist()
    assert values == [0.0, -1.0, *map(float, range(1, 3_600))]
    assert [row.at for row in await store.samples.rows(host.id, *EVER, 3)] == [NOW, NOW + 500, NOW + 1_000]
    await store.close()


async def test_late_batches_do_not_make_a_block_each(file: Path) -> None:
    store = await opened(file)
    host = await enrolled(store)
    await store.commit([batch(host.id, LATER)])
    for number in range(20):
        await store.commit([batch(host.id, NOW + number * TICK, {"x": float(number), "y": math.nan})])
        await sealed(store, LATER + number * HOUR)
    assert blocks(file) == [(host.id, NOW, 0, 20)]
    await store.close()


async def test_a_piece_is_small_however_many_series_a_host_has(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "PIECE_BYTES_MAX", 100 * 8 * 20)
    monkeypatch.setattr(sealing, "BLOCK_BYTES_MAX", 100 * 8 * 40)
    store = await opened(file)
    host = await enrolled(store)
    samples = {f"s{number:03}": float(number) for number in range(100)}
    await store.commit([batch(host.id, NOW + n * TICK, samples) for n in range(50)])
    await store.commit([batch(host.id, LATER)])
    await sealed(store, LATER)
    assert [count for _, _, _, count in blocks(file)] == [40, 10]  # two pieces go into one part
    await store.close()


async def test_a_block_has_only_so_many_series_however_they_change(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "NAMES_MAX", 30)
    store = await opened(file)
    host = await enrolled(store)
    for tick in range(20):
        await store.commit([batch(host.id, NOW + tick * TICK, {f"s{tick}_{n}": 1.0 for n in range(7)})])
    await store.commit([batch(host.id, NOW + 20 * TICK, {f"wide_{n}": 1.0 for n in range(99)})])
    await store.commit([batch(host.id, LATER)])
    await sealed(store, LATER)
    assert [count for _, _, _, count in blocks(file)] == [4, 4, 4, 4, 4, 1]
    assert len(await store.samples.names(host.id, NOW, NOW + HOUR)) == 20 * 7 + 99
    await store.close()


def damage(file: Path, table: str, start: int) -> None:
    with connected(file) as connection:
        (data,) = connection.execute(f"SELECT data FROM {table} WHERE start = ?", [start]).fetchone()
        spoiled = bytes([*data[: len(data) // 2], data[len(data) // 2] ^ 0xFF, *data[len(data) // 2 + 1 :]])
        connection.execute(f"UPDATE {table} SET data = ? WHERE start = ?", [spoiled, start])


async def test_a_damaged_hour_is_said_to_be_and_keeps_nothing_else_from_being_packed(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = await opened(file)
    host = await enrolled(store)
    midnight = NOW // DAY * DAY
    await store.commit([batch(host.id, midnight + n * HOUR // 60, {"x": n / 7}) for n in range(180)])
    await store.commit([batch(host.id, midnight + DAY)])
    await sealed(store, midnight + 10 * HOUR)
    damage(file, "blocks", midnight + HOUR)
    with pytest.raises(StoreError, match="damaged") as refused:
        await store.samples.rows(host.id, *EVER, 1_000)
    assert not refused.value.passing
    (found,) = SqliteCaretaker(file.parent).check(lambda said, share: None).damage
    assert f"blocks of host {host.id} from {midnight + HOUR}" in found
    await store.commit([batch(host.id, midnight + HOUR + 1, {"x": 1.0})])
    with caplog.at_level(logging.ERROR):
        await sealed(store, midnight + 2 * DAY)
    assert f"An hour of host {host.id} is left" in caplog.text
    assert [count for _, _, _, count in blocks(file)] == [60, 60, 1, 60]
    steps = (await store.samples.series_step(host.id, ["x"], midnight, midnight + DAY, HOUR))["x"]
    assert steps.count.tolist() == [60, 1, 60]
    await store.close()


async def test_a_day_that_an_index_names_and_is_not_there_is_damage_and_no_fault_of_the_program(
    file: Path,
) -> None:
    store = await opened(file)
    host = await enrolled(store)
    midnight = NOW // DAY * DAY
    await store.commit([batch(host.id, midnight + n * HOUR // 6) for n in range(300)])
    await sealed(store, midnight + 3 * DAY)
    await store.close()
    take_days_from_under_their_indexes(file)
    store = await opened(file)
    with pytest.raises(StoreError, match="are damaged"):
        await store.samples.series_step(host.id, ["load1"], midnight, midnight + 2 * DAY, HOUR)
    await store.close()


def take_days_from_under_their_indexes(file: Path) -> None:
    of_days = "FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'days'"
    with connected(file) as connection:
        indexes = connection.execute(f"SELECT type, name, tbl_name, rootpage, sql {of_days}").fetchall()
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(f"DELETE {of_days}")
    with connected(file) as connection:
        connection.execute("DELETE FROM days")
        connection.execute("PRAGMA writable_schema = ON")
        connection.executemany("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", indexes)


async def test_a_host_that_cannot_be_packed_lets_the_others_have_their_turn(file: Path) -> None:
    store = await opened(file)
    alice, bob = await enrolled(store, "alice"), await enrolled(store, "bob")
    await store.commit([batch(host.id, at) for host in (alice, bob) for at in (NOW, LATER)])
    with connected(file) as connection:
        connection.execute("UPDATE batches SET samples = x'00' WHERE host = ? AND at = ?", [alice.id, NOW])
    with pytest.raises(StoreError):
        await sealed(store, LATER)
    await sealed(store, LATER)
    assert [host for host, _, _, _ in blocks(file)] == [bob.id]
    await store.close()


async def test_a_piece_that_could_not_be_kept_is_packed_again(file: Path) -> None:
    store = await opened(file)
    host = await enrolled(store)
    await store.commit([batch(host.id, NOW + n, {"x": float(n), f"y{n}": 1.0}) for n in range(9)])
    await store.commit([batch(host.id, LATER)])
    with connected(file) as connection:
        connection.execute("CREATE TRIGGER no BEFORE INSERT ON blocks BEGIN SELECT raise(ABORT, 'no'); END")
        with pytest.raises(StoreError):
            await sealed(store, LATER)
        assert blocks(file) == []
        connection.execute("DROP TRIGGER no")
    await sealed(store, LATER + HOUR)
    assert blocks(file) == [(host.id, NOW, 0, 9)]
    assert (await store.samples.series(host.id, "y5", *EVER)).at.tolist() == [NOW + 5]
    assert (await store.health()).batches == 10
    await store.close()


async def test_after_a_start_hosts_without_anything_to_do_are_passed_over_in_one_question(file: Path) -> None:
    store = await opened(file)
    hosts = [(await enrolled(store, f"host-{number}")).id for number in range(50)]
    await store.commit([batch(host, NOW + n * TICK) for host in hosts for n in (0, 1)])
    await sealed(store, NOW + 2 * HOUR)
    await store.commit([batch(hosts[7], NOW + 5)])
    await store.close()
    store = await opened(file)
    reads, read = [], store._readers.read  # type: ignore[attr-defined]

    async def counted(job: object) -> object:
        reads.append(job)
        return await read(job)

    store._readers.read = counted  # type: ignore[attr-defined]
    await sealed(store, NOW + 2 * HOUR)
    assert sum(count for _, _, _, count in blocks(file)) == 51
    assert len(reads) < 10
    await store.close()
