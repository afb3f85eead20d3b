"""A receiver that takes what it is sent until it is told otherwise, and another beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.receivers import HttpReceiver, at_work


@pytest.fixture
def good(http: HttpReceiver) -> HttpReceiver:
    return http


@pytest.fixture
async def other() -> AsyncIterator[HttpReceiver]:
    async with at_work(HttpReceiver()) as receiver:
        yield receiver
