"""What services post of themselves, gathered tick by tick; each tick becomes a batch that is judged and kept like any.

A batch has the same series from tick to tick: what was posted before and is not now counts 0, a gauge holds for a
while, and a percentile of nothing is "no answer". Values for a tick whose batch is made already become a late batch.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, Protocol

import numpy as np
from msgspec import Struct

from agent.wire import SERIES_PER_HOST_MAX, Result, series_name
from collector.health import Component
from collector.store import StoreError
from rules.histograms import ENDING, LABEL, SHARE_LABEL, bucket_of, label_of, percentiles
from rules.model import SERVICE, Arrival, Host
from rules.words import counted

log = logging.getLogger(__name__)

TICK_MS = 10_000
GRACE_MS = 2_000
"""So long a tick waits for values that were on their way when it ended."""
IDLE_MS = 3_600_000
"""A service that posts nothing for so long reports no series any more."""
FADE_MS = 1_200_000
"""And so long after that its batches go on, empty, so that rules learn that its series are gone."""
GAUGE_HOLDS_MS = 300_000
CELLS_MAX = 200_000
"""Series of ticks that wait in memory, of all services; some 30 MB."""
PERCENTILES = {"0.5": 50.0, "0.95": 95.0, "0.99": 99.0}
VALUES = "posted_values"
"""A series that every service has: how many values it posted in a tick."""

Kind = Literal["duration", "count", "gauge"]
Take = Callable[[Sequence[Arrival]], Awaitable[list[Result]]]


class NotTaken(Exception):
    """A value is not taken, and why. `later`: it may be when it is posted again."""

    def __init__(self, code: str, message: str, *, later: bool = False) -> None:
        super().__init__(message)
        self.code, self.later = code, later


class Services(Protocol):
    async def all(self) -> list[Host]: ...
    async def add_service(self, name: str, now: int) -> Host: ...


class Value(Struct, frozen=True):
    """One value, checked, at a time that is not in the future."""

    metric: str
    labels: dict[str, str]
    kind: Kind
    value: float
    at: int


class Tick(Struct):
    """What was posted of one service in one tick, by series; of durations how many fell in each bucket."""

    values: int = 0
    counts: dict[str, float] = {}
    gauges: dict[str, float] = {}
    durations: dict[str, dict[int, int]] = {}

    @property
    def cells(self) -> int:
        return len(self.counts) + len(self.gauges) + sum(map(len, self.durations.values()))


class Duration(Struct, frozen=True):
    """The names of the series of one duration; `buckets` are those that had a value since it is known."""

    count: str
    shares: dict[str, float]
    buckets: dict[int, str] = {}


class Source:
    """One service: what it posts, and what of that is not on disk yet."""

    def __init__(self, host: Host, emitted: int, posted_at: int) -> None:
        self.host = host
        self.emitted, self.posted_at = emitted, posted_at
        self.kinds: dict[str, tuple[Kind, str]] = {}
        """Of every series of its batches: of which kind, and of which posted series, it is."""
        self.durations: dict[str, Duration] = {}
        self.held: dict[str, tuple[int, float]] = {}
        self.ticks: dict[int, Tick] = {}
        self.unsent: list[Arrival] = []
        self.spool, self.seq = secrets.token_hex(16), 0

    def know(self, value: Value) -> str:
        """The name of the posted series, with room made for the series it becomes. NotTaken when there is none."""
        name = series_name(value.metric, value.labels)
        wanted = [name]
        if value.kind == "duration":
            bucket = bucket_of(value.value)
            known = self.durations.get(name)
            if known is not None and bucket in known.buckets:
                return name
            duration = known or Duration(
                series_name(f"{value.metric}_count", value.labels),
                {
                    series_name(value.metric, {**value.labels, SHARE_LABEL: share}): percent
                    for share, percent in PERCENTILES.items()
                },
            )
            of_bucket = series_name(value.metric + ENDING, {**value.labels, LABEL: label_of(bucket)})
            wanted = [duration.count, *duration.shares, of_bucket]
            self._claim(wanted, (value.kind, name))
            self.durations[name] = duration
            duration.buckets[bucket] = of_bucket
        else:
            self._claim(wanted, (value.kind, name))
        return name

    def _claim(self, names: Sequence[str], owner: tuple[Kind, str]) -> None:
        for name in names:
            kind, of = self.kinds.get(name, owner)
            if (kind, of) != owner:
                raise NotTaken("kind", f"{name:.200} is a {kind} here already, of {of:.200}")
        new = [name for name in names if name not in self.kinds]
        if len(self.kinds) + len(new) >= SERIES_PER_HOST_MAX:
            raise NotTaken(
                "series",
                f"the service has {len(self.kinds)} series already, and {SERIES_PER_HOST_MAX} are kept at most; "
                "use fewer labels, or fewer values of them",
            )
        self.kinds.update(dict.fromkeys(new, owner))

    def forget(self) -> None:
        """It has posted nothing for long."""
        self.kinds.clear()
        self.durations.clear()
        self.held.clear()

    # --- a tick becomes a batch ---

    def samples(self, tick: Tick, start: int, *, late: bool) -> dict[str, float]:
        """The series of a tick; of a late one only those that were posted."""
        found: dict[str, float] = {VALUES: tick.values, **tick.counts, **tick.gauges}
        if not late:
            for name, (kind, _) in self.kinds.items():
                if kind == "count":
                    found.setdefault(name, 0.0)
            self.held.update({name: (start, value) for name, value in tick.gauges.items()})
            for name, (at, value) in self.held.items():
                found[name] = value if abs(start - at) <= GAUGE_HOLDS_MS else math.nan
        for name, duration in self.durations.items():
            counts = tick.durations.get(name, {})
            if counts or not late:
                shares = percentiles(counts, list(duration.shares.values()))
                found[duration.count] = sum(counts.values())
                found.update(zip(duration.shares, shares or [math.nan] * len(duration.shares), strict=True))
                found.update({of: counts.get(bucket, 0) for bucket, of in duration.buckets.items()})
        return found


class Ticks:
    """Gathers values and hands batches to `take`. What `add` took is in memory until `flush` has had it kept."""

    def __init__(self, services: Services, take: Take, *, now_ms: Callable[[], int]) -> None:
        self._services, self._take, self._now_ms = services, take, now_ms
        self.hosts: dict[str, Host] = {}
        """Every service that ever posted, by its name."""
        self._sources: dict[int, Source] = {}
        self._cells = 0
        self._trouble = ""

    async def start(self) -> None:
        """Learn which services there are. Those that do not come back are let fade. StoreError."""
        now = self._now_ms()
        for host in await self._services.all():
            if host.is_service:
                self.hosts[host.name.removeprefix(SERVICE)] = host
                self._sources[host.id] = Source(host, now // TICK_MS * TICK_MS - TICK_MS, now - IDLE_MS)

    async def service(self, name: str) -> Host:
        """The host that stands for a service, made at its first post. StoreError."""
        if name not in self.hosts:
            self.hosts[name] = await self._services.add_service(name, self._now_ms())
        return self.hosts[name]

    def add(self, host: Host, value: Value) -> None:
        """Take a value into its tick. NotTaken, with nothing changed."""
        if self._cells >= CELLS_MAX:
            raise NotTaken("busy", "too much waits to be stored at this moment", later=True)
        now = self._now_ms()
        source = self._sources.get(host.id)
        if source is None:
            source = Source(host, now // TICK_MS * TICK_MS - TICK_MS, now)
        name = source.know(value)
        self._sources[host.id] = source
        source.posted_at = now
        tick = source.ticks.setdefault(value.at // TICK_MS * TICK_MS, Tick())
        before = tick.cells
        _put(tick, name, value)
        self._cells += tick.cells - before

    async def gauges(self, service: str, found: Sequence[tuple[str, dict[str, str], float]]) -> None:
        """Metric, labels and value of what a service is like at this moment. StoreError, NotTaken."""
        host, now = await self.service(service), self._now_ms()
        for metric, labels, value in found:
            self.add(host, Value(metric, labels, "gauge", value, now))

    def kept_by(self, now: int) -> int:
        """When what is posted now is on disk, if all goes well."""
        return now // TICK_MS * TICK_MS + TICK_MS + GRACE_MS

    async def flush(self) -> None:
        """To be called every second: have the batches of all ticks that are over kept. One that cannot be kept now is
        handed on again the next time, as the same batch, so that it is there once."""
        await self._flush((self._now_ms() - GRACE_MS) // TICK_MS * TICK_MS)

    async def close(self) -> None:
        """Have all that there is kept, be its tick over or not."""
        await self._flush(self._now_ms() // TICK_MS * TICK_MS + TICK_MS, last=True)

    def health(self) -> Component:
        if self._trouble:
            return Component("metrics", "degraded", f"What services post waits in memory: {self._trouble}.")
        return Component("metrics", "ok", f"{counted(len(self._sources), 'source')} of metrics of its own.")

    # --- ticks that are over ---

    async def _flush(self, until: int, *, last: bool = False) -> None:
        sources = list(self._sources.values())
        for source in sources:
            self._close_ticks(source, until, last)
        troubles = list(filter(None, await asyncio.gather(*map(self._send, sources))))
        trouble = troubles[0] if troubles else ""
        if trouble and last:
            log.error("What %d services posted at the last is lost: %s", len(troubles), trouble)
        elif trouble and not self._trouble:
            log.warning("What services post of themselves cannot be stored now, it waits: %s", trouble)
        self._trouble = trouble

    def _close_ticks(self, source: Source, until: int, last: bool) -> None:
        now, newest = self._now_ms(), until - TICK_MS
        # After the clock was set back, what it said before is of no use.
        if source.emitted > now or source.posted_at > now:
            source.emitted, source.posted_at = newest, now
        quiet_ms = now - source.posted_at
        if quiet_ms >= IDLE_MS and not source.ticks:
            source.forget()
        for start in sorted(start for start in source.ticks if start < until or start > now):
            tick = source.ticks.pop(start)
            self._cells -= tick.cells
            self._close(source, tick, start, now)
        if newest > source.emitted and not source.unsent and not last:
            self._close(source, Tick(), newest, now)
        if quiet_ms >= IDLE_MS + FADE_MS and not source.ticks and not source.unsent:
            del self._sources[source.host.id]

    def _close(self, source: Source, tick: Tick, start: int, now: int) -> None:
        """A tick's batch; its time is when the tick began."""
        samples = source.samples(tick, start, late=start <= source.emitted)
        source.emitted = max(source.emitted, start)
        layout = tuple(sorted(samples))
        values = np.array([samples[name] for name in layout], dtype=np.float64)
        arrival = Arrival(source.host.id, source.spool, source.seq, 0, start, now, TICK_MS, 0, layout, values)
        source.seq += 1
        source.unsent.append(arrival)
        self._cells += len(layout)

    async def _send(self, source: Source) -> str:
        """Why it cannot be kept now; nothing when it is."""
        sent = list(source.unsent)
        if not sent:
            return ""
        try:
            await self._take(sent)
        except StoreError as error:
            return str(error)
        del source.unsent[: len(sent)]
        self._cells -= sum(len(arrival.layout) for arrival in sent)
        return ""


def _put(tick: Tick, name: str, value: Value) -> None:
    tick.values += 1
    match value.kind:
        case "count":
            tick.counts[name] = tick.counts.get(name, 0.0) + value.value
        case "gauge":
            tick.gauges[name] = value.value
        case "duration":
            buckets, bucket = tick.durations.setdefault(name, {}), bucket_of(value.value)
            buckets[bucket] = buckets.get(bucket, 0) + 1
