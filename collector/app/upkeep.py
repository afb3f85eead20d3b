"""Packing and forgetting, a piece at a time, so that no push waits long behind it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from collector.config import CollectorConfig
from collector.itself.leaps import Leaps
from collector.store import Keep, Store

SEAL_FOR_S, SEAL_SHARE = 4.0, 0.2
"""A fifth of the time at most is for packing what is an hour old; what 10,000 hosts bring takes a tenth of that."""
FORGET_FOR_S, FORGET_SHARE = 40.0, 0.5


class Upkeep:
    """What is done to the store round after round. `keep` may be changed at any time."""

    def __init__(self, store: Store, keep: Keep, leaps: Leaps, now_ms: Callable[[], int]) -> None:
        self.keep = keep
        self._store, self._leaps, self._now_ms = store, leaps, now_ms

    async def seal(self) -> None:
        """Have batches that are old enough packed."""
        await in_pieces(lambda: self._store.seal(self._now_ms()), SEAL_FOR_S, SEAL_SHARE)

    async def forget(self) -> None:
        """Let go of what has had its time; nothing while it is not sure what the time is."""
        now = self._now_ms()
        if not self._leaps.in_doubt():
            await in_pieces(lambda: self._store.forget(self.keep, now), FORGET_FOR_S, FORGET_SHARE)


async def in_pieces(piece: Callable[[], Awaitable[bool]], for_s: float, share: float) -> None:
    """Call `piece` as long as it says that there is more, for so long at most, and rest in between for the other share
    of the time."""
    until, more = time.monotonic() + for_s, True
    while more and time.monotonic() < until:
        began = time.monotonic()
        more = await piece()
        await asyncio.sleep((time.monotonic() - began) * (1 / share - 1))


def what_to_keep(config: CollectorConfig) -> Keep:
    return Keep(
        samples_ms=round(config.keep_s * 1000),
        rollups_ms=round(config.keep_rollups_s * 1000),
        history_ms=round(config.keep_history_s * 1000),
        budget_bytes=config.disk_budget_bytes,
    )
