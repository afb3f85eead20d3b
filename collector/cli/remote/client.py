"""Asks a collector over its HTTP API, within limits of time and size; says in plain words why there is no answer."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Struct

from agent.wire import Problem
from collector.cli.remote.place import TIMEOUT_S, Place, Unreachable

BASE = "/api/monitoring"
ANSWER_BYTES_MAX = 64 * 1024 * 1024
PIECE_BYTES = 256 * 1024
PAGE = 500
ENTRIES_MAX = 100_000

T = TypeVar("T")
Query = Mapping[str, "str | int | Iterable[str] | None"]
NO_QUERY: Query = MappingProxyType({})


class Refused(Exception):
    """The collector answered, and would not."""

    def __init__(self, status: int, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.code = status, code


class Starts(Unreachable):
    """There is a collector, and it makes itself ready; the sentence says how far it is."""


class Listed(Struct):
    """A list out of all its pages; its entries as they came."""

    items: list[msgspec.Raw]
    next: str | None = None
    total: int | None = None


class Client:
    """One connection, used again while it lasts. `look_again` finds the place anew when its token does not hold any
    more: the collector of this machine has another one at every start. `now_ms` is the collector's clock as of its last
    answer, so that ages are right also where the clock here is wrong. Not for several threads at once."""

    def __init__(
        self, place: Place, timeout_s: float = TIMEOUT_S, look_again: Callable[[], Place] | None = None
    ) -> None:
        """ValueError when `place.ca` cannot be used."""
        self.place, self._timeout_s, self._look_again = place, timeout_s, look_again
        parts = urlsplit(place.url)
        self._host, self._port, self._path = parts.hostname or "", parts.port, parts.path
        self._context = _context(place) if parts.scheme == "https" else None
        self._connection: http.client.HTTPConnection | None = None
        self.now_ms: int | None = None

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    # --- asking ---

    def get(self, path: str, query: Query = NO_QUERY) -> bytes:
        """Unreachable, Refused."""
        given = {key: value for key, value in query.items() if value is not None and value != ""}
        target = f"{path}?{urlencode(given, doseq=True)}" if given else path
        reused = self._connection is not None
        try:
            return self._ask("GET", target, None)
        except _BrokenOff as trouble:
            if not reused:
                raise Unreachable(str(trouble)) from None
        try:
            return self._ask("GET", target, None)  # the collector had closed a connection that was kept
        except _BrokenOff as trouble:
            raise Unreachable(str(trouble)) from None

    def send(self, method: str, path: str, body: object = None) -> bytes:
        """What changes something is sent once, over a connection of its own. Unreachable, Refused."""
        self.close()
        try:
            return self._ask(method, path, None if body is None else msgspec.json.encode(body))
        except _BrokenOff as trouble:
            raise Unreachable(
                f"{trouble}. Whether it was done is not known: look before you try again"
            ) from None

    def pages(self, path: str, query: Query = NO_QUERY, most: int = ENTRIES_MAX) -> Listed:
        """At most so many entries of a list, out of as many pages as that takes. Unreachable, Refused."""
        whole, cursor = Listed([]), ""
        while len(whole.items) < most:
            asked = {**query, "limit": min(PAGE, most - len(whole.items)), "cursor": cursor}
            page = decoded(self.get(path, asked), Listed)
            whole = Listed(whole.items + page.items, page.next, page.total)
            if page.next is None:
                break
            cursor = page.next
        return whole

    def _ask(self, method: str, target: str, body: bytes | None) -> bytes:
        may_be_done = False
        try:
            connection = self._connected()
            may_be_done = method != "GET"
            with _at_most(self._timeout_s, connection.sock):
                connection.request(method, self._path + BASE + target, body, self._headers(body))
                answer = connection.getresponse()
                raw = self._read(answer)
        except ssl.SSLError as error:
            self.close()
            raise Unreachable(f"{self.place.url}: {_distrust(error)}") from None
        except (ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected) as error:
            self.close()
            raise _BrokenOff(f"{self.place.url} closed the connection without an answer") from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            kind = _BrokenOff if may_be_done and isinstance(error, TimeoutError) else Unreachable
            raise kind(self._no_answer(error)) from None
        if answer.will_close:
            self.close()
        with contextlib.suppress(TypeError, ValueError):
            self.now_ms = round(parsedate_to_datetime(answer.getheader("Date", "")).timestamp() * 1000)
        if answer.status == 401 and self._has_another_token():
            return self._ask(method, target, body)
        if answer.status >= 300:
            raise self._refusal(answer, raw)
        return raw

    def _has_another_token(self) -> bool:
        if self._look_again is None:
            return False
        before, self.place = self.place, self._look_again()
        return self.place.token != before.token

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            if self._context is None:
                self._connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
            else:
                self._connection = http.client.HTTPSConnection(
                    self._host, self._port, timeout=self._timeout_s, context=self._context
                )
            self._connection.connect()
            self._see_the_pin(self._connection)
        return self._connection

    def _see_the_pin(self, connection: http.client.HTTPConnection) -> None:
        """Before anything is sent."""
        if self.place.pin and isinstance(connection.sock, ssl.SSLSocket):
            found = hashlib.sha256(connection.sock.getpeercert(binary_form=True) or b"").hexdigest()
            if found != self.place.pin:
                self.close()
                raise Unreachable(
                    f"the certificate of {self.place.url} is not the pinned one, but sha256:{found}"
                )

    def _headers(self, body: bytes | None) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": "watchkeeper"}
        if self.place.token:
            headers["Authorization"] = f"Bearer {self.place.token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        return headers

    def _read(self, answer: http.client.HTTPResponse) -> bytes:
        whole = bytearray()
        while piece := answer.read1(PIECE_BYTES):
            whole += piece
            if len(whole) > ANSWER_BYTES_MAX:
                raise http.client.HTTPException(f"more than {ANSWER_BYTES_MAX // 2**20} MiB; ask for less")
        if answer.length:
            raise http.client.RemoteDisconnected("the answer broke off")
        answer.close()  # the connection stays, and is free for the next question
        return bytes(whole)

    # --- what went wrong ---

    def _no_answer(self, error: Exception) -> str:
        url = self.place.url
        match error:
            case TimeoutError():
                why = f"{url} did not answer within {self._timeout_s:g} s"
            case ConnectionRefusedError():
                why = f"nothing listens at {url}"
            case socket.gaierror():
                why = f"the name in {url} cannot be found"
            case OSError():
                why = f"{url} is not reachable: {(error.strerror or str(error)).lower()}"
            case _:
                why = f"{url} does not answer as a collector would ({str(error).strip()})"
        if self.place.is_local:
            return f"{why}; is the collector running? (watchkeeper serve, or systemctl status watchkeeper-collector)"
        return why

    def _refusal(self, answer: http.client.HTTPResponse, raw: bytes) -> Exception:
        try:
            problem = msgspec.json.decode(raw, type=Problem)
        except msgspec.MsgspecError:
            where = answer.getheader("Location")
            leads = f" that leads to {where[:200]}: give that address" if where else ""
            return Unreachable(f"{self.place.url} is no collector: it answers {answer.status}{leads}")
        if problem.code == "starting":
            how_far = problem.message.removeprefix("not yet: ")
            return Starts(
                f"the collector at {self.place.url} is starting: {how_far}; it goes on by itself, ask again in a moment"
            )
        if answer.status in (429, 503):
            return Unreachable(f"{self.place.url} cannot answer now: {problem.message}")
        return Refused(answer.status, problem.code, f"{problem.message}{self._advice(answer.status)}")

    def _advice(self, status: int) -> str:
        if status == 401 and self.place.is_local:
            return "; the token that lies in its folder is not its own: is another collector at this address?"
        if status == 401:
            return (
                "; give a token that holds: --token-file FILE, or WATCHKEEPER_TOKEN (watchkeeper token add)"
            )
        if status == 403 and self.place.token:
            return "; a token that may: watchkeeper token add NAME --may RIGHT"
        return ""


@contextlib.contextmanager
def _at_most(seconds: float, sock: socket.socket) -> Iterator[None]:
    """Ends a talk that takes longer, with TimeoutError: a socket's own limit begins anew with each drop that comes."""
    over = threading.Event()

    def end() -> None:
        over.set()
        with contextlib.suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)  # below TLS, which is being read elsewhere

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException):
        if over.is_set():
            raise TimeoutError from None
        raise
    finally:
        timer.cancel()
    if over.is_set():
        raise TimeoutError


class _BrokenOff(Exception):
    """The connection ended before an answer came."""


def decoded(raw: bytes | msgspec.Raw, into: type[T]) -> T:
    """Unreachable when the answer is that of something else."""
    try:
        return msgspec.json.decode(raw, type=into)
    except msgspec.MsgspecError as error:
        raise Unreachable(f"what answers is no collector of this version ({error})") from None


def entries(listed: Listed, of: type[T]) -> list[T]:
    return [decoded(item, of) for item in listed.items]


def encoded(listed: Listed) -> bytes:
    """A list as the API would answer it, were its pages one."""
    return msgspec.json.encode(listed)


def as_json(raw: bytes) -> str:
    """For programs: as it came, on lines of its own. Unreachable when it is no JSON."""
    try:
        return msgspec.json.format(raw, indent=2).decode()
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unreachable(f"what answers is no collector of this version ({error})") from None


def _context(place: Place) -> ssl.SSLContext:
    """With a pin and no `ca`, the fingerprint is looked at and nothing else."""
    try:
        context = ssl.create_default_context(cafile=place.ca)
    except OSError as error:
        raise ValueError(f"--ca: {place.ca} cannot be used: {error.strerror or error}") from None
    if place.pin and place.ca is None:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _distrust(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message
        return f"its certificate is not trusted ({why}); --ca FILE or --pin sha256:… says whom to trust"
    return f"no TLS connection ({(error.reason or str(error)).replace('_', ' ').lower()})"
