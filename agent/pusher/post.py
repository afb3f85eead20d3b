"""How a request gets to the collector: over one connection, kept open, with a limit on the time of it all."""

from __future__ import annotations

import http.client
import ssl
import time
import zlib
from collections.abc import Iterable
from email.message import Message
from email.utils import parsedate_to_datetime
from functools import partial
from socket import IPPROTO_TCP, TCP_NODELAY, socket
from urllib.parse import urlsplit

from msgspec import Struct

from agent import wire
from agent.net import tls
from agent.net.dial import Deadline, Line, NoAnswer, connect, in_words, resolve
from agent.net.proxy import Proxy
from agent.net.tls import Trust

ANSWER_BYTES_MAX = 1024 * 1024
CHUNK_BYTES = 16 * 1024
GZIP_LEVEL = 1
"""Level 6 takes three times the CPU to make a push of 200 batches 12 % smaller, and one of a single batch 2 %."""


class Answer(Struct, frozen=True):
    status: int
    body: bytes
    took_ms: float
    retry_after_s: float | None = None
    location: str = ""
    date_s: float | None = None
    """When the other side says it was, by its clock."""


class Post:
    """Posts to one collector, with a token if there is one. Not for several threads at once; `url` has been checked by
    whoever made it."""

    def __init__(
        self,
        url: str,
        token: str,
        user_agent: str,
        trust: Trust | None = None,
        proxy: Proxy | None = None,
        path: str = wire.PATH,
    ) -> None:
        parts = urlsplit(url)
        assert parts.hostname
        self._trust = (trust or Trust()) if parts.scheme == "https" else None
        self._proxy = proxy
        self._host = parts.hostname
        self._port = parts.port or (443 if self._trust else 80)
        self._path = parts.path.rstrip("/") + path
        self._headers = {
            "Host": parts.netloc,
            "User-Agent": user_agent,
            "Content-Type": "application/json",
            "Accept": "application/json",
        }
        self._headers |= {"Authorization": f"Bearer {token}"} if token else {}
        if proxy is not None and self._trust is None:
            self._path = f"http://{parts.netloc}{self._path}"
            self._headers |= {"Proxy-Authorization": proxy.authorization} if proxy.authorization else {}
        self._sock: socket | None = None

    @property
    def place(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{host}:{self._port}"

    def post(self, parts: Iterable[bytes], limit_s: float) -> Answer:
        """Send a body and return the answer, whatever it says. NoAnswer, with a sentence, if there is none in time."""
        deadline = Deadline(limit_s)
        headers = dict(self._headers)
        body, packed = pack(parts)
        if packed:
            headers["Content-Encoding"] = "gzip"
        headers["Content-Length"] = str(len(body))
        try:
            return self._exchange_or_again(body, headers, deadline)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        sock, self._sock = self._sock, None
        if sock is not None:
            sock.close()

    def _exchange_or_again(self, body: bytes, headers: dict[str, str], deadline: Deadline) -> Answer:
        try:
            if self._sock is not None:
                try:
                    return self._exchange(self._sock, body, headers, deadline)
                except TimeoutError:
                    raise
                except OSError:
                    # The collector forgot an idle connection. If it did take the batches, it knows them by number.
                    self.close()
            self._sock = self._connect(deadline)
            return self._exchange(self._sock, body, headers, deadline)
        except http.client.RemoteDisconnected:
            raise NoAnswer(f"{self.place} closed the connection without an answer") from None
        except ssl.SSLError as error:
            raise NoAnswer(f"no TLS connection to {self.place}: {tls.reason(error)}") from None
        except OSError as error:
            raise NoAnswer(in_words(error, self.place, deadline)) from None
        except http.client.HTTPException as error:
            raise NoAnswer(f"{self.place} does not speak HTTP as it should: {error!r:.100}") from None

    def _connect(self, deadline: Deadline) -> socket:
        if self._trust is None:
            sock = self._dial(deadline)
        else:
            sock = tls.secure(partial(self._dial, deadline), self._host, self._trust, deadline)
        # Head and body are sent apart; the body must not wait for the head to be acknowledged.
        sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        return sock

    def _dial(self, deadline: Deadline) -> socket:
        if self._proxy is None:
            return connect(resolve(self._host, self._port, deadline), deadline)
        return (
            self._proxy.connect(deadline) if self._trust is None else self._proxy.tunnel(self.place, deadline)
        )

    def _exchange(self, sock: socket, body: bytes, headers: dict[str, str], deadline: Deadline) -> Answer:
        connection = http.client.HTTPConnection(self._host, self._port)
        connection.sock = Line(sock, deadline)  # all that http.client uses of a socket
        began_s = time.monotonic()
        chunks = [body[at : at + CHUNK_BYTES] for at in range(0, len(body), CHUNK_BYTES)]
        connection.request("POST", self._path, chunks, headers)
        response = connection.getresponse()
        data = response.read(ANSWER_BYTES_MAX)
        took_ms = (time.monotonic() - began_s) * 1000
        if response.will_close or not response.isclosed():
            self.close()
        headers_there = response.headers
        location = headers_there.get("Location", "")[:200]
        return Answer(
            response.status, data, took_ms, retry_after_s(headers_there), location, date_s(headers_there)
        )


def pack(parts: Iterable[bytes]) -> tuple[bytes, bool]:
    """The parts as one body, and whether it is packed."""
    plain = b""
    rest = iter(parts)
    for part in rest:
        plain += part
        if len(plain) > wire.GZIP_FROM_BYTES:
            packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16)
            return b"".join([packer.compress(plain), *map(packer.compress, rest), packer.flush()]), True
    return plain, False


def date_s(headers: Message) -> float | None:
    """When the answer was written, by the clock of whoever wrote it; None if it does not say."""
    try:
        return parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except (TypeError, ValueError):
        return None


def retry_after_s(headers: Message) -> float | None:
    """How long Retry-After asks to wait, written in seconds or as a date; None if it asks for nothing clear."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        # Both dates are by the other side's clock, so that ours does not matter.
        until = parsedate_to_datetime(text) - parsedate_to_datetime(headers.get("Date", ""))
    except (TypeError, ValueError):
        return None
    return max(0.0, until.total_seconds())
