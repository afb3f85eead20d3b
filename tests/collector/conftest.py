"""What every test of the collector has about it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from aiohttp import web_app


@pytest.fixture(autouse=True)
def applications_end_with_their_test() -> Iterator[None]:
    """aiohttp remembers the last thousand handlers that answered, each with all of its collector: so many collectors
    at a time make every collection of garbage a matter of seconds."""
    yield
    web_app._cached_build_middleware.cache_clear()
