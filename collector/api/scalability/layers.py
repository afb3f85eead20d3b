"""What a service stands on, layer by layer: load balancers, databases, and the services among themselves.

A layer is found by what people call things: the label `role` of hosts, and the names of checks. Where nothing is called
so, the answer says what to do instead of guessing.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from collector.api.checks import FleetCheck, fleet_checks
from collector.api.doors import Door, Query
from collector.api.kept import INCIDENTS, SAMPLES
from collector.api.performance import PerformanceWanted, ResponseTimes
from collector.api.posted import ServiceTimes
from collector.api.views import number
from collector.desks.advice import Advisor
from collector.desks.services import Services
from collector.store import Latest, Store
from collector.store.queries import SlowQuery
from collector.who import Who
from rules.fleet.state import HostState, silent_hosts, state_of
from rules.labels import fits

SLOW_QUERIES_MAX = 10
ESTABLISHED = 'tcp_sockets{state="established"}'


class Layer(Struct, frozen=True):
    """How a layer is told from the rest: roles of hosts, and words in the names of checks."""

    name: str
    roles: frozenset[str]
    words: re.Pattern[str]


BALANCERS = Layer(
    "load balancer",
    frozenset(("lb", "load-balancer", "loadbalancer", "balancer", "proxy", "haproxy", "nginx", "traefik", "envoy")),
    re.compile(r"(?:^|[^a-z])(lb|balancer|loadbalancer|proxy|haproxy|nginx|traefik|envoy)(?:[^a-z]|$)"),
)  # fmt: skip
DATABASES = Layer(
    "database",
    frozenset(("db", "database", "postgres", "postgresql", "mysql", "mariadb", "mongodb", "redis", "sql")),
    re.compile(r"(?:^|[^a-z])(db|database|postgres|postgresql|pg|mysql|mariadb|mongo|mongodb|redis|sql)(?:[^a-z]|$)"),
)  # fmt: skip


class LayerHost(Struct, frozen=True):
    """A host of the layer, as it sampled last; null where it did not sample that."""

    host: int
    name: str
    state: HostState
    cpu_pct: float | None
    memory_pct: float | None
    connections: float | None
    load1: float | None


class Balance(Struct, frozen=True):
    """How evenly the instances of a service are at work: `spread_pct` lies between the busiest and the idlest."""

    service: str
    instances: int
    mean_pct: float | None
    highest_pct: float | None
    lowest_pct: float | None
    spread_pct: float | None
    busiest: str


class LoadBalancerView(Struct, frozen=True):
    configured: bool
    hosts: list[LayerHost]
    checks: list[FleetCheck]
    balance: list[Balance]
    why: str


class OwnStore(Struct, frozen=True):
    """The collector's own database: how it is, and what it is slow at."""

    state: str
    detail: str
    size_bytes: int
    free_bytes: int
    slow_queries: list[SlowQuery]


class DatabaseView(Struct, frozen=True):
    configured: bool
    hosts: list[LayerHost]
    checks: list[FleetCheck]
    own: OwnStore
    why: str


class Microservice(Struct, frozen=True):
    """A service: what it stands on, and what it posts of itself; null where it posts nothing."""

    service: str
    title: str
    depends_on: list[str]
    needed_by: list[str]
    times: ServiceTimes | None


class MicroservicesView(Struct, frozen=True):
    configured: bool
    services: list[Microservice]
    why: str


class Times(Protocol):
    async def response_times(self, who: Who, wanted: PerformanceWanted, body: None) -> ResponseTimes: ...


class Layers:
    def __init__(
        self,
        store: Store,
        advisor: Advisor,
        services: Services,
        times: Times,
        now_ms: Callable[[], int],
    ) -> None:
        self._store, self._advisor, self._services, self._times = store, advisor, services, times
        self._now_ms = now_ms

    def doors(self) -> list[Door]:
        return [
            Door(
                method="GET", path="/scalability/load-balancer", handler=self.balancers,
                needs="monitoring.read", summary="Load balancers, and how evenly instances are at work",
                answer=LoadBalancerView, kept=lambda query: [SAMPLES, INCIDENTS],
            ),
            Door(
                method="GET", path="/scalability/database", handler=self.databases, needs="monitoring.read",
                summary="Databases, the collector's own among them", answer=DatabaseView,
                kept=lambda query: [SAMPLES, INCIDENTS],
            ),
            Door(
                method="GET", path="/scalability/microservices", handler=self.microservices,
                needs="monitoring.read", summary="Services, what they stand on and how they answer",
                answer=MicroservicesView, kept=lambda query: [SAMPLES],
            ),
        ]  # fmt: skip

    async def balancers(self, who: Who, asked: Query, body: None) -> LoadBalancerView:
        hosts, checks = await self._layer(BALANCERS)
        latests = await self._store.samples.overview()
        balance = [self._balance(name, latests) for name in self._advisor.services]
        configured = bool(hosts or checks)
        return LoadBalancerView(configured, hosts, checks, balance, "" if configured else _why(BALANCERS))

    async def databases(self, who: Who, asked: Query, body: None) -> DatabaseView:
        (hosts, checks), health, slow = await asyncio.gather(
            self._layer(DATABASES), self._store.health(), self._store.queries.slowest(SLOW_QUERIES_MAX)
        )
        own = OwnStore(health.state, health.detail, health.size_bytes, health.free_bytes, slow)
        configured = bool(hosts or checks)
        return DatabaseView(configured, hosts, checks, own, "" if configured else _why(DATABASES))

    async def microservices(self, who: Who, asked: Query, body: None) -> MicroservicesView:
        options, times = await asyncio.gather(
            self._services.all(), self._times.response_times(who, PerformanceWanted(), None)
        )
        posted = {one.service: one for one in times.services}
        needs = {one.name: list(one.depends_on.services) if one.depends_on else [] for one in options}
        titles = {one.name: one.called for one in options}
        services = [
            Microservice(
                name,
                titles.get(name, name),
                needs.get(name, []),
                sorted(other for other, below in needs.items() if name in below),
                posted.get(name),
            )
            for name in sorted({*needs, *posted})
        ]
        why = (
            ""
            if services
            else "no service is defined (services: in the config) and none posts metrics (POST metrics)"
        )
        return MicroservicesView(bool(services), services, why)

    # --- what is called so ---

    async def _layer(self, layer: Layer) -> tuple[list[LayerHost], list[FleetCheck]]:
        latests, checks, alerts = await asyncio.gather(
            self._store.samples.overview(), fleet_checks(self._store), self._store.incidents.open_alerts()
        )
        now, silent = self._now_ms(), silent_hosts(alerts)
        ours = [one for one in latests if one.host.labels.get("role", "").lower() in layer.roles]
        hosts = [_host(one, state_of(one.host, now, is_missed=one.host.id in silent)) for one in ours]
        numbers = {host.host for host in hosts}
        named = [one for one in checks if one.host in numbers or layer.words.search(one.check.lower())]
        return hosts, named

    def _balance(self, service: str, latests: Sequence[Latest]) -> Balance:
        standing = self._advisor.standing(service)
        where = standing.policy.where if standing else {}
        used = [
            (latest.values.get("cpu_used_pct", math.nan), latest.host.name)
            for latest in latests
            if where and not latest.host.is_service and fits(where, latest.host.binding_labels)
        ]
        known = [(value, name) for value, name in used if not math.isnan(value)]
        if not known:
            return Balance(service, len(used), None, None, None, None, "")
        (lowest, _), (highest, busiest) = min(known), max(known)
        mean = sum(value for value, _ in known) / len(known)
        return Balance(service, len(used), mean, highest, lowest, highest - lowest, busiest)


def _why(layer: Layer) -> str:
    role = min(layer.roles, key=len)
    return (
        f"no {layer.name} is known: give its host the label role={role}, or have an agent check it by a name with "
        f'"{role}" in it'
    )


def _host(latest: Latest, state: HostState) -> LayerHost:
    values = latest.values

    def newest(name: str) -> float | None:
        return number(values[name]) if name in values else None

    return LayerHost(
        latest.host.id,
        latest.host.name,
        state,
        newest("cpu_used_pct"),
        newest("memory_used_pct"),
        newest(ESTABLISHED),
        newest("load1"),
    )
