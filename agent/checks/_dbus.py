"""As much of D-Bus as it takes to ask the system's bus a question: a call with strings, and the answer read in pieces.

The protocol is that of dbus.freedesktop.org/doc/dbus-specification.html. Everything is in the byte order of the one who
wrote it, and each value begins at a multiple of its size, counted from the beginning of the message.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Sequence

from agent.net.dial import Deadline, Line

MESSAGE_BYTES_MAX = 4 * 1024 * 1024
SIGNALS_MAX = 1_000
"""How many messages that are no answer are let pass while waiting for one."""
CALL, RETURN, ERROR = 1, 2, 3
PATH, INTERFACE, MEMBER, ERROR_NAME, REPLY_TO, DESTINATION, SIGNATURE = 1, 2, 3, 4, 5, 6, 8
DO_NOT_START = 2
"""A flag: what is not running is not to be started by our question."""


class BusError(Exception):
    """The bus, or whom we asked by it, did not answer as it should. The text is a sentence for a person."""


class Reader:
    """Takes values from a message, one after the other. ValueError: they are not there."""

    def __init__(self, data: bytes, order: str, place: int = 0) -> None:
        self._data = data
        self._u32 = struct.Struct(f"{order}I")
        self.place = place

    def align(self, size: int) -> None:
        self.place += -self.place % size

    def byte(self) -> int:
        return self._piece(1)[0]

    def u32(self) -> int:
        self.align(4)
        value: int = self._u32.unpack(self._piece(4))[0]
        return value

    def string(self) -> str:
        """A string, or the path of an object."""
        return self._text(self.u32())

    def signature(self) -> str:
        return self._text(self.byte())

    def _text(self, length: int) -> str:
        return self._piece(length + 1)[:-1].decode("utf-8", "replace")

    def _piece(self, length: int) -> bytes:
        piece = self._data[self.place : self.place + length]
        if len(piece) != length:
            raise ValueError("ends too early")
        self.place += length
        return piece


class Bus:
    """A connection to a bus, made when it is needed and given up after any trouble."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._sock: socket.socket | None = None
        self._serial = 0

    def call(
        self,
        destination: str,
        path: str,
        member: str,
        arguments: Sequence[str | list[str]],
        deadline: Deadline,
    ) -> Reader:
        """The answer to a call of `interface.member` with strings and lists of strings. BusError: there is none."""
        try:
            if self._sock is None:
                self._connect(deadline)
            return self._called(destination, path, member, arguments, deadline)
        except TimeoutError:
            self.close()
            raise BusError(f"no answer within {deadline.limit_s:g} s") from None
        except OSError as error:
            self.close()
            raise BusError(f"{self._path}: {(error.strerror or str(error)).lower()}") from None
        except (ValueError, struct.error):
            self.close()
            raise BusError(f"{self._path} does not speak D-Bus as we do") from None

    def close(self) -> None:
        if self._sock is not None:
            self._sock.close()
        self._sock = None

    def __del__(self) -> None:
        self.close()

    def _connect(self, deadline: Deadline) -> None:
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.settimeout(deadline.left_s())
        self._sock.connect(self._path)
        line = Line(self._sock, deadline)
        line.sendall(b"\0AUTH EXTERNAL " + str(os.geteuid()).encode().hex().encode() + b"\r\n")
        answer = b""
        while not answer.endswith(b"\r\n"):
            answer += received(line, 1)
            if len(answer) > 200:
                raise ValueError("no answer of the protocol")
        if not answer.startswith(b"OK "):
            raise BusError(f"{self._path} does not let this user in")
        line.sendall(b"BEGIN\r\n")
        bus = "org.freedesktop.DBus"
        self._called(bus, "/org/freedesktop/DBus", f"{bus}.Hello", (), deadline)

    def _called(
        self,
        destination: str,
        path: str,
        member: str,
        arguments: Sequence[str | list[str]],
        deadline: Deadline,
    ) -> Reader:
        assert self._sock is not None
        line = Line(self._sock, deadline)
        self._serial += 1
        line.sendall(call_message(self._serial, destination, path, member, arguments))
        for _ in range(SIGNALS_MAX):
            kind, reply_to, name, body = message_from(line)
            if kind == RETURN and reply_to == self._serial:
                return body
            if kind == ERROR and reply_to == self._serial:
                raise BusError(f"{member} is refused ({name})")
        raise ValueError("nothing but messages that are no answer")


def call_message(
    serial: int, destination: str, path: str, member: str, arguments: Sequence[str | list[str]]
) -> bytes:
    interface, _, method = member.rpartition(".")
    fields = [
        (PATH, "o", path),
        (DESTINATION, "s", destination),
        (INTERFACE, "s", interface),
        (MEMBER, "s", method),
    ]
    body, signature = b"", ""
    for argument in arguments:
        body = padded(body, 4)
        if isinstance(argument, str):
            body, signature = body + string(argument), signature + "s"
            continue
        items = b""
        for item in argument:
            items = padded(items, 4) + string(item)
        body, signature = body + struct.pack("<I", len(items)) + items, signature + "as"
    head = b""
    for code, kind, value in fields:
        head = padded(head, 8) + bytes([code, 1]) + kind.encode() + b"\0" + string(value)
    if signature:
        head = (
            padded(head, 8)
            + bytes([SIGNATURE, 1])
            + b"g\0"
            + bytes([len(signature)])
            + signature.encode()
            + b"\0"
        )
    first = struct.pack("<cBBBIII", b"l", CALL, DO_NOT_START, 1, len(body), serial, len(head))
    return padded(first + head, 8) + body


def string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<I", len(data)) + data + b"\0"


def padded(data: bytes, size: int) -> bytes:
    return data + bytes(-len(data) % size)


def message_from(line: Line) -> tuple[int, int, str, Reader]:
    """The next message: its kind, the call it answers, the name of an error, and its contents."""
    first = received(line, 16)
    order = {ord("l"): "<", ord("B"): ">"}.get(first[0], "")
    if not order:
        raise ValueError("no message")
    kind = first[1]
    body_length, _, head_length = struct.unpack(f"{order}III", first[4:])
    length = head_length + -head_length % 8 + body_length
    if length > MESSAGE_BYTES_MAX:
        raise ValueError("too large")
    data = first + received(line, length)
    reply_to, name = 0, ""
    head = Reader(data, order, 16)
    while head.place < 16 + head_length:
        head.align(8)
        code, _ = head.byte(), head.signature()
        if code == REPLY_TO:
            reply_to = head.u32()
        elif code == SIGNATURE:
            head.signature()
        elif code == 9:  # how many open files come with it
            head.u32()
        else:
            text = head.string()
            name = text if code == ERROR_NAME else name
    return kind, reply_to, name, Reader(data[-body_length:] if body_length else b"", order)


def received(line: Line, count: int) -> bytes:
    data = bytearray(count)
    view, place = memoryview(data), 0
    while place < count:
        got = line.recv_into(view[place:])
        if not got:
            raise ConnectionResetError(0, "the connection was closed")
        place += got
    return bytes(data)
