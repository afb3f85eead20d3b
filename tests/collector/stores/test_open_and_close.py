"""Who may open a store, what keeps it from being opened, and what is done before it is closed."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from collector.store import Store, StoreError
from tests.collector.stores.builders import NOW, batch, enrolled
from tests.collector.stores.conftest import ENGINES, Place
from tests.conftest import Needs


async def test_the_folder_is_made_and_nobody_else_can_look_into_it(place: Place) -> None:
    place.folder = place.folder / "not" / "there" / "yet"
    await place.open()
    for path in (place.folder, *place.folder.iterdir()):
        assert path.stat().st_mode & 0o077 == 0, path


async def test_a_second_collector_in_the_same_folder_is_refused_by_name(place: Place) -> None:
    await place.open()
    with pytest.raises(StoreError, match=rf"process {os.getpid()}\) is at work in {place.folder}"):
        await place.open()
    await place.reopen()


async def test_a_tool_may_be_used_beside_a_collector_and_before_any(place: Place) -> None:
    tool = await place.open("tool")
    await enrolled(tool, "alice")
    collector = await place.open("collector")
    another = await place.open("tool")
    await enrolled(another, "bob")
    assert len(await collector.hosts.all()) == 2


@pytest.mark.parametrize("folder", ["/sys/watchkeeper", "/sys/kernel", "/dev/null", "/dev/null/watchkeeper"])
@pytest.mark.parametrize("role", ["collector", "tool"])
async def test_a_folder_that_cannot_be_written_is_named_with_the_reason(
    place: Place, folder: str, role: str
) -> None:
    with pytest.raises(StoreError, match=f"{folder}.* cannot be used: .+"):
        await ENGINES[place.engine](Path(folder), role=role)


async def test_what_root_makes_belongs_to_the_folders_owner(place: Place, needs: Needs) -> None:
    needs.that(os.geteuid() == 0, "needs to be run as root, which gives files away")
    place.folder.mkdir()
    os.chown(place.folder, 65_534, 65_534)
    await enrolled(await place.open("tool"))
    owners = {path.name: path.stat().st_uid for path in place.folder.iterdir()}
    assert set(owners.values()) == {65_534}, owners


async def test_what_was_asked_for_before_closing_is_done(place: Place) -> None:
    store = await place.open()
    host = await enrolled(store)
    asked = [asyncio.create_task(store.commit([batch(host.id, NOW + n)])) for n in range(100)]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*asked)
    store = await place.reopen()
    assert (await store.health()).batches == 100


async def test_a_closed_store_says_so(place: Place) -> None:
    store = await place.open()
    await store.close()
    for work in (store.commit([]), store.hosts.all(), store.remember(NOW)):
        with pytest.raises(StoreError, match="closed") as refused:
            await work
        assert not refused.value.passing
    assert (await store.health()).state == "bad"
    await store.close()


async def test_a_caller_that_gives_up_leaves_the_store_in_order(store: Store) -> None:
    host = await enrolled(store)
    asked = [asyncio.create_task(store.commit([batch(host.id, NOW + n)] * 20)) for n in range(50)]
    await asyncio.sleep(0.002)
    for task in asked[::2]:
        task.cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    batches = (await store.health()).batches
    assert batches % 20 == 0
    assert batches >= 25 * 20
    assert len(await store.samples.rows(host.id, 0, 2**62, 10_000)) == batches


async def test_health_tells_of_sizes_and_counts(store: Store) -> None:
    host = await enrolled(store)
    await store.commit([batch(host.id, NOW + n, {f"s{k}": 1.0 for k in range(500)}) for n in range(50)])
    health = await store.health()
    assert (health.state, health.batches) == ("ok", 50)
    assert health.size_bytes > 50 * 500 * 8
    assert health.free_bytes > 0
