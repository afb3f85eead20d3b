"""From the bytes of a request to a Push, within the limits of the wire."""

from __future__ import annotations

import zlib

import msgspec
from aiohttp import web
from msgspec import Struct

from agent import wire

GZIP_WINDOW = 31
"""zlib's way of saying: with gzip's head and tail, nothing else."""
GZIP_MAGIC = b"\x1f\x8b\x08"
DEFLATE_RATIO_MAX = 1_032
"""Nothing becomes more than so many times as long when it is unpacked."""
BYTES_AT_WORK_MAX = 64 * 1024 * 1024
PUSHES_PER_HOST_MAX = 4
"""An agent sends two side by side, the present and its backlog. What is out of order with one host stays with it."""
ERROR_CHARS_MAX = 300


class NotTaken(Exception):
    """The whole push is refused, or put off (429, 503). `close`: nothing more is read from its connection."""

    def __init__(self, status: int, why: str, message: str, *, close: bool = False) -> None:
        super().__init__(message)
        self.status, self.why, self.message, self.close = status, why, message, close


class Room:
    """What all pushes being worked on keep in memory, and how many each host has under way."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes = 0
        self.bytes_max = bytes_max
        self._pushes: dict[int, int] = {}

    def enter(self, host: int) -> Share:
        """A share for one push, to be ended. NotTaken when there is no room for another."""
        pushes = self._pushes.get(host, 0)
        if pushes >= PUSHES_PER_HOST_MAX:
            raise NotTaken(429, "host_busy", f"{pushes} pushes of this host are being worked on already")
        self._pushes[host] = pushes + 1
        return Share(self, host)

    def leave(self, host: int, held: int) -> None:
        self.bytes -= held
        pushes = self._pushes.pop(host) - 1
        if pushes:
            self._pushes[host] = pushes


class Share:
    """What one push takes of the room."""

    __slots__ = ("_held", "_host", "_room")

    def __init__(self, room: Room, host: int) -> None:
        self._room, self._host, self._held = room, host, 0

    def hold(self, more: int) -> None:
        """Raises NotTaken when there is no room for so much more."""
        room = self._room
        if room.bytes + more > room.bytes_max:
            raise NotTaken(503, "busy", "too much is waiting to be stored at this moment")
        room.bytes += more
        self._held += more

    def end(self) -> None:
        self._room.leave(self._host, self._held)


async def read(request: web.Request, share: Share) -> bytes:
    """The body as sent, still packed. NotTaken when it is too large, too slow or broken off."""
    length = request.content_length
    if length is not None and length > wire.BODY_BYTES_MAX:
        raise _too_large(f"the body has {length} bytes")
    content = request.content
    pieces: list[bytes] = []
    size = 0
    try:
        is_last = False
        while not is_last:
            is_last = (
                content.is_eof()
            )  # mostly all of it came with its head, and there is nothing to wait for
            piece = content.read_nowait() if is_last else await content.readany()
            size += len(piece)
            if size > wire.BODY_BYTES_MAX:
                raise _too_large(f"the body has more than {wire.BODY_BYTES_MAX} bytes")
            share.hold(len(piece))
            pieces.append(piece)
    except TimeoutError as error:
        raise NotTaken(408, "too_slow", str(error), close=True) from None
    except web.RequestPayloadError as error:
        raise NotTaken(400, "not_http", str(error), close=True) from None
    except ConnectionError:
        raise NotTaken(400, "gone", "the connection ended before the body did", close=True) from None
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def unpack(body: bytes, encoding: str) -> bytes:
    """The JSON in a body. NotTaken when the encoding is not ours, is broken, or unpacks to too much."""
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            return _gunzip_short(body) or _gunzip_any(body)
        case _:
            raise NotTaken(415, "encoding", "a body is taken as it is or with Content-Encoding: gzip")


def _gunzip_short(body: bytes) -> bytes | None:
    """What cannot become too much, unpacked in one go, which takes 60 KB less of memory that is cold; None when there
    is more to it: it is long, broken, or goes on after gzip's end, where the length of what was packed stands."""
    if len(body) * DEFLATE_RATIO_MAX > wire.BODY_BYTES_MAX or body.rfind(GZIP_MAGIC) != 0:
        return None
    try:
        text = zlib.decompress(body, GZIP_WINDOW)
    except zlib.error:
        return None
    return text if int.from_bytes(body[-4:], "little") == len(text) else None


def _gunzip_any(body: bytes) -> bytes:
    unpacker = zlib.decompressobj(GZIP_WINDOW)
    try:
        text = unpacker.decompress(body, wire.BODY_BYTES_MAX + 1)
    except zlib.error as error:
        raise NotTaken(400, "gzip", f"the body says it is gzip, and is broken: {error}") from None
    if len(text) > wire.BODY_BYTES_MAX:
        raise _too_large(f"the body unpacks to more than {wire.BODY_BYTES_MAX} bytes")
    if not unpacker.eof:
        raise NotTaken(400, "gzip", "the body says it is gzip, and ends too early")
    if unpacker.unused_data:
        raise NotTaken(400, "gzip", "the body says it is gzip, and goes on after gzip's end")
    return text


def _too_large(what: str) -> NotTaken:
    message = f"{what}; at most {wire.BODY_BYTES_MAX} are taken, unpacked"
    return NotTaken(413, "too_large", message, close=True)


class _Version(Struct):
    v: int


_decode_version = msgspec.json.Decoder(_Version).decode


def decode(text: bytes) -> wire.Push:
    """NotTaken when it is no JSON, another version of the wire, or not what this version says."""
    try:
        return wire.decode_push(text)
    except msgspec.ValidationError as error:
        _check_version(text)
        message = f"the push is not as version {wire.VERSION} of the wire has it: {error}"
        raise NotTaken(400, "shape", message[:ERROR_CHARS_MAX]) from None
    except RecursionError:
        raise NotTaken(400, "not_json", "the body is JSON nested without end") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotTaken(400, "not_json", f"the body is not JSON: {error}"[:ERROR_CHARS_MAX]) from None


def _check_version(text: bytes) -> None:
    try:
        spoken = _decode_version(text).v
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if spoken != wire.VERSION:
        message = f"this collector speaks version {wire.VERSION} of the wire; the push is version {spoken}"
        raise NotTaken(400, "version", message[:ERROR_CHARS_MAX])
