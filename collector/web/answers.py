"""How a page leaves: what a browser may do with it, zipped when it is large, and rendered once for all who wait."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable, Hashable

from aiohttp import web

ZIPPED_FROM_BYTES = 8 * 1024
RENDERED_AT_ONCE = 2
_ZIP_LEVEL = 3  # saves nine tenths of what the highest level saves, in a quarter of the time

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "Vary": "Accept-Encoding, Cookie",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # for browsers that do not know frame-ancestors
}


class Missing(Exception):
    """There is no such page; the sentence says what was looked for, and `way` leads on: an address and its name."""

    def __init__(self, sentence: str, way: tuple[str, str] = ("/", "To the overview")) -> None:
        super().__init__(sentence)
        self.way = way


class Unclear(Exception):
    """The address asks for something that makes no sense; the sentence says what would."""


class Body:
    """A text as bytes, zipped at most once however many ask for it."""

    def __init__(self, text: str) -> None:
        # What came in by an address may hold letters that are none.
        self.plain = text.encode(errors="replace")
        self.zipped = (
            gzip.compress(self.plain, _ZIP_LEVEL, mtime=0) if len(self.plain) >= ZIPPED_FROM_BYTES else b""
        )


def answer(
    request: web.Request, body: Body, *, status: int = 200, kind: str = "text/html", file_name: str = ""
) -> web.Response:
    """A page, or with another kind and a file's name something to be saved."""
    headers = {**HEADERS, "Content-Type": f"{kind}; charset=utf-8"}
    if file_name:
        headers["Content-Disposition"] = f'attachment; filename="{file_name}"'
    if status == 503:
        headers["Retry-After"] = "5"
    if body.zipped and takes_gzip(request):
        headers["Content-Encoding"] = "gzip"
        return web.Response(status=status, body=body.zipped, headers=headers)
    return web.Response(status=status, body=body.plain, headers=headers)


def takes_gzip(request: web.Request) -> bool:
    offers = request.headers.get("Accept-Encoding", "").lower().replace(" ", "").split(",")
    return any(
        offer == "gzip" or (offer.startswith("gzip;q=") and offer[7:] not in ("0", "0.0")) for offer in offers
    )


class Shared:
    """One rendering for all who ask the same before it begins: many open pages then cost little more than one.

    Nobody gets what was begun before they asked, so what they see holds all that was stored by then.
    """

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(RENDERED_AT_ONCE)
        self._waiting: dict[Hashable, asyncio.Task[Body]] = {}

    async def get(self, question: Hashable, make: Callable[[], Awaitable[Body]]) -> Body:
        """What `make` makes; whatever it raises, to all who wait for it."""
        task = self._waiting.get(question)
        if task is None:
            task = self._waiting[question] = asyncio.create_task(self._make(question, make))
        return await asyncio.shield(task)

    async def _make(self, question: Hashable, make: Callable[[], Awaitable[Body]]) -> Body:
        try:
            await self._turns.acquire()
        finally:
            del self._waiting[question]
        try:
            return await make()
        finally:
            self._turns.release()
