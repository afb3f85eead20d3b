"""The server over TLS: handshakes that never end, and answers that come whole."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator

import pytest
import trustme

from collector.server import Limits
from tests.collector.door import Door, closed, open_door, read_answer
from tests.collector.server.serving import LARGE, ROUTES, counted


@pytest.fixture
async def tls_door(authority: trustme.CA) -> AsyncIterator[Door]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    limits = Limits(head_timeout_s=0.3, connections_max=4, linger_s=0.1, stop_timeout_s=1)
    async with open_door(limits, ROUTES, tls=context) as door:
        yield door


async def test_pushes_come_in_over_tls_beside_a_handshake_that_never_ends(
    tls_door: Door, authority: trustme.CA
) -> None:
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with tls_door.connection() as (silent, _):
        reader, writer = await asyncio.open_connection("localhost", tls_door.port, ssl=trusting)
        writer.write(tls_door.request(tls_door.push_of()))
        assert (await read_answer(reader)).json == {"results": ["ok"]}
        assert tls_door.count("http_connections") == 2
        writer.close()
        await writer.wait_closed()
        assert await closed(silent) == b""
    await counted(tls_door, "http_connections", 0)
    assert tls_door.count("http_cut_total", why="tls") == 1


async def test_a_large_answer_comes_over_tls_whole(tls_door: Door, authority: trustme.CA) -> None:
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    reader, writer = await asyncio.open_connection("localhost", tls_door.port, ssl=trusting)
    async with asyncio.timeout(10):
        writer.write(b"GET /large HTTP/1.1\r\nHost: door\r\n\r\n")
        assert len((await read_answer(reader)).body) == LARGE
        writer.write(b"GET /in-pieces HTTP/1.1\r\nHost: door\r\n\r\n")
        assert len((await read_answer(reader)).body) == LARGE // 100 * 100
    writer.close()
    await writer.wait_closed()


async def test_handshakes_count_as_connections_and_one_too_many_is_closed(tls_door: Door) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(4):
            await stack.enter_async_context(tls_door.connection())
        reader, _ = await stack.enter_async_context(tls_door.connection())
        assert await closed(reader) == b""
        assert tls_door.count("http_turned_away_total", why="full") == 1
    await counted(tls_door, "http_connections", 0)
