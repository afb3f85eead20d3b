"""A house for each test: see house.py."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from collector.stores.sqlite import open_store
from tests.collector.evaluator.house import House
from tests.collector.stores.builders import enrolled


@pytest.fixture
async def house(tmp_path: Path) -> AsyncGenerator[House, None]:
    store = await open_store(tmp_path, role="collector")
    house = House(store, await enrolled(store))
    await house.evaluator.start()
    yield house
    await house.evaluator.stop()
    await store.close()
