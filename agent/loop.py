"""The heart of the agent: every tick, ask all checks and give the spool a batch of what they said."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Literal

from agent import wire
from agent.calls import Call
from agent.clock import Clock, Moment
from agent.facts import Facts, resident_bytes
from agent.pusher import Pusher
from agent.sampler import Sampler, Tick
from agent.spool import Spool

log = logging.getLogger(__name__)

FACTS_EVERY_MS = 300_000
APART_S = 1.0
"""However often a sample is asked for, so much lies between it and the one before."""
WAIT_SHARE, WAIT_S_MIN = 0.8, 0.5
"""A tick waits for its checks through most of the interval. Would it wait for the slowest, however long that may take,
the host would be missed for one address that does not answer."""
SERIES = {
    "agent_spool_bytes": "How much disk the batches take that the collector has not acknowledged.",
    "agent_spool_batches": "How many batches the collector has not acknowledged.",
    "agent_dropped_batches": "How many batches were given up since the start: no room, too old, or refused.",
    "agent_rss_bytes": "How much memory the agent uses.",
    "agent_errors": "How often the agent met a fault of its own since its start.",
    "collector_rtt_ms": "How long the last push took, from sending it to the collector's answer.",
}


class Loop:
    """Samples until it is called away. `errors` counts ticks that failed through a fault of ours, `failed` those since
    the last that did not; `answers` is how the checks stood then, None before the first."""

    def __init__(
        self,
        sampler: Sampler,
        spool: Spool,
        pusher: Pusher,
        clock: Clock,
        every_ms: int,
        labels: dict[str, str],
    ) -> None:
        self.errors = self.failed = 0
        self.answers: list[wire.CheckState] | None = None
        self._sampler = sampler
        self._spool = spool
        self._pusher = pusher
        self._clock = clock
        self._every_ms = every_ms
        self._labels = labels
        self._facts = Facts()
        self._told: dict[str, str] = {}
        self._told_at_ms = 0
        self._labels_told = False
        self._said = ""

    def run(
        self,
        wait: Callable[[float], Call | None],
        beat: Callable[[], object],
        beat_s: float | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> Literal["stop", "reload"]:
        """Tick on a grid that begins now until `wait(seconds)` is called to stop or to reload; which of the two.

        `beat` is called after every wait and the tick that may follow, with waits no longer than `beat_s`.
        """
        every_s = self._every_ms / 1000
        due_s = began_s = monotonic()
        not_before_s = began_s
        while True:
            left_s = max(0.0, due_s - monotonic())
            call = wait(left_s if beat_s is None else min(left_s, beat_s))
            if call == "stop" or call == "reload":
                return call
            if call == "sample":
                due_s = min(due_s, max(monotonic(), not_before_s))
            if monotonic() >= due_s:
                self._safe_tick()
                due_s = next_tick(began_s, every_s, monotonic())
                not_before_s = monotonic() + APART_S
            beat()

    def change(self, every_ms: int, labels: dict[str, str]) -> None:
        """What a new config says, from the next tick on."""
        self._every_ms = every_ms
        if labels != self._labels:
            self._labels, self._labels_told = labels, False

    def _safe_tick(self) -> None:
        try:
            self.tick()
            self.failed = 0
        except Exception as error:  # one bad tick must not end all sampling
            self.errors += 1
            self.failed += 1
            if repr(error) != self._said:
                self._said = repr(error)
                log.exception("a fault in the agent; this tick is lost, sampling goes on")

    def tick(self) -> None:
        """One batch, into the spool."""
        began = self._clock()
        tick = self._sampler.sample(max(WAIT_S_MIN, WAIT_SHARE * self._every_ms / 1000))
        self._spool.add(self._batch(tick, began), began)
        self._pusher.wake()
        self.answers = tick.checks

    def _batch(self, tick: Tick, now: Moment) -> wire.Batch:
        batch = new_batch(tick, self._own(), self._every_ms)
        if not self._told or now.boot_ms - self._told_at_ms >= FACTS_EVERY_MS:
            facts = self._facts.gather(now)
            if facts != self._told:
                batch.facts = facts
            self._told, self._told_at_ms = facts, now.boot_ms
        if not self._labels_told:
            batch.labels, self._labels_told = self._labels, True
        return batch

    def _own(self) -> dict[str, float | None]:
        """How the agent itself fares."""
        own: dict[str, float | None] = {
            "agent_spool_bytes": self._spool.size_bytes,
            "agent_spool_batches": self._spool.batches,
            "agent_dropped_batches": self._spool.dropped.total(),
            "agent_rss_bytes": resident_bytes(),
            "agent_errors": self.errors + self._pusher.errors,
        }
        if self._pusher.asked:
            own["collector_rtt_ms"] = self._pusher.rtt_ms
        return own


def next_tick(began_s: float, every_s: float, now_s: float) -> float:
    """When the next tick of the grid is due; those that were missed are gone."""
    return began_s + ((now_s - began_s) // every_s + 1) * every_s


def new_batch(tick: Tick, own: dict[str, float | None], every_ms: int) -> wire.Batch:
    """A batch that keeps to the limits of the wire; its times and number are given when it is sent."""
    room = wire.SERIES_PER_HOST_MAX - len(own)
    samples = tick.samples if len(tick.samples) <= room else dict(list(tick.samples.items())[:room])
    return wire.Batch(0, 0, 0, every_ms, samples | own, tick.checks)
