"""The server is used on uvloop and has to work on asyncio's own loop as well: every test here runs on both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import uvloop

from tests.collector.door import Door, open_door
from tests.collector.server.serving import QUICK, ROUTES


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with open_door(QUICK, ROUTES) as door:
        yield door
