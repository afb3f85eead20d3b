"""The far side of every channel test: a real SMTP server and a real HTTP receiver."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator

import pytest
import trustme

from tests.receivers import HttpReceiver, at_work


@pytest.fixture(scope="session")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


@pytest.fixture
async def https(server_tls: ssl.SSLContext) -> AsyncIterator[HttpReceiver]:
    async with at_work(HttpReceiver(tls=server_tls)) as receiver:
        yield receiver
