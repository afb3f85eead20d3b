"""How the fleet is: one number for each thing people ask about, a page of them for a dashboard, and a fresh look.

A number is null where nothing measures it, and then says so: nobody should take silence for health.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal, Protocol, TypeVar

from msgspec import Struct

from agent.options import duration_s
from collector.api.doors import Door, Query, Refusal, Reply
from collector.api.kept import INCIDENTS, SAMPLES
from collector.api.ticks import TICK_MS
from collector.api.views import (
    AlertView,
    IncidentView,
    Span,
    alert_view,
    incident_view,
    moment,
    number,
)
from collector.store import Latest, Store
from collector.who import Who
from rules.fleet.state import OF_HOSTS, HostState, silent_hosts, state_of
from rules.model import RANK, Alert, Incident, Series

FRESH_INTERVALS = 3
"""What a host sampled longer ago than so many of its intervals says nothing about now."""
SHOWN_MAX = 20
WAITING_NAMED_MAX = 500
WAIT_S_MAX = 60.0
SOURCES: Mapping[str, tuple[tuple[str, ...], str, str]] = {
    "cpu": (("cpu_used_pct",), "%", "no host heard of late samples its processor (check cpu)"),
    "memory": (("memory_used_pct",), "%", "no host heard of late samples its memory (check memory)"),
    "disk": (("disk_used_pct",), "%", "no host heard of late samples its disks (check disk)"),
    "network_latency": (
        ("icmp_rtt_avg_ms", "tcp_connect_ms"), "ms", "no check of the kinds icmp or tcp answers anywhere",
    ),
    "response_time": (
        ("http_total_ms", 'response_time_ms{quantile="0.95"}'), "ms",
        "no check of the kind http answers anywhere, and no service posts response_time_ms",
    ),
    "active_connections": (
        ('tcp_sockets{state="established"}',), "", "no host heard of late counts its TCP sockets (check tcp_states)",
    ),
}  # fmt: skip
"""Of each number: the metrics it is made of, its unit, and why there may be none."""
REQUESTS, ERRORS = ("requests_count", "response_time_ms_count"), "errors_count"


class Measure(Struct, frozen=True):
    """One number over the fleet: the mean of `of` series, or their sum where they are counts. `highest` is the highest
    of them, at `where`. `why` says why there is none."""

    value: float | None
    unit: str
    highest: float | None = None
    where: str = ""
    of: int = 0
    why: str = ""


class FleetHealth(Struct, frozen=True):
    """`status` is as grave as the gravest open incident; unknown while no host is heard."""

    status: Literal["ok", "info", "warning", "critical", "unknown"]
    at: datetime
    hosts: dict[HostState, int]
    open_alerts: int
    open_incidents: int
    cpu: Measure
    memory: Measure
    disk: Measure
    network_latency: Measure
    response_time: Measure
    active_connections: Measure
    error_rate: Measure
    throughput: Measure


class Dashboard(Struct, frozen=True):
    """What a screen on a wall shows: how the fleet is, and the gravest of what is open."""

    health: FleetHealth
    incidents: list[IncidentView]
    alerts: list[AlertView]
    services: list[str]


class CollectWanted(Query, frozen=True, kw_only=True):
    """How long to wait for it.

    wait: so long, at most a minute, until the samples are there; left out, the answer comes at once
    """

    wait: Span | None = None


class Collected(Struct, frozen=True):
    """`asked` hosts are heard of late and told by their next answer to sample at once; `came` so many by now. Of those
    that are waited for, some are named."""

    asked: int
    came: int
    waiting: list[str]


class Sampling(Protocol):
    """Hosts that were asked to sample at once, and those whose sample is not on disk yet."""

    asked: frozenset[int]
    waiting: set[int]

    async def wait(self, timeout_s: float) -> None: ...


class Fleet:
    """`sample_now` has the agents of hosts asked to sample at once."""

    def __init__(
        self,
        store: Store,
        sample_now: Callable[[Iterable[int]], Sampling],
        now_ms: Callable[[], int],
    ) -> None:
        self._store, self._sample_now, self._now_ms = store, sample_now, now_ms

    def doors(self) -> list[Door]:
        return [
            Door(
                method="GET", path="/health", handler=self.health, needs="monitoring.read",
                summary="How the fleet is: processors, memory, disks, network, answers, errors",
                answer=FleetHealth, kept=lambda query: [SAMPLES, INCIDENTS],
            ),
            Door(
                method="GET", path="/health/dashboard", handler=self.dashboard, needs="monitoring.read",
                summary="The same, with the gravest incidents and alerts that are open",
                answer=Dashboard, kept=lambda query: [SAMPLES, INCIDENTS],
            ),
            Door(
                method="POST", path="/health/collect", handler=self.collect, needs="monitoring.write",
                summary="Have all hosts sample at once, by the answers to their next pushes",
                query=CollectWanted, answer=Collected, status=202, others={200: Collected},
            ),
        ]  # fmt: skip

    async def health(self, who: Who, asked: Query, body: None) -> FleetHealth:
        return await asyncio.to_thread(health_of, *await self._read(), self._now_ms())

    async def dashboard(self, who: Who, asked: Query, body: None) -> Dashboard:
        latests, incidents, alerts = await self._read()
        hosts = {latest.host.id: latest.host.name for latest in latests}
        by_number = {incident.id: incident for incident in incidents}
        return Dashboard(
            await asyncio.to_thread(health_of, latests, incidents, alerts, self._now_ms()),
            [incident_view(one) for one in _gravest(incidents)],
            [alert_view(one, hosts, by_number.get(one.incident)) for one in _gravest(alerts)],
            sorted(latest.host.name.partition(":")[2] for latest in latests if latest.host.is_service),
        )

    async def collect(self, who: Who, asked: CollectWanted, body: None) -> Collected | Reply[Collected]:
        wait_s = 0.0 if asked.wait is None else duration_s(asked.wait)
        if wait_s > WAIT_S_MAX:
            raise Refusal(400, "wait", f"wait: at most {WAIT_S_MAX:g}s")
        latests = await self._store.samples.overview()
        now = self._now_ms()
        names = {
            one.host.id: one.host.name for one in latests if _is_fresh(one, now) and not one.host.is_service
        }
        sampling = self._sample_now(names)
        if wait_s:
            await sampling.wait(wait_s)
        waiting = sorted(names[host] for host in sampling.waiting)
        came = len(sampling.asked) - len(waiting)
        collected = Collected(len(sampling.asked), came, waiting[:WAITING_NAMED_MAX])
        return Reply(collected, 202 if waiting or not wait_s else 200)

    async def _read(self) -> tuple[list[Latest], list[Incident], list[Alert]]:
        return await asyncio.gather(
            self._store.samples.overview(), self._store.incidents.open(), self._store.incidents.open_alerts()
        )


# --- what is so -------------------------------------------------------------------------------------------------------


def health_of(
    latests: Sequence[Latest], incidents: Sequence[Incident], alerts: Sequence[Alert], now: int
) -> FleetHealth:
    """How the fleet is, of what every host sampled last."""
    silent = silent_hosts(alerts)
    states = Counter(
        state_of(one.host, now, is_missed=one.host.id in silent) for one in latests if not one.host.is_service
    )
    readings = _readings([one for one in latests if _is_fresh(one, now)])
    measures = {name: _measure(readings, *source) for name, source in SOURCES.items()}
    connections = measures["active_connections"]
    if connections.value is not None:
        total = sum(value for _, value in readings['tcp_sockets{state="established"}'])
        measures["active_connections"] = Measure(
            total, "", connections.highest, connections.where, connections.of
        )
    severity = max((one.severity for one in incidents), key=lambda one: RANK[one], default=None)
    return FleetHealth(
        status=severity or ("ok" if states["heard"] else "unknown"),
        at=moment(now),
        hosts={state: states[state] for state in OF_HOSTS},
        open_alerts=len(alerts),
        open_incidents=len(incidents),
        error_rate=_error_rate(readings),
        throughput=_throughput(readings),
        **measures,
    )


def _is_fresh(latest: Latest, now: int) -> bool:
    host = latest.host
    every_ms = max(host.every_ms, TICK_MS)
    return host.last_at is not None and now - host.last_at <= FRESH_INTERVALS * every_ms


Readings = Mapping[str, list[tuple[str, float]]]
"""Of each metric that is asked for, with the label that matters, where it was read and what it was."""


def _readings(latests: Sequence[Latest]) -> Readings:
    wanted = {metric for metrics, _, _ in SOURCES.values() for metric in metrics} | {
        *REQUESTS,
        ERRORS,
        "check_state",
    }
    found: dict[str, list[tuple[str, float]]] = {name: [] for name in wanted}
    places: dict[int, list[tuple[str, int]]] = {}
    for latest in latests:
        # Hosts of a kind share one list of names: it is looked through once, not ten thousand times.
        chosen = places.get(id(latest.names))
        if chosen is None:
            keyed = [(_key(name), place) for place, name in enumerate(latest.names)]
            chosen = places[id(latest.names)] = [(key, place) for key, place in keyed if key in wanted]
        for key, place in chosen:
            value = latest.numbers[place]
            if not math.isnan(value):
                found[key].append((latest.host.name, value))
    return found


def _key(name: str) -> str:
    """The metric of a series, with the one label by which what is asked for differs."""
    try:
        series = Series.parse(name)
    except ValueError:
        return name
    match series.metric:
        case "tcp_sockets":
            return f'tcp_sockets{{state="{series.labels.get("state", "")}"}}'
        case "response_time_ms":
            return f'response_time_ms{{quantile="{series.labels.get("quantile", "")}"}}'
        case _:
            return series.metric


def _measure(readings: Readings, metrics: Sequence[str], unit: str, why: str) -> Measure:
    """The mean of what the first of `metrics` that is measured anywhere says."""
    values = next((readings[metric] for metric in metrics if readings[metric]), [])
    if not values:
        return Measure(None, unit, why=why)
    where, highest = max(values, key=lambda one: one[1])
    mean = sum(value for _, value in values) / len(values)
    return Measure(number(mean), unit, number(highest), where, len(values))


def _throughput(readings: Readings) -> Measure:
    """Requests of all services in their newest tick, by the second."""
    values = next((readings[metric] for metric in REQUESTS if readings[metric]), [])
    if not values:
        why = "no service posts requests_count or response_time_ms"
        return Measure(None, "1/s", why=why)
    where, highest = max(values, key=lambda one: one[1])
    tick_s = TICK_MS / 1000
    return Measure(sum(value for _, value in values) / tick_s, "1/s", highest / tick_s, where, len(values))


def _error_rate(readings: Readings) -> Measure:
    """Of requests where services count them, else of checks that are bad."""
    requests = next((readings[metric] for metric in REQUESTS if readings[metric]), [])
    total = sum(value for _, value in requests)
    if readings[ERRORS] and total:
        errors = sum(value for _, value in readings[ERRORS])
        return Measure(min(100.0, 100 * errors / total), "%", of=len(readings[ERRORS]))
    checks = readings["check_state"]
    if checks:
        bad = sum(value >= 2 for _, value in checks)
        return Measure(100 * bad / len(checks), "%", of=len(checks))
    return Measure(None, "%", why="no service posts errors_count, and no checks of services answer anywhere")


Grave = TypeVar("Grave", Alert, Incident)


def _gravest(of: Sequence[Grave]) -> list[Grave]:
    return sorted(of, key=lambda one: (-RANK[one.severity], -one.id))[:SHOWN_MAX]
