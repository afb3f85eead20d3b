"""The requests of simulated hosts, made so cheaply that the side which makes them is not what is measured.

A push carries the time at which it is sent, so it cannot be made before; but all of it that is compressed can. The rest
goes in front of it uncompressed, which gzip allows.
"""

from __future__ import annotations

import math
import secrets
import zlib
from collections.abc import Mapping, Sequence
from struct import pack
from urllib.parse import SplitResult

from msgspec import Struct

from agent import wire
from collector.cli.simulate.trace import Tick

END = b"]}"
GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
APART = 97
"""So many ticks lie between the offsets of two neighbours: a prime, so that they come round to all."""


class Packed(Struct, frozen=True):
    """The end of a push, as it is and compressed."""

    plain: bytes
    deflated: bytes

    def after(self, head: bytes) -> bytes:
        """gzip of `head` and this."""
        stored = b"\x00" + pack("<HH", len(head), len(head) ^ 0xFFFF) + head
        crc = zlib.crc32(self.plain, zlib.crc32(head))
        return GZIP_HEAD + stored + self.deflated + pack("<LL", crc, len(head) + len(self.plain))


def packed(tick: Tick, every_ms: int) -> Packed:
    plain = wire.tail(wire.Batch(0, 0, 0, every_ms, tick.samples, tick.checks)) + END
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return Packed(plain, packer.compress(plain) + packer.flush())


class Host:
    """An agent as the collector sees it: a spool, a number for each batch, the trace from an offset of its own."""

    def __init__(
        self, number: int, name: str, token: wire.Token, url: SplitResult, tails: Sequence[Packed]
    ) -> None:
        self.name = name
        self.busy = False
        self._tails = tails
        self._offset = number * APART
        self._seq = 0
        self._at = 0
        self._spool = secrets.token_hex(16)
        lines = (
            f"POST {url.path.rstrip('/')}{wire.PATH} HTTP/1.1",
            f"Host: {url.netloc.rpartition('@')[2]}",
            "User-Agent: watchkeeper-simulate",
            f"Authorization: Bearer {token}",
            "Content-Type: application/json",
            "Accept: application/json",
            "Content-Encoding: gzip",
            "Content-Length: ",
        )
        self._headers = "\r\n".join(lines).encode()

    def request(self, now_ms: int) -> bytes:
        """The whole next request. What is not taken is not sent again, so none is missed either."""
        seq = self._seq
        self._seq += 1
        self._at = max(self._at + 1, now_ms)  # no two batches of one host are of one moment
        tail = self._tails[(self._offset + seq) % len(self._tails)]
        whole = wire.push_body(self._spool, "simulated", seq, [(seq, self._at, self._at, b"")])
        body = tail.after(whole.removesuffix(END))
        return b"%b%d\r\n\r\n%b" % (self._headers, len(body), body)


class Breach(Struct, frozen=True):
    """`host` says `value` of `series`, be that a series or all those of a metric, and not what the trace says."""

    host: str
    series: str
    value: float


def parse_breach(text: str) -> Breach:
    """'sim-0003:disk_used_pct:99'. ValueError says what is allowed."""
    host, _, rest = text.partition(":")
    series, _, value = rest.rpartition(":")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not (host and series and math.isfinite(number)):
        raise ValueError(f"{text!r} is no breach; write HOST:SERIES:VALUE, such as sim-0003:disk_used_pct:99")
    return Breach(host, series, number)


def breached(ticks: Sequence[Tick], breaches: Sequence[Breach]) -> list[Tick]:
    """The trace as a host with these breaches tells it. ValueError when it has no such series."""
    known = {name for tick in ticks for name in tick.samples}
    instead: dict[str, float] = {}
    for breach in breaches:
        found = [name for name in known if breach.series in (name, name.partition("{")[0])]
        if not found:
            metrics = ", ".join(sorted({name.partition("{")[0] for name in known}))
            raise ValueError(f"the trace has no series {breach.series!r}; it has {metrics}")
        instead |= dict.fromkeys(found, breach.value)
    return [Tick(_with(tick.samples, instead), tick.checks) for tick in ticks]


def _with(samples: Mapping[str, float | None], instead: Mapping[str, float]) -> dict[str, float | None]:
    return {name: instead.get(name, value) for name, value in samples.items()}
