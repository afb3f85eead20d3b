"""Reach a port within a deadline, and say in words a person understands why it could not be done."""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Callable
from typing import Any

from msgspec import Struct


class NoAnswer(Exception):
    """Nobody answered as they should. The text is a sentence for a person."""


class OutOfReach(PermissionError):
    """Nobody was asked, as it may not be. The text is a sentence for a person."""


class Deadline:
    """A limit on everything together, however often the other side shows some sign of life."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._began_s = time.monotonic()

    @property
    def spent_s(self) -> float:
        return time.monotonic() - self._began_s

    def left_s(self) -> float:
        """TimeoutError when nothing is left."""
        left_s = self.limit_s - self.spent_s
        if left_s <= 0:
            raise TimeoutError
        return left_s


class Address(Struct, frozen=True):
    """One of the addresses of a name; `shown` is how a person is told of it."""

    family: int
    sockaddr: Any
    shown: str


Reach = Callable[[str], str]
"""Why an address is not to be reached, as the end of a sentence that begins with it; empty when it may be."""


def anywhere(address: str) -> str:
    return ""


def resolve(host: str, port: int, deadline: Deadline, reach: Reach = anywhere) -> list[Address]:
    """The addresses of a name, best first. NoAnswer: there is none. OutOfReach: one is not to be reached.

    It takes as long as the system's resolver does.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise NoAnswer(f"the name {host} does not resolve ({error.strerror})") from None
    except UnicodeError:
        raise NoAnswer(f"the name {host} does not resolve (it is not a possible name)") from None
    if deadline.spent_s >= deadline.limit_s:
        raise NoAnswer(f"the name {host} took longer than {deadline.limit_s:g} s to resolve")
    for _, _, _, _, sockaddr in found:
        if why := reach(str(sockaddr[0])):
            raise OutOfReach(f"{_shown(host, port, str(sockaddr[0]))} {why}")
    return [
        Address(family, sockaddr, _shown(host, port, str(sockaddr[0]))) for family, _, _, _, sockaddr in found
    ]


def connect(addresses: list[Address], deadline: Deadline) -> socket.socket:
    """A connection to the first address that takes one. NoAnswer: none did, and what the last one said."""
    said = "no address"
    for number, address in enumerate(addresses):
        sock = socket.socket(address.family, socket.SOCK_STREAM)
        try:
            # One address that swallows everything must leave time for the others.
            sock.settimeout(deadline.left_s() / (len(addresses) - number))
            sock.connect(address.sockaddr)
            return sock
        except OSError as error:
            sock.close()
            said = in_words(error, address.shown, deadline)
    raise NoAnswer(said)


def in_words(error: OSError, shown: str, deadline: Deadline) -> str:
    """What went wrong between us and the address shown."""
    match error:
        case TimeoutError():
            return f"no answer from {shown} within {deadline.limit_s:g} s"
        case ConnectionRefusedError():
            return f"connection refused by {shown}"
        case ConnectionResetError() | BrokenPipeError():
            return f"connection reset by {shown}"
        case _:
            return f"{shown}: {(error.strerror or str(error)).lower()}"


class Line:
    """A connected socket of which every single wait ends at the deadline; `received_bytes` counts what came.

    `heard_s` is when the first of it came, by the monotonic clock.

    A socket's own time limit begins anew with each byte, so that a server that drips would never run into it. This has
    just what http.client wants of a socket. Closing it closes nothing: that is left to whoever connected.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self.deadline = deadline
        self.received_bytes = 0
        self.heard_s: float | None = None

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(self.deadline.left_s())
        self._sock.sendall(data)

    def recv_into(self, buffer: memoryview | bytearray) -> int:
        self._sock.settimeout(self.deadline.left_s())
        count = self._sock.recv_into(buffer)
        self.received_bytes += count
        if self.heard_s is None and count:
            self.heard_s = time.monotonic()
        return count

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self))

    def close(self) -> None:
        pass


class _Reader(io.RawIOBase):
    def __init__(self, line: Line) -> None:
        self._line = line

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._line.recv_into(buffer)


def beginning(data: bytes | bytearray) -> str:
    """How an unexpected answer begins, fit to be shown in a sentence."""
    text = data[:60].decode("utf-8", "replace").strip()
    return "".join(char if char.isprintable() else " " for char in text)


def _shown(host: str, port: int, address: str) -> str:
    literal = f"[{address}]" if ":" in address else address
    if address == host.strip("[]"):
        return f"{literal}:{port}"
    return f"{host}:{port} ({address})"
