"""The parts of a collector, built and joined: no part knows another but through here.

The way of the data: server -> ingest -> evaluator -> store; what is on disk then wakes the notifier and the pages.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from agent.wire import Ask
from collector.api.kept import Kept
from collector.api.ticks import Ticks
from collector.app.access import access, certificate, proxies
from collector.app.advice import ADVISE_S, Counsel, advisor, capacity
from collector.app.api import api
from collector.app.doors import application
from collector.app.folder import key_in
from collector.app.joining import doors, installer
from collector.app.promises import Promised
from collector.app.runtime import Runtime
from collector.app.upkeep import Upkeep, what_to_keep
from collector.asking.definitions import Definitions
from collector.asking.inquiries import Inquiries
from collector.asking.neighbours import Neighbours
from collector.auth import Tokens
from collector.config import CollectorConfig, Loaded, build_channel
from collector.desks.incidents import Noted
from collector.desks.plays import Plays
from collector.desks.policies import Policies
from collector.desks.services import Services
from collector.desks.settings import Settings
from collector.ephemeral import LOOK_S, Ephemeral
from collector.evaluator import Evaluator
from collector.health import Component
from collector.ingest import Ingest
from collector.itself.attendance import NOTE_S, Attendance
from collector.itself.heartbeat import Heartbeat
from collector.itself.leaps import Leaps
from collector.itself.rounds import Rounds
from collector.itself.selfwatch import SERVICE, Selfwatch
from collector.jobs import Jobs
from collector.joining.codes import Codes
from collector.links import Links
from collector.messages import Message
from collector.notifier import Notifier
from collector.promises.keeping import ROUND_S
from collector.replays import Replays, command_of
from collector.server import Limits, Server
from collector.store import Store, StoreError
from collector.web.pages import Pages
from collector.wording import load_wording
from rules.capacity.slope import Numbers, Times
from rules.judging.engine import Rule
from rules.memory.watch import Watch
from rules.model import Notice, Outcome

DRAIN_S = 5.0
TICK_S = 1
CERTIFICATE, CERTIFICATE_S = "certificate", 10
SEEN_S = 30
SEAL_S, FORGET_S, HOSTS_S = 5, 60, 2
TELL_S = LOOK_BACK_S = 10


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Parts:
    """All parts upon one open store. They are built here in the order in which they need each other."""

    def __init__(
        self,
        store: Store,
        loaded: Loaded,
        rules: Sequence[Rule],
        registry: CollectorRegistry,
        not_ready: Callable[[], str | None],
        runtime: Runtime,
    ) -> None:
        config = loaded.config
        self.runtime, self.store = runtime, store
        self._let_people_in(loaded, registry)
        self.evaluator = self._judge(loaded, rules, registry)
        self.settings = Settings(runtime, self.access.audit)
        self.policies = Policies(store.policy, self.evaluator, config, self.access.audit, now_ms)
        self.acting = Noted(self.evaluator.act, self.access.audit)
        self.attendance = Attendance(store.promises, self.evaluator.act, now_ms=now_ms)
        self.ticks = Ticks(store.hosts, self.evaluator.take, now_ms=now_ms)
        leaps = Leaps(now_ms)
        self.promised = Promised(store, config, self.ticks, leaps, now_ms)
        self._let_people_know(loaded, registry)
        self.kept = Kept(time.monotonic)
        self.services = Services(self.promised.services, self.access.audit, now_ms)
        self.tokens = Tokens(store.hosts, now_ms)
        self._ask_of_hosts(loaded, registry)
        self._let_batches_in(round(config.late_s_max * 1000), registry)
        self._let_hosts_join(loaded, registry)
        self.upkeep = Upkeep(store, what_to_keep(config), leaps, now_ms)
        command = command_of(Path(loaded.section.file))
        self.replays = Replays(command, self.pages.publish_work, self.access.audit, now_ms=now_ms)
        self._advise(config, registry)
        self.api = api(self, config, registry, now_ms)
        self._serve(config, registry, not_ready)

    def _let_people_in(self, loaded: Loaded, registry: CollectorRegistry) -> None:
        """Who may what, from where they are believed to come, and the pages that they come to."""
        self.access = access(
            self.store.people,
            loaded,
            now_ms=now_ms,
            monotonic=time.monotonic,
            registry=registry,
            changed=lambda: self.pages.ask_again(),
            made=lambda: self.kept.clear(),
        )
        self.proxies, self.certificate = proxies(loaded), certificate(loaded)
        self._link_base = loaded.config.link_base
        self.pages = Pages(
            self.store,
            [options.name for options in loaded.config.channels],
            promised=lambda: self.promised.services.all(),
            may_still=self.access.may_still,
            now_ms=now_ms,
            registry=registry,
        )

    def _judge(self, loaded: Loaded, rules: Sequence[Rule], registry: CollectorRegistry) -> Evaluator:
        return Evaluator(
            self.store,
            rules,
            loaded.config.channel_views,
            shared=loaded.shared,
            now_ms=now_ms,
            on_commit=self._committed,
            on_gone=self._gone,
            registry=registry,
        )

    def _ask_of_hosts(self, loaded: Loaded, registry: CollectorRegistry) -> None:
        """What answers to pushes ask agents for; and which hosts are let go of by themselves."""

        def known() -> Watch:
            return self.evaluator.watch

        after_ms = round(loaded.config.ephemeral_after_s * 1000)
        self.inquiries = Inquiries(self.store.incidents, now_ms=now_ms, registry=registry)
        self.neighbours = Neighbours(known, now_ms=now_ms, registry=registry)
        self.definitions = Definitions(loaded.definitions, self._labels)
        self.ephemeral = Ephemeral(self.store.hosts, known, after_ms=after_ms, now_ms=now_ms)

    def _let_batches_in(self, late_ms_max: int, registry: CollectorRegistry) -> None:
        self.ingest = Ingest(
            self.tokens,
            self.evaluator.take,
            now_ms=now_ms,
            registry=registry,
            inquiries=self.inquiries,
            defined=self._asks,
            looked=self.neighbours.answered,
            late_ms_max=late_ms_max,
        )

    def _let_hosts_join(self, loaded: Loaded, registry: CollectorRegistry) -> None:
        store, audit = self.store, self.access.audit
        self.installer = installer(loaded, self.certificate)
        self.codes = Codes(store.joins, store.hosts, self.installer, audit, now_ms)
        self.joining = doors(store, self.tokens, audit, self.evaluator.follow_hosts, now_ms, registry)

    def _let_people_know(self, loaded: Loaded, registry: CollectorRegistry) -> None:
        """Notices and the links in them, and what tells of jobs that are late and of a collector that is not well."""
        config, store = loaded.config, self.store
        self.links = Links(key_in(loaded.state, "links.key"), config.link_base, now_ms)
        self.wording = load_wording(loaded, registry)
        self.notifier = Notifier(
            store.notices,
            {options.name: build_channel(options) for options in config.channels},
            now_ms=now_ms,
            registry=registry,
            message=self._message,
        )
        self.jobs = Jobs(
            store.jobs, config.jobs, post=self._tell_of_ourselves, now_ms=now_ms, registry=registry
        )
        self.selfwatch = Selfwatch(
            channels=self.notifier.channels_state,
            store=store.health,
            oldest_s=self.notifier.oldest_s,
            post=self._tell_of_ourselves,
            registry=registry,
        )
        self._heartbeat: Heartbeat | None = None
        if config.heartbeat is not None:
            needed = [self._judging, self.store_health]
            self._beat_every_s = config.heartbeat.every_s
            self._heartbeat = Heartbeat(config.heartbeat.url, needed, registry)

    def _advise(self, config: CollectorConfig, registry: CollectorRegistry) -> None:
        """How many instances services should have, and what becomes of the room on hosts."""

        def known() -> Watch:
            return self.evaluator.watch

        audit, post = self.access.audit, self.ticks.gauges
        self.advisor = advisor(self.store, config, known, registry, now_ms, audit, post)
        self.plays = Plays(self.advisor, self._past_load, now_ms)
        self.capacity = capacity(self.store, config, known, now_ms)

    def _serve(
        self, config: CollectorConfig, registry: CollectorRegistry, not_ready: Callable[[], str | None]
    ) -> None:
        self.server = Server(
            application(self, config, registry, now_ms, not_ready),
            *config.address,
            registry=registry,
            limits=Limits(connections_max=config.connections_max),
            tls=self.certificate.context if self.certificate else None,
            short_cuts=self.ingest.routes(),
        )

    async def start(self) -> None:
        """StoreError or ServerError, one sentence each; what was started is stopped again then."""
        async with contextlib.AsyncExitStack() as undo:
            undo.push_async_callback(self.notifier.stop, DRAIN_S)
            undo.push_async_callback(self.evaluator.stop)
            await self.policies.start()
            await self.evaluator.start()
            await self.attendance.start()
            await self.ticks.start()
            await self.jobs.start()
            await self.advisor.start()
            await self.notifier.start()
            await self.server.start()
            if not self.server.is_on_loopback and not await self.access.setup.any_user():
                self.access.setup.tell(self._link_base)
            undo.pop_all()

    async def stop(self) -> None:
        """Pushes are put off, what was judged is kept, what is being sent is finished."""
        await self.pages.close()
        await self.server.stop()
        await self.replays.close()
        await self.access.close()
        await self.tokens.close()
        await self.ticks.close()
        await self.attendance.stop()
        await self.advisor.stop()
        await self.evaluator.stop()
        await self.notifier.stop(DRAIN_S)

    def go_round(self, rounds: Rounds) -> None:
        """Begin all that comes round again and again, but for the tick itself."""
        rounds.start("posted", TICK_S, self.ticks.flush)
        rounds.start("neighbours", TICK_S, self.neighbours.tick)
        rounds.start("repair", TICK_S, self.evaluator.repair_late)
        rounds.start("hosts", HOSTS_S, self.evaluator.follow_hosts)
        rounds.start("slow rules", LOOK_BACK_S, self.evaluator.look_far_back)
        rounds.start("jobs", TELL_S, self.jobs.tell)
        rounds.start("selfwatch", TELL_S, self.selfwatch.tell)
        if self._heartbeat is not None:
            rounds.start("heartbeat", self._beat_every_s, self._heartbeat.beat)
        rounds.start("attendance", NOTE_S, self.attendance.note)
        rounds.start("sessions", FORGET_S, self.access.forget_ended)
        rounds.start("seen", SEEN_S, self.access.note_seen)
        rounds.start("ephemeral", LOOK_S, self.ephemeral.look)
        rounds.start("promises", ROUND_S, self.promised.round)
        rounds.soon("promises")
        if self.certificate is not None:
            rounds.start(CERTIFICATE, CERTIFICATE_S, self.certificate.refresh)
        rounds.start("advice", ADVISE_S, self.advisor.round)
        rounds.start("capacity", ADVISE_S, self.capacity.round)
        rounds.start("seal", SEAL_S, self.upkeep.seal)
        rounds.start("forget", FORGET_S, self.upkeep.forget)

    def server_health(self) -> Component:
        return self.server.health()

    async def _judging(self) -> Component:
        return self.evaluator.health()

    async def store_health(self) -> Component:
        health = await self.store.health()
        return Component("store", health.state, health.detail)

    def _message(self, notice: Notice, again: bool) -> Message:
        links = self.links
        return self.wording.dress(Message(notice, links.to_incident(notice), again, links.actions(notice)))

    async def _tell_of_ourselves(self, found: Sequence[tuple[str, dict[str, str], float]]) -> None:
        await self.ticks.gauges(SERVICE, found)

    def _asks(self, host: int, has: str | None) -> Sequence[Ask]:
        return [*self.neighbours.asks(host), *self.definitions.asks(host, has)]

    async def _past_load(self, service: str, end: int, past_ms: int, step_ms: int) -> tuple[Times, Numbers]:
        return await Counsel(self.store, self.runtime.held.loaded, now_ms).load(
            service, end, past_ms, step_ms
        )

    def _labels(self, host: int) -> Mapping[str, str] | None:
        try:
            return self.evaluator.watch.hosts[host].host.binding_labels
        except (StoreError, KeyError):
            return None

    def _gone(self, hosts: Sequence[int]) -> None:
        """Whoever remembers something of each host lets go of these: in some fleets a thousand come and go a day."""
        for part in (self.ingest, self.definitions, self.neighbours, self.inquiries, self.pages):
            part.forget(hosts)

    def _committed(self, outcomes: Sequence[Outcome]) -> None:
        if any(outcome.notices for outcome in outcomes):
            self.notifier.wake()
        self.inquiries.committed(outcomes)
        self.kept.committed(outcomes)
        self.pages.publish(outcomes)


def own_registry() -> CollectorRegistry:
    """Metrics of this process: a registry of our own, so that two collectors in one process stay apart."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry
