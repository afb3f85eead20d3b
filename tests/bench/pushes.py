"""The requests of simulated hosts, made so quickly that the side which makes them is not what is measured.

A push must carry the time at which it is sent, so it cannot be made before; but all of it that is compressed can. The
rest goes in front of it uncompressed, which gzip allows.
"""

from __future__ import annotations

import time
import zlib
from struct import pack
from typing import Protocol

from msgspec import Struct

from agent import wire
from tests.bench.trace import Recorded, ticks

EVERY_MS = 10_000
END = b"]}"
SAMPLES = b'"samples":{'
OWN = b'"own_temperature_c{sensor=\\"%d\\"}":40.5,'
"""A series that only one host has, so that no other's list is the same."""
GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


class Host(Protocol):
    def request(self, now_ms: int, *, breach: bool) -> bytes:
        """The whole next request. `breach`: what it says breaks BREACH_RULE."""
        ...

    def again(self) -> None:
        """The last request was put off: the next is that one once more."""
        ...


class Packed(Struct, frozen=True):
    """The end of a push, as it is and compressed: from its first sample on. `before` is what of a batch comes first."""

    before: bytes
    plain: bytes
    deflated: bytes

    @classmethod
    def tail(cls, tick: Recorded) -> Packed:
        batch = wire.Batch(0, 0, 0, EVERY_MS, tick.samples, tick.checks)
        before, samples, rest = wire.tail(batch).partition(SAMPLES)
        plain = rest + END
        packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        return cls(before + samples, plain, packer.compress(plain) + packer.flush())

    def after(self, head: bytes, own: bytes) -> bytes:
        """gzip of `head` and this, with a sample more in front of the others."""
        head += self.before + own
        stored = b"\x00" + pack("<HH", len(head), len(head) ^ 0xFFFF) + head
        crc = zlib.crc32(self.plain, zlib.crc32(head))
        return GZIP_HEAD + stored + self.deflated + pack("<LL", crc, len(head) + len(self.plain))


BREACHING = 1e6
BREACH_RULE = {"name": "bench-breach", "metric": "load15", "above": BREACHING / 2, "severity": "critical"}


class Tails:
    """All ticks of the trace, packed once for all hosts."""

    def __init__(self) -> None:
        self.calm = [Packed.tail(tick) for tick in ticks()]
        first = ticks()[0]
        self.breach = Packed.tail(Recorded({**first.samples, "load15": BREACHING}, first.checks))


class PushingHost:
    """An agent as the collector sees it: a spool, a number for each batch, the trace from an offset of its own; and
    where it has a number of its `own`, a series that goes by it.

    It counts on from the time, which is further on than it can have counted before: a host that comes back after a
    while goes on in the spool that it had, as an agent does. Numbers that were there before would be answered at once,
    and their batches not kept again; a new spool at each coming would be one more to remember.
    """

    def __init__(self, number: int, token: str, tails: Tails, *, own: int | None = None) -> None:
        self._tails = tails
        self._own = b"" if own is None else OWN % own
        self._first = self._seq = time.time_ns() // 1000
        self._offset = number * 97
        self._spool = f"{number + 1:032x}"
        lines = (
            f"POST {wire.PATH} HTTP/1.1",
            "Host: 127.0.0.1",
            "User-Agent: watchkeeper-agent/bench",
            f"Authorization: Bearer {token}",
            "Content-Type: application/json",
            "Accept: application/json",
            "Content-Encoding: gzip",
            "Content-Length: ",
        )
        self._headers = "\r\n".join(lines).encode()

    def request(self, now_ms: int, *, breach: bool) -> bytes:
        seq = self._seq
        self._seq += 1
        calm = self._tails.calm
        tail = self._tails.breach if breach else calm[(self._offset + seq - self._first) % len(calm)]
        whole = wire.push_body(self._spool, "bench", seq, [(seq, now_ms, now_ms, b"")])
        body = tail.after(whole.removesuffix(END), self._own)
        return b"%b%d\r\n\r\n%b" % (self._headers, len(body), body)

    def again(self) -> None:
        self._seq -= 1
