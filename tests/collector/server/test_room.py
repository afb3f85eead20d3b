"""How many may come in: at all, from one network, and as far as there are file descriptors."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket

import pytest
from prometheus_client import CollectorRegistry

from collector.server import Limits, listening
from collector.server.gate import Gate
from collector.who import LOOPBACK, network_of
from tests.collector.door import open_door
from tests.collector.server.serving import counted
from tests.waiting import until_it_is


async def test_a_connection_too_many_is_told_so_and_there_is_room_again_when_one_goes() -> None:
    async with open_door(Limits(connections_max=5)) as door, contextlib.AsyncExitStack() as stack:
        for _ in range(4):
            await stack.enter_async_context(door.connection())
        async with door.connection():
            await until_it_is(lambda: door.count("http_connections") >= 5)
            assert door.server.health().state == "degraded"
            answer = await door.push()
            assert (answer.status, answer.json["code"]) == (503, "full")
            assert answer.headers["retry-after"] == "10"
            assert answer.headers["connection"] == "close"
            assert door.count("http_turned_away_total", why="full") == 1
        await counted(door, "http_connections", 4)
        await door.still_serves()


async def test_hundreds_too_many_cost_no_more_than_a_few() -> None:
    async with open_door(Limits(connections_max=2)) as door, contextlib.AsyncExitStack() as stack:
        for _ in range(300):
            await stack.enter_async_context(door.connection())
        await counted(door, "http_turned_away_total", 298, why="full")
        assert door.server._turning_away <= 64
    await asyncio.sleep(0)


async def test_without_a_free_file_descriptor_who_comes_waits_and_is_served_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_door() as door:
        loop = asyncio.get_running_loop()
        peers = [socket.socket() for _ in range(8)]
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(peer.fileno() for peer in peers) + 4, hard))
        try:
            for peer in peers:
                peer.setblocking(False)
                await loop.sock_connect(peer, ("127.0.0.1", door.port))
            await until_it_is(lambda: door.count("http_turned_away_total", why="files"))
            await asyncio.sleep(0.5)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        (record,) = caplog.records
        assert "Too many open files" in record.getMessage()
        for peer in peers:
            await loop.sock_sendall(peer, b"GET /health HTTP/1.1\r\nHost: door\r\n\r\n")
        for peer in peers[-4:]:
            assert (await loop.sock_recv(peer, 1_000)).startswith(b"HTTP/1.1 200")
        for peer in peers:
            peer.close()


def test_one_network_may_not_take_all_places_and_loopback_may() -> None:
    gate = Gate(Limits(connections_max=10), CollectorRegistry())
    assert [gate.enter("192.0.2.1") for _ in range(6)] == [True] * 5 + [False]
    assert gate.enter("192.0.2.2")
    assert [gate.enter(LOOPBACK) for _ in range(5)] == [True] * 4 + [False]
    for _ in range(5):
        gate.leave("192.0.2.1")
    assert gate.open == 5
    assert gate.enter("192.0.2.1")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("127.0.0.1", LOOPBACK),
        ("127.8.8.8", LOOPBACK),
        ("::1", LOOPBACK),
        ("::ffff:127.0.0.1", LOOPBACK),
        ("", LOOPBACK),
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_what_counts_as_one_network(address: str, network: str) -> None:
    assert network_of(address) == network


def test_a_low_limit_of_open_files_lowers_the_number_of_connections(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    limits = [1_024, 2_048]
    monkeypatch.setattr(listening.resource, "getrlimit", lambda _: tuple(limits))
    monkeypatch.setattr(listening.resource, "setrlimit", lambda _, pair: limits.__setitem__(0, pair[0]))
    assert listening.room_for(500) == 500
    assert limits[0] == 1_024
    assert listening.room_for(1_500) == 1_500
    assert limits[0] == 1_756
    assert caplog.records == []
    assert listening.room_for(10_000) == 2_048 - 256
    assert "LimitNOFILE" in caplog.text
