"""What is no HTTP, or only nearly: an answer that says so, a count, and nothing in the log."""

from __future__ import annotations

import asyncio

import pytest

from collector.server import Limits
from tests.collector.door import Door, closed, open_door, read_answer
from tests.collector.server.serving import counted


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50), 400),
        (b"\x00" * 100, 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nno colon here\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", 400),
        (b"POST /reads HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n", 400),
        (b"POST /reads HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
        (b"POST /reads HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (
            b"POST /reads HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 9_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 100 + b"\r\n", 400),
        (b"POST /reads HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    ],
    ids=lambda value: value[:60].decode(errors="replace") if isinstance(value, bytes) else None,
)
async def test_what_is_not_http_is_answered_counted_and_not_logged(
    door: Door, data: bytes, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with door.connection() as (reader, writer):
        writer.write(data)
        answer = await read_answer(reader)
        assert answer.status == status, answer
        assert answer.json["code"] in {"not_http", "head_too_large"}
        await closed(reader)
    await counted(door, "http_refused_total", 1, why="not_http")
    assert caplog.records == []
    await door.still_serves()


async def test_a_head_without_end_is_cut_by_its_size() -> None:
    async with open_door(Limits(head_bytes_max=5_000)) as door, door.connection() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: door\r\n")
        for number in range(20):
            writer.write(f"X-{number}: {'y' * 500}\r\n".encode())
            await asyncio.sleep(0.005)
        answer = await read_answer(reader)
        assert (answer.status, answer.json["code"]) == (431, "head_too_large")
        await door.still_serves()


async def test_garbage_after_a_request_is_refused_and_the_request_was_answered(door: Door) -> None:
    async with door.connection() as (reader, writer):
        writer.write(door.request(door.push_of()))
        assert (await read_answer(reader)).json == {"results": ["ok"]}
        writer.write(b"\x00garbage\r\n\r\n")
        assert (await read_answer(reader)).status == 400
        assert await closed(reader) == b""


async def test_garbage_in_one_piece_with_a_request_means_that_nothing_is_taken(door: Door) -> None:
    for data in (door.request(door.push_of()) + b"\x00garbage", door.request(door.push_of(), length=10)):
        async with door.connection() as (reader, writer):
            writer.write(data)
            answer = await read_answer(reader)
            assert (answer.status, answer.json["code"]) == (400, "not_http")
            assert await closed(reader) == b""
        assert door.arrivals == []
    await door.still_serves()


async def test_a_request_as_of_1991_gets_an_answer(door: Door) -> None:
    assert (await door.say(b"GET /\r\n\r\n"))[0].status == 404


async def test_the_answer_reaches_a_peer_that_goes_on_sending() -> None:
    async with open_door(Limits(linger_s=1)) as door, door.connection() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
        for _ in range(50):
            writer.write(b"y" * 1_000)
            await asyncio.sleep(0.002)
        answer = await read_answer(reader)
        assert (answer.status, answer.json["code"]) == (431, "head_too_large")


async def test_requests_that_come_before_they_are_asked_for_are_answered_in_order(door: Door) -> None:
    pushes = [door.request(door.push_of()) for _ in range(100)]
    async with door.connection() as (reader, writer):
        writer.write(b"".join(pushes))
        assert [(await read_answer(reader)).status for _ in pushes] == [200] * 100
    assert [arrival.seq for arrival in door.arrivals] == list(range(1, 101))


async def test_a_late_head_behind_a_request_lets_that_one_be_answered_first(door: Door) -> None:
    async with door.connection() as (reader, writer):
        writer.write(b"GET /slow HTTP/1.1\r\nHost: door\r\n\r\n")
        await asyncio.sleep(0.02)
        writer.write(b"GET")
        assert (await read_answer(reader)).body == b"done"
        await closed(reader)
