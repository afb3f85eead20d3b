"""Does a web address answer as it should, and how fast?

The time is that of everything together: name, connection, TLS, redirects, all of the answer. So is its limit, so that a
server which sends a byte now and then is not taken for one that answers. The phases add up to the whole; each counts
all redirects together.
"""

from __future__ import annotations

import re
import socket
import time
from functools import partial
from http.client import (
    BadStatusLine,
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    IncompleteRead,
    RemoteDisconnected,
)
from typing import Annotated, Any, Literal
from urllib.parse import quote, urljoin, urlsplit

import msgspec
from msgspec import Meta, Struct

from agent.checks import CheckOptions, Measured
from agent.net import tls
from agent.net.dial import Deadline, Line, NoAnswer, Reach, anywhere, beginning, connect, in_words, resolve
from agent.options.units import say_size
from agent.wire import series_name

REDIRECTS = {301, 302, 303, 307, 308}
CHUNK_BYTES = 64 * 1024
PORTS = {"http": 80, "https": 443}
PHASES = ("name", "connect", "tls", "first_byte", "transfer")
SAFE = "/%:@!$&'()*+,;=~?[]"
"""What stays as it is in a path or query; all else that is not a letter or digit is escaped."""
SERIES = {
    "http_status": "The status that a web address answered with, after redirects.",
    "http_total_ms": "How long a web address took to answer: name, connection, TLS, redirects, all of the answer.",
    "http_phase_ms": "How long a part of that took: name, connect, tls, first_byte (until the answer began), transfer.",
}
NOT_IN_AN_ADDRESS = re.compile(r"[\x00-\x20\x7f]")


class Options(CheckOptions, kw_only=True, frozen=True):
    """
    url: what to ask for, with http:// or https://
    method: GET, or HEAD to leave the body where it is
    expect_status: which answers are good: 200, 200-299 or "200-299, 404"
    body_contains: text that the body must contain
    json_path: keys, with dots between them, that lead to a value in a body of JSON, such as status or nodes.0.up
    json_equals: what that value must be; when left out, it is enough that it is there
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
    json_path: Annotated[str, Meta(max_length=1_000)] = ""
    json_equals: bool | int | float | str | None = None
    redirects_max: Annotated[int, Meta(ge=0, le=20)] = 5
    verify: bool = True
    ca_file: str = ""
    slow_ms: Annotated[int, Meta(ge=1)] | None = None
    body_bytes_max: Annotated[int, Meta(ge=0, le=64 * 1024 * 1024)] = 1024 * 1024

    def __post_init__(self) -> None:
        status_ranges(self.expect_status)
        Target.of(self.url)
        searched = "body_contains" if self.body_contains else "json_path" if self.json_path else ""
        if self.method == "HEAD" and searched:
            raise ValueError(f"{searched}: an answer to HEAD has no body; ask with GET")
        if self.json_equals is not None and not self.json_path:
            raise ValueError("json_equals: say with json_path which value is meant")


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


class Phases:
    """Tells one phase from the next: each takes from the end of the one before it. Those of the same name add up."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}
        self._began_s = time.monotonic()

    def end(self, phase: str, at_s: float | None = None) -> None:
        now_s = time.monotonic() if at_s is None else at_s
        self.ms[phase] = self.ms.get(phase, 0.0) + (now_s - self._began_s) * 1000
        self._began_s = now_s


class Check:
    def __init__(self, options: Options) -> None:
        self._options = options
        self.reach: Reach = anywhere
        label = {"check": options.id or "http"}
        self._status, self._total_ms = series_name("http_status", label), series_name("http_total_ms", label)
        self._phases = {phase: series_name("http_phase_ms", label | {"phase": phase}) for phase in PHASES}
        phases = [phase for phase in PHASES if phase != "tls" or Target.of(options.url).scheme == "https"]
        self._always = [self._status, self._total_ms, *(self._phases[phase] for phase in phases)]

    def measure(self, at_s: float) -> Measured:
        deadline, phases = Deadline(self._options.timeout_s), Phases()
        try:
            answer = follow(self._options, deadline, phases, self.reach)
        except NoAnswer as error:
            return Measured(dict.fromkeys(self._always), "bad", str(error))
        total_ms = sum(phases.ms.values())
        samples: dict[str, float | None] = {self._status: answer.status, self._total_ms: total_ms}
        samples |= {self._phases[phase]: ms for phase, ms in phases.ms.items()}
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
    return json_fault(answer.body, options) if options.json_path else ""


def json_fault(body: bytearray, options: Options) -> str:
    """What is wrong with a body that should be JSON with the value that is wanted."""
    if len(body) >= options.body_bytes_max:
        return f"the body is larger than {say_size(options.body_bytes_max)} and was not read as JSON; see body_max"
    try:
        value = value_at(msgspec.json.decode(body), options.json_path)
    except (msgspec.DecodeError, RecursionError):
        return f'the body is no JSON; it begins with "{beginning(body)}"' if body else "the body is empty"
    except LookupError as error:
        return f"the JSON has no {options.json_path}: {error.args[0]}"
    wanted = options.json_equals
    if wanted is None or (value == wanted and isinstance(value, bool) == isinstance(wanted, bool)):
        return ""
    return f"{options.json_path} is {shown(value)}, expected {shown(wanted)}"


def value_at(value: Any, path: str) -> Any:
    """The value that a dotted path leads to. LookupError says how far it leads."""
    gone: list[str] = []
    for key in path.split("."):
        try:
            if isinstance(value, list):
                value = value[int(key)]
            else:
                value = dict.__getitem__(value, key)
        except (LookupError, TypeError, ValueError):
            where = f"in {'.'.join(gone)}" if gone else "at its top"
            raise LookupError(f'there is no "{key}" {where}') from None
        gone.append(key)
    return value


def shown(value: Any) -> str:
    """A value as JSON, in part if it is long."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 100 else f"{text[:100]}…"


def follow(options: Options, deadline: Deadline, phases: Phases, reach: Reach) -> Answer:
    """Ask, and go on to where the answer sends us. NoAnswer says why there is no answer."""
    target = Target.of(options.url)
    for redirects in range(options.redirects_max + 1):
        answer, location = fetch(target, options, deadline, phases, reach)
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


def fetch(
    target: Target, options: Options, deadline: Deadline, phases: Phases, reach: Reach
) -> tuple[Answer, str | None]:
    """One request: its answer, and where it redirects to. NoAnswer says why there is none."""
    headers = {"Host": target.name, "User-Agent": "watchkeeper-agent", "Accept": "*/*", "Connection": "close"}
    with connection_to(target, options, deadline, phases, reach) as sock:
        line = Line(sock, deadline)
        connection = HTTPConnection(target.host, target.port)
        connection.sock = line
        try:
            connection.request(options.method, target.path, headers=headers)
            response = connection.getresponse()
            phases.end("first_byte", line.heard_s)
            with response:
                body = body_of(response, options)
            phases.end("transfer")
        except TimeoutError:
            got = f"{line.received_bytes} bytes" if line.received_bytes else "nothing"
            raise NoAnswer(f"no complete answer within {deadline.limit_s:g} s (got {got})") from None
        except HTTPException as error:
            raise NoAnswer(broken(error, target.name)) from None
        except OSError as error:
            raise NoAnswer(in_words(error, target.name, deadline)) from None
    return Answer(response.status, response.reason, body, 0), response.headers["Location"]


def connection_to(
    target: Target, options: Options, deadline: Deadline, phases: Phases, reach: Reach
) -> socket.socket:
    addresses = resolve(target.host, target.port, deadline, reach)
    phases.end("name")
    if target.scheme == "http":
        sock = connect(addresses, deadline)
        phases.end("connect")
        return sock
    trust = tls.Trust(options.verify, options.ca_file)
    secure = tls.connect(addresses, target.host, trust, deadline, partial(phases.end, "connect"))
    phases.end("tls")
    return secure


def body_of(response: HTTPResponse, options: Options) -> bytearray:
    """Read the body as far as allowed; what is returned is empty when nothing is to be searched for in it."""
    body, left = bytearray(), options.body_bytes_max
    while left and (chunk := response.read(min(left, CHUNK_BYTES))):
        left -= len(chunk)
        if options.body_contains or options.json_path:
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
