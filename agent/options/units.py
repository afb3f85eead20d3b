"""Durations and sizes as people write them: 500ms, 30s, 1h30m, 7d; 512B, 64MiB, 10MB."""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec

from agent.options.yamlnode import quote

_SECONDS = {unit: Decimal(s) for unit, s in {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}.items()}
_SECONDS["ms"] = Decimal("0.001")
_BYTES: dict[str, int] = {f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGT", start=1)}
_BYTES |= {f"{prefix}B": 1000**power for power, prefix in enumerate("kMGT", start=1)} | {"B": 1}
_BYTES_OF = {unit.lower(): size for unit, size in _BYTES.items()}
_AMOUNT = r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?"
# Each unit at most once, the largest first; (?![a-z]) keeps the m of 5ms from being minutes.
_DURATION = re.compile("".join(rf"(?:{_AMOUNT}{unit}(?![a-z]) ?)?" for unit in _SECONDS))
_SIZE = re.compile(rf"{_AMOUNT}({'|'.join(_BYTES)})", re.IGNORECASE)


class Unit(msgspec.Struct, frozen=True):
    """What a number counts, when the name of its field ends in a unit."""

    words: str
    bases: tuple[str, ...]  # the units that a bare number may have been meant in: 5 -> 5s
    per_base: int  # how many of them make one second or one byte
    whole: str
    written: str  # the units a person may write

    def parse(self, text: str) -> Decimal:
        """The number that `text` stands for, exactly. ValueError says what is allowed."""
        return _bytes(text) if self.words == "size" else _seconds(text) * self.per_base

    def guess(self, bare: str) -> str:
        """What someone who wrote a number without a unit may have meant."""
        return " or ".join(f"{bare}{base}" for base in self.bases)

    def say(self, number: float) -> str:
        return say_size(int(number)) if self.words == "size" else say_duration(number / self.per_base)


_TIMES, _SIZES = "ms s m h d w", "B KiB MiB GiB TiB kB MB GB TB"
UNITS = {
    "s": Unit("duration", ("s",), 1, "seconds", _TIMES),
    "ms": Unit("duration", ("s", "ms"), 1000, "milliseconds", _TIMES),
    "bytes": Unit("size", ("B",), 1, "bytes", _SIZES),
}


def duration_s(text: str) -> float:
    """'1h30m' as 5400.0. ValueError says what is allowed."""
    return float(_seconds(text))


def size_bytes(text: str) -> int:
    """'64MiB' as 67108864. ValueError says what is allowed."""
    exact = _bytes(text)
    if exact != int(exact):
        raise ValueError(f"{quote(text)} is not a whole number of bytes")
    return int(exact)


def say_duration(seconds: float) -> str:
    """90 as '1m30s', to the nanosecond; `duration_s` reads it back."""
    sign, left = "-" * (seconds < 0), abs(Decimal(str(round(seconds, 9))))
    if 0 < left < 1:
        return f"{sign}{(left * 1000).normalize():f}ms"
    said = ""
    for unit in ("d", "h", "m"):
        count, left = divmod(left, _SECONDS[unit])
        said += f"{count:f}{unit}" if count else ""
    said += f"{left.normalize():f}s" if left or not said else ""
    return sign + said


def say_size(n: int) -> str:
    """67108864 as '64MiB', never rounded; `size_bytes` reads it back."""
    exact = (f"{n // size}{unit}" for unit, size in _BYTES.items() if n and n % size == 0)
    return min(exact, key=len, default="0B")


def _seconds(text: str) -> Decimal:
    found = _DURATION.fullmatch(text.strip())
    if not found or not any(found.groups()):
        raise ValueError(f"{quote(text)} is not a duration; write for example 500ms, 30s, 5m, 1h30m or 7d")
    amounts = zip(found.groups(), _SECONDS.values(), strict=True)
    return sum((Decimal(amount) * seconds for amount, seconds in amounts if amount), Decimal(0))


def _bytes(text: str) -> Decimal:
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{quote(text)} is not a size; write for example 512B, 64KiB, 64MiB, 1GiB or 10MB")
    return Decimal(found[1]) * _BYTES_OF[found[2].lower()]
