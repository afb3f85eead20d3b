"""A hook that is a web address: signed, answered well and badly, by a real receiver."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import socket
import time

import pytest
from aiohttp import web

from agent.options import Secret
from collector.advice.orders import Ran
from collector.advice.webhook import post, signature
from tests.collector.advice.far import ORDER, SECRET, Far


async def test_it_says_what_is_wanted_and_why(far: Far) -> None:
    assert await far.ask() == Ran("done", "200 OK scaling")
    ((headers, body),) = far.taken
    assert json.loads(body) == {
        "run": 7,
        "service": "shop",
        "from": 3,
        "to": 5,
        "direction": "up",
        "reason": "cpu is at 96 %",
        "by": "auto",
        "at": 1_760_000_000_123,
    }
    assert headers["Idempotency-Key"] == "watchkeeper-scale-7-1760000000123"


async def test_the_far_side_can_tell_that_it_came_from_here(far: Far) -> None:
    await far.ask()
    ((headers, body),) = far.taken
    timestamp = headers["X-Watchkeeper-Timestamp"]
    expected = hmac.new(SECRET.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["X-Watchkeeper-Signature"] == f"sha256={expected}"
    assert timestamp == "1760000000"
    for other in (("another secret, quite as long", timestamp, body), (SECRET, "1760000001", body)):
        assert signature(*other) != headers["X-Watchkeeper-Signature"]
    assert signature(SECRET, timestamp, body + b" ") != headers["X-Watchkeeper-Signature"]


@pytest.mark.parametrize(
    ("status", "text", "state", "words"),
    [
        (204, "", "done", "204"),
        (500, "out of order", "failed", "500 Internal Server Error out of order"),
        (403, f"who is {SECRET}?", "failed", "who is ****?"),
        (404, "/hooks/sesame is not here", "failed", "**** is not here"),
        (302, "", "failed", "redirects are not followed"),
    ],
)
async def test_an_answer(far: Far, status: int, text: str, state: str, words: str) -> None:
    far.answers(status, text, **({"Location": "https://elsewhere.example/"} if status == 302 else {}))
    ran = await far.ask()
    assert ran.state == state
    assert words in ran.answer
    assert SECRET not in ran.answer
    assert len(far.taken) == 1, "once is once"


async def test_one_that_hangs_is_given_up_and_nobody_knows(far: Far) -> None:
    async def never() -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    far.answer = never
    began = time.monotonic()
    ran = await far.ask(timeout_s=0.4)
    assert (ran.state, ran.answer) == (
        "unsure",
        f"no answer from {far.url} within 0.4 s; it may have been taken",
    )
    assert time.monotonic() - began < 5


async def test_one_that_is_slow_but_in_time_is_waited_for(far: Far) -> None:
    async def slowly() -> web.StreamResponse:
        await asyncio.sleep(0.3)
        return web.Response(text="at last")

    far.answer = slowly
    assert await far.ask() == Ran("done", "200 OK at last")


async def test_however_much_it_says_a_line_is_kept(far: Far) -> None:
    far.answers(500, "no! " * 500_000)
    ran = await far.ask()
    assert ran.state == "failed"
    assert len(ran.answer) <= 300


async def test_nobody_there_is_a_failure_in_words() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    ran = await post(Secret(f"{url}/hooks/sesame"), Secret(SECRET), 5, ORDER)
    assert ran == Ran("failed", f"no connection to {url}: Connection refused")


async def test_one_that_breaks_off_may_have_taken_it() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ran = await post(Secret(f"{url}/"), Secret(SECRET), 5, ORDER)
    assert ran.state == "unsure"
    assert "broke off" in ran.answer
