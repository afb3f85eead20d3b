"""Room: a budget is kept to, what is oldest goes first, and growth is refused before anything breaks."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from collector.store import Keep, Store, StoreError
from collector.stores.sqlite import open_store, room
from collector.stores.sqlite.room import Room
from tests.collector.stores.builders import DAY, HOUR, NOW, batch, enrolled, forgotten, notice, owe, sealed

MIB = 1024 * 1024
MIDNIGHT = NOW // DAY * DAY
LATER = MIDNIGHT + 5 * DAY
PER_HOUR, HOURS = 60, 48
EVER = (0, 2**62)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what would be most of stores as small as these."""
    monkeypatch.setattr(room, "WAL_BYTES_KEPT", 0)
    monkeypatch.setattr(room, "PAGES_KEPT_FREE", 0)


async def grown(folder: Path) -> tuple[Store, int]:
    """A store of some megabytes: two days of a host with much noise, packed and summed up."""
    store = await open_store(folder, role="collector")
    host = (await enrolled(store)).id
    noise = np.random.default_rng(5)
    for hour in range(HOURS):
        outcomes = []
        for tick in range(PER_HOUR):
            samples = {f"s{n}": value for n, value in enumerate(noise.random(100).tolist())}
            outcomes.append(batch(host, MIDNIGHT + hour * HOUR + tick * HOUR // PER_HOUR, samples))
        await store.commit(outcomes)
        await sealed(store, MIDNIGHT + (hour + 1) * HOUR + HOUR // 4)
    await sealed(store, LATER)
    return store, host


async def test_near_the_budget_the_oldest_samples_go_first_and_the_rollups_stay(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store, host = await grown(tmp_path)
    before = (tmp_path / "watchkeeper.db").stat().st_size
    keep = Keep(budget_bytes=int(before * 0.7))
    with caplog.at_level(logging.WARNING):
        await forgotten(store, keep, LATER)
    assert caplog.text.count("disk_budget") == 1
    health = await store.health()
    assert health.state == "ok"
    assert "went early" in health.detail
    first, *_, last = (await store.samples.series(host, "s0", *EVER)).at.tolist()
    assert MIDNIGHT < first < MIDNIGHT + 40 * HOUR
    assert last == MIDNIGHT + HOURS * HOUR - HOUR // PER_HOUR
    steps = (await store.samples.series_step(host, ["s0"], MIDNIGHT, MIDNIGHT + 2 * DAY, DAY))["s0"]
    assert steps.count.tolist() == [24 * PER_HOUR] * 2
    await store.commit([batch(host, LATER)])
    await store.close()
    assert (tmp_path / "watchkeeper.db").stat().st_size < before * 0.8


async def test_when_nothing_may_go_any_more_growth_is_refused_and_said_until_there_is_room(
    tmp_path: Path,
) -> None:
    store, host = await grown(tmp_path)
    await owe(store, notice("n1"))
    await forgotten(store, Keep(budget_bytes=MIB // 8), LATER)
    with pytest.raises(StoreError, match="disk_budget") as refused:
        await store.commit([batch(host, LATER)])
    assert refused.value.passing
    health = await store.health()
    assert (health.state, health.batches) == ("bad", 1)
    assert "disk_budget" in health.detail
    assert await store.notices.sending("n1", NOW)  # what is owed is told all the same
    await forgotten(store, Keep(budget_bytes=100 * MIB), LATER)
    await store.commit([batch(host, LATER)])
    assert (await store.health()).state == "ok"
    await store.close()


async def test_what_went_early_stays_gone_when_the_budget_is_raised(tmp_path: Path) -> None:
    store, host = await grown(tmp_path)
    await forgotten(store, Keep(budget_bytes=MIB * 2), LATER)
    first = (await store.samples.series(host, "s0", *EVER)).at[0]
    await store.commit([batch(host, MIDNIGHT + 1, {"s0": 1.0}), batch(host, LATER)])
    await sealed(store, LATER + HOUR)
    await forgotten(store, Keep(), LATER + HOUR)
    assert (await store.samples.series(host, "s0", *EVER)).at[0] == first
    await store.close()


async def test_a_disk_that_is_nearly_full_refuses_growth_while_some_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_store(tmp_path, role="collector")
    host = (await enrolled(store)).id
    monkeypatch.setattr(room, "RESERVE_BYTES_MAX", 2**60)
    monkeypatch.setattr(room, "RESERVE_SHARE", 1)  # as if all of the disk were to stay free
    monkeypatch.setattr(room, "LOOK_EVERY_BYTES", 0)
    with pytest.raises(StoreError, match="no room is left on the disk that holds") as refused:
        await store.commit([batch(host, NOW)])
    assert refused.value.passing
    assert (await store.health()).state == "bad"
    monkeypatch.undo()
    await store.commit([batch(host, NOW)])
    assert (await store.health()).state == "ok"
    await store.close()


def test_a_folder_that_cannot_be_looked_at_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be looked at"):
        Room(tmp_path / "gone" / "watchkeeper.db").size_and_free()
