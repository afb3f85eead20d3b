"""A stand-in for the collector at the other end of a real connection: it takes pushes and answers what it is told."""

from __future__ import annotations

import json
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from msgspec import Struct

from agent import wire
from tests.waiting import PATIENCE_S

TOKEN = "wk_agent_default_abcdefgh_" + "s3cret" * 6


class Reply(Struct):
    """What to answer. `drip_s` sends the body a byte at a time with a pause after each."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = {}
    drip_s: float = 0.0
    hang_up: bool = False


class Got(Struct):
    push: wire.Push
    headers: dict[str, str]
    body_bytes: int
    path: str


def taken(results: Iterable[Any]) -> Reply:
    return Reply(body=json.dumps({"results": list(results)}).encode())


def all_ok(push: wire.Push) -> Reply:
    return taken("ok" for _ in push.batches)


def problem(status: int, message: str = "no", **headers: str) -> Reply:
    body = wire.encode(wire.Problem(code="test", message=message))
    return Reply(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


class Receiver:
    """A server on a free port of this machine. `answer` may be changed at any time."""

    def __init__(
        self, answer: Callable[[wire.Push], Reply] = all_ok, tls: ssl.SSLContext | None = None
    ) -> None:
        self.answer = answer
        self.got: list[Got] = []
        self.connections = 0
        self._news = threading.Condition()
        self._ended = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                receiver.connections += 1

            def do_POST(self) -> None:
                receiver._post(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # the tests cut connections on purpose

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        scheme = "http"
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://{'localhost' if tls else '127.0.0.1'}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def _post(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        plain = zlib.decompress(body, 31) if handler.headers["Content-Encoding"] == "gzip" else body
        push = wire.decode_push(plain)
        reply = self.answer(push)
        with self._news:
            self.got.append(Got(push, dict(handler.headers), len(plain), handler.path))
            self._news.notify_all()
        if reply.hang_up:
            handler.close_connection = True
            return
        handler.send_response(reply.status)
        for name, value in ({"Content-Length": str(len(reply.body))} | reply.headers).items():
            handler.send_header(name, value)
        handler.end_headers()
        self._send(handler, reply)

    def _send(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        if not reply.drip_s:
            handler.wfile.write(reply.body)
            return
        for byte in reply.body:
            handler.wfile.write(bytes([byte]))
            if self._ended.wait(reply.drip_s):
                return

    @property
    def batches(self) -> list[wire.Batch]:
        return [batch for got in self.got for batch in got.push.batches]

    def wait_for(self, condition: Callable[[], bool], limit_s: float = PATIENCE_S) -> None:
        """Come back when the condition holds; it is looked at after each push."""
        until_s = time.monotonic() + limit_s
        with self._news:
            while not condition():
                left_s = until_s - time.monotonic()
                assert left_s > 0, f"waited {limit_s} s in vain; {len(self.got)} pushes came"
                self._news.wait(left_s)

    def close(self) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
