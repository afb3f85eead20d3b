"""A server with short deadlines, and handlers of every sort behind it."""

from __future__ import annotations

import asyncio

from aiohttp import web

from collector.server import Limits
from tests.collector.door import Door
from tests.waiting import until_it_is

LARGE = 50_000_000
QUICK = Limits(head_timeout_s=0.3, body_timeout_s=0.3, idle_timeout_s=5, linger_s=0.1, stop_timeout_s=1)


async def large(request: web.Request) -> web.Response:
    return web.Response(body=bytes(LARGE))


async def fails(request: web.Request) -> web.Response:
    raise LookupError("the drawer is empty")


async def forgets(request: web.Request) -> web.Response:
    return None  # type: ignore[return-value]


async def reads(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


async def own_words(request: web.Request) -> web.Response:
    raise web.HTTPNotFound(text="<h1>No such host</h1>", content_type="text/html")


async def slow(request: web.Request) -> web.Response:
    await asyncio.sleep(0.3)
    return web.Response(text="done")


async def stuck(request: web.Request) -> web.Response:
    await asyncio.sleep(3_600)
    return web.Response()


async def in_pieces(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Length": str(LARGE // 100 * 100)})
    await answer.prepare(request)
    for _ in range(100):
        await answer.write(b"x" * (LARGE // 100))
    return answer


ROUTES = [
    web.get("/large", large),
    web.get("/in-pieces", in_pieces),
    web.get("/fails", fails),
    web.get("/forgets", forgets),
    web.post("/reads", reads),
    web.get("/own-words", own_words),
    web.get("/slow", slow),
    web.get("/stuck", stuck),
]


async def counted(door: Door, name: str, value: float, **labels: str) -> None:
    """Wait for a metric, as what is counted is counted after the answer left."""
    await until_it_is(lambda: door.count(name, **labels) == value)
