"""What agents are to be asked in the answers to their pushes, and what they answered.

When an alert about something on a host begins, its agent is asked once to look closer. The asking goes into every
answer until the evidence comes or nobody would want it any more, for an answer may be lost. So it is when a person
wants to see how things are right now: agents are asked to sample at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from msgspec import Struct
from prometheus_client import CollectorRegistry, Counter

from agent.wire import Ask, AskEvidence, AskSample, Evidence
from collector.store import EvidenceRow
from rules.model import Alert, Outcome

log = logging.getLogger(__name__)

FRESH_MS = 60_000
"""An alert that fired longer ago is told of late: what the host looks like now says little about it."""
ASK_FOR_MS = 180_000
PER_HOST_MAX = 3
SAMPLINGS_MAX = 20
HOSTS_PER_INCIDENT_MAX = 20


class Keeper(Protocol):
    async def add_evidence(self, row: EvidenceRow) -> None: ...


class Asked(Struct, frozen=True):
    """Evidence goes by the number of the alert that it is about: an incident may come back and be looked at again."""

    alert: int
    incident: int
    until: int


class Sampling:
    """Hosts that were asked to sample at once. `waiting` are those whose sample is not on disk yet."""

    def __init__(self, hosts: Iterable[int], until: int) -> None:
        self.asked = frozenset(hosts)
        self.waiting = set(self.asked)
        self.until = until
        self._told: set[int] = set()
        self._all_came = asyncio.Event()
        if not self.asked:
            self._all_came.set()

    def wants(self, host: int) -> bool:
        """Whether the answer to a push of this host is to ask for it; what comes after that answer, counts."""
        if host in self.waiting:
            self._told.add(host)
        return host in self.waiting

    def came(self, host: int) -> None:
        """A batch of the host is on disk."""
        if host in self._told:
            self.waiting.discard(host)
        if not self.waiting:
            self._all_came.set()

    async def wait(self, timeout_s: float) -> None:
        """Until all came, or so long."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._all_came.wait()
        except TimeoutError:
            pass


class Inquiries:
    """Remembers in memory who is still to be asked; a restart asks nobody again."""

    def __init__(self, keeper: Keeper, *, now_ms: Callable[[], int], registry: CollectorRegistry) -> None:
        self._keeper = keeper
        self._now_ms = now_ms
        self._asked: dict[int, list[Asked]] = {}
        self._hosts: dict[int, set[int]] = {}
        self._samplings: list[Sampling] = []
        self._kept = Counter("watchkeeper_evidence", "Evidence kept with incidents", registry=registry)
        self._unasked = Counter(
            "watchkeeper_evidence_unasked",
            "Evidence that nobody had asked for, or not any more",
            registry=registry,
        )

    def committed(self, outcomes: Sequence[Outcome]) -> None:
        """Called after each commit."""
        for outcome in outcomes:
            for alert in outcome.alerts:
                if _begins(alert, outcome.judged_at):
                    self._ask(alert, outcome.judged_at)
            for incident in outcome.incidents:
                if incident.resolved_at is not None:
                    self._hosts.pop(incident.id, None)
            if self._samplings and outcome.arrival is not None and not outcome.late:
                for sampling in self._samplings:
                    sampling.came(outcome.arrival.host)

    def forget(self, hosts: Iterable[int]) -> None:
        """These are no more, and nobody will push as them."""
        for host in hosts:
            self._asked.pop(host, None)

    def sample_now(self, hosts: Iterable[int]) -> Sampling:
        """Have the agents of these hosts asked, in the answers to their next pushes, to sample at once. Of more than
        SAMPLINGS_MAX at a time the oldest is let go of."""
        sampling = Sampling(hosts, self._now_ms() + ASK_FOR_MS)
        self._samplings = [*self._unfinished(), sampling][-SAMPLINGS_MAX:]
        return sampling

    def asks(self, host: int) -> Sequence[Ask]:
        """What the answer to a push of this host should ask."""
        if host not in self._asked and not self._samplings:
            return ()
        now = self._now_ms()
        left = [asked for asked in self._asked.get(host, []) if now < asked.until]
        self._set(host, left)
        asks: list[Ask] = [AskEvidence(asked.alert) for asked in left]
        self._samplings = self._unfinished()
        wanting = [sampling for sampling in self._samplings if sampling.wants(host)]
        if wanting:
            asks.append(AskSample())
        return asks

    async def answered(self, host: int, found: Evidence, arrived_at: int) -> None:
        """Keep what an agent found, if it was asked for it. StoreError when it cannot be kept now."""
        asked = next((one for one in self._asked.get(host, []) if one.alert == found.about), None)
        if asked is None:
            self._unasked.inc()
            return
        await self._keeper.add_evidence(EvidenceRow(asked.alert, asked.incident, host, arrived_at, found))
        self._set(host, [one for one in self._asked.get(host, []) if one is not asked])
        self._kept.inc()

    def _unfinished(self) -> list[Sampling]:
        now = self._now_ms()
        return [sampling for sampling in self._samplings if sampling.waiting and now < sampling.until]

    def _ask(self, alert: Alert, now: int) -> None:
        hosts = self._hosts.setdefault(alert.incident, set())
        waiting = self._asked.get(alert.host, [])
        if alert.host in hosts or len(hosts) >= HOSTS_PER_INCIDENT_MAX or len(waiting) >= PER_HOST_MAX:
            return
        hosts.add(alert.host)
        self._asked[alert.host] = [*waiting, Asked(alert.id, alert.incident, now + ASK_FOR_MS)]

    def _set(self, host: int, asked: list[Asked]) -> None:
        if asked:
            self._asked[host] = asked
        else:
            self._asked.pop(host, None)


def _begins(alert: Alert, now: int) -> bool:
    """Whether an alert has just begun about something on a host that can be asked: a silent one cannot."""
    about_series = "/series:" in alert.subject
    return about_series and alert.resolved_at is None and now - alert.fired_at < FRESH_MS
