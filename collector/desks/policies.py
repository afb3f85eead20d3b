"""Who is told, as the config has it and as people want it meanwhile: silences, and maintenance that somebody planned.

What is changed here is on disk and holds for the judge when the call returns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from collector.config.policy import Said, policy_of
from collector.desks.trail import Audit
from collector.store.policy import PolicyKept
from collector.who import Refusal, Who, missing
from rules.policy import Planned, Policy, Silence

SILENCE_MS_MAX = 365 * 86_400_000


class Judge(Protocol):
    def replace_policy(self, policy: Policy) -> None: ...


class Policies:
    """Every method but `configure` may raise StoreError; what failed changes nothing, and so does what is refused."""

    def __init__(
        self, kept: PolicyKept, judge: Judge, said: Said, audit: Audit, now_ms: Callable[[], int]
    ) -> None:
        self._kept, self._judge, self._said = kept, judge, said
        self._audit, self._now_ms = audit, now_ms
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

    async def add_silence(self, who: Who, silence: Silence, *, everything: bool = False) -> Silence:
        """The same with an id. Refusal when it would say nothing, lasts too long, or is about everything and nobody
        said that they mean that."""
        if silence.is_about_all and not everything:
            sentence = (
                "this would silence everything; say which problems are meant, or that you mean everything"
            )
            raise Refusal(422, "everything", sentence)
        if silence.end <= max(silence.start, self._now_ms()):
            raise Refusal(422, "unfit", "a silence ends after it begins, and in the future")
        if silence.end - silence.start > SILENCE_MS_MAX:
            raise Refusal(422, "unfit", "a silence lasts a year at most; write a rule that is off instead")
        adding = self._kept.add_silence(silence, self._now_ms())
        kept = await self._audit.noted(who, "silence.add", adding, after=_as_kept)
        await self.start()
        return kept

    async def end_silence(self, who: Who, silence: int) -> Silence:
        """It holds no longer. Refusal when there is none of that id, or it is over already."""
        ending = self._kept.end_silence(silence, self._now_ms())
        ended = await self._audit.noted(who, "silence.end", ending, after=_as_kept, when=bool)
        await self.start()
        if ended is None:
            raise missing("silence that is not over", silence)
        return ended

    async def add_maintenance(self, who: Who, maintenance: Planned) -> Planned:
        """The same with an id."""
        adding = self._kept.add_maintenance(maintenance)
        kept = await self._audit.noted(who, "maintenance.add", adding, after=_as_kept)
        await self.start()
        return kept

    async def remove_maintenance(self, who: Who, maintenance: int) -> Planned:
        """What was removed. Refusal when there is none of that id."""
        planned = next((one for one in self._planned if one.id == maintenance), None)
        removing = self._kept.remove_maintenance(maintenance)
        removed = await self._audit.noted(who, "maintenance.remove", removing, before=planned, when=bool)
        await self.start()
        if removed is None:
            raise missing("maintenance", maintenance)
        return removed

    def _tell(self) -> None:
        self._judge.replace_policy(policy_of(self._said, self._silences, self._planned))


def _as_kept(answer: Silence | Planned) -> Silence | Planned:
    return answer
