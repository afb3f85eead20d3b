"""What any collector written in Python must at least do with a push: read it, unpack it, decode it, answer.

The measure of ours: `python -m tests.bench.bare PORT`.
"""

from __future__ import annotations

import asyncio
import sys
import zlib

import uvloop
from aiohttp import web

from agent import wire

ANSWER = wire.encode(wire.Results(["ok"]))


async def push(request: web.Request) -> web.Response:
    wire.decode_push(zlib.decompress(await request.read(), 31))
    return web.Response(body=ANSWER, content_type="application/json")


async def ready(_request: web.Request) -> web.Response:
    return web.Response()


async def serve(port: int) -> None:
    app = web.Application()
    app.add_routes([web.post(wire.PATH, push), web.get("/ready", ready)])
    runner = web.AppRunner(app, access_log=None, auto_decompress=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
