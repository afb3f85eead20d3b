"""How fast things answer: percentiles, slowest endpoints, errors and throughput, from what services post and from the
checks that agents make of them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from agent.wire import series_name
from collector.api.doors import Door, Query, Refusal
from collector.api.kept import SAMPLES, Kept, KeptStats
from collector.api.ticks import PERCENTILES, Ticks
from collector.api.views import Span, moment, number, span_ms
from collector.store import SERIES_AT_ONCE_MAX, Steps, Store
from collector.who import Who
from rules.histograms import ENDING, LABEL, SHARE_LABEL, percentiles
from rules.model import Host, Series

RESPONSE_TIME, REQUESTS, ERRORS = "response_time_ms", "requests_count", "errors_count"
CHECKED = ("http_total_ms", "tcp_connect_ms", "icmp_rtt_avg_ms", "dns_ms")
SLOWEST_MAX = 10
ENDPOINTS_MAX = 50
CHECKS_MAX = 50
READS_AT_ONCE = 3

ServiceName = Annotated[str, Meta(max_length=100)]


class PerformanceWanted(Query, frozen=True, kw_only=True):
    """Of what, and of which time.

    service: only that one
    range: how far back from now
    """

    service: ServiceName | None = None
    range: Span = "1h"


class EndpointTimes(Struct, frozen=True):
    """One set of labels of a service, such as the path of its endpoint."""

    labels: dict[str, str]
    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


class ServiceTimes(Struct, frozen=True):
    """`count` answers: half of them took no longer than `p50_ms`, and so on; null where none came, or where the service
    posts nothing that would tell. `slowest` are its endpoints by `p95_ms`."""

    service: str
    count: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    throughput_per_s: float | None
    error_rate_pct: float | None
    slowest: list[EndpointTimes]


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
                query=PerformanceWanted, answer=PerformanceSummary, refusals=(404,),
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
        services, checks = await asyncio.gather(
            self._services(wanted.service, start, end), self.checks(wanted.service, start, end)
        )
        return ResponseTimes(moment(start), moment(end), services, checks)

    async def summary(self, who: Who, wanted: PerformanceWanted, body: None) -> PerformanceSummary:
        start, end = self._limits(wanted)
        hosts = self._hosts(wanted.service)
        counts: dict[int, int] = {}
        for host in hosts:
            for bucket, count in (await self._histogram(host, RESPONSE_TIME, start, end)).items():
                counts[bucket] = counts.get(bucket, 0) + count
        services, checks = await asyncio.gather(
            self._services(wanted.service, start, end), self.checks(wanted.service, start, end)
        )
        requests = [one.throughput_per_s for one in services if one.throughput_per_s is not None]
        by_time = sorted(services, key=lambda one: -(one.p95_ms or 0.0))
        return PerformanceSummary(
            start=moment(start),
            end=moment(end),
            services=len(services),
            requests=sum(counts.values()),
            **_shares(counts),
            throughput_per_s=_rounded(sum(requests)) if requests else None,
            error_rate_pct=_whole_error_rate(services),
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

    async def _services(self, service: str | None, start: int, end: int) -> list[ServiceTimes]:
        turns = asyncio.Semaphore(READS_AT_ONCE)

        async def one(host: Host) -> ServiceTimes:
            async with turns:
                return await self.service(host, start, end)

        return list(await asyncio.gather(*map(one, self._hosts(service))))

    async def service(self, host: Host, start: int, end: int) -> ServiceTimes:
        """What a service posted over a range. StoreError."""
        names = await self._store.samples.names(host.id, start, end)
        counts = await self._histogram(host, RESPONSE_TIME, start, end)
        answers = sum(counts.values())
        requests = await self._sum(host, names, REQUESTS, start, end)
        errors = await self._sum(host, names, ERRORS, start, end)
        total = requests if requests is not None else float(answers) if counts else None
        return ServiceTimes(
            service=host.labels.get("service", host.name),
            count=answers,
            **_shares(counts),
            throughput_per_s=None if total is None else _rounded(total / ((end - start) / 1000)),
            error_rate_pct=_rate(errors, total),
            slowest=await self._endpoints(host, names, start, end),
        )

    async def _endpoints(self, host: Host, names: Sequence[str], start: int, end: int) -> list[EndpointTimes]:
        """The slowest of what the labels of its response times tell apart."""
        found: dict[str, dict[str, str]] = {}
        for name in names:
            series = Series.parse(name)
            labels = {key: text for key, text in series.labels.items() if key not in (LABEL, SHARE_LABEL)}
            if series.metric == RESPONSE_TIME + ENDING and labels:
                found[series_name(RESPONSE_TIME, labels)] = labels
        endpoints = []
        for series_of, labels in list(found.items())[:ENDPOINTS_MAX]:
            counts = await self._histogram(host, series_of, start, end)
            if shares := percentiles(counts, list(PERCENTILES.values())):
                endpoints.append(EndpointTimes(labels, sum(counts.values()), *map(_rounded, shares)))
        return sorted(endpoints, key=lambda one: -one.p95_ms)[:SLOWEST_MAX]

    async def _histogram(self, host: Host, series: str, start: int, end: int) -> Mapping[int, int]:
        return await self._store.samples.histogram(host.id, series, start, end)

    async def _sum(self, host: Host, names: Sequence[str], metric: str, start: int, end: int) -> float | None:
        """How many were counted over a range, whatever their labels; None when nothing counts them."""
        of_it = [name for name in names if Series.parse(name).metric == metric][:SERIES_AT_ONCE_MAX]
        if not of_it:
            return None
        steps = await self._store.samples.series_step(host.id, of_it, start, end, end - start)
        sums = [(one.mean * one.count)[one.count > 0].sum() for one in steps.values()]
        return float(sum(sums))

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
            steps = await self._store.samples.series_step(host, series, start, end, end - start)
            for name in series:
                value = number(newest[host, name].value)
                over = _over(steps.get(name))
                rows.append(CheckTimes(host, names.get(host, ""), name, _check_of(name), *over, value))
        return sorted(rows, key=lambda one: -(one.mean_ms or 0.0))


def _over(steps: Steps | None) -> tuple[float | None, float | None]:
    """The mean and the highest of all steps."""
    if steps is None or not (known := steps.count > 0).any():
        return None, None
    count, mean = steps.count[known], steps.mean[known]
    return _rounded(float((mean * count).sum() / count.sum())), _rounded(float(steps.high[known].max()))


def _check_of(series: str) -> str:
    return Series.parse(series).labels.get("check", "")


def _shares(counts: Mapping[int, int]) -> dict[str, float | None]:
    found = percentiles(counts, list(PERCENTILES.values()))
    shares = map(_rounded, found) if found else [None] * len(PERCENTILES)
    return dict(zip(("p50_ms", "p95_ms", "p99_ms"), shares, strict=True))


def _rounded(value: float) -> float:
    """The four digits that say something."""
    return float(f"{value:.4g}")


def _rate(errors: float | None, total: float | None) -> float | None:
    if errors is None or not total:
        return None
    return _rounded(min(100.0, 100 * errors / total))


def _whole_error_rate(services: Sequence[ServiceTimes]) -> float | None:
    """Over all services that count their errors, each weighed by its requests."""
    known = [(one.error_rate_pct, one.throughput_per_s) for one in services]
    weighed = [(rate, weight) for rate, weight in known if rate is not None and weight]
    total = sum(weight for _, weight in weighed)
    return _rounded(sum(rate * weight for rate, weight in weighed) / total) if total else None
