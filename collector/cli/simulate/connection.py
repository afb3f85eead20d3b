"""One kept-alive HTTP connection that asks one thing at a time: all that a simulated host needs, at little cost."""

from __future__ import annotations

import asyncio
import ssl
from typing import cast
from urllib.parse import SplitResult

from msgspec import Struct

ANSWER_BYTES_MAX = 1024 * 1024
CONNECT_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 30.0


class Answer(Struct, frozen=True):
    status: int
    body: bytes


class NoAnswer(Exception):
    """The sentence says why."""


class Connection:
    """Opened when it is first needed, and again after it was lost."""

    def __init__(self, url: SplitResult, tls: ssl.SSLContext | None) -> None:
        self._host = url.hostname or ""
        self._port = url.port or (443 if tls else 80)
        self._tls = tls
        self._protocol: _Protocol | None = None

    async def ask(self, request: bytes) -> Answer:
        """Send one request, and return its answer. NoAnswer when there is none in time, or none that is understood."""
        if self._protocol is None or self._protocol.lost:
            self._protocol = await self._open()
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return await self._protocol.ask(request)
        except TimeoutError:
            self.close()
            raise NoAnswer(f"no answer within {ANSWER_TIMEOUT_S:g} s") from None
        except BaseException:
            self.close()
            raise

    async def _open(self) -> _Protocol:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                _, protocol = await asyncio.get_running_loop().create_connection(
                    _Protocol, self._host, self._port, ssl=self._tls
                )
        except TimeoutError:
            raise NoAnswer(f"no connection within {CONNECT_TIMEOUT_S:g} s") from None
        except OSError as error:
            raise NoAnswer(f"no connection: {error.strerror or error}") from None
        return protocol

    def close(self) -> None:
        if self._protocol is not None:
            self._protocol.close()
            self._protocol = None


class _Protocol(asyncio.Protocol):
    def __init__(self) -> None:
        self.lost = False
        self._transport: asyncio.WriteTransport | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._got = b""

    async def ask(self, request: bytes) -> Answer:
        assert self._transport is not None
        self._got = b""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        self.lost = True
        if self._transport is not None:
            self._transport.abort()

    # --- what the loop calls ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is none by name

    def data_received(self, data: bytes) -> None:
        self._got = self._got + data if self._got else data
        try:
            answer = whole_answer(self._got)
        except NoAnswer as why:
            self._fail(why)
            return
        if answer is not None and self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(NoAnswer(f"the connection was closed{f': {exc}' if exc else ''}"))

    def _fail(self, why: NoAnswer) -> None:
        self.lost = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(why)


def whole_answer(got: bytes) -> Answer | None:
    """The answer in what came so far, None when there is more to come. NoAnswer when it can never be one."""
    if len(got) > ANSWER_BYTES_MAX:
        raise NoAnswer("an answer longer than any collector gives")
    if not b"HTTP/1.1 ".startswith(got[:9]):
        raise NoAnswer("an answer that is not HTTP/1.1")
    head, end, body = got.partition(b"\r\n\r\n")
    if not end:
        return None
    _, there, rest = head.lower().partition(b"\r\ncontent-length:")
    status, length = head[9:12], rest.partition(b"\r\n")[0].strip()
    if not (status.isdigit() and there and length.isdigit()):
        raise NoAnswer("an answer without a length; is there a collector at this address?")
    return Answer(int(status), body) if len(body) >= int(length) else None
