from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from collector.store import Store
from tests.collector.promises.house import opened


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[Store, None]:
    store = await opened(tmp_path)
    yield store
    await store.close()
