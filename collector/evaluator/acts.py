"""What people and programs do to incidents goes the same way as a batch: it is judged, committed, then answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from collector.evaluator.committing import QUEUE_MAX, Committing
from collector.store import Store, StoreError
from collector.store.trail import beside
from rules.judging.acts import Act, Open, Refused, act
from rules.judging.judge import Watch, apply
from rules.model import Incident


class Acts:
    """Judges acts upon the Watch that batches are judged upon, in the order in which they come."""

    def __init__(
        self, store: Store, committing: Committing, watch: Callable[[], Watch], now_ms: Callable[[], int]
    ) -> None:
        self._store, self._committing = store, committing
        self._watch, self._now_ms = watch, now_ms
        self._of_old = asyncio.Lock()

    async def take(self, what: Act) -> Incident:
        """The incident afterwards, once that is on disk. Refused says why it cannot be; StoreError, not now."""
        if isinstance(what, Open) or what.incident in self._watch().incidents:
            return await self._judge(what, None)
        # Its newest version is the stored one: of two acts upon it, the later has to see what the earlier did.
        async with self._of_old:
            await self._committing.done()
            return await self._judge(what, await self._store.incidents.get(what.incident))

    async def _judge(self, what: Act, kept: Incident | None) -> Incident:
        if len(self._committing) > QUEUE_MAX:
            raise StoreError("more waits to be stored than there is room for")
        watch = self._watch()
        outcome = act(watch, what, self._now_ms(), kept)
        afterwards = self._afterwards(what, outcome.incidents, kept)
        outcome = beside(outcome, afterwards)
        apply(watch, outcome)
        self._committing.put(outcome)
        await self._committing.done()
        return afterwards

    def _afterwards(self, what: Act, changed: Sequence[Incident], kept: Incident | None) -> Incident:
        """The incident as the act left it; as it stood if it changed nothing."""
        number = changed[0].id if isinstance(what, Open) else what.incident
        found = next((one for one in changed if one.id == number), None)
        found = found or self._watch().incidents.get(number) or kept
        if found is None:
            raise Refused("unknown_incident", f"There is no incident {number}.")
        return found
