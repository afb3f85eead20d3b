"""How services say they do: percentiles, endpoints, errors and throughput, out of what they posted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from agent.wire import series_name
from collector.api.ticks import PERCENTILES, TICK_MS
from collector.store import SERIES_AT_ONCE_MAX, Samples
from rules.histograms import ENDING, LABEL, SHARE_LABEL, merged, percentiles
from rules.model import Host, Series

RESPONSE_TIME, REQUESTS, ERRORS = "response_time_ms", "requests_count", "errors_count"
SLOWEST_MAX = 10
ENDPOINTS_MAX = 50
READS_AT_ONCE = 3
STEPS = 60
"""A range is summed up in so many steps: its first counts only where it begins within."""


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


class Posted(Struct, frozen=True):
    """What services posted over a range, each for itself; `counts` is how long all of their answers took together."""

    services: list[ServiceTimes]
    counts: Mapping[int, int]


class Posts:
    """Reads what services posted: a few of them at once, whoever asks, so that some readers of the store are left to
    others. Every method may raise StoreError."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self._turns = asyncio.Semaphore(READS_AT_ONCE)

    async def read(self, hosts: Sequence[Host], start: int, end: int) -> Posted:
        """Of many services only the slowest are told by their endpoints."""

        async def one(host: Host) -> tuple[ServiceTimes, Mapping[int, int]]:
            async with self._turns:
                return await self._service(host, start, end)

        found = await asyncio.gather(*map(one, hosts))
        by_time = sorted(range(len(found)), key=lambda place: -(found[place][0].p95_ms or 0.0))
        services = [times for times, _ in found]
        for place in by_time[:SLOWEST_MAX]:
            async with self._turns:
                slowest = await self._endpoints(hosts[place], start, end)
            services[place] = replace(services[place], slowest=slowest)
        return Posted(services, merged(counts for _, counts in found))

    async def _service(self, host: Host, start: int, end: int) -> tuple[ServiceTimes, Mapping[int, int]]:
        names = await self._samples.names(host.id, start, end)
        counts = await self._samples.histogram(host.id, RESPONSE_TIME, start, end)
        requests = await self._sum(host, names, REQUESTS, start, end)
        errors = await self._sum(host, names, ERRORS, start, end)
        answers = sum(counts.values())
        total = requests if requests is not None else float(answers) if counts else None
        times = ServiceTimes(
            service=host.labels.get("service", host.name),
            count=answers,
            **shares_of(counts),
            throughput_per_s=None if total is None else rounded(total / ((end - start) / 1000)),
            error_rate_pct=_rate(errors, total),
            slowest=[],
        )
        return times, counts

    async def _endpoints(self, host: Host, start: int, end: int) -> list[EndpointTimes]:
        """The slowest of what the labels of its response times tell apart."""
        found: dict[str, dict[str, str]] = {}
        for name in await self._samples.names(host.id, start, end):
            series = Series.parse(name)
            labels = {key: text for key, text in series.labels.items() if key not in (LABEL, SHARE_LABEL)}
            if series.metric == RESPONSE_TIME + ENDING and labels:
                found[series_name(RESPONSE_TIME, labels)] = labels
        endpoints = []
        for series_of, labels in list(found.items())[:ENDPOINTS_MAX]:
            counts = await self._samples.histogram(host.id, series_of, start, end)
            if shares := percentiles(counts, list(PERCENTILES.values())):
                endpoints.append(EndpointTimes(labels, sum(counts.values()), *map(rounded, shares)))
        return sorted(endpoints, key=lambda one: -one.p95_ms)[:SLOWEST_MAX]

    async def _sum(self, host: Host, names: Sequence[str], metric: str, start: int, end: int) -> float | None:
        """How many were counted over a range, whatever their labels; None when nothing counts them."""
        of_it = [name for name in names if Series.parse(name).metric == metric][:SERIES_AT_ONCE_MAX]
        if not of_it:
            return None
        step_ms = max(TICK_MS, (end - start) // STEPS)
        steps = await self._samples.series_step(host.id, of_it, start, end, step_ms)
        total = 0.0
        for one in steps.values():
            within = (one.at >= start) & (one.count > 0)
            total += float((one.mean * one.count)[within].sum())
        return total


def shares_of(counts: Mapping[int, int]) -> dict[str, float | None]:
    found = percentiles(counts, list(PERCENTILES.values()))
    shares = map(rounded, found) if found else [None] * len(PERCENTILES)
    return dict(zip(("p50_ms", "p95_ms", "p99_ms"), shares, strict=True))


def rounded(value: float) -> float:
    """The four digits that say something."""
    return float(f"{value:.4g}")


def _rate(errors: float | None, total: float | None) -> float | None:
    if errors is None or not total:
        return None
    return rounded(min(100.0, 100 * errors / total))


def error_rate_of(services: Sequence[ServiceTimes]) -> float | None:
    """Over all services that count their errors, each weighed by its requests."""
    known = [(one.error_rate_pct, one.throughput_per_s) for one in services]
    weighed = [(rate, weight) for rate, weight in known if rate is not None and weight]
    total = sum(weight for _, weight in weighed)
    return rounded(sum(rate * weight for rate, weight in weighed) / total) if total else None
