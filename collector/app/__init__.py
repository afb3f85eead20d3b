"""A running collector: its start, its reloads and its end. What it is made of is joined in `parts`."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable

import msgspec

from agent.options import ConfigError
from collector.app.advice import policies
from collector.app.folder import caretaker, open_state
from collector.app.opening import Opening
from collector.app.parts import CERTIFICATE, TICK_S, Parts, now_ms, own_registry
from collector.app.runtime import Runtime
from collector.app.upkeep import what_to_keep
from collector.config import CollectorConfig, Loaded, load_rules
from collector.config.policy import see_that_it_is_sound
from collector.config.runtime import Held
from collector.itself.rounds import Rounds
from collector.itself.service import Service
from collector.store import Store
from rules.words import counted

__all__ = ["Collector", "caretaker", "needing_a_restart", "now_ms", "open_state"]

log = logging.getLogger(__name__)


class Collector:
    """A running collector. `start` says what keeps it from running; `stop` keeps and tells what was taken in."""

    def __init__(self, load: Callable[[], Loaded], service: Service) -> None:
        """`load` reads the config; it is asked again at every reload. ConfigError."""
        self._load = load
        self._loaded = load()
        self._config = self._loaded.config
        self._service = service
        self._not_ready: str | None = "starting"
        self._registry = own_registry()
        self._rounds = Rounds(self._registry)

    @property
    def store(self) -> Store:
        """Open between start and stop."""
        return self._parts.store

    async def start(self) -> None:
        """Raises ConfigError, StoreError or ServerError, one sentence each; nothing is left open then."""
        load_rules(self._loaded)
        async with Opening(self._loaded, self._service) as opening:
            store = await open_state(self._loaded, role="collector", told=opening.told)
        async with contextlib.AsyncExitStack() as undo:
            undo.push_async_callback(store.close)
            self._runtime = Runtime(self._read, store.settings, self._take_up, now_ms)
            await self._runtime.read()
            held = self._runtime.held
            self._loaded, self._config, rules = held.loaded, held.config, held.rules
            self._parts = Parts(
                store, self._loaded, rules, self._registry, lambda: self._not_ready, self._runtime
            )
            await self._parts.start()
            undo.pop_all()
        self._rounds.start("tick", TICK_S, self._tick)
        self._parts.go_round(self._rounds)
        self._not_ready = None
        self._service.ready()
        log.info(
            "Serving on %s with %s and %s.",
            self._config.listen,
            counted(len(rules), "rule"),
            counted(len(self._config.channels), "channel"),
        )

    async def stop(self) -> None:
        """Pushes are put off, what was judged is kept, what is being sent is finished; then all is closed."""
        self._not_ready = "stopping"
        self._service.stopping()
        await self._rounds.stop()
        await self._parts.stop()
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

    def _read(self) -> Loaded:
        """The config as it is written now. ConfigError, as well where it tells somebody by a channel that only begins
        with a restart: until then nobody would hear of what goes that way."""
        loaded = self._load()
        if self._not_ready is None:
            see_that_they_run(loaded, self._config)
        return loaded

    def _take_anew(self) -> None:
        try:
            self._take_up(self._runtime.load())
        except ConfigError as mistake:
            log.error("The config and rules are left as they were: %s", mistake)  # noqa: TRY400 - theirs, no trace of ours

    def _take_up(self, held: Held) -> None:
        """Have what may change at a reload hold from now on."""
        loaded, rules = held.loaded, held.rules
        if waiting := needing_a_restart(self._config, loaded.config):
            log.warning("A reload leaves these as they were, restart for them: %s.", ", ".join(waiting))
        parts = self._parts
        if parts.certificate is not None:
            self._rounds.soon(CERTIFICATE)
        self._runtime.held = held
        parts.evaluator.replace_rules(rules, self._config.channel_views, loaded.shared)
        parts.policies.configure(loaded.config)
        parts.definitions.replace(loaded.definitions)
        parts.advisor.replace(policies(loaded.config))
        parts.capacity.replace(loaded.config.capacity)
        parts.promised.configure(loaded.config)
        parts.kept.clear()
        log.info(
            "Judging by %d rules, with %d checks for hosts to run, from now on.",
            len(rules),
            len(parts.definitions),
        )
        if (keep := what_to_keep(loaded.config)) != parts.upkeep.keep:
            parts.upkeep.keep = keep
            self._rounds.soon("forget")
            log.info("What is kept, how long and on how much disk is as the config says from now on.")

    async def _tick(self) -> None:
        """The watchdog hears of a tick that came to its end, for one that hangs is what it is there for."""
        evaluator = self._parts.evaluator
        evaluator.tick()
        self._service.status(evaluator.health().detail)
        self._service.alive()


def see_that_they_run(loaded: Loaded, running: CollectorConfig) -> None:
    """ConfigError when what was read tells somebody by a channel that does not run yet."""
    try:
        see_that_it_is_sound(loaded.config, [channel.name for channel in running.channels], loaded.section)
    except ConfigError as mistake:
        sentence = f"{mistake.problem}; a new channel begins with a restart"
        raise ConfigError(mistake.file, mistake.line, mistake.path, sentence) from None


RELOADED = frozenset(
    (
        "packs",
        "rules",
        "thresholds",
        "checks",
        "services",
        "scaling",
        "capacity",
        "zone",
        "routes",
        "quiet_hours",
        "on_call",
        "maintenance",
        "keep_s",
        "keep_rollups_s",
        "keep_history_s",
        "disk_budget_bytes",
    )
)


def needing_a_restart(before: CollectorConfig, after: CollectorConfig) -> list[str]:
    """The keys that were changed and that a reload does not reach, as people write them."""
    return [
        field.name.replace("_s_max", "_max")
        for field in msgspec.structs.fields(CollectorConfig)
        if field.name not in RELOADED and getattr(before, field.name) != getattr(after, field.name)
    ]
