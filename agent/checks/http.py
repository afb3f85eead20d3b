"""Does a web address answer as it should, and how fast?

The time is that of everything together: name, connection, TLS, redirects, all of the answer. So is its limit, so that a
server which sends a byte now and then is not taken for one that answers.
"""

from __future__ import annotations

import re
import socket
from http.client import (
    BadStatusLine,
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    IncompleteRead,
    RemoteDisconnected,
)
from typing import Annotated, Literal
from urllib.parse import quote, urljoin, urlsplit

from msgspec import Meta, Struct

from agent import tls
from agent.checks import CheckOptions, Measured
from agent.dial import Deadline, Line, NoAnswer, beginning, connect, in_words, resolve
from agent.wire import series_name

REDIRECTS = {301, 302, 303, 307, 308}
CHUNK_BYTES = 64 * 1024
PORTS = {"http": 80, "https": 443}
SAFE = "/%:@!$&'()*+,;=~?[]"
"""What stays as it is in a path or query; all else that is not a letter or digit is escaped."""
SERIES = {
    "http_status": "The status that a web address answered with, after redirects.",
    "http_total_ms": "How long a web address took to answer: name, connection, TLS, redirects, all of the answer.",
}
NOT_IN_AN_ADDRESS = re.compile(r"[\x00-\x20\x7f]")


class Options(CheckOptions, kw_only=True, frozen=True):
    """
    url: what to ask for, with http:// or https://
    method: GET, or HEAD to leave the body where it is
    expect_status: which answers are good: 200, 200-299 or "200-299, 404"
    body_contains: text that the body must contain
    redirects_max: how many redirects are followed; 0 takes a redirect as the answer
    verify: false takes any certificate
    ca_file: a file of certificates to trust instead of the system's
    slow: an answer that takes longer is a warning
    body_max: how much of a body is read; what follows is neither waited for nor searched
    """

    url: Annotated[str, Meta(max_length=2_000)]
    method: Literal["GET", "HEAD"] = "GET"
    expect_status: int | str = "200-399"
    body_contains: str = ""
    redirects_max: Annotated[int, Meta(ge=0, le=20)] = 5
    verify: bool = True
    ca_file: str = ""
    slow_ms: Annotated[int, Meta(ge=1)] | None = None
    body_bytes_max: Annotated[int, Meta(ge=0, le=64 * 1024 * 1024)] = 1024 * 1024

    def __post_init__(self) -> None:
        status_ranges(self.expect_status)
        Target.of(self.url)
        if self.method == "HEAD" and self.body_contains:
            raise ValueError("body_contains: an answer to HEAD has no body; ask with GET")


class Target(Struct, frozen=True):
    """A web address, taken apart."""

    url: str
    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def of(cls, url: str) -> Target:
        """ValueError says what is wrong with the address."""
        wrong = f'"{url}" is not a web address; one looks like https://example.org/health'
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
            host = host if host.isascii() else host.encode("idna").decode()
            port = parts.port or PORTS[parts.scheme]
        except (ValueError, KeyError):
            raise ValueError(wrong) from None
        if not host or NOT_IN_AN_ADDRESS.search(url):
            raise ValueError(wrong)
        if parts.username is not None:
            raise ValueError(
                "a name or password inside a web address would be shown to everyone; leave it out"
            )
        query = f"?{quote(parts.query, safe=SAFE)}" if parts.query else ""
        return cls(url, parts.scheme, host, port, quote(parts.path or "/", safe=SAFE) + query)

    @property
    def name(self) -> str:
        """Its host and port as the `Host` header wants them, and as a person reads them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


class Answer(Struct):
    """What came at the end of all redirects; of the body, as much as may be read."""

    status: int
    reason: str
    body: bytearray
    redirects: int


class Check:
    def __init__(self, options: Options) -> None:
        self._options = options
        label = {"check": options.id or "http"}
        self._status, self._total_ms = series_name("http_status", label), series_name("http_total_ms", label)

    def measure(self, at_s: float) -> Measured:
        deadline = Deadline(self._options.timeout_s)
        try:
            answer = follow(self._options, deadline)
        except NoAnswer as error:
            return Measured({self._status: None, self._total_ms: None}, "bad", str(error))
        total_ms = deadline.spent_s * 1000
        samples: dict[str, float | None] = {self._status: answer.status, self._total_ms: total_ms}
        if fault := fault_of(answer, self._options):
            return Measured(samples, "bad", fault)
        slow_ms = self._options.slow_ms
        if slow_ms is not None and total_ms > slow_ms:
            return Measured(samples, "warn", f"slower than {slow_ms} ms")
        return Measured(samples)


def status_ranges(text: int | str) -> list[range]:
    """`200-299, 404` as ranges. ValueError says what is allowed."""
    ranges = []
    for part in str(text).split(","):
        match = re.fullmatch(r"\s*([1-5]\d\d)(?:\s*-\s*([1-5]\d\d))?\s*", part)
        if match is None or int(match[1]) > int(match[2] or match[1]):
            raise ValueError(f'expect_status: "{text}" is no status; write 200, 200-299 or "200-299, 404"')
        ranges.append(range(int(match[1]), int(match[2] or match[1]) + 1))
    return ranges


def fault_of(answer: Answer, options: Options) -> str:
    """What is wrong with an answer, in words; empty when it is as expected."""
    if not any(answer.status in good for good in status_ranges(options.expect_status)):
        fault = f"answered {answer.status} {answer.reason}".rstrip()
        count = "1 redirect" if answer.redirects == 1 else f"{answer.redirects} redirects"
        after = f" after following {count}" if answer.redirects else ""
        return f"{fault}{after}, expected {options.expect_status}"
    if options.body_contains and options.body_contains.encode() not in answer.body:
        where = (
            "the body" if len(answer.body) < options.body_bytes_max else "the part of the body that is read"
        )
        return f'{where} does not contain "{options.body_contains}"'
    return ""


def follow(options: Options, deadline: Deadline) -> Answer:
    """Ask, and go on to where the answer sends us. NoAnswer says why there is no answer."""
    target = Target.of(options.url)
    for redirects in range(options.redirects_max + 1):
        answer, location = fetch(target, options, deadline)
        if answer.status not in REDIRECTS or location is None or options.redirects_max == 0:
            answer.redirects = redirects
            return answer
        try:
            target = Target.of(urljoin(target.url, location))
        except ValueError:
            raise NoAnswer(
                f'{target.name} redirects to "{location[:200]}", which is no web address'
            ) from None
    raise NoAnswer(f"redirected more than {options.redirects_max} times, at last to {target.url[:200]}")


def fetch(target: Target, options: Options, deadline: Deadline) -> tuple[Answer, str | None]:
    """One request: its answer, and where it redirects to. NoAnswer says why there is none."""
    headers = {"Host": target.name, "User-Agent": "watchkeeper-agent", "Accept": "*/*", "Connection": "close"}
    with connection_to(target, options, deadline) as sock:
        line = Line(sock, deadline)
        connection = HTTPConnection(target.host, target.port)
        connection.sock = line
        try:
            connection.request(options.method, target.path, headers=headers)
            response = connection.getresponse()
            with response:
                body = body_of(response, options)
        except TimeoutError:
            got = f"{line.received_bytes} bytes" if line.received_bytes else "nothing"
            raise NoAnswer(f"no complete answer within {deadline.limit_s:g} s (got {got})") from None
        except HTTPException as error:
            raise NoAnswer(broken(error, target.name)) from None
        except OSError as error:
            raise NoAnswer(in_words(error, target.name, deadline)) from None
    return Answer(response.status, response.reason, body, 0), response.headers["Location"]


def connection_to(target: Target, options: Options, deadline: Deadline) -> socket.socket:
    addresses = resolve(target.host, target.port, deadline)
    if target.scheme == "http":
        return connect(addresses, deadline)
    return tls.connect(addresses, target.host, tls.Trust(options.verify, options.ca_file), deadline)


def body_of(response: HTTPResponse, options: Options) -> bytearray:
    """Read the body as far as allowed; what is returned is empty when nothing is to be searched for in it."""
    body, left = bytearray(), options.body_bytes_max
    while left and (chunk := response.read(min(left, CHUNK_BYTES))):
        left -= len(chunk)
        if options.body_contains:
            body += chunk
    if left and response.length:
        raise IncompleteRead(b"")
    return body


def broken(error: HTTPException, name: str) -> str:
    """What came instead of a whole answer in HTTP."""
    match error:
        case RemoteDisconnected():
            return f"{name} closed the connection without an answer"
        case IncompleteRead():
            return f"{name} closed the connection in the middle of its answer"
        case BadStatusLine():
            return f'{name} does not speak HTTP; it said "{beginning(str(error).encode())}"'
        case _:
            return f"{name} answered with broken HTTP: {error}"
