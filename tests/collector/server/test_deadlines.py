"""Peers that are slow, silent or take nothing: each is let go in time, and the others are served meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from collector.server import Limits
from tests.collector.door import Door, closed, open_door, read_answer
from tests.collector.server.serving import LARGE, ROUTES, counted


async def test_a_head_that_drips_is_cut_while_others_are_served(door: Door) -> None:
    async with door.connection() as (reader, writer):
        answer = asyncio.create_task(read_answer(reader))
        for byte in b"GET /health HTTP/1.1\r\nHost: door\r\nX-Slow: " + b"z" * 20_000:
            writer.write(bytes([byte]))
            await door.still_serves()
            if answer.done():
                break
        assert (answer.result().status, answer.result().json["code"]) == (408, "head_too_slow")
        assert await closed(reader) == b""
    assert door.count("http_cut_total", why="head") == 1


async def test_the_second_head_on_a_connection_has_the_same_deadline(door: Door) -> None:
    async with door.connection() as (reader, writer):
        writer.write(door.request(door.push_of()))
        assert (await read_answer(reader)).status == 200
        writer.write(b"GET / HT")
        assert (await read_answer(reader)).status == 408
        assert await closed(reader) == b""


async def test_who_connects_and_says_nothing_is_let_go_without_a_word(door: Door) -> None:
    async with door.connection() as (reader, _):
        assert await closed(reader) == b""
    await counted(door, "http_connections", 0)
    assert door.count("http_cut_total", why="head") == 0


async def test_a_body_that_drips_into_any_handler_is_cut(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    async with door.connection() as (reader, writer):
        writer.write(b"POST /reads HTTP/1.1\r\nHost: door\r\nContent-Length: 9\r\n\r\n1")
        answer = await read_answer(reader)
        assert (answer.status, answer.json["code"]) == (408, "body_too_slow")
        assert await closed(reader) == b""
    assert door.count("http_cut_total", why="body") == 1
    assert caplog.records == []


async def test_a_slow_handler_is_not_taken_for_a_slow_peer(door: Door) -> None:
    async with door.connection() as (reader, writer):
        writer.write(b"GET /slow HTTP/1.1\r\nHost: door\r\n\r\n")
        assert (await read_answer(reader)).body == b"done"
        writer.write(b"GET /slow HTTP/1.1\r\nHost: door\r\n\r\n")
        assert (await read_answer(reader)).body == b"done"


async def test_an_idle_connection_is_kept_for_as_long_as_agreed_and_closed_then() -> None:
    async with (
        open_door(Limits(head_timeout_s=0.1, idle_timeout_s=0.5)) as door,
        door.connection() as (reader, writer),
    ):
        for _ in range(2):
            writer.write(door.request(door.push_of()))
            assert (await read_answer(reader)).status == 200
            await asyncio.sleep(0.3)
        begun = asyncio.get_running_loop().time()
        assert await closed(reader) == b""
        assert 0.05 < asyncio.get_running_loop().time() - begun < 1.5


async def test_an_answer_that_is_not_taken_is_given_up() -> None:
    async with open_door(Limits(stall_timeout_s=0.3), ROUTES) as door, door.connection() as (reader, writer):
        writer.write(b"GET /large HTTP/1.1\r\nHost: door\r\n\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await counted(door, "http_cut_total", 1, why="stall")
        await counted(door, "http_connections", 0)
        await door.still_serves()
        del reader


async def test_an_answer_that_is_taken_slowly_is_sent_to_its_end() -> None:
    async with open_door(Limits(stall_timeout_s=1), ROUTES) as door, door.connection() as (reader, writer):
        writer.write(b"GET /large HTTP/1.1\r\nHost: door\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        taken = 0
        while taken < LARGE:
            taken += len(await reader.readexactly(min(2_500_000, LARGE - taken)))
            await asyncio.sleep(0.1)
        assert door.count("http_cut_total", why="stall") == 0
