"""Which addresses it listens at, and how it ends while peers are being answered."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from collector.server import Limits, Server, ServerError
from tests.collector.door import Door, closed, read_answer


def server_at(host: str, port: int, limits: Limits | None = None) -> Server:
    return Server(web.Application(), host, port, registry=CollectorRegistry(), limits=limits)


async def test_an_address_that_is_taken_is_told_in_one_sentence() -> None:
    first = server_at("127.0.0.1", 0)
    await first.start()
    port = first.addresses[0][1]
    try:
        with pytest.raises(ServerError) as error:
            await server_at("127.0.0.1", port).start()
    finally:
        await first.stop()
    assert str(error.value) == (
        f"cannot listen on 127.0.0.1:{port}: another program listens there already; stop it, or choose another port"
    )
    again = server_at("127.0.0.1", port)
    await again.start()
    await again.stop()


@pytest.mark.parametrize(
    ("host", "why"),
    [("192.0.2.1", "this machine has no such address"), ("no such host", "is no address of this")],
)
async def test_an_address_that_is_not_ours_is_told_in_one_sentence(host: str, why: str) -> None:
    with pytest.raises(ServerError, match=why):
        await server_at(host, 0).start()


async def test_one_port_serves_all_addresses_of_a_name() -> None:
    server = server_at("localhost", 0)
    await server.start()
    assert len({port for _, port in server.addresses}) == 1
    assert server.health().state == "ok"
    await server.stop()
    assert (server.addresses, server.health().state) == ([], "bad")


async def test_ending_lets_what_is_being_answered_end_and_closes_who_is_idle(door: Door) -> None:
    async with door.connection() as (busy, writer), door.connection() as (idle, other):
        writer.write(b"GET /slow HTTP/1.1\r\nHost: door\r\n\r\n")
        other.write(door.request(door.push_of()))
        assert (await read_answer(idle)).status == 200
        stopping = asyncio.create_task(door.server.stop())
        assert (await read_answer(busy)).body == b"done"
        await stopping
        assert await closed(idle) == b""
        with pytest.raises(ConnectionRefusedError):
            await door.get("/health")
    assert door.count("http_connections") == 0


async def test_ending_does_not_wait_for_ever_for_who_is_stuck(door: Door) -> None:
    async with door.connection() as (reader, writer):
        writer.write(b"GET /stuck HTTP/1.1\r\nHost: door\r\n\r\n")
        await asyncio.sleep(0.05)
        begun = asyncio.get_running_loop().time()
        await door.server.stop()
        assert asyncio.get_running_loop().time() - begun < 2
        assert await closed(reader) == b""
