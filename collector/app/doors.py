"""What the collector answers over HTTP, put together: agents, programs and people each have their paths."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import CollectorRegistry

from collector.api.health import Health
from collector.app.pages import pages
from collector.config import CollectorConfig

if TYPE_CHECKING:
    from collector.app.parts import Parts


def application(
    parts: Parts,
    config: CollectorConfig,
    registry: CollectorRegistry,
    now_ms: Callable[[], int],
    not_ready: Callable[[], str | None],
) -> web.Application:
    """Every path there is. `not_ready` gives the reason why no work should be sent here now, or None."""
    app = web.Application()
    parts.access.guard(
        app,
        trusted_proxies=parts.proxies,
        busy=parts.evaluator.is_behind,
        show_trouble=parts.pages.frame.trouble,
    )
    app.add_routes(
        [
            *parts.ingest.routes(),
            *parts.joining.routes(),
            *parts.installer.routes(),
            *_health(parts, registry, not_ready).routes(),
            *parts.api.routes(),
            *parts.jobs.routes(),
            *pages(parts, config, now_ms),
        ]
    )
    return app


def _health(parts: Parts, registry: CollectorRegistry, not_ready: Callable[[], str | None]) -> Health:
    return Health(
        [
            parts.server_health,
            parts.ingest.health,
            parts.ticks.health,
            parts.evaluator.health,
            parts.store_health,
            parts.notifier.health,
            parts.advisor.health,
        ],
        registry,
        not_ready=not_ready,
        hosts_by_state=parts.evaluator.hosts_by_state,
    )
