"""What the collector answers over HTTP, put together: agents, programs and people each have their paths."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import CollectorRegistry

from collector.access.gate import safe_next
from collector.api.health import Health
from collector.app.faces import faces
from collector.config import CollectorConfig
from collector.web.accounts import Accounts
from collector.web.deeds import Deeds
from collector.web.links import LinkPages

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
    health = Health(
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
    links = LinkPages(
        parts.pages.frame,
        parts.store,
        read=parts.links.read,
        act=parts.acting,
        show=parts.pages.incident,
        now_ms=now_ms,
    )
    deeds = Deeds(parts.pages.frame, parts.acting, now_ms=now_ms)
    accounts = Accounts(parts.pages.frame, parts.access.own, parts.access.setup, safe_next=safe_next)
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
            *health.routes(),
            *parts.api.routes(),
            *links.routes(),
            *deeds.routes(),
            *accounts.routes(),
            *parts.jobs.routes(),
            *faces(parts, config, now_ms),
            *parts.pages.routes(),
        ]
    )
    return app
