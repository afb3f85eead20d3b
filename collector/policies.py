"""Who is told, as the config has it and as people want it meanwhile: silences, and maintenance that somebody planned.

What is changed here is on disk and holds for the judge when the call returns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from collector.config.policy import Said, policy_of
from collector.store.policy import PolicyKept
from rules.policy import Planned, Policy, Silence


class Judge(Protocol):
    def replace_policy(self, policy: Policy) -> None: ...


class Policies:
    """Every method but `configure` may raise StoreError; what failed changes nothing."""

    def __init__(self, kept: PolicyKept, judge: Judge, said: Said, now_ms: Callable[[], int]) -> None:
        self._kept, self._judge, self._said, self._now_ms = kept, judge, said, now_ms
        self._silences: list[Silence] = []
        self._planned: list[Planned] = []
        self._reading = asyncio.Lock()

    async def start(self) -> None:
        """Read what people have said. To be called before anything is judged."""
        async with self._reading:  # so that what was read first does not take the place of what was read last
            self._silences, self._planned = await self._kept.silences(), await self._kept.maintenance()
            self._tell()

    def configure(self, said: Said) -> None:
        """The config was read anew."""
        self._said = said
        self._tell()

    @property
    def silences(self) -> Sequence[Silence]:
        """The newest first; those that are over as well, for a while."""
        return self._silences

    @property
    def planned(self) -> Sequence[Planned]:
        """The newest first."""
        return self._planned

    async def add_silence(self, silence: Silence) -> Silence:
        """The same with an id. ValueError when it would say nothing: it ends before it begins, or is over already."""
        if silence.end <= max(silence.start, self._now_ms()):
            raise ValueError("a silence ends after it begins, and in the future")
        kept = await self._kept.add_silence(silence, self._now_ms())
        await self.start()
        return kept

    async def end_silence(self, silence: int) -> Silence | None:
        """It holds no longer. None when there is none of that id, or it is over already."""
        ended = await self._kept.end_silence(silence, self._now_ms())
        await self.start()
        return ended

    async def add_maintenance(self, maintenance: Planned) -> Planned:
        """The same with an id."""
        kept = await self._kept.add_maintenance(maintenance)
        await self.start()
        return kept

    async def remove_maintenance(self, maintenance: int) -> Planned | None:
        """What was removed; None when there is none of that id."""
        removed = await self._kept.remove_maintenance(maintenance)
        await self.start()
        return removed

    def _tell(self) -> None:
        self._judge.replace_policy(policy_of(self._said, self._silences, self._planned))
