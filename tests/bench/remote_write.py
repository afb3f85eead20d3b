"""The same hosts in Prometheus' remote-write protocol (1.0): protobuf by hand, "compressed" by snappy as one literal.

That spares Prometheus the unpacking, so a comparison errs in its favour.
"""

from __future__ import annotations

from struct import pack

from msgspec import Struct

from agent.wire import parse_series
from tests.bench.trace import Recorded

PATH = "/api/v1/write"


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number: int, content: bytes) -> bytes:
    """A field that has a length: a string or another message."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def literal(plain: bytes) -> bytes:
    """Snappy's block format with nothing compressed: the length, then one literal of four length bytes."""
    return varint(len(plain)) + b"\xfc" + pack("<L", len(plain) - 1) + plain


def labels(series: str, host: str) -> bytes:
    metric, given = parse_series(series)
    pairs = sorted({**given, "__name__": metric, "instance": host}.items())
    return b"".join(field(1, field(1, name.encode()) + field(2, value.encode())) for name, value in pairs)


def sample(value: float) -> bytes:
    """Without its time, which comes last."""
    return b"\x09" + pack("<d", value) + b"\x10"


class Tick(Struct, frozen=True):
    names: tuple[str, ...]
    samples: list[bytes]

    @classmethod
    def of(cls, tick: Recorded) -> Tick:
        known = {name: value for name, value in tick.samples.items() if value is not None}
        return cls(tuple(known), [sample(value) for value in known.values()])


class WritingHost:
    """A host that sends each tick as one request."""

    def __init__(self, number: int, ticks: list[Tick]) -> None:
        self._ticks = ticks
        self._turn = number * 97
        self._name = f"load-{number}"
        self._labels: dict[str, bytes] = {}
        self._headers = "\r\n".join(
            (
                f"POST {PATH} HTTP/1.1",
                "Host: 127.0.0.1",
                "User-Agent: bench",
                "Content-Type: application/x-protobuf",
                "Content-Encoding: snappy",
                "X-Prometheus-Remote-Write-Version: 0.1.0",
                "Content-Length: ",
            )
        ).encode()

    def request(self, now_ms: int, *, breach: bool) -> bytes:
        tick = self._ticks[self._turn % len(self._ticks)]
        self._turn += 1
        at = varint(now_ms)
        series = (self._series(name, said + at) for name, said in zip(tick.names, tick.samples, strict=True))
        body = literal(b"".join(series))
        return b"%b%d\r\n\r\n%b" % (self._headers, len(body), body)

    def again(self) -> None:
        self._turn -= 1

    def _series(self, name: str, said: bytes) -> bytes:
        known = self._labels.get(name)
        if known is None:
            known = self._labels[name] = labels(name, self._name)
        return field(1, known + field(2, said))
