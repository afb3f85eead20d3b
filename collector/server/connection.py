"""One connection, with a deadline on whatever its peer has begun and not ended."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from aiohttp import HttpVersion11, web
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from aiohttp.streams import StreamReader

from collector.server import answers
from collector.server.gate import Gate
from collector.who import request_id_of

READ_BUFFER_BYTES = 64 * 1024
HEADERS_MAX = 64

ShortCuts = Mapping[tuple[str, str], Callable[[Any], Awaitable[web.StreamResponse]]]
"""Handlers by method and path. An answer of theirs that has all its bytes as `whole` is sent as it is."""

log = logging.getLogger(__name__)


class _Written(web.StreamResponse):
    """Stands for an answer that was written already, to a connection that goes on."""

    @property
    def keep_alive(self) -> bool:
        return True


WRITTEN = _Written()


class Connection(web.RequestHandler):
    """aiohttp's protocol with deadlines. A timer runs only while something is begun and not ended, so a push that
    comes in one piece costs none."""

    __slots__ = (
        *("_gate", "_network", "_left", "_inside", "_short_cuts", "_wire"),
        *("_begun", "_head_bytes", "_body", "_is_no_http", "_stall", "_stalled_bytes"),
    )

    def __init__(
        self,
        gate: Gate,
        manager: web.Server,
        network: str,
        loop: asyncio.AbstractEventLoop,
        short_cuts: ShortCuts,
    ) -> None:
        settings: dict[str, Any] = {
            "access_log": None,
            "auto_decompress": False,
            "keepalive_timeout": gate.limits.idle_timeout_s,
            "lingering_time": gate.limits.linger_s,
            "logger": log,
            "max_headers": HEADERS_MAX,
            "read_bufsize": READ_BUFFER_BYTES,
        }
        super().__init__(manager, loop=loop, **settings)
        self._gate = gate
        self._network = network
        self._left = False
        self._wire: asyncio.Transport | None = None
        self._begun: asyncio.TimerHandle | None = None
        self._body: StreamReader | None = None
        self._head_bytes = 0
        self._is_no_http = False
        self._stall: asyncio.TimerHandle | None = None
        self._stalled_bytes = 0
        self._short_cuts = short_cuts
        self._inside = self._request_handler
        self._request_handler = self._answer_shortly

    # --- from open to closed ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wire = cast(asyncio.Transport, transport)
        # So that pause_writing is called whenever the peer leaves anything with us. By TLS a limit of 0 is reached when
        # nothing is left, too; and then nothing ever comes to call resume_writing.
        self._wire.set_write_buffer_limits(high=1 if self._wire.get_extra_info("sslcontext") else 0, low=0)
        super().connection_made(transport)
        self._begun = self._loop.call_later(self._gate.limits.head_timeout_s, self._head_is_late)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._end_begun()
        self._end_stall()
        super().connection_lost(exc)
        self.leave()

    def leave(self) -> None:
        """Free the place at the gate. It may be called more than once."""
        if not self._left:
            self._left = True
            self._gate.leave(self._network)

    # --- heads and bodies ---

    def data_received(self, data: bytes) -> None:
        if self._close or self._force_close:
            return  # what comes after our last word is dropped
        heads = self._request_count
        super().data_received(data)
        if self._request_count != heads:
            self._head_is_here()
        elif self._body is not None:
            if self._body.is_eof():
                self._body = None
                self._end_begun()
        elif data:
            self._head_goes_on(len(data))

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Asked for after every piece of every body, when mostly nothing was held up."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def _head_is_here(self) -> None:
        self._end_begun()
        self._head_bytes = 0
        message, body = self._messages[-1]
        if not isinstance(message, RawRequestMessage):
            if self._body is not None:  # its handler would wait for the rest for ever
                self._body.set_exception(web.RequestPayloadError("the body is not framed as HTTP demands"))
            self._body = None
        elif body.is_eof():
            self._body = None
        else:
            self._body = body
            self._begun = self._loop.call_later(self._gate.limits.body_timeout_s, self._body_is_late)

    def _head_goes_on(self, size: int) -> None:
        limits = self._gate.limits
        self._head_bytes += size
        if self._head_bytes > limits.head_bytes_max:
            self._cut_head(answers.HEAD_TOO_LARGE)
        elif self._begun is None:
            self._begun = self._loop.call_later(limits.head_timeout_s, self._head_is_late)

    def _head_is_late(self) -> None:
        # Who never said a word (a browser does that, to be quick later) is not answered either.
        self._cut_head(answers.HEAD_TOO_SLOW if self._head_bytes else b"")

    def _cut_head(self, answer: bytes) -> None:
        self._end_begun()
        if answer:
            self._gate.metrics.cut["head"].inc()
        if self._request_in_progress or self._messages:
            self.close()  # once what is being answered has been answered
        elif answer and self.transport is not None:
            self.transport.write(answer)
            self._end_gently()
        else:
            self.force_close()

    def _body_is_late(self) -> None:
        self._begun = None
        self._gate.metrics.cut["body"].inc()
        if self._body is not None:
            limit_s = self._gate.limits.body_timeout_s
            self._body.set_exception(TimeoutError(f"the request's body was not here after {limit_s:g} s"))

    def _end_begun(self) -> None:
        if self._begun is not None:
            self._begun.cancel()
            self._begun = None

    # --- the end ---

    def _end_gently(self) -> None:
        """Say no more, and drop what still comes for a while: closing at once would reset our last word away."""
        self._end_begun()
        self._close = True
        if self._wire is None or self._wire.is_closing():
            return
        self.transport = None  # so that aiohttp does not close it
        if self._wire.can_write_eof():
            self._wire.write_eof()
        if not self._wire.is_reading():
            self._wire.resume_reading()
        self._begun = self._loop.call_later(self._gate.limits.linger_s, self.force_close)

    def force_close(self) -> None:
        super().force_close()
        if self._wire is not None:
            self._wire.close()

    # --- answers ---

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_stall()

    def resume_writing(self) -> None:
        self._end_stall()
        super().resume_writing()

    def _watch_stall(self) -> None:
        assert self._wire is not None
        self._stalled_bytes = self._wire.get_write_buffer_size()
        self._stall = self._loop.call_later(self._gate.limits.stall_timeout_s, self._is_stalled)

    def _is_stalled(self) -> None:
        assert self._wire is not None
        if self._wire.get_write_buffer_size() < self._stalled_bytes:
            self._watch_stall()
        else:
            self._gate.metrics.cut["stall"].inc()
            self._wire.abort()

    def _end_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _answer_shortly(self, request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        handler = self._short_cuts.get((request.method, request.path), self._inside)
        assert handler is not None
        return handler(request)

    def _goes_on(self, request: web.BaseRequest) -> bool:
        wire = self.transport
        is_open = wire is not None and not wire.is_closing()
        return is_open and request.keep_alive and request.version == HttpVersion11 and not self._upgraded

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse | None, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        whole: bytes | None = getattr(resp, "whole", None)
        if whole is not None and self._goes_on(request):
            assert self._wire is not None
            self._wire.write(whole)
            return WRITTEN, False
        if resp is None:
            resp = self._our_fault(request, "was not answered by its handler")
        if isinstance(resp, web.HTTPException):
            answers.explain(request, resp)
        resp.headers["Server"] = answers.NAME  # aiohttp's default tells every version there is
        finished = await super().finish_response(request, resp, start_time)
        if self._is_no_http:
            self._end_gently()
        return finished

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what no handler answered: what is the peer's doing is counted, what is ours is logged, once."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already; all that is left is to end the connection")
        if isinstance(exc, LineTooLong):
            self._refuse_for_good()
            return answers.problem(
                431, "head_too_large", "a line of the request's head is too long", close=True
            )
        if isinstance(exc, HttpProcessingError | web.RequestPayloadError):
            self._refuse_for_good()
            return answers.problem(
                400, "not_http", "what was sent is not HTTP/1.1 as its rules have it", close=True
            )
        if isinstance(request.content.exception(), TimeoutError):
            return answers.problem(
                408, "body_too_slow", "the request's body did not arrive in time", close=True
            )
        if isinstance(exc, ConnectionError) and self.transport is None:
            return answers.problem(400, "gone", "the connection was closed before the request was complete")
        return self._our_fault(request, "failed")

    def _refuse_for_good(self) -> None:
        self._gate.metrics.refused["not_http"].inc()
        self._is_no_http = True

    def _our_fault(self, request: web.BaseRequest, how: str) -> web.StreamResponse:
        request_id = request_id_of(request)
        self._gate.metrics.errors.inc()
        why = sys.exc_info()[1]
        log.error("%s %.200r %s. request_id=%s", request.method, request.path, how, request_id, exc_info=why)
        return answers.fault(request_id)
