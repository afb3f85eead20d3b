"""Services are changed one at a time: what each change is held against still holds when it is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.collector.api.house import House, Said

ALONE = {"hosts": {"where": {"role": "web"}}}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House(tmp_path) as house:
        yield house


async def put(house: House, name: str, *below: str) -> Said:
    body = {"name": name, **({"depends_on": {"services": below}} if below else ALONE)}
    return await house.send("PUT", f"/api/monitoring/services/{name}", body)


async def drop(house: House, name: str) -> Said:
    return await house.send("DELETE", f"/api/monitoring/services/{name}")


async def names(house: House) -> set[str]:
    return {one["options"]["name"] for one in await house.ask("/services")}


async def test_two_changes_at_the_same_moment_make_no_circle_that_would_hide_all_services(
    house: House,
) -> None:
    for name in ("front", "back", "beside"):
        await put(house, name)
    said = await asyncio.gather(put(house, "front", "back"), put(house, "back", "front"))
    assert sorted(one.status for one in said) == [200, 409]
    assert await names(house) == {"front", "back", "beside"}


async def test_a_service_is_not_removed_in_the_moment_in_which_another_comes_to_stand_on_it(
    house: House,
) -> None:
    await put(house, "base")
    made, removed = await asyncio.gather(put(house, "top", "base"), drop(house, "base"))
    assert ((made.status, removed.status), await names(house)) in (
        ((200, 409), {"base", "top"}),
        ((409, 204), set()),
    )
