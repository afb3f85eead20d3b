"""Other agents are asked to look at a host that is overdue, in the answers to their pushes; what they say goes to the
judge before anybody is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct
from prometheus_client import CollectorRegistry, Counter

from agent.wire import AskLook, Looked
from collector.store import StoreError
from rules.fleet.neighbours import ADDRESS, Sight, to_ask
from rules.fleet.presence import is_overdue
from rules.memory.watch import Watch

ASK_FOR_MS = 60_000
PER_NEIGHBOUR_MAX = 5
SAID = {True: "yes", False: "no", None: "unknown"}


class Wanted(Struct, frozen=True):
    about: int
    address: str
    until: int


class Neighbours:
    """Remembers in memory who is still to be asked. `watch` gives what the judge remembers, or StoreError."""

    def __init__(
        self, watch: Callable[[], Watch], *, now_ms: Callable[[], int], registry: CollectorRegistry
    ) -> None:
        self._watch, self._now_ms = watch, now_ms
        self._wanted: dict[int, list[Wanted]] = {}
        self._answers = Counter(
            "watchkeeper_looks",
            "Looks of one host at another that was silent",
            ["reached"],
            registry=registry,
        )
        for reached in SAID.values():
            self._answers.labels(reached)

    async def tick(self) -> None:
        """Once a second: see who is to be asked about whom."""
        watch, now = self._judge(), self._now_ms()
        if watch is None:
            return
        for host in list(watch.sights):
            memory = watch.hosts.get(host)
            if memory is None or not is_overdue(memory, now):
                del watch.sights[host]
        for host, asked in to_ask(watch, now):
            memory = watch.hosts[host]
            watch.sights[host] = Sight(memory.quiet_since, asked)
            for neighbour in asked:
                wanted = self._wanted.setdefault(neighbour, [])
                wanted.append(Wanted(host, memory.host.facts[ADDRESS], now + ASK_FOR_MS))
                del wanted[:-PER_NEIGHBOUR_MAX]

    def forget(self, hosts: Iterable[int]) -> None:
        """These are no more, and nobody will push as them."""
        for host in hosts:
            self._wanted.pop(host, None)

    def asks(self, host: int) -> Sequence[AskLook]:
        """What the answer to a push of this host should ask."""
        if host not in self._wanted:
            return []
        watch, now = self._judge(), self._now_ms()
        wanted = self._wanted.pop(host)
        if left := [one for one in wanted if watch and now < one.until and one.about in watch.sights]:
            self._wanted[host] = left
        return [AskLook(one.about, one.address) for one in left]

    def answered(self, host: int, looked: Sequence[Looked]) -> None:
        """What an agent saw. It counts for what it was asked to look at, once."""
        watch = self._judge()
        for one in looked:
            wanted = self._wanted.get(host, [])
            left = [asked for asked in wanted if asked.about != one.about]
            if len(left) == len(wanted):
                continue
            self._wanted[host] = left
            self._answers.labels(SAID[one.reached]).inc()
            if watch is not None and (sight := watch.sights.get(one.about)) is not None:
                watch.sights[one.about] = sight.with_answer(host, one.reached)

    def _judge(self) -> Watch | None:
        try:
            return self._watch()
        except StoreError:
            return None
