"""When the collector was there to listen, and what it says when it was not: once, and blaming nobody.

While it runs it notes so every few seconds, on disk. So at a start it knows how long nobody listened; and a note that
comes much later than it ought says that the machine slept, or that its clock was set. Hosts are not called silent for
such a time (that is the judge's affair); here it becomes an incident of its own, over the moment it is told.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable

from collector.desks.incidents import Acting
from collector.store import DAY_MS, StoreError
from collector.store.promises import Promises
from rules import words
from rules.judging.acts import Open, Refused, Resolve
from rules.model import WATCHKEEPER

log = logging.getLogger(__name__)

NOTE_S = 10
AWAY_MS_MIN = 60_000
"""A restart takes a few seconds, and nobody wants to read of each."""
LOOK_BACK_MS = 30 * DAY_MS


class Attendance:
    """`act` has an incident opened, as a person would. Call `start` once all that judges is there."""

    def __init__(self, promises: Promises, act: Acting, *, now_ms: Callable[[], int]) -> None:
        self._promises, self._act, self._now_ms = promises, act, now_ms
        self._since = self._noted_at = now_ms()

    async def start(self) -> None:
        """Say how long nobody listened before. StoreError."""
        now = self._since = self._noted_at = self._now_ms()
        gaps = await self._promises.away(now - LOOK_BACK_MS, now)
        await self._promises.listened(now, now)
        if gaps and gaps[-1][1] == now and gaps[-1][0] > now - LOOK_BACK_MS:
            await self._say("was away", gaps[-1][0], now)

    async def note(self) -> None:
        """We are listening. Called every NOTE_S seconds. StoreError."""
        now, before = self._now_ms(), self._noted_at
        if not 0 <= now - before < AWAY_MS_MIN:
            self._since = now
        self._noted_at = now
        await self._promises.listened(self._since, now)
        if self._since == now:
            await self._say("slept, or its clock was set,", before, now)

    async def stop(self) -> None:
        """The last note, if the store takes it: else we seem to have gone a few seconds earlier."""
        with contextlib.suppress(StoreError):
            await self.note()

    async def _say(self, what: str, since: int, until: int) -> None:
        if until - since < AWAY_MS_MIN:
            return
        span = f"from {words.moment(since)} to {words.moment(until)}"
        log.warning("The collector %s %s; no host is blamed for silence in that time.", what, span)
        title = f"The collector {what} {span}"
        text = f"Nobody listened for {words.duration(until - since)}; no host is blamed for silence in that time."
        try:
            incident = await self._act(Open(title, "info", WATCHKEEPER, text))
            await self._act(Resolve(incident.id, WATCHKEEPER))
        except (Refused, StoreError) as trouble:
            log.warning("That this was so could not be kept as an incident: %s", trouble)
