"""What is given up: counted by reason, and said in the log without filling it."""

from __future__ import annotations

import logging
from collections import Counter

from agent.clock import Moment

log = logging.getLogger(__name__)

REASONS_MAX = 20
SAY_AGAIN_MS = 3_600_000


class Losses:
    """`counts` are the batches that were given up since the start, by reason."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._said: dict[str, int] = {}

    def add(self, count: int, reason: str, words: str, now: Moment, key: str = "") -> None:
        """Count them, and say so once an hour per reason, and `key` where one reason has several."""
        self.counts[reason] += count
        said_ms = self._said.get(reason + key, -SAY_AGAIN_MS)
        known = reason + key in self._said or len(self._said) < REASONS_MAX
        if count and known and now.boot_ms - said_ms >= SAY_AGAIN_MS:
            self._said[reason + key] = now.boot_ms
            total = self.counts.total()
            log.error("given up because %s: %d batches now, %d since the start", words, count, total)
