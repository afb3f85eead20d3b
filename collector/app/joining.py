"""How hosts come in, built from the config."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from prometheus_client import CollectorRegistry

from collector.access.limits import Buckets
from collector.app.access import certificate
from collector.auth import Tokens
from collector.config import Loaded
from collector.desks.trail import Audit
from collector.joining.codes import Codes
from collector.joining.doors import Doors
from collector.joining.installer import Installer
from collector.server.tls import Certificate
from collector.store import Store

JOINS_PER_S, JOINS_BURST = 2.0, 100
"""Of one network: a rack may boot at once, behind one address."""


def installer(loaded: Loaded, shown: Certificate | None) -> Installer:
    """`shown` is the certificate of the collector, if it has one of its own."""
    named = loaded.config.bundles
    folder = Path(sys.prefix) / "bundles" if named is None else loaded.folder / named
    return Installer(folder, loaded.config.link_base, shown.context if shown is not None else None)


def codes(store: Store, loaded: Loaded, now_ms: Callable[[], int]) -> Codes:
    """For commands beside the collector. ConfigError."""
    brings = installer(loaded, certificate(loaded))
    return Codes(store.joins, store.hosts, brings, Audit(store.people, now_ms), now_ms)


def doors(
    store: Store,
    tokens: Tokens,
    audit: Audit,
    follow: Callable[[], Awaitable[None]],
    now_ms: Callable[[], int],
    registry: CollectorRegistry,
) -> Doors:
    return Doors(
        store.joins,
        store.hosts,
        tokens,
        ask=Buckets(JOINS_PER_S, JOINS_BURST, time.monotonic).take,
        follow=follow,
        audit=audit,
        now_ms=now_ms,
        registry=registry,
    )
