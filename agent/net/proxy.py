"""A way out through an HTTP proxy: what is meant for TLS goes through a tunnel that the proxy opens (CONNECT)."""

from __future__ import annotations

import base64
from socket import socket
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from agent.net.dial import Deadline, Line, NoAnswer, beginning, connect, in_words, resolve

HEAD_BYTES_MAX = 16 * 1024
PORT = 8080


class Proxy(Struct, frozen=True):
    """`authorization` is what the proxy wants to hear, empty if it wants nothing."""

    host: str
    port: int
    authorization: str = ""

    @classmethod
    def of(cls, url: str) -> Proxy:
        """ValueError says what is wrong with the address, without repeating it: it may hold a password."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port or PORT
        except ValueError:
            host, port, parts = None, PORT, urlsplit("")
        if parts.scheme != "http" or not host or parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError(
                "this is not the address of a proxy; one looks like http://proxy.example.org:3128"
            )
        authorization = ""
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            authorization = "Basic " + base64.b64encode(pair.encode()).decode()
        return cls(host, port, authorization)

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"

    def connect(self, deadline: Deadline) -> socket:
        """A connection to the proxy itself. NoAnswer says why there is none."""
        try:
            return connect(resolve(self.host, self.port, deadline), deadline)
        except NoAnswer as error:
            raise NoAnswer(f"the proxy is away: {error}") from None

    def tunnel(self, target: str, deadline: Deadline) -> socket:
        """A connection to `target` (host:port) through the proxy. NoAnswer says why there is none."""
        sock = self.connect(deadline)
        try:
            line = Line(sock, deadline)
            line.sendall(self._request(target))
            self._judge(_head(line), target)
        except OSError as error:
            sock.close()
            raise NoAnswer(f"the proxy: {in_words(error, self.place, deadline)}") from None
        except BaseException:
            sock.close()
            raise
        return sock

    def _request(self, target: str) -> bytes:
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
        lines += [f"Proxy-Authorization: {self.authorization}"] if self.authorization else []
        return "\r\n".join([*lines, "", ""]).encode()

    def _judge(self, head: bytes, target: str) -> None:
        first = head.partition(b"\r\n")[0]
        version, _, status = first.partition(b" ")
        if not version.startswith(b"HTTP/1.") or not status[:3].isdigit():
            raise NoAnswer(f'the proxy {self.place} does not speak HTTP; it said "{beginning(head)}"')
        if status[:3] == b"407":
            other = "another name and password" if self.authorization else "a name and password"
            raise NoAnswer(f"the proxy {self.place} wants {other}: http://name:password@{self.place}")
        if not status.startswith(b"2"):
            raise NoAnswer(f'the proxy {self.place} opens no way to {target}: "{beginning(status)}"')


def _head(line: Line) -> bytes:
    """The head of an answer and not a byte more: what follows is the other end's."""
    head = bytearray()
    byte = bytearray(1)
    while not head.endswith(b"\r\n\r\n"):
        if not line.recv_into(byte):
            raise ConnectionResetError
        head += byte
        if len(head) > HEAD_BYTES_MAX:
            raise NoAnswer("the proxy's answer has no end")
    return bytes(head)
