"""How fast things answer: percentiles, slowest endpoints, errors and throughput, from what services post and from the
checks that agents make of them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from collector.api.doors import Door, Query, Refusal
from collector.api.kept import SAMPLES, Kept, KeptStats
from collector.api.posted import (
    RESPONSE_TIME,
    SLOWEST_MAX,
    STEPS,
    Posts,
    ServiceTimes,
    error_rate_of,
    rounded,
    shares_of,
)
from collector.api.ticks import TICK_MS, Ticks
from collector.api.views import Span, moment, number, span_ms
from collector.store import Steps, Store
from collector.who import Who
from rules.model import Host, Series

CHECKED = ("http_total_ms", "tcp_connect_ms", "icmp_rtt_avg_ms", "dns_ms")
CHECKS_MAX = 50

ServiceName = Annotated[str, Meta(max_length=100)]


class PerformanceWanted(Query, frozen=True, kw_only=True):
    """Of what, and of which time.

    service: only that one
    range: how far back from now
    """

    service: ServiceName | None = None
    range: Span = "1h"


class CheckTimes(Struct, frozen=True):
    """What a host measured of a service from outside."""

    host: int
    host_name: str
    series: str
    check: str
    mean_ms: float | None
    highest_ms: float | None
    newest_ms: float | None


class ResponseTimes(Struct, frozen=True):
    """From `start` to before `end`. `checks` are the slowest CHECKS_MAX."""

    start: datetime
    end: datetime
    services: list[ServiceTimes]
    checks: list[CheckTimes]


class PerformanceSummary(Struct, frozen=True):
    """All services and checks as one. `why` says what is missing where a number is null."""

    start: datetime
    end: datetime
    services: int
    requests: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    throughput_per_s: float | None
    error_rate_pct: float | None
    slowest_services: list[ServiceTimes]
    slowest_checks: list[CheckTimes]
    cache: KeptStats
    why: str


class Performance:
    def __init__(self, store: Store, ticks: Ticks, kept: Kept, now_ms: Callable[[], int]) -> None:
        self._store, self._ticks, self._kept, self._now_ms = store, ticks, kept, now_ms
        self._posts = Posts(store.samples)

    def doors(self) -> list[Door]:
        return [
            Door(
                method="GET", path="/performance/response-times", handler=self.response_times,
                needs="monitoring.read", summary="How long services take to answer, by percentiles and endpoints",
                query=PerformanceWanted, answer=ResponseTimes, refusals=(404,), kept=lambda query: [SAMPLES],
            ),
            Door(
                method="GET", path="/performance/summary", handler=self.summary, needs="monitoring.read",
                summary="The same of all services together, with throughput and errors",
                query=PerformanceWanted, answer=PerformanceSummary, refusals=(404,), kept=lambda query: [SAMPLES],
            ),
            Door(
                method="GET", path="/performance/cache/stats", handler=self.cache, needs="monitoring.read",
                summary="How often an answer was at hand, and what is kept", answer=KeptStats,
            ),
            Door(
                method="POST", path="/performance/cache/clear", handler=self.clear, needs="monitoring.write",
                summary="Let go of all answers that are kept; what there was is told", answer=KeptStats,
            ),
        ]  # fmt: skip

    async def response_times(self, who: Who, wanted: PerformanceWanted, body: None) -> ResponseTimes:
        start, end = self._limits(wanted)
        posted, checks = await asyncio.gather(
            self._posts.read(self._hosts(wanted.service), start, end),
            self.checks(wanted.service, start, end),
        )
        return ResponseTimes(moment(start), moment(end), posted.services, checks)

    async def summary(self, who: Who, wanted: PerformanceWanted, body: None) -> PerformanceSummary:
        start, end = self._limits(wanted)
        posted, checks = await asyncio.gather(
            self._posts.read(self._hosts(wanted.service), start, end),
            self.checks(wanted.service, start, end),
        )
        services, counts = posted.services, posted.counts
        requests = [one.throughput_per_s for one in services if one.throughput_per_s is not None]
        by_time = sorted(services, key=lambda one: -(one.p95_ms or 0.0))
        return PerformanceSummary(
            start=moment(start),
            end=moment(end),
            services=len(services),
            requests=sum(counts.values()),
            **shares_of(counts),
            throughput_per_s=rounded(sum(requests)) if requests else None,
            error_rate_pct=error_rate_of(services),
            slowest_services=by_time[:SLOWEST_MAX],
            slowest_checks=checks[:SLOWEST_MAX],
            cache=self._kept.stats(),
            why="" if counts else f"no service posted {RESPONSE_TIME} in this time",
        )

    async def cache(self, who: Who, asked: Query, body: None) -> KeptStats:
        return self._kept.stats()

    async def clear(self, who: Who, asked: Query, body: None) -> KeptStats:
        return self._kept.clear()

    # --- services that post ---

    def _limits(self, wanted: PerformanceWanted) -> tuple[int, int]:
        end = self._now_ms()
        return end - span_ms(wanted.range, "range"), end

    def _hosts(self, service: str | None) -> list[Host]:
        if service is not None and service not in self._ticks.hosts:
            raise Refusal(404, "service", f"no service {service[:100]!r} has posted metrics")
        return [host for name, host in sorted(self._ticks.hosts.items()) if service in (None, name)]

    # --- checks of services ---

    async def checks(self, service: str | None, start: int, end: int) -> list[CheckTimes]:
        """The slowest checks by their newest answer, with what they were over a range. StoreError."""
        found = []
        for metric in CHECKED:
            found += await self._store.samples.latest_of(metric)
        newest = {(one.host, one.name): one for one in found if one.at >= start}
        if service is not None:
            newest = {key: one for key, one in newest.items() if _check_of(one.name) == service}
        slowest = sorted(newest.values(), key=lambda one: (math.isnan(one.value), -one.value))[:CHECKS_MAX]
        names = {host.id: host.name for host in await self._store.hosts.all()} if slowest else {}
        by_host: dict[int, list[str]] = {}
        for one in slowest:
            by_host.setdefault(one.host, []).append(one.name)
        rows = []
        for host, series in by_host.items():
            step_ms = max(TICK_MS, (end - start) // STEPS)
            steps = await self._store.samples.series_step(host, series, start, end, step_ms)
            for name in series:
                value = number(newest[host, name].value)
                over = _over(steps.get(name), start)
                rows.append(CheckTimes(host, names.get(host, ""), name, _check_of(name), *over, value))
        return sorted(rows, key=lambda one: -(one.mean_ms or 0.0))


def _over(steps: Steps | None, start: int) -> tuple[float | None, float | None]:
    """The mean and the highest of all steps from `start` on."""
    if steps is None or not (known := (steps.at >= start) & (steps.count > 0)).any():
        return None, None
    count, mean = steps.count[known], steps.mean[known]
    return rounded(float((mean * count).sum() / count.sum())), rounded(float(steps.high[known].max()))


def _check_of(series: str) -> str:
    return Series.parse(series).labels.get("check", "")
