"""The agent as it runs: its parts joined, changed when the config is read again, and ended."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from msgspec import structs

from agent import clock, definitions, heap, parting, wire
from agent.calls import Call, Calls
from agent.checks import Check
from agent.config import AgentConfig, Loaded, PlannedCheck, need_token
from agent.definitions import Unfit
from agent.evidence import Lookout
from agent.facts import VERSION
from agent.loop import SERIES, Loop
from agent.neighbours import Neighbours
from agent.net import tls
from agent.net.proxy import Proxy
from agent.net.tls import Trust
from agent.options import ConfigError
from agent.pusher import Pusher
from agent.pusher.collectors import Collectors
from agent.pusher.post import Post
from agent.sampler import Question, Sampler
from agent.spool import Limits, Spool, SpoolError
from agent.systemd import Systemd

log = logging.getLogger(__name__)

STOP_S_MAX = 3.0
SPILL_AFTER_MS_MAX = 20_000
FAILED_MAX = 3
"""So many ticks may fail in a row through a fault of ours before we ask, by our silence, to be started anew."""
NAMED_MAX = 3
WAY = ("collector", "token", "ca", "pin", "cert", "key", "proxy", "every_ms")
"""What of the config decides how requests go."""


class Service:
    """`read` reads the config again. The constructor raises ConfigError; after it, a mistake changes nothing."""

    def __init__(self, loaded: Loaded, read: Callable[[], Loaded], calls: Calls, systemd: Systemd) -> None:
        config = loaded.config
        self._read, self._calls, self._systemd = read, calls, systemd
        self._clock = clock.system_clock()
        collectors = new_collectors(loaded)
        try:
            self._spool = Spool(config.state / "spool", limits(config), self._clock())
        except SpoolError as error:
            raise loaded.error("state", str(error)) from None
        self._config = config
        self._running: dict[str, tuple[PlannedCheck | Unfit, Check]] = {}
        self._defined = definitions.Kept(config.state)
        self._told: wire.AskDefinitions | None = None
        self._loaded = loaded
        self._sampler = Sampler(self._checks(loaded), reserved=SERIES)
        self._lookout = Lookout(self._found, self._clock)
        self._neighbours = Neighbours(self._saw, config.accept, accept_loopback=config.accept_loopback)
        self._pusher = Pusher(self._spool, collectors, config.every_ms, self._clock, do=self._do)
        self._pusher.definitions = self._defined.now.hash
        self._loop = Loop(
            self._sampler, self._spool, self._pusher, self._clock, config.every_ms, config.labels
        )
        self._is_ready = False

    def run(self) -> None:
        """Sample and push until called to stop."""
        whom = ", else ".join(self._config.collectors)
        log.info("watching over this host for %s; %s", whom, say_checks(len(self._running)))
        self._systemd.starting(self._sampler.slowest_s)
        self._pusher.start()
        while self._loop.run(self._wait, self._beat, self._systemd.beat_s) == "reload":
            self._reload()
        self._stop()

    def _stop(self) -> None:
        how = parting.how_we_stop()
        log.info("stopping, and telling the collector so: %s", parting.IN_WORDS[how])
        self._systemd.stopping()
        now = self._clock()
        self._spool.add(parting.word(how, self._config.every_ms), now)
        self._spool.flush(now)
        self._pusher.stop(STOP_S_MAX)
        self._spool.close()
        self._sampler.close()

    # --- what the collector asks for ---

    def _do(self, ask: wire.Ask) -> None:
        match ask:
            case wire.AskEvidence(about=about):
                self._lookout.look(about)
            case wire.AskLook(about=about, address=address):
                self._neighbours.look(about, address)
            case wire.AskSample():
                self._calls.make("sample")
            case wire.AskDefinitions():
                self._told = ask
                self._calls.make("sample")  # with which they begin

    def _wait(self, seconds: float) -> Call | None:
        call = self._calls.wait(seconds)
        told, self._told = self._told, None
        if told is not None:
            self._define(told)
        return call

    def _define(self, told: wire.AskDefinitions) -> None:
        """Run from now on what the collector defines."""
        try:
            if self._defined.keep(told):
                known = self._running
                self._sampler.replace(self._checks(self._loaded))
                log.info(
                    "the collector defines %s; %s",
                    say_checks(len(told.checks)),
                    changes(known, self._running),
                )
        except Exception:
            log.exception("a fault in the agent; the checks are left as they were")
        self._pusher.definitions = self._defined.now.hash

    def _found(self, evidence: wire.Evidence) -> None:
        self._pusher.attach(evidence)
        self._calls.make("sample")  # it goes with the next batch, so that is not waited for

    def _saw(self, looked: wire.Looked) -> None:
        self._pusher.say(looked)
        self._calls.make("sample")

    # --- what systemd hears ---

    def _beat(self) -> None:
        """Say that all goes on, if it does: samples are taken, and there is a thread to send them."""
        if self._loop.answers is not None and not self._is_ready:
            self._is_ready = True
            self._systemd.ready()
            heap.give_back()
        if self._loop.failed < FAILED_MAX and self._pusher.alive:
            self._systemd.alive()
        self._systemd.status(f"{standing(self._loop)}; {self._pusher.standing}")

    # --- another config ---

    def _reload(self) -> None:
        self._systemd.reloading()
        tls.forget()
        try:
            self._change(self._read())
        except ConfigError as mistake:
            log.error("the config is left as it was: %s", mistake)  # noqa: TRY400 - theirs, so no trace of ours
        except Exception:
            log.exception("a fault in the agent; the config is left as it was")
        heap.give_back()
        self._systemd.reloaded(self._sampler.slowest_s)

    def _change(self, loaded: Loaded) -> None:
        """Take all of a new config, or raise and take nothing of it."""
        before, config = self._config, loaded.config
        collectors = new_collectors(loaded)
        known = self._running
        checks = self._checks(loaded)
        if config.state != before.state:
            log.warning("the new folder for state, %s, is used from the next start on", config.state)
        in_files = config.ca is not None or config.cert is not None  # what they hold may be another
        if in_files or any(getattr(config, name) != getattr(before, name) for name in WAY):
            self._pusher.change(collectors, config.every_ms)
        self._spool.change(limits(config))
        self._sampler.replace(checks)
        self._loop.change(config.every_ms, config.labels)
        self._neighbours.trust(config.accept, accept_loopback=config.accept_loopback)
        self._loaded = loaded
        self._config = structs.replace(config, state=before.state)
        log.info("the config is read again; %s", changes(known, self._running))

    def _checks(self, loaded: Loaded) -> list[Question]:
        """The checks to be asked, those of the host and those that the collector defines; what has not changed stays
        the check that it was, with all that it remembers."""
        own, config = loaded.checks, loaded.config
        defined = definitions.plan(
            self._defined.now.checks,
            own,
            loaded.kinds,
            config.accept,
            accept_loopback=config.accept_loopback,
        )
        running: dict[str, tuple[PlannedCheck | Unfit, Check]] = {}
        for planned in (*own, *defined):
            kept = self._running.get(planned.id)
            running[planned.id] = kept if kept and kept[0] == planned else (planned, planned.build())
        self._running = running
        return [plan.question(check) for plan, check in running.values()]


def leave(loaded: Loaded) -> bool:
    """Tell the collector that the agent is taken off this host, with whatever is left; whether it knows now.

    ConfigError when the agent still runs.
    """
    config, now = loaded.config, clock.system_clock()
    collectors = new_collectors(loaded)
    try:
        spool = Spool(config.state / "spool", limits(config), now())
    except SpoolError as error:
        raise loaded.error("state", str(error)) from None
    spool.add(parting.word("uninstall", config.every_ms), now())
    pusher = Pusher(spool, collectors, config.every_ms, now)
    pusher.push_last(STOP_S_MAX)
    told = pusher.state == "connected" and spool.newest() is None
    spool.flush(now())
    spool.close()
    collectors.close()
    return told


def new_collectors(loaded: Loaded) -> Collectors:
    return Collectors(new_posts(loaded))


def new_posts(loaded: Loaded) -> list[Post]:
    """One for each collector of the config, in its order."""
    config, token = loaded.config, need_token(loaded).reveal()
    proxy = Proxy.of(config.proxy.reveal()) if config.proxy is not None else None
    agent = f"watchkeeper-agent/{VERSION}"
    return [Post(url, token, agent, trust_of(config), proxy) for url in config.collectors]


def trust_of(config: AgentConfig) -> Trust:
    """Which collectors to believe that they are one."""
    return Trust(
        verify=config.ca is not None or not config.pins,
        ca_file=str(config.ca or ""),
        pins=tuple(config.pins),
        cert_file=str(config.cert or ""),
        key_file=str(config.key or ""),
    )


def limits(config: AgentConfig) -> Limits:
    return Limits(
        bytes_max=config.spool_bytes_max,
        age_ms_max=config.spool_age_ms,
        spill_after_ms=min(2 * config.every_ms, SPILL_AFTER_MS_MAX),
    )


def standing(loop: Loop) -> str:
    """How the checks stand, for a person: '14 checks, all ok', '14 checks: shop bad, nfs unknown'."""
    answers = loop.answers
    if answers is None:
        return "no sample yet"
    others = [f"{answer.id} {answer.state}" for answer in answers if answer.state != "ok"]
    more = [f"{len(others) - NAMED_MAX} more"] if len(others) > NAMED_MAX else []
    words = ", ".join([*others[:NAMED_MAX], *more])
    return f"{say_checks(len(answers))}: {words}" if words else f"{say_checks(len(answers))}, all ok"


def say_checks(count: int) -> str:
    return "1 check" if count == 1 else f"{count} checks"


def changes(before: Mapping[str, object], after: Mapping[str, object]) -> str:
    """Which checks came, changed and went: '14 checks (new: shop; changed: disk; gone: nfs)'."""
    changed = [id for id in after if id in before and after[id] is not before[id]]
    new = [id for id in after if id not in before]
    gone = [id for id in before if id not in after]
    parts = [("new", new), ("changed", changed), ("gone", gone)]
    said = "; ".join(f"{word}: {', '.join(ids)}" for word, ids in parts if ids)
    return f"{say_checks(len(after))} ({said})" if said else say_checks(len(after))
