"""The doors of the API, each built upon the parts that it needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from collector.api.alerts import Alerts
from collector.api.checks import Checks
from collector.api.config import Config
from collector.api.described import Described
from collector.api.doors import Door
from collector.api.enrolment import Enrolment
from collector.api.fleet import Fleet
from collector.api.hosts import Hosts as HostDoors
from collector.api.incidents import Incidents
from collector.api.joins import Joins
from collector.api.logins import Logins
from collector.api.metrics import Metrics
from collector.api.notices import Notices
from collector.api.optimizing import Optimizing
from collector.api.people import People
from collector.api.performance import Performance
from collector.api.replays import ReplayDoors
from collector.api.responses import ResponseTimes
from collector.api.router import Router
from collector.api.rules import Rules
from collector.api.scalability import Scalability
from collector.api.scalability.layers import Layers
from collector.api.scalability.simulating import Simulating
from collector.api.services import ServiceDoors
from collector.api.silences import Silences
from collector.api.sla import Sla
from collector.config import CollectorConfig
from collector.config.thresholds import Thresholds
from collector.desks.hosts import Hosts

if TYPE_CHECKING:
    from collector.app.parts import Parts


def api(
    parts: Parts, config: CollectorConfig, registry: CollectorRegistry, now_ms: Callable[[], int]
) -> Router:
    """Every door there is, served."""
    doors = [
        *_what_is_seen(parts, config, registry, now_ms),
        *_what_is_promised_and_advised(parts, now_ms),
        *_who_may_what(parts, config, now_ms),
    ]
    return Router([*doors, *Described(doors).doors()], parts.kept, registry=registry)


def _what_is_seen(
    parts: Parts, config: CollectorConfig, registry: CollectorRegistry, now_ms: Callable[[], int]
) -> list[Door]:
    store, act = parts.store, parts.acting
    metrics = Metrics(
        parts.ticks,
        store.samples,
        now_ms=now_ms,
        registry=registry,
        late_ms_max=round(config.late_s_max * 1000),
    )
    return [
        *Fleet(store, parts.inquiries.sample_now, now_ms).doors(),
        *HostDoors(store, now_ms).doors(),
        *Enrolment(Hosts(store.hosts, parts.access.audit, now_ms, parts.evaluator.follow_hosts)).doors(),
        *Checks(store).doors(),
        *Alerts(store, act).doors(),
        *Incidents(store, act).doors(),
        *ResponseTimes(store, now_ms).doors(),
        *metrics.doors(),
    ]


def _what_is_promised_and_advised(parts: Parts, now_ms: Callable[[], int]) -> list[Door]:
    store, runtime, advisor = parts.store, parts.runtime, parts.advisor
    reports = parts.capacity.reports
    performance = Performance(store, parts.ticks, parts.kept, now_ms)

    def thresholds() -> Thresholds:
        return runtime.held.config.thresholds

    return [
        *ServiceDoors(parts.services).doors(),
        *Sla(parts.promised.accounts, thresholds, now_ms).doors(),
        *performance.doors(),
        *Optimizing(performance, store, reports, thresholds).doors(),
        *Scalability(advisor, reports, parts.settings).doors(),
        *Simulating(parts.plays).doors(),
        *Layers(store, advisor, parts.services, performance, now_ms).doors(),
    ]


def _who_may_what(parts: Parts, config: CollectorConfig, now_ms: Callable[[], int]) -> list[Door]:
    """Who is told, what holds, and who may do what."""
    access, runtime = parts.access, parts.runtime
    roles = {name: access.roles.permissions(name) for name in access.roles.names}
    return [
        *Rules(lambda: runtime.held.written, lambda: parts.evaluator.watch, parts.store.samples).doors(),
        *ReplayDoors(parts.replays, lambda: runtime.held.written).doors(),
        *Notices(parts.store, [options.name for options in config.channels]).doors(),
        *Silences(parts.policies, now_ms).doors(),
        *Config(parts.settings).doors(),
        *Joins(parts.codes, now_ms).doors(),
        *People(access.desk, access.audit, roles).doors(),
        *Logins(access.own).doors(),
    ]
