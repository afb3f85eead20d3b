"""How long the main pages take, and how many bytes they are, with a thousand hosts and with ten thousand."""

from __future__ import annotations

import gzip
import time

from tests.bench.client import Order, press
from tests.bench.fleet import Settings, collector, stage
from tests.bench.table import Goal, Row, quantile
from tests.system.harness import Collector

FLEETS = {1_000: Goal(50, 20), 10_000: Goal(200, 100)}
PATHS = (
    "/", "/hosts/1", "/alerts", "/incidents", "/services", "/advice", "/rules", "/silences", "/notices", "/settings",
    "/status",
)  # fmt: skip
TIMES = 10


def run(settings: Settings) -> list[Row]:
    rows = []
    for hosts, goal in FLEETS.items():
        with stage() as here:
            known = 50 if settings.quick else hosts
            serving, tokens = collector(here, known)
            press(Order(serving.port, serving.pid, tokens, known / 500, per_s=min(known, 1_000)))
            rows += [_row(serving, path, known, goal) for path in PATHS]
        if settings.quick:
            break
    return rows


def _row(serving: Collector, path: str, hosts: int, goal: Goal) -> Row:
    took_ms = []
    body = ""
    for _ in range(TIMES):
        began_s = time.perf_counter()
        status, body = serving.get(path)
        took_ms.append((time.perf_counter() - began_s) * 1000)
        assert status == 200, f"{path} answered {status}"
    p50_ms = quantile(took_ms, 0.5)
    plain = body.encode()
    weight = f"{len(plain) / 1024:.0f} KiB, {len(gzip.compress(plain, 3)) / 1024:.0f} zipped"
    figure = f"{p50_ms:.0f} ms ({min(took_ms):.0f} to {max(took_ms):.0f}, {TIMES} times), {weight}"
    name = "overview" if path == "/" else path
    return Row(f"page {name}, {hosts:,} hosts", figure, p50_ms, goal)
