"""Real servers, as bad as they come: each test says what its server does with a connection.

And whatever a check brings in any test here, its kind must have declared.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from agent import checks
from agent.checks import Measured
from agent.options import Kind, discover
from tests.agent.checks.declared import undeclared

KINDS = discover(checks)
Handler = Callable[[socket.socket], None]
Serve = Callable[..., int]


@pytest.fixture(autouse=True)
def every_series_is_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in KINDS.values():
        monkeypatch.setattr(kind.module.Check, "measure", measuring(kind))


def measuring(kind: Kind) -> Callable[[Any, float], Measured]:
    original = kind.module.Check.measure

    def measure(check: Any, at_s: float) -> Measured:
        found: Measured = original(check, at_s)
        assert undeclared(kind, found.samples) == []
        return found

    return measure


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server on loopback that hands each connection to a function; return its port."""
    with contextlib.ExitStack() as at_the_end:

        def start(handler: Handler, context: ssl.SSLContext | None = None) -> int:
            listener = socket.create_server(("127.0.0.1", 0))
            thread = threading.Thread(target=accept, args=(listener, handler, context))
            thread.start()
            at_the_end.callback(thread.join)
            at_the_end.callback(listener.close)
            at_the_end.callback(listener.shutdown, socket.SHUT_RDWR)
            port: int = listener.getsockname()[1]
            return port

        yield start


def accept(listener: socket.socket, handler: Handler, context: ssl.SSLContext | None) -> None:
    threads = []
    with contextlib.suppress(OSError):  # the listener is closed at the end of the test
        while True:
            sock, _ = listener.accept()
            sock.settimeout(10)
            threads.append(threading.Thread(target=handle, args=(sock, handler, context)))
            threads[-1].start()
    for thread in threads:
        thread.join()


def handle(sock: socket.socket, handler: Handler, context: ssl.SSLContext | None) -> None:
    with sock, contextlib.suppress(OSError):  # whoever asks may leave at any time
        if context is None:
            handler(sock)
        else:
            with context.wrap_socket(sock, server_side=True) as secure:
                handler(secure)


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture(scope="session")
def free_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
