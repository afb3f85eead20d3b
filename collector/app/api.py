"""The doors of the API, each built upon the parts that it needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from collector.api.alerts import Alerts
from collector.api.config import Config
from collector.api.described import Described
from collector.api.doors import AnyDoor
from collector.api.fleet import Fleet
from collector.api.hosts import Hosts
from collector.api.incidents import Incidents
from collector.api.logins import Logins
from collector.api.metrics import Metrics
from collector.api.notices import Notices
from collector.api.people import People
from collector.api.performance import Performance
from collector.api.responses import ResponseTimes
from collector.api.router import Router
from collector.api.rules import Rules
from collector.api.services import Services
from collector.api.silences import Silences
from collector.api.sla import Sla
from collector.config import CollectorConfig
from collector.promises import NotPossible

if TYPE_CHECKING:
    from collector.app.parts import Parts


def api(
    parts: Parts, config: CollectorConfig, registry: CollectorRegistry, now_ms: Callable[[], int]
) -> Router:
    """Every door there is, served."""
    metrics = Metrics(
        parts.ticks,
        parts.store.samples,
        now_ms=now_ms,
        registry=registry,
        late_ms_max=round(config.late_s_max * 1000),
    )
    roles = {name: parts.access.roles.permissions(name) for name in parts.access.roles.names}
    doors: list[AnyDoor] = [
        *Fleet(parts.store, parts.inquiries.sample_now, now_ms).doors(),
        *Hosts(parts.store, now_ms).doors(),
        *Alerts(parts.store, parts.evaluator.act).doors(),
        *Incidents(parts.store, parts.evaluator.act).doors(),
        *ResponseTimes(parts.store, now_ms).doors(),
        *metrics.doors(),
        *Rules(parts.runtime.load, lambda: parts.evaluator.watch, parts.store.samples).doors(),
        *Notices(parts.store, [options.name for options in config.channels]).doors(),
        *Silences(parts.policies, parts.access.audit.record, now_ms).doors(),
        *Services(parts.promised.services, NotPossible, parts.access.audit.record, now_ms).doors(),
        *Sla(parts.promised.accounts, lambda: parts.runtime.held.config.thresholds, now_ms).doors(),
        *Config(parts.runtime, parts.access.audit.record).doors(),
        *People(parts.access.desk, parts.access.audit, roles).doors(),
        *Logins(parts.access.own).doors(),
        *Performance(parts.store, parts.ticks, parts.kept, now_ms).doors(),
    ]
    return Router([*doors, *Described(doors).doors()], parts.kept, registry=registry)
