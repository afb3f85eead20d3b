"""On a disk that is full: what was acknowledged stays, what cannot be kept is refused, and freeing room is enough."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from collector.store import Store, StoreError
from rules.model import Outcome
from tests.collector.stores.builders import NOW, batch, enrolled
from tests.collector.stores.conftest import Place
from tests.conftest import Needs
from tests.small_disk import small_disk

DISK_MIB = 8
GROUP = 50


@pytest.fixture
async def disk(place: Place, needs: Needs, tmp_path: Path) -> AsyncGenerator[Path, None]:
    """A small disk for the place's folder, half of it taken by the file `ballast`."""
    with small_disk(tmp_path, needs, DISK_MIB) as disk:
        (disk / "ballast").write_bytes(bytes(DISK_MIB * 1024 * 1024 // 2))
        place.folder = disk / "state"
        yield disk
        await place.close()


def group(host: int, number: int) -> list[Outcome]:
    samples = {f"series_{place}": 1.0 for place in range(70)}
    return [batch(host, NOW + number * GROUP + place, samples) for place in range(GROUP)]


async def fill(store: Store, host: int, start: int = 0) -> tuple[int, StoreError]:
    """Commit until it is refused: the number of the group that was, and why."""
    for number in range(start, 1_000):
        try:
            await store.commit(group(host, number))
        except StoreError as error:
            return number, error
    raise AssertionError("the disk never became full")


async def stored(store: Store, host: int) -> int:
    times = (await store.samples.series(host, "series_0", 0, 2**62)).at.tolist()
    assert times == [NOW + place for place in range(len(times))]
    return len(times)


async def test_a_full_disk_is_said_and_got_over_without_a_restart(place: Place, disk: Path) -> None:
    store = await place.open()
    host = (await enrolled(store)).id
    refused, error = await fill(store, host)
    assert error.passing
    assert "no room is left on the disk" in str(error)
    assert str(place.folder) in str(error)
    health = await store.health()
    assert (health.state, health.batches) == ("bad", refused * GROUP)
    assert "no room is left" in health.detail
    assert await stored(store, host) == refused * GROUP

    (disk / "ballast").unlink()
    await store.commit(group(host, refused))
    assert (await store.health()).state == "ok"
    assert await stored(store, host) == (refused + 1) * GROUP
    refused_again, _ = await fill(store, host, start=refused + 1)
    assert refused_again > refused + 1


async def test_a_store_on_a_full_disk_is_whole_after_a_restart(place: Place, disk: Path) -> None:
    store = await place.open()
    host = (await enrolled(store)).id
    refused, _ = await fill(store, host)
    (disk / "ballast").unlink()
    store = await place.reopen()
    assert await stored(store, host) == refused * GROUP
    await store.commit(group(host, refused))
    assert await stored(store, host) == (refused + 1) * GROUP


async def test_a_store_that_finds_no_room_to_be_made_in_says_so(place: Place, disk: Path) -> None:
    (disk / "more").write_bytes(bytes(DISK_MIB * 1024 * 1024 // 2 - 20_480))
    with pytest.raises(StoreError, match="no room is left"):
        await place.open()
    (disk / "more").unlink()
    await enrolled(await place.open())
