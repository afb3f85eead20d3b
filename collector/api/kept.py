"""Answers that were given and still hold: whoever asks the same again before anything it is made of changed gets them.

An answer is kept as the bytes that left, so its size is known to the byte and giving it again costs nothing. Each names
its topics (`incidents`, `host:7`), and a commit that touches one lets go of it. Answers about the whole fleet would not
last the moment between two pushes, so they may be a second old. Whatever somebody changes lets go of all of them, so
that they see what they did. A short age besides covers what is changed by a command beside the collector.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence

from msgspec import Struct

from rules.model import Outcome

ENTRIES_MAX = 1_000
BYTES_MAX = 16 * 1024 * 1024
AGE_S_MAX = 5.0
FLEET_AGE_S = 1.0
SAMPLES, INCIDENTS = "samples", "incidents"
"""Topics: anything that hosts sent; any alert or incident."""


def of_host(host: int) -> str:
    """The topic of what one host sent."""
    return f"host:{host}"


class Made(Struct, frozen=True):
    """The bytes of an answer, and the tag by which a client can tell that it has them already."""

    body: bytes
    etag: str

    @classmethod
    def of(cls, body: bytes) -> Made:
        return cls(body, f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"')


class KeptStats(Struct, frozen=True):
    """How often an answer was at hand, how often it had to be made, and what is kept now."""

    hits: int
    misses: int
    entries: int
    entries_max: int
    size_bytes: int
    size_bytes_max: int
    dropped_by_commits: int


class _Entry:
    def __init__(self, task: asyncio.Task[Made], topics: Sequence[str], made_at: float, until: float) -> None:
        self.task, self.topics, self.made_at, self.until = task, topics, made_at, until
        self.bytes = 0


class Kept:
    """A bounded number of answers. `monotonic` counts seconds; so long, `fleet_age_s`, an answer made of what all hosts
    sent is given again though some have sent more."""

    def __init__(
        self,
        monotonic: Callable[[], float],
        *,
        entries_max: int = ENTRIES_MAX,
        bytes_max: int = BYTES_MAX,
        age_s_max: float = AGE_S_MAX,
        fleet_age_s: float = FLEET_AGE_S,
    ) -> None:
        self._monotonic = monotonic
        self.fleet_age_s = fleet_age_s
        self._entries_max, self._bytes_max, self._age_s_max = entries_max, bytes_max, age_s_max
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._by_topic: dict[str, set[str]] = {}
        self._bytes = self._hits = self._misses = self._dropped = 0

    async def get(self, key: str, topics: Sequence[str], make: Callable[[], Awaitable[Made]]) -> Made:
        """The answer to `key`, made at most once however many wait for it; whatever `make` raises, to all of them."""
        entry = self._entries.get(key)
        if entry is not None and self._monotonic() < entry.until:
            self._hits += 1
            self._entries.move_to_end(key)
        else:
            self._misses += 1
            self._drop(key)
            entry = self._begin(key, topics, make)
        return await asyncio.shield(entry.task)

    def committed(self, outcomes: Sequence[Outcome]) -> None:
        """These are on disk: what was made of what they changed is let go of."""
        if not self._by_topic:
            return
        for topic in _touched(outcomes):
            for key in list(self._by_topic.get(topic, ())):
                entry = self._entries[key]
                if topic == SAMPLES and self._monotonic() < entry.made_at + self.fleet_age_s:
                    entry.until = min(entry.until, entry.made_at + self.fleet_age_s)
                    continue
                self._drop(key)
                self._dropped += 1

    def clear(self) -> KeptStats:
        """Let go of all; what there was until now is told."""
        before = self.stats()
        for key in list(self._entries):
            self._drop(key)
        return before

    def stats(self) -> KeptStats:
        return KeptStats(
            self._hits,
            self._misses,
            len(self._entries),
            self._entries_max,
            self._bytes,
            self._bytes_max,
            self._dropped,
        )

    # --- entries ---

    def _begin(self, key: str, topics: Sequence[str], make: Callable[[], Awaitable[Made]]) -> _Entry:
        async def work() -> Made:
            return await make()

        now = self._monotonic()
        entry = _Entry(asyncio.create_task(work()), topics, now, now + self._age_s_max)
        self._entries[key] = entry
        for topic in topics:
            self._by_topic.setdefault(topic, set()).add(key)
        entry.task.add_done_callback(lambda task: self._made(key, entry, task))
        return entry

    def _made(self, key: str, entry: _Entry, task: asyncio.Task[Made]) -> None:
        failed = task.cancelled() or task.exception() is not None
        if self._entries.get(key) is not entry:
            return  # a commit came in between: those who wait have it, nobody else will
        if failed:
            self._drop(key)
            return
        entry.bytes = len(task.result().body)
        self._bytes += entry.bytes
        while len(self._entries) > self._entries_max or self._bytes > self._bytes_max:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        self._bytes -= entry.bytes
        for topic in entry.topics:
            keys = self._by_topic[topic]
            keys.discard(key)
            if not keys:
                del self._by_topic[topic]


def _touched(outcomes: Sequence[Outcome]) -> Iterable[str]:
    topics: set[str] = set()
    for outcome in outcomes:
        if outcome.arrival is not None:
            topics |= {SAMPLES, of_host(outcome.arrival.host)}
        elif outcome.host is not None:
            topics |= {SAMPLES, of_host(outcome.host.id)}
        # Of a large fleet some rule is pending for a moment all the time; that is no part of any answer.
        steps = any(step.alert is not None for step in outcome.transitions)
        if steps or outcome.incidents or outcome.alerts:
            topics.add(INCIDENTS)
    return topics
