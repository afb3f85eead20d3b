"""Does a name server answer with the addresses, names or texts that it should, and how fast?

The server is asked directly, past whatever this host remembers of names. Three times within the time limit, as one
packet may be lost; an answer that is too long for a packet is fetched by TCP.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from agent.checks import CheckOptions, Measured
from agent.net.dial import Address, Deadline, Line, NoAnswer, Reach, anywhere, connect, in_words, resolve
from agent.wire import series_name

RESOLV_CONF = Path("/etc/resolv.conf")
SERVERS_MAX = 3
"""As many as the system's own resolver takes from there."""
TRIES = 3
TYPES = {"A": 1, "CNAME": 5, "MX": 15, "TXT": 16, "AAAA": 28}
FAMILIES = {"A": socket.AF_INET, "AAAA": socket.AF_INET6}
INTERNET = 1
HEADER = struct.Struct("!6H")
RECORD = struct.Struct("!HHIH")
ANSWER, CUT_SHORT, WANT_RECURSION, CODE = 0x8000, 0x0200, 0x0100, 0x000F
CODES = {
    1: "does not understand the question (FORMERR)",
    2: "could not find out (SERVFAIL)",
    3: "says that there is no such name (NXDOMAIN)",
    4: "does not know this kind of question (NOTIMP)",
    5: "refuses to answer (REFUSED)",
}
SERIES = {
    "dns_total_ms": "How long a name server took to answer.",
    "dns_answers": "How many records of the type that was asked for a name server answered with.",
}


class Options(CheckOptions, kw_only=True, frozen=True):
    """
    name: the name to ask for
    type: what to ask for
    server: name or address of the name server; when left out, those of this host (/etc/resolv.conf)
    port: its number
    expect: records that must be among the answers, such as [192.0.2.1] or ["10 mail.example.org"]
    slow: an answer that takes longer is a warning
    """

    name: Annotated[str, Meta(min_length=1, max_length=253)]
    type: Literal["A", "AAAA", "CNAME", "MX", "TXT"] = "A"
    server: Annotated[str, Meta(max_length=253)] = ""
    port: Annotated[int, Meta(ge=1, le=65_535)] = 53
    expect: Annotated[tuple[str, ...], Meta(max_length=100)] = ()
    slow_ms: Annotated[int, Meta(ge=1)] | None = None

    def __post_init__(self) -> None:
        encoded(self.name)
        for record in self.expect:
            plain(record, self.type)


class Reply(Struct, frozen=True):
    """What a server answered: a code, which is 0 when all is well, and records of the type asked for."""

    code: int
    cut_short: bool
    records: list[str]


class Check:
    def __init__(self, options: Options, resolv_conf: Path = RESOLV_CONF) -> None:
        self._options = options
        self.reach: Reach = anywhere
        self._resolv_conf = resolv_conf
        label = {"check": options.id or "dns"}
        self._total_ms, self._answers = series_name("dns_total_ms", label), series_name("dns_answers", label)

    def measure(self, at_s: float) -> Measured:
        options = self._options
        deadline = Deadline(options.timeout_s)
        try:
            servers = self._servers(deadline)
            began_s = time.monotonic()
            reply, server = asked(servers, options, deadline)
        except NoAnswer as error:
            return Measured({self._total_ms: None, self._answers: None}, "bad", str(error))
        total_ms = (time.monotonic() - began_s) * 1000
        samples: dict[str, float | None] = {self._total_ms: total_ms, self._answers: len(reply.records)}
        if fault := fault_of(reply, options, server):
            return Measured(samples, "bad", fault)
        if options.slow_ms is not None and total_ms > options.slow_ms:
            return Measured(samples, "warn", f"slower than {options.slow_ms} ms")
        return Measured(samples)

    def _servers(self, deadline: Deadline) -> list[Address]:
        """The servers to ask. A name stands for its first address alone, so that it is clear which one is meant."""
        if self._options.server:
            return resolve(self._options.server, self._options.port, deadline, self.reach)[:1]
        hosts = list(nameservers(self._resolv_conf))[:SERVERS_MAX]
        if not hosts:
            raise NoAnswer(f"{self._resolv_conf} names no server")
        return [resolve(host, self._options.port, deadline)[0] for host in hosts]


def nameservers(path: Path) -> Iterator[str]:
    """OSError: there is no such file."""
    for line in path.read_text("utf-8", "replace").splitlines():
        match line.split():
            case ["nameserver", host, *_]:
                yield host


def fault_of(reply: Reply, options: Options, server: Address) -> str:
    """What is wrong with an answer, in words; empty when it is as expected."""
    if reply.code:
        return f"{server.shown} {CODES.get(reply.code, f'answered with error {reply.code}')}: {options.name}"
    if not reply.records:
        return f"{options.name} has no {options.type} record, says {server.shown}"
    missing = [record for record in options.expect if plain(record, options.type) not in reply.records]
    if missing:
        said = ", ".join(sorted(reply.records))
        return f"{options.name} is {said[:300]}, expected {', '.join(missing)[:300]}"
    return ""


def asked(servers: list[Address], options: Options, deadline: Deadline) -> tuple[Reply, Address]:
    """The first answer, and by whom. NoAnswer: none came in time, or none that can be understood."""
    query = question(options)
    with ExitStack() as at_the_end:
        asking = [at_the_end.enter_context(Asking(server)) for server in servers]
        turns = asking * TRIES
        for number, one in enumerate(turns):
            if deadline.spent_s >= deadline.limit_s:
                break
            if one.send(query):
                answered = heard(asking, query, deadline.left_s() / (len(turns) - number))
                if answered is not None:
                    return understood(*answered, query, options, deadline)
        late = f"within {deadline.limit_s:g} s"
        raise NoAnswer(
            "; ".join(one.trouble or f"no answer from {one.server.shown} {late}" for one in asking)
        )


class Asking:
    """A socket that leads to one server, so that nobody else can answer and the kernel says when nobody is there."""

    def __init__(self, server: Address) -> None:
        self.server = server
        self.trouble = ""
        self.sock = socket.socket(server.family, socket.SOCK_DGRAM)
        self.sock.setblocking(False)

    def __enter__(self) -> Asking:
        return self

    def __exit__(self, *error: object) -> None:
        self.sock.close()

    def send(self, query: bytes) -> bool:
        """False: it could not be sent, and `trouble` says why."""
        try:
            self.sock.connect(self.server.sockaddr)
            self.sock.send(query)
        except OSError as error:
            self._failed(error)
            return False
        self.trouble = ""
        return True

    def receive(self) -> bytes:
        """What came; nothing when the other side cannot be reached, and `trouble` says why."""
        try:
            return self.sock.recv(65_535)
        except OSError as error:
            self._failed(error)
            return b""

    def _failed(self, error: OSError) -> None:
        refused = isinstance(error, ConnectionRefusedError)
        words = "nobody takes questions at" if refused else (error.strerror or str(error)).lower() + ":"
        self.trouble = f"{words} {self.server.shown}"


def heard(asking: list[Asking], query: bytes, wait_s: float) -> tuple[bytes, Address] | None:
    """An answer to the query, an earlier try's too. None: none came in time, or somebody turned out not to be there.

    What answers nothing that was asked is let pass: anybody can send that.
    """
    end_s = time.monotonic() + wait_s
    poll = select.poll()
    for one in asking:
        poll.register(one.sock, select.POLLIN)
    while (left_s := end_s - time.monotonic()) > 0:
        ready = {number for number, _ in poll.poll(left_s * 1000)}
        for one in asking:
            if one.sock.fileno() in ready:
                data = one.receive()
                if answers(data, query):
                    return data, one.server
                if one.trouble:
                    return None
    return None


def understood(
    data: bytes, server: Address, query: bytes, options: Options, deadline: Deadline
) -> tuple[Reply, Address]:
    reply = reply_in(data, query, options.type, server)
    if reply.cut_short:
        reply = reply_in(by_tcp(server, query, deadline), query, options.type, server)
    return reply, server


def by_tcp(server: Address, query: bytes, deadline: Deadline) -> bytes:
    """The same question where an answer may be longer. NoAnswer: there is none."""
    with connect([server], deadline) as sock:
        line = Line(sock, deadline)
        try:
            line.sendall(len(query).to_bytes(2, "big") + query)
            with line.makefile("rb") as file:
                length = int.from_bytes(file.read(2), "big")
                return file.read(length)
        except OSError as error:
            raise NoAnswer(in_words(error, f"{server.shown} by TCP", deadline)) from None


# --- messages ---------------------------------------------------------------------------------------------------------


def question(options: Options) -> bytes:
    """A query with a number that nobody can guess."""
    number = int.from_bytes(os.urandom(2), "big")
    head = HEADER.pack(number, WANT_RECURSION, 1, 0, 0, 0)
    return head + encoded(options.name) + struct.pack("!HH", TYPES[options.type], INTERNET)


def encoded(name: str) -> bytes:
    """A name as messages have it. ValueError: there can be no such name."""
    try:
        labels = (name if name.isascii() else name.encode("idna").decode()).rstrip(".").split(".")
    except UnicodeError:
        labels = [""]
    if not all(0 < len(label) < 64 for label in labels) or sum(map(len, labels)) + len(labels) > 254:
        raise ValueError(f'"{name}" is not a possible name')
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def answers(data: bytes, query: bytes) -> bool:
    """Whether a message answers this very query: its number, and its question but for upper and lower case."""
    return (
        len(data) >= len(query)
        and data[:2] == query[:2]
        and bool(data[2] & 0x80)
        and data[HEADER.size : len(query)].lower() == query[HEADER.size :].lower()
    )


def reply_in(data: bytes, query: bytes, type: str, server: Address) -> Reply:
    """The message taken apart. NoAnswer: it cannot be."""
    try:
        _, flags, _, count, _, _ = HEADER.unpack_from(data if answers(data, query) else b"")
        cut_short = bool(flags & CUT_SHORT)
        found = [] if cut_short else list(records(data, len(query), count, TYPES[type]))
        return Reply(flags & CODE, cut_short, [read(data, begin, end, type) for begin, end in found])
    except (ValueError, IndexError, struct.error):
        raise NoAnswer(f"{server.shown} answered with a message that is broken") from None


def records(data: bytes, place: int, count: int, type: int) -> Iterator[tuple[int, int]]:
    """Where the contents of each record of the type begin and end."""
    for _ in range(count):
        _, place = name_at(data, place)
        found, net, _, length = RECORD.unpack_from(data, place)
        place += RECORD.size
        if place + length > len(data):
            raise ValueError("ends too early")
        if (found, net) == (type, INTERNET):
            yield place, place + length
        place += length


def read(data: bytes, begin: int, end: int, type: str) -> str:
    """The contents of a record as `expect` has them."""
    match type:
        case "A" | "AAAA":
            return socket.inet_ntop(FAMILIES[type], data[begin:end])
        case "MX":
            return f"{int.from_bytes(data[begin : begin + 2], 'big')} {name_at(data, begin + 2)[0]}"
        case "CNAME":
            return name_at(data, begin)[0]
        case _:
            return b"".join(texts(data[begin:end])).decode("utf-8", "replace")


def texts(data: bytes) -> Iterator[bytes]:
    """A text comes in pieces, each with its length before it."""
    while data:
        yield data[1 : 1 + data[0]]
        data = data[1 + data[0] :]


def name_at(data: bytes, place: int) -> tuple[str, int]:
    """A name, and where what follows it begins. A part that was said before is only pointed to: always back, or the
    name would have no end."""
    labels: list[str] = []
    after, before = -1, place
    while length := data[place]:
        if length >= 0xC0:
            after = place + 2 if after < 0 else after
            place = int.from_bytes(data[place : place + 2], "big") & 0x3FFF
            if place >= before:
                raise ValueError("points forward")
            before = place
        elif length < 64 and len(labels) < 128:
            labels.append(data[place + 1 : place + 1 + length].decode("ascii", "replace").lower())
            place += 1 + length
        else:
            raise ValueError("not a name")
    return ".".join(labels), place + 1 if after < 0 else after


def plain(record: str, type: str) -> str:
    """An expected record as `read` would have it. ValueError: there can be no such record."""
    try:
        match type:
            case "A" | "AAAA":
                return socket.inet_ntop(FAMILIES[type], socket.inet_pton(FAMILIES[type], record))
            case "MX":
                preference, name = record.split()
                return f"{int(preference)} {name.lower().rstrip('.')}"
            case "CNAME":
                return record.lower().rstrip(".")
            case _:
                return record
    except (OSError, ValueError):
        looks = {"A": "192.0.2.1", "AAAA": "2001:db8::1", "MX": "10 mail.example.org"}[type]
        raise ValueError(f'expect: "{record}" is no {type} record; one looks like {looks}') from None
