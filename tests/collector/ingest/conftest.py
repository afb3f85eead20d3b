"""A real door, for all tests of ingest: what comes over real HTTP is taken, corrected, put off or refused."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from collector.server import Limits
from tests.collector.door import Door, open_door


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with open_door(Limits(linger_s=0.2)) as door:
        yield door
