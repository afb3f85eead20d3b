"""What was set while the collector ran is there after a start, all of a change or nothing of it."""

from __future__ import annotations

import pytest

from collector.store import Store, StoreError
from collector.store.settings import SETTINGS_MAX, Setting
from tests.collector.stores.builders import NOW
from tests.collector.stores.conftest import Place


def setting(key: str, value: str = "1", by: str = "ada") -> Setting:
    return Setting(key, value, NOW, by)


async def test_there_are_none_at_first(store: Store) -> None:
    assert await store.settings.all() == []


async def test_settings_are_put_replaced_and_dropped(place: Place) -> None:
    store = await place.open()
    await store.settings.change([setting("keep", '"30d"'), setting("packs", '["hosts"]')], [])
    await store.settings.change([setting("keep", '"20d"', "bob")], ["packs", "never"])
    store = await place.reopen()
    assert await store.settings.all() == [setting("keep", '"20d"', "bob")]


async def test_there_are_never_too_many(store: Store) -> None:
    many = [setting(f"k{number:04}") for number in range(SETTINGS_MAX)]
    await store.settings.change(many, [])
    with pytest.raises(StoreError, match="at most"):
        await store.settings.change([setting("one more")], [])
    assert await store.settings.all() == many
