"""The values of a series in a line: `50x6 96x5m _ null 10+2x5`.

96        one batch with 96
96x30     thirty batches with 96
96x5m     as many as the host sends in five minutes
10+2x5    five batches: 10, 12, 14, 16, 18; with - they fall
null      the check gave no answer
_         the series is missing; where all series of a host are, it sends no batch
"""

from __future__ import annotations

import math
import re
from enum import Enum, auto
from typing import Literal, TypeAlias

from agent.options import duration_s

BATCHES_MAX = 100_000


class _Missing(Enum):
    MISSING = auto()


MISSING = _Missing.MISSING
Value: TypeAlias = "float | Literal[_Missing.MISSING]"

_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_PIECE = re.compile(rf"(_|null|{_NUMBER})(?:([+-]\d+(?:\.\d+)?))?(?:x([0-9a-z.]+))?")


def expanded(text: str, every_ms: int) -> list[Value]:
    """One value a batch. ValueError says what is allowed."""
    values: list[Value] = []
    for word in text.split():
        piece = _PIECE.fullmatch(word)
        if piece is None or (piece[2] and (piece[1] in ("_", "null") or not piece[3])):
            raise ValueError(
                f'"{word:.60}" is not understood; write 96, 96x30, 96x5m, 10+2x5, null or _, with spaces between'
            )
        times = _times(piece[3] or "1", every_ms)
        if len(values) + times > BATCHES_MAX:
            raise ValueError(f"has more than {BATCHES_MAX} values")
        values += _run(piece[1], float(piece[2] or 0), times)
    if not values:
        raise ValueError("has no values; write some such as 50x6 96x5m")
    return values


def _times(text: str, every_ms: int) -> int:
    if text.isdigit():
        return min(int(text), BATCHES_MAX + 1)
    return min(math.ceil(duration_s(text) * 1000 / every_ms), BATCHES_MAX + 1)


def _run(word: str, by: float, times: int) -> list[Value]:
    if word == "_":
        return [MISSING] * times
    first = math.nan if word == "null" else float(word)
    return [first + place * by for place in range(times)]
