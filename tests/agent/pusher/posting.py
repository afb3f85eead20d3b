"""One request to a server that does just what it is told."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import trustme

from agent import wire
from agent.net.proxy import Proxy
from agent.net.tls import Trust
from agent.pusher.post import Answer, Post
from tests.agent.receiver import TOKEN, Receiver

BODY = wire.encode(
    wire.Push(v=1, spool="0" * 32, boot_id="b", batches=[wire.Batch(0, 0, 0, 100, {"load1": 1.0})])
)

LONG_BODY = wire.push_body(
    "0" * 32, "b", 0, [(n, 0, 0, b',"every_ms":100,"samples":{"load1":1}}') for n in range(150)]
)

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


def post_to(url: str, ca: str = "", proxy: str = "", **trust: Any) -> Post:
    way = Proxy.of(proxy) if proxy else None
    return Post(url, TOKEN, "watchkeeper-agent/test", Trust(ca_file=ca, **trust), way)


def ask(url: str, body: bytes = BODY, limit_s: float = 5, ca: str = "") -> Answer:
    """One request over a connection of its own."""
    with closing(post_to(url, ca)) as post:
        return post.post([body], limit_s)


@contextmanager
def raw_server(*scripts: Callable[[socket.socket], object]) -> Iterator[str]:
    """A server that does with its first connection what the first script says, and so on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def serve() -> None:
            for script in scripts:
                connection, _ = listening.accept()
                with closing(connection), suppress(OSError):
                    script(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    thread.join(5)


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def answering(answer: bytes, times: int = 1) -> Callable[[socket.socket], None]:
    def script(connection: socket.socket) -> None:
        for _ in range(times):
            read_request(connection)
            connection.sendall(answer)

    return script


def drip(connection: socket.socket) -> None:
    read_request(connection)
    for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 10_000:
        connection.sendall(bytes([byte]))
        time.sleep(0.02)


def say_nothing(connection: socket.socket) -> None:
    connection.recv(1 << 20)
    while connection.recv(1 << 20):
        pass


@contextmanager
def secure(certificate: trustme.LeafCert) -> Iterator[Receiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    with closing(Receiver(tls=context)) as receiver:
        yield receiver
