"""How long the overview takes with a thousand hosts."""

from __future__ import annotations

import time

from tests.bench.client import Order, press
from tests.bench.fleet import Settings, collector, stage
from tests.bench.table import Goal, Row, quantile

HOSTS = 1_000
PAGES = 20


def run(settings: Settings) -> list[Row]:
    hosts = 50 if settings.quick else HOSTS
    took_ms = []
    with stage() as here:
        serving, tokens = collector(here, hosts)
        press(Order(serving.port, serving.pid, tokens, 2.0, per_s=hosts))
        for _ in range(PAGES):
            began_s = time.perf_counter()
            status, _ = serving.get("/")
            took_ms.append((time.perf_counter() - began_s) * 1000)
            assert status == 200
    p50_ms = quantile(took_ms, 0.5)
    figure = f"{p50_ms:.0f} ms ({min(took_ms):.0f} to {max(took_ms):.0f}, {PAGES} times)"
    return [Row(f"overview page, {hosts:,} hosts", figure, p50_ms, Goal(50, 20))]
