"""What is answered while the collector makes itself ready: that it is there, what it does, and how far it is.

Agents and proxies are told to come again, and a page that is open asks again by itself. Nothing is taken in.
"""

from __future__ import annotations

import html
import ssl

import msgspec
from aiohttp import web
from msgspec import Struct
from prometheus_client import CollectorRegistry

from collector.server import Server
from collector.server.answers import problem
from collector.who import needs

AGAIN_S = 5
PAGE_AGAIN_S = 2
PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><meta http-equiv="refresh" content="{again}">
<title>Watchkeeper starts</title></head>
<body><main><h1>Watchkeeper starts</h1><p>{words}</p>{bar}
<p>What agents send is kept on their disks meanwhile and comes later; nothing of it is lost.</p>
<p>This page asks again by itself.</p>
</main></body></html>
"""


class Starting(Struct, frozen=True):
    """What /health says before there is more to say. `share`: how much is done, where that can be known."""

    status: str
    doing: str
    share: float | None


class Lobby:
    """Listens between `open` and `close`, where the collector itself will."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        app = web.Application()
        app.add_routes(
            [
                web.get("/health", needs(None, self._alive)),
                web.route("*", "/{rest:.*}", needs(None, self._not_yet)),
            ]
        )
        self._server = Server(app, host, port, registry=CollectorRegistry(), tls=tls)
        self._doing = "starting"
        self._share: float | None = None

    async def open(self) -> None:
        """ServerError says why it cannot."""
        await self._server.start()

    async def close(self) -> None:
        await self._server.stop()

    def say(self, doing: str, share: float | None) -> None:
        self._doing, self._share = doing, share

    async def _alive(self, request: web.Request) -> web.Response:
        """It lives, so that nobody starts it anew before it is done."""
        body = msgspec.json.encode(Starting("starting", self._doing, self._share))
        return web.Response(body=body, content_type="application/json", headers={"Cache-Control": "no-store"})

    async def _not_yet(self, request: web.Request) -> web.Response:
        if "text/html" in request.headers.get("Accept", ""):
            answer = web.Response(status=503, text=self._page(), content_type="text/html")
            answer.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
        else:
            answer = problem(503, "starting", f"not yet: {said(self._doing, self._share)}")
        answer.headers["Retry-After"] = str(AGAIN_S)
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def _page(self) -> str:
        words = said(self._doing, self._share)
        bar = "" if self._share is None else f'<progress max="1" value="{self._share:.3f}"></progress>'
        return PAGE.format(again=PAGE_AGAIN_S, words=html.escape(f"{words[:1].upper()}{words[1:]}."), bar=bar)


def said(doing: str, share: float | None) -> str:
    return doing if share is None else f"{doing}, {share:.0%} done"
