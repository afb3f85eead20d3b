"""Lists of series names: kept once, looked up fast, forgotten when nothing follows them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from collector.store import Keep, Store, StoreError
from collector.stores.sqlite import layouts, open_store
from tests.collector.stores.builders import DAY, HOUR, NOW, batch, enrolled, forgotten, sealed


def stored(folder: Path) -> list[str]:
    connection = sqlite3.connect(folder / "watchkeeper.db")
    names = [text for (text,) in connection.execute("SELECT names FROM layouts ORDER BY id")]
    connection.close()
    return names


async def opened(folder: Path) -> Store:
    return await open_store(folder, role="collector")


async def reopened(store: Store, folder: Path) -> Store:
    """What it knows by heart is forgotten."""
    await store.close()
    return await opened(folder)


async def test_hosts_with_the_same_series_share_one_list(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    alice, bob = await enrolled(store, "alice"), await enrolled(store, "bob")
    for host in (alice, bob):
        await store.commit([batch(host.id, NOW + n, {"a": 1.0, "b": 2.0}) for n in range(5)])
    await store.close()
    store = await opened(tmp_path)
    await store.commit([batch(bob.id, NOW + 9, {"a": 1.0, "b": 2.0})])
    await store.commit([batch(bob.id, NOW + 9, {"b": 1.0, "a": 2.0})])
    await store.close()
    assert stored(tmp_path) == ['["a","b"]', '["b","a"]']


async def drop_before(store: Store, at: int, now: int) -> None:
    """Pack all that can be, then drop what was sampled before `at`."""
    await sealed(store, now)
    await forgotten(store, Keep(samples_ms=now - at), now)


async def test_a_list_that_no_batch_follows_any_more_is_dropped(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    host = await enrolled(store)
    await store.commit([batch(host.id, NOW + n, {f"passing_{n}": 1.0}) for n in range(50)])
    much_later = NOW + 3 * DAY
    await store.commit([batch(host.id, much_later, {"lasting": 1.0})])
    await sealed(store, much_later)
    assert len(stored(tmp_path)) == 52  # and the list of all that the packed hour has
    await drop_before(store, much_later - DAY, much_later)
    assert stored(tmp_path) == ['["lasting"]']
    await store.close()


async def test_lists_that_only_batches_followed_go_as_soon_as_these_are_packed(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    host = await enrolled(store)
    passing = [batch(host.id, NOW + n, {f"passing_{n}": float(n)}) for n in range(50)]
    await store.commit([*passing, batch(host.id, NOW + 2 * HOUR, {"lasting": 1.0})])
    await forgotten(store, Keep(), NOW + 3 * HOUR)
    assert len(stored(tmp_path)) == 51, "they wait to be packed"
    await sealed(store, NOW + 3 * HOUR)
    await forgotten(store, Keep(), NOW + 3 * HOUR)
    assert len(stored(tmp_path)) == 2, "that of the packed hour, and that of the newest batch"
    store = await reopened(store, tmp_path)
    assert (await store.samples.series(host.id, "passing_7", 0, 2**62)).values.tolist() == [7.0]
    await store.commit([batch(host.id, NOW + 4 * HOUR, {"passing_7": 8.0})])
    assert (await store.samples.series(host.id, "passing_7", 0, 2**62)).values.tolist() == [7.0, 8.0]
    await store.close()


async def test_a_list_that_only_a_packed_hour_follows_is_kept(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    host = await enrolled(store)
    await store.commit([batch(host.id, NOW, {"once": 1.0}), batch(host.id, NOW + 9 * DAY, {"now": 2.0})])
    for days in (9, 10, 11):
        await drop_before(store, NOW - HOUR, NOW + days * DAY)
    store = await reopened(store, tmp_path)
    assert (await store.samples.series(host.id, "once", 0, 2**62)).values.tolist() == [1.0]
    await store.close()


async def test_the_list_of_a_batch_that_came_very_late_is_kept_until_it_is_packed(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    host = await enrolled(store)
    now = NOW + 9 * DAY
    await store.commit([batch(host.id, now, {"now": 2.0})])
    await store.commit([batch(host.id, NOW, {"late": 1.0}, arrived_at=now + 100)])
    await forgotten(store, Keep(samples_ms=DAY), now)
    store = await reopened(store, tmp_path)
    assert (await store.samples.series(host.id, "late", 0, 2**62)).values.tolist() == [1.0]
    await store.close()


async def test_the_list_of_a_silent_hosts_newest_batch_is_kept(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    host = await enrolled(store)
    await store.commit([batch(host.id, NOW, {"x": 5.0})])
    await drop_before(store, 2 * NOW, 3 * NOW)
    (latest,) = await store.samples.overview()
    assert latest.values == {"x": 5.0}
    await store.close()


async def test_a_list_in_steady_use_is_never_dropped(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    host = await enrolled(store)
    step = layouts.USE_NOTED_EVERY_MS // 3
    for tick in range(40):
        await store.commit([batch(host.id, NOW + tick * step, {"x": float(tick)})])
        await drop_before(store, NOW + (tick - 2) * step, NOW + tick * step)
    await store.commit([batch(host.id, NOW + 40 * step, {"other": 0.0})])
    await drop_before(store, NOW + 38 * step, NOW + 3 * DAY)
    store = await reopened(store, tmp_path)
    assert (await store.samples.series(host.id, "x", 0, 2**62)).values.tolist() == [36.0, 37.0, 38.0, 39.0]
    await store.close()


async def test_a_host_with_other_series_in_every_batch_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layouts, "NAMES_MAX", 30)
    written, read = layouts.WrittenLayouts(), layouts.ReadLayouts()
    await (await opened(tmp_path)).close()
    connection = sqlite3.connect(tmp_path / "watchkeeper.db")
    lists = [(f"a{n}", f"b{n}", f"c{n}") for n in range(100)]
    numbers = [written.number(connection, names, NOW) for names in lists]
    assert numbers == sorted(set(numbers))
    assert [written.number(connection, names, NOW) for names in reversed(lists)] == numbers[::-1]
    assert [read.names(connection, number) for number in numbers] == lists
    assert [read.names(connection, number) for number in reversed(numbers)] == lists[::-1]
    assert len(written._known) == 10
    assert len(read._known) == 10
    connection.close()


async def test_a_list_that_is_missing_is_said_to_be_damage(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    host = await enrolled(store)
    await store.commit([batch(host.id, NOW, {"a": 1.0})])
    await store.close()
    connection = sqlite3.connect(tmp_path / "watchkeeper.db")
    connection.execute("DELETE FROM layouts")
    connection.commit()
    connection.close()
    store = await opened(tmp_path)
    with pytest.raises(StoreError, match="list 1 of series' names is missing"):
        await store.samples.overview()
    await store.close()
