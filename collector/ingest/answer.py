"""The answer to a push that was taken: short, all but the same each time, and sent a thousand times a second."""

from __future__ import annotations

from email.utils import formatdate

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

HEAD = (
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: application/json\r\n"
    "Date: {date}\r\n"
    "Server: watchkeeper\r\n"
    "Content-Length: {length}\r\n"
    "\r\n"
)  # fmt: skip
KEPT_MAX = 100
"""Most answers say that all was taken and nothing more; others are made as they come."""


class Answers:
    """Makes answers. Their head tells the time, so the same one does for a second, however many are told it."""

    def __init__(self) -> None:
        self._second, self._date = -1, ""
        self._kept: dict[bytes, Answer] = {}

    def answer(self, body: bytes, now_ms: int) -> Answer:
        second = now_ms // 1000
        if second != self._second:
            self._second, self._date = second, formatdate(second, usegmt=True)
            self._kept.clear()
        answer = self._kept.get(body)
        if answer is None:
            answer = Answer(body, HEAD.format(date=self._date, length=len(body)).encode() + body)
            if len(self._kept) < KEPT_MAX:
                self._kept[body] = answer
        return answer


class Answer(web.StreamResponse):
    """May answer many requests. Our server writes `whole` as it is to a connection that goes on, which spares a tenth
    of what a push costs; to any other connection, and by any other server, an answer of its own is made of `body`."""

    def __init__(self, body: bytes, whole: bytes) -> None:
        super().__init__()
        self.whole = whole
        self._body = body

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        fresh = web.Response(body=self._body, content_type="application/json", headers=self.headers)
        writer = await fresh.prepare(request)
        await fresh.write_eof()
        return writer

    async def write_eof(self, data: bytes = b"") -> None:
        """It is written whole in `prepare`."""
