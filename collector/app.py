"""The one place where the collector's parts are built and joined; no part knows another but through here.

The way of the data: server -> ingest -> evaluator -> store; what is on disk then wakes the notifier and the pages.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal

import msgspec
from aiohttp import web
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from agent.options import ConfigError
from collector.api.health import Health
from collector.api.metrics import Metrics
from collector.api.ticks import Ticks
from collector.auth import Tokens
from collector.caretaker import Caretaker
from collector.config import CollectorConfig, Loaded, build_channel, load_rules
from collector.definitions import Definitions
from collector.evaluator import Evaluator
from collector.health import Component
from collector.ingest import Ingest
from collector.inquiries import Inquiries
from collector.leaps import Leaps
from collector.notifier import Notifier
from collector.rounds import Rounds
from collector.server import Limits, Server
from collector.service import Service
from collector.store import Keep, Store, StoreError
from collector.stores.sqlite import open_store
from collector.stores.sqlite.caretaker import SqliteCaretaker
from collector.web.pages import Pages
from rules.engine import Rule
from rules.memory import binding_labels
from rules.model import Outcome

log = logging.getLogger(__name__)

TICK_S = 1
SEAL_S, SEAL_FOR_S, SEAL_SHARE = 5, 4.0, 0.2
"""A fifth of the time at most is for packing what is an hour old; what 10,000 hosts bring takes a tenth of that."""
FORGET_S, FORGET_FOR_S, FORGET_SHARE = 60, 40.0, 0.5
DRAIN_S = 5.0


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Collector:
    """A running collector. `start` says what keeps it from running; `stop` keeps and tells what was taken in."""

    def __init__(self, load: Callable[[], Loaded], service: Service) -> None:
        """`load` reads the config; it is asked again at every reload. ConfigError."""
        self._load = load
        self._loaded = loaded = load()
        self._config = loaded.config
        self._keep = what_to_keep(loaded.config)
        self._service = service
        self._not_ready: str | None = "starting"
        self._registry = own_registry()
        self._rounds = Rounds(self._registry)
        self._leaps = Leaps(now_ms)

    async def start(self) -> None:
        """Raises ConfigError, StoreError or ServerError, one sentence each; nothing is left open then."""
        rules = load_rules(self._loaded)
        self.store = await open_state(self._loaded, role="collector")
        async with contextlib.AsyncExitStack() as undo:
            undo.push_async_callback(self.store.close)
            self._build(self.store, rules)
            undo.push_async_callback(self._notifier.stop, DRAIN_S)
            undo.push_async_callback(self._evaluator.stop)
            await self._evaluator.start()
            await self._ticks.start()
            await self._notifier.start()
            await self._server.start()
            undo.pop_all()
        self._go_round()
        self._not_ready = None
        self._service.ready()
        log.info(
            "Serving on %s with %d rules and %d channels.",
            self._config.listen,
            len(rules),
            self._channel_count,
        )

    async def stop(self) -> None:
        """Pushes are put off, what was judged is kept, what is being sent is finished; then all is closed."""
        self._not_ready = "stopping"
        self._service.stopping()
        await self._rounds.stop()
        await self._pages.close()
        await self._server.stop()
        await self._tokens.close()
        await self._ticks.close()
        await self._evaluator.stop()
        await self._notifier.stop(DRAIN_S)
        await self.store.close()

    def reload(self) -> None:
        """Read rules, checks for hosts, and how long things are kept, anew. A mistake anywhere is said, and then all
        stays as it was. Nothing is done unless we serve."""
        if self._not_ready is not None:
            return
        self._service.reloading()
        try:
            self._take_anew()
        finally:
            self._service.ready()

    def _take_anew(self) -> None:
        try:
            loaded = self._load()
            rules = load_rules(loaded)
        except ConfigError as mistake:
            log.error("The config and rules are left as they were: %s", mistake)  # noqa: TRY400 - theirs, no trace of ours
            return
        if waiting := needing_a_restart(self._config, loaded.config):
            log.warning("A reload leaves these as they were, restart for them: %s.", ", ".join(waiting))
        self._evaluator.replace_rules(rules, self._config.channel_views)
        self._definitions.replace(loaded.definitions)
        log.info(
            "Judging by %d rules, with %d checks for hosts to run, from now on.",
            len(rules),
            len(self._definitions),
        )
        if (keep := what_to_keep(loaded.config)) != self._keep:
            self._keep = keep
            self._rounds.soon("forget")
            log.info("What is kept, how long and on how much disk is as the config says from now on.")

    # --- the parts and their joints ---

    def _build(self, store: Store, rules: Sequence[Rule]) -> None:
        config, registry = self._config, self._registry
        names = [options.name for options in config.channels]
        self._pages = Pages(store, names, now_ms=now_ms, registry=registry)
        self._notifier = Notifier(
            store.notices,
            {options.name: build_channel(options) for options in config.channels},
            now_ms=now_ms,
            registry=registry,
            link=lambda incident: f"{config.link_base}/incidents/{incident}",
        )
        self._evaluator = Evaluator(
            store, rules, config.channel_views, now_ms=now_ms, on_commit=self._committed, registry=registry
        )
        self._ticks = Ticks(store.hosts, self._evaluator.take, now_ms=now_ms)
        self._inquiries = Inquiries(store.incidents, now_ms=now_ms, registry=registry)
        self._definitions = Definitions(self._loaded.definitions, self._labels)
        self._tokens = Tokens(store.hosts, now_ms)
        ingest = Ingest(
            self._tokens,
            self._evaluator.take,
            now_ms=now_ms,
            registry=registry,
            inquiries=self._inquiries,
            defined=self._definitions.asks,
            late_ms_max=round(config.late_s_max * 1000),
        )
        self._server = Server(
            self._application(ingest),
            *config.address,
            registry=registry,
            limits=Limits(connections_max=config.connections_max),
            loopback_only=True,
            short_cuts=ingest.routes(),
        )

    def _application(self, ingest: Ingest) -> web.Application:
        health = Health(
            [
                self._server_health,
                ingest.health,
                self._ticks.health,
                self._evaluator.health,
                self._store_health,
                self._notifier.health,
            ],
            self._registry,
            not_ready=lambda: self._not_ready,
            hosts_by_state=self._evaluator.hosts_by_state,
        )
        metrics = Metrics(
            self._ticks,
            self.store.samples,
            now_ms=now_ms,
            registry=self._registry,
            late_ms_max=round(self._config.late_s_max * 1000),
        )
        app = web.Application()
        app.add_routes([*ingest.routes(), *health.routes(), *metrics.routes(), *self._pages.routes()])
        return app

    def _labels(self, host: int) -> Mapping[str, str] | None:
        try:
            return binding_labels(self._evaluator.watch.hosts[host].host)
        except (StoreError, KeyError):
            return None

    def _committed(self, outcomes: Sequence[Outcome]) -> None:
        if any(outcome.notices for outcome in outcomes):
            self._notifier.wake()
        self._inquiries.committed(outcomes)
        self._pages.publish(outcomes)

    def _server_health(self) -> Component:
        return self._server.health()

    async def _store_health(self) -> Component:
        health = await self.store.health()
        return Component("store", health.state, health.detail)

    @property
    def _channel_count(self) -> int:
        return len(self._config.channels)

    # --- what comes round ---

    def _go_round(self) -> None:
        self._rounds.start("tick", TICK_S, self._tick)
        self._rounds.start("posted", TICK_S, self._ticks.flush)
        self._rounds.start("repair", TICK_S, self._evaluator.repair_late)
        self._rounds.start("seal", SEAL_S, self._seal)
        self._rounds.start("forget", FORGET_S, self._forget)

    async def _tick(self) -> None:
        """The watchdog hears of a tick that came to its end, for one that hangs is what it is there for."""
        self._evaluator.tick()
        self._service.status(self._evaluator.health().detail)
        self._service.alive()

    async def _seal(self) -> None:
        """Have batches that are old enough packed, a piece at a time, so that no push waits long behind it."""
        await in_pieces(lambda: self.store.seal(now_ms()), SEAL_FOR_S, SEAL_SHARE)

    async def _forget(self) -> None:
        """Let go of what has had its time, a piece at a time as well; nothing while it is not sure what the time is."""
        now = now_ms()
        if not self._leaps.in_doubt():
            await in_pieces(lambda: self.store.forget(self._keep, now), FORGET_FOR_S, FORGET_SHARE)


async def in_pieces(piece: Callable[[], Awaitable[bool]], for_s: float, share: float) -> None:
    """Call `piece` as long as it says that there is more, for so long at most, and rest in between for the other share
    of the time."""
    until, more = time.monotonic() + for_s, True
    while more and time.monotonic() < until:
        began = time.monotonic()
        more = await piece()
        await asyncio.sleep((time.monotonic() - began) * (1 / share - 1))


async def open_state(loaded: Loaded, role: Literal["collector", "tool"]) -> Store:
    """The store in the folder that the config names. ConfigError when that folder will not do, however often it is
    tried; StoreError for what may pass."""
    try:
        return await open_store(loaded.state, role=role)
    except StoreError as trouble:
        if trouble.passing:
            raise
        raise loaded.error("state", str(trouble)) from None


def caretaker(loaded: Loaded) -> Caretaker:
    """For what is done to that same store from outside the collector."""
    return SqliteCaretaker(loaded.state)


def what_to_keep(config: CollectorConfig) -> Keep:
    return Keep(
        samples_ms=round(config.keep_s * 1000),
        rollups_ms=round(config.keep_rollups_s * 1000),
        history_ms=round(config.keep_history_s * 1000),
        budget_bytes=config.disk_budget_bytes,
    )


RELOADED = frozenset(
    ("packs", "rules", "checks", "keep_s", "keep_rollups_s", "keep_history_s", "disk_budget_bytes")
)


def needing_a_restart(before: CollectorConfig, after: CollectorConfig) -> list[str]:
    """The keys that were changed and that a reload does not reach, as people write them."""
    return [
        field.name.replace("_s_max", "_max")
        for field in msgspec.structs.fields(CollectorConfig)
        if field.name not in RELOADED and getattr(before, field.name) != getattr(after, field.name)
    ]


def own_registry() -> CollectorRegistry:
    """Metrics of this process: a registry of our own, so that two collectors in one process stay apart."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry
