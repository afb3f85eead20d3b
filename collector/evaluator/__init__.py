"""One judge, one queue, one writer: what follows from a batch is decided in order and kept in that order, whole.

A push is judged in the event loop the moment it is let in, so what the judge remembers runs ahead of the disk by what
stands in the queue. The writer commits that queue group by group and only then are pushes answered, pages told and
notices sent. When a commit fails, everything queued was judged upon what is not on disk: it is all put off (agents send
again what was not acknowledged) and the judge's memory is read anew from the store.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from msgspec.structs import replace
from prometheus_client import CollectorRegistry, Counter

from agent.wire import Result
from collector.evaluator.acts import Acts
from collector.evaluator.committing import QUEUE_MAX, Committing
from collector.evaluator.faults import Faults
from collector.evaluator.looking import Looking
from collector.health import Component
from collector.store import Row, Store, StoreError
from rules.fleet.shared import SharedCheck
from rules.fleet.state import hosts_by_state
from rules.judging.acts import Act
from rules.judging.engine import Rule
from rules.judging.judge import Watch, apply, judge, repair, repairs_due, replace_rules, tick, unjudged
from rules.judging.leaving import leave
from rules.memory.seen import TooManyGaps
from rules.memory.windows import fill, rows_wanted
from rules.model import Arrival, ChannelView, Host, Incident, Outcome
from rules.policy import Policy
from rules.words import counted

log = logging.getLogger(__name__)

REPAIR_ROWS_MAX = 20_000
REPAIR_TRIES_MAX = 5
PAUSE_MS = 5_000
"""A tick this late means that we slept (or the clock was set): nobody is called silent for time we did not listen."""
PUT_OFF_MS = 12_000
"""An agent that is told to come again later may stay away for so long beyond its interval, and is not missed for it."""
BEHIND_FROM = QUEUE_MAX // 2
"""While so much waits to be committed, pages and programs are put off."""


class Evaluator:
    """Judges arrivals and ticks, commits what follows, and tells `on_commit` of each group that is on disk, and
    `on_gone` of hosts that were removed."""

    def __init__(
        self,
        store: Store,
        rules: Sequence[Rule],
        channels: Sequence[ChannelView],
        policy: Policy | None = None,
        shared: Sequence[SharedCheck] = (),
        *,
        now_ms: Callable[[], int],
        on_commit: Callable[[Sequence[Outcome]], None],
        on_gone: Callable[[Sequence[int]], None] = lambda hosts: None,
        registry: CollectorRegistry,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._rules, self._channels, self._policy = tuple(rules), tuple(channels), policy
        self._shared = tuple(shared)
        self._now_ms, self._monotonic, self._on_gone = now_ms, monotonic, on_gone
        self._watch: Watch | None = None
        self._trouble = "the store is not read yet"
        self._hosts_as_of: int | None = None
        self._ticked = (now_ms(), monotonic())
        self._committing = Committing(store, self, on_commit=on_commit, registry=registry)
        self._looking_back: dict[int, asyncio.Lock] = {}  # pushes of one host keep their order
        self._acts = Acts(store, self._committing, lambda: self.watch, now_ms)
        self._faults = Faults(registry)
        self._looking = Looking(store.samples, self._committing, self._faults, lambda: self._watch, now_ms)
        self._repairs = Counter(
            "watchkeeper_repairs", "Hosts judged again after late batches", registry=registry
        )

    # --- its life ---

    async def start(self) -> None:
        """Read what is remembered and begin to write. StoreError when the store cannot be read."""
        await self._read()
        self._committing.start()

    async def stop(self) -> None:
        """Commit what is queued, then end; what comes later is put off."""
        if await self._committing.drain():
            self.distrust("the collector is stopping")
            await self._committing.stop()

    def health(self) -> Component:
        if self._watch is None:
            return Component("evaluator", "bad", f"Not judging: {self._trouble}.")
        if fault := self._faults.lately(self._now_ms()):
            return Component("evaluator", "degraded", fault)
        services = sum(memory.host.is_service for memory in self._watch.hosts.values())
        judged = counted(len(self._watch.hosts) - services, "host")
        if services:
            judged += f", {counted(services, 'service')}"
        return Component("evaluator", "ok", f"Judging {judged} by {counted(len(self._rules), 'rule')}.")

    def is_behind(self) -> bool:
        """Whether so much waits to be committed that whoever can wait should."""
        return len(self._committing) > BEHIND_FROM

    def hosts_by_state(self) -> dict[str, int]:
        """How many hosts stand how; none while not judging."""
        return {} if self._watch is None else hosts_by_state(self._watch, self._now_ms())

    @property
    def watch(self) -> Watch:
        """What the judge remembers, to be read and not changed. StoreError while it is not to be trusted."""
        if self._watch is None:
            raise StoreError(f"not judging now: {self._trouble}")
        return self._watch

    def replace_rules(
        self,
        rules: Sequence[Rule],
        channels: Sequence[ChannelView],
        shared: Sequence[SharedCheck] = (),
    ) -> None:
        """From the next batch on these rules hold, and these checks are judged over all their hosts; the states of
        those that stay are kept."""
        self._rules, self._channels, self._shared = tuple(rules), tuple(channels), tuple(shared)
        if self._watch is not None:
            replace_rules(self._watch, self._rules, self._channels, self._shared)

    def replace_policy(self, policy: Policy) -> None:
        """From now on this says who is told. Whoever is owed word by it is told with the next tick."""
        self._policy = policy
        if self._watch is not None:
            self._watch.replace_policy(policy)

    # --- what comes in ---

    async def take(self, arrivals: Sequence[Arrival]) -> list[Result]:
        """Judge the batches of one push and return when what follows is on disk.

        StoreError when it cannot be kept now: nothing is acknowledged, and all of it may be sent again.
        """
        watch = self.watch
        for arrival in arrivals:
            if arrival.host not in watch.hosts or arrival.host in watch.unfilled:
                await self._prepare(arrival)
                watch = self.watch
        if len(self._committing) + len(arrivals) > QUEUE_MAX:
            for host in {arrival.host for arrival in arrivals if arrival.host in watch.hosts}:
                watch.hosts[host].listen_from(self._now_ms() + PUT_OFF_MS)
            raise StoreError("more batches wait to be stored than there is room for")
        now = self._now_ms()
        results = [self._judge(watch, arrival, now) for arrival in arrivals]
        await self._committing.done()
        return results

    async def _prepare(self, arrival: Arrival) -> None:
        if arrival.host not in self.watch.hosts:
            await self._meet(arrival.host)
        if arrival.host in self.watch.unfilled:
            async with self._looking_back.setdefault(arrival.host, asyncio.Lock()):
                await self._look_back(arrival)
            self._looking_back.pop(arrival.host, None)

    def _judge(self, watch: Watch, arrival: Arrival, now: int) -> Result:
        if arrival.host not in watch.hosts:
            raise StoreError(f"host {arrival.host} was removed")
        try:
            outcome = self._judged(watch, arrival, now)
        except TooManyGaps:
            return "again"
        watch.apply(outcome)
        # Which of them are news stands in the outcome. The others would grow cold until all is on disk, and so would
        # what the next push takes instead of their memory.
        arrival.checks, arrival.said = (), ""
        self._committing.put(outcome)
        return "ok"

    def _judged(self, watch: Watch, arrival: Arrival, now: int) -> Outcome:
        """What follows from a batch. Where a rule fails at it, it is kept as it is: sent again for ever, it would hold
        up all that its host has to say."""
        try:
            return judge(watch, arrival, now)
        except TooManyGaps:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a rule does, its host's word is kept
            self._faults.note(f"a batch of {self._name(arrival.host)}", error, now)
            return unjudged(watch, arrival, now)

    def _name(self, host_id: int) -> str:
        return self.watch.hosts[host_id].host.name

    async def _meet(self, host_id: int) -> None:
        """A host that was enrolled after we read the store."""
        latest = await self._store.samples.latest(host_id)
        if latest is None:
            raise StoreError(f"host {host_id} has a token but is not in the store")
        if host_id not in self.watch.hosts:
            self.watch.add_host(latest.host)

    async def _look_back(self, arrival: Arrival) -> None:
        """Read again what rules that look at a while of samples knew before our start, or did not know before theirs.

        Should it not be stored in time, they begin with what comes now.
        """
        if arrival.host not in self.watch.unfilled:
            return
        start = rows_wanted(self.watch, arrival)
        if start is None:
            self.watch.unfilled.discard(arrival.host)
            return
        await self._committing.done()
        rows = await self._store.samples.rows(arrival.host, start, 2**62, REPAIR_ROWS_MAX)
        if arrival.host not in self.watch.unfilled:
            return
        try:
            fill(self.watch, arrival.host, rows)
        except Exception as error:  # noqa: BLE001 - whatever a rule does, its host's word is kept
            self._faults.note(f"the past of {self._name(arrival.host)}", error, self._now_ms())
            self.watch.unfilled.discard(arrival.host)

    async def act(self, what: Act) -> Incident:
        """Do to an incident what a person or a program wants; returns it once that is on disk.

        Refused says why it cannot be done, StoreError that it cannot be kept now.
        """
        return await self._acts.take(what)

    # --- what comes of itself ---

    def tick(self) -> None:
        """Once a second: silence, and series that are gone."""
        if self._watch is None:
            return
        now, monotonic = self._now_ms(), self._monotonic()
        slept = monotonic - self._ticked[1] > PAUSE_MS / 1000
        stepped = abs((now - self._ticked[0]) - (monotonic - self._ticked[1]) * 1000) > PAUSE_MS
        if slept or stepped:
            log.warning("The collector slept or its clock was set; silence is counted anew from now.")
            self._watch.listen_from(now)
        self._ticked = (now, monotonic)
        outcome = tick(self._watch, now)
        apply(self._watch, outcome)
        if not outcome.empty:
            self._committing.put(outcome)

    async def follow_hosts(self) -> None:
        """Every few seconds: what an admin did to hosts meanwhile, in whichever process. StoreError."""
        as_of = await self._store.hosts.changes()
        if self._watch is None or as_of == self._hosts_as_of:
            return
        watch, before = self._watch, {number: memory.host for number, memory in self._watch.hosts.items()}
        await self._committing.done()
        stored = {host.id: host for host in await self._store.hosts.all()}
        if self._watch is not watch:
            return
        gone = [number for number in before if number in watch.hosts and number not in stored]
        self._let_go(gone)
        for number, host in stored.items():
            if number not in watch.hosts:
                watch.add_host(host)
        settled = [self._rename(before[number], stored[number]) for number in before if number in stored]
        if all(settled):
            self._hosts_as_of = as_of

    def _let_go(self, gone: Sequence[int]) -> None:
        if not gone:
            return
        outcome = leave(self.watch, gone, self._now_ms())
        apply(self.watch, outcome)
        self._committing.put(outcome)
        for number in gone:
            log.info("%s was removed, and is judged no more.", self._name(number))
            self.watch.remove_host(number)
        self._on_gone(gone)

    def _rename(self, before: Host, stored: Host) -> bool:
        """Have a host's name and labels as they are stored; False when its agent changed them meanwhile, and what was
        read may be older."""
        known = self.watch.hosts[stored.id].host
        is_same = known.name == stored.name and known.labels == stored.labels
        if is_same and known.own_labels == stored.own_labels:
            return True
        if known.labels is not before.labels:
            return False
        host = replace(known, name=stored.name, labels=stored.labels, own_labels=stored.own_labels)
        self.watch.add_host(host)
        return True

    async def repair_late(self) -> None:
        """Once a second as well, for as long as it takes: hosts are judged again after late batches. StoreError."""
        if self._watch is None:
            return
        for host, start in repairs_due(self._watch, self._now_ms()):
            await self._repair(host, start)

    async def _repair(self, host_id: int, start: int) -> None:
        """Judge a host again from stored rows. A batch judged while we read makes the rows stale: read them again."""
        for _ in range(REPAIR_TRIES_MAX):
            await self._committing.done()
            before = self.watch.hosts[host_id].host
            rows = await self._store.samples.rows(host_id, start, 2**62, REPAIR_ROWS_MAX)
            if self.watch.hosts[host_id].host is before:
                self._committing.put(self._repaired(host_id, rows))
                self._repairs.inc()
                return
        log.info("Host %d sends faster than its past can be read; its repair is tried again.", host_id)

    def _repaired(self, host_id: int, rows: Sequence[Row]) -> Outcome:
        """The past of a host judged again, taken into memory. Where a rule fails at it, the past stays as it was."""
        now = self._now_ms()
        try:
            outcome = repair(self.watch, host_id, rows, now)
        except Exception as error:  # noqa: BLE001 - whatever a rule does, the others have their turn
            self._faults.note(f"the past of {self._name(host_id)}", error, now)
            outcome = Outcome(repaired=host_id, judged_at=now)
        apply(self.watch, outcome)
        return outcome

    async def look_far_back(self) -> None:
        """Every few seconds: rules that look at a long past, for the hosts whose turn it is. StoreError."""
        await self._looking.round()

    # --- what goes out ---

    def distrust(self, trouble: str) -> None:
        """Something that was judged is not kept: what is remembered is not to be built upon."""
        self._watch, self._trouble = None, trouble

    async def read_again(self) -> None:
        await self._read(PUT_OFF_MS)

    async def _read(self, patience_ms: int = 0) -> None:
        now = self._now_ms()
        self._hosts_as_of = None  # among those remembered may be some that were removed
        kept = await self._store.remember(now)
        self._watch = Watch.from_remembered(
            instance=kept.instance,
            rules=self._rules,
            channels=self._channels,
            hosts=kept.hosts,
            seen=kept.seen,
            states=kept.states,
            alerts=kept.alerts,
            incidents=kept.incidents,
            next_alert=kept.next_alert,
            next_incident=kept.next_incident,
            started_at=now + patience_ms,
            policy=self._policy,
            sent=kept.sent,
            shared=self._shared,
        )
        self._ticked = (now, self._monotonic())
