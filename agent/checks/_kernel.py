"""Small files in which the kernel tells something, and what its counters count in a second."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

CHUNK_BYTES = 64 * 1024
BYTES_MAX = 4 * 1024 * 1024


def read(path: Path | str, errors: str = "replace") -> str:
    """The text of a file in /proc or /sys, at most BYTES_MAX of it; `errors` says what becomes of what is none. OSError
    names the path."""
    parts, left = [], BYTES_MAX
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while left > 0 and (part := os.read(descriptor, CHUNK_BYTES)):
            parts.append(part)
            left -= len(part)
    except OSError as error:
        error.filename = str(path)
        raise
    finally:
        os.close(descriptor)
    return b"".join(parts).decode("utf-8", errors)


class Counters:
    """What was counted at the last look, by name."""

    def __init__(self) -> None:
        self._at_s = 0.0
        self._before: dict[str, float] = {}

    def per_s(self, at_s: float, now: Mapping[str, float]) -> dict[str, float]:
        """How fast each counter went since the last look; nothing at the first.

        One that was not there then, or went backwards (it wrapped, or began anew), says nothing about that time and is
        left out.
        """
        before, seconds = self._before, at_s - self._at_s
        self._at_s, self._before = at_s, dict(now)
        if seconds <= 0:
            return {}
        return {
            name: (count - before[name]) / seconds
            for name, count in now.items()
            if name in before and count >= before[name]
        }
