"""What every test of the collector has about it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trustme
from aiohttp import web_app

from collector.store import Store
from collector.stores.sqlite import open_store
from tests.receivers import HttpReceiver, MailReceiver, at_work


@pytest.fixture(autouse=True)
def applications_end_with_their_test() -> Iterator[None]:
    """aiohttp remembers the last thousand handlers that answered, each with all of its collector: so many collectors
    at a time make every collection of garbage a matter of seconds."""
    yield
    web_app._cached_build_middleware.cache_clear()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An empty one, open as a collector has it."""
    opened = await open_store(tmp_path / "state", role="collector")
    yield opened
    await opened.close()


@pytest.fixture
async def mail() -> AsyncIterator[MailReceiver]:
    async with at_work(MailReceiver()) as receiver:
        yield receiver


@pytest.fixture
async def http() -> AsyncIterator[HttpReceiver]:
    async with at_work(HttpReceiver()) as receiver:
        yield receiver


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Whoever trusts it believes the certificates that tests make."""
    return trustme.CA()
