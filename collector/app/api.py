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
from collector.api.metrics import Metrics
from collector.api.performance import Performance
from collector.api.router import Router
from collector.config import CollectorConfig

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
    doors: list[AnyDoor] = [
        *Fleet(parts.store, parts.inquiries.sample_now, now_ms).doors(),
        *Hosts(parts.store, now_ms).doors(),
        *Alerts(parts.store, parts.evaluator.act).doors(),
        *Incidents(parts.store, parts.evaluator.act).doors(),
        *metrics.doors(),
        *Config(parts.runtime, parts.access.audit.record).doors(),
        *Performance(parts.store, parts.ticks, parts.kept, now_ms).doors(),
    ]
    return Router([*doors, *Described(doors).doors()], parts.kept, registry=registry)
