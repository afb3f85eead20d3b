"""The check http, asked once, and servers that answer it just so."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import trustme

from agent.checks import Measured
from agent.checks.http import Check, Options
from tests.agent.checks.conftest import Handler

STATUS, TOTAL_MS = 'http_status{check="shop"}', 'http_total_ms{check="shop"}'
PHASES = {
    phase: f'http_phase_ms{{check="shop",phase="{phase}"}}'
    for phase in ("name", "connect", "tls", "first_byte", "transfer")
}
NO_ANSWER = dict.fromkeys([STATUS, TOTAL_MS, *(name for phase, name in PHASES.items() if phase != "tls")])
NO_SECURE_ANSWER = NO_ANSWER | {PHASES["tls"]: None}


def asked(port: int, path: str = "/", scheme: str = "http", host: str = "127.0.0.1", **more: Any) -> Measured:
    url = f"{scheme}://{host}:{port}{path}"
    options: dict[str, Any] = {"id": "shop", "url": url, "timeout_s": 5.0}
    return Check(Options(**(options | more))).measure(0.0)


def request_of(sock: socket.socket) -> bytes:
    heard = b""
    while b"\r\n\r\n" not in heard and (more := sock.recv(4096)):
        heard += more
    return heard


def says(answer: bytes) -> Handler:
    """Wait for the request, then say this and hang up."""

    def handler(sock: socket.socket) -> None:
        request_of(sock)
        sock.sendall(answer)

    return handler


def page(status: str = "200 OK", body: bytes = b"all is well", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


@contextlib.contextmanager
def within(seconds: float) -> Any:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


def redirecting(status: str, location: Callable[[str], str | None]) -> Handler:
    """Redirect from a path to what `location` says for it; None is a page."""

    def handler(sock: socket.socket) -> None:
        to = location(request_of(sock).split(b" ")[1].decode())
        sock.sendall(page() if to is None else page(status, b"moved", f"Location: {to}\r\n"))

    return handler


def certified(authority: trustme.CA, *names: str, until: datetime | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, not_after=until).configure_cert(context)
    return context
