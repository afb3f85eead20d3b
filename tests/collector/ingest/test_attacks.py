"""Bodies that are bombs, that drip, that lie or that never end, while ordinary agents are served."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest

from collector.server import Limits
from tests.collector.door import Door, closed, gzip_bomb, open_door, read_answer
from tests.collector.ingest.pushing import refused
from tests.waiting import until_it_is


async def test_a_gzip_bomb_is_not_unpacked(door: Door) -> None:
    bomb = gzip_bomb(1_024)
    assert len(bomb) < 2_000_000
    begun = time.process_time()
    await refused(door, bomb, 413, "too_large", Content_Encoding="gzip")
    assert time.process_time() - begun < 0.5


async def test_a_body_that_says_it_has_100_mb_is_refused_before_it_comes(door: Door) -> None:
    request = door.request(b"x" * 1_000, length=100_000_000)
    async with door.connection() as (reader, writer):
        writer.write(request)
        answer = await read_answer(reader)
        assert (answer.status, answer.json["code"]) == (413, "too_large")
        assert answer.headers["connection"] == "close"
    await door.still_serves()


async def test_a_body_that_does_not_say_it_has_100_mb_is_cut(door: Door) -> None:
    head = door.request(b"", Transfer_Encoding="chunked").replace(b"Content-Length: 0\r\n", b"")
    chunk = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
    async with door.connection() as (reader, writer):
        writer.write(head)
        sent = 0
        answer = asyncio.create_task(read_answer(reader))
        with contextlib.suppress(ConnectionError):
            while sent < 100 and not answer.done():
                writer.write(chunk)
                await writer.drain()
                sent += 1
        assert (await answer).json["code"] == "too_large"
    await door.still_serves()


async def test_a_body_that_drips_is_cut_while_others_are_served() -> None:
    async with open_door(Limits(body_timeout_s=0.3)) as door:
        async with door.connection() as (reader, writer):
            writer.write(door.request(b"", length=1_000))
            answer = asyncio.create_task(read_answer(reader))
            while not answer.done():
                writer.write(b" ")
                await door.still_serves()
                await asyncio.sleep(0.02)
            assert (answer.result().status, answer.result().json["code"]) == (408, "too_slow")
            assert await closed(reader) == b""
        assert door.count("ingest_refused_total", why="too_slow") == 1
        assert door.count("http_cut_total", why="body") == 1


async def test_a_peer_that_goes_in_the_middle_of_its_body_is_counted_and_forgotten(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    async with door.connection() as (_, writer):
        writer.write(door.request(b"{", length=1_000))
        await asyncio.sleep(0.05)
    await until_it_is(lambda: door.count("ingest_refused_total", why="gone"), 5)
    assert door.count("ingest_bytes_at_work") == 0
    assert caplog.records == []
    await door.still_serves()


@pytest.mark.parametrize("lie", [b"zz\r\n", b"5\r\nabcdefgh\r\n", b"-1\r\n", b"ffffffffffffffffff\r\n"])
async def test_a_chunk_that_lies_about_its_size_is_refused_at_once(door: Door, lie: bytes) -> None:
    head = door.request(b"", Transfer_Encoding="chunked").replace(b"Content-Length: 0\r\n", b"")
    async with door.connection() as (reader, writer):
        writer.write(head + b"1\r\n{\r\n")
        await asyncio.sleep(0.05)
        writer.write(lie)
        answer = await read_answer(reader)
        assert (answer.status, answer.json["code"]) == (400, "not_http")
        await closed(reader)
    await door.still_serves()
