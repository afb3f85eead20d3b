"""What tests of advice share."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from tests.collector.advice.far import Far, receiving


@pytest.fixture
async def far() -> AsyncGenerator[Far, None]:
    async with receiving() as far:
        yield far
