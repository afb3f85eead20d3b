"""How long the pages and the overview's JSON take, and how many bytes they are, with 1,000 hosts and with 10,000."""

from __future__ import annotations

import gzip
import time

from msgspec import Struct

from agent import wire
from collector.api.kept import FLEET_AGE_S
from tests.bench.client import Order, press
from tests.bench.fleet import Settings, collector, stage
from tests.bench.progress import tell
from tests.bench.table import Goal, Row, quantile
from tests.system import load
from tests.system.harness import Collector

FLEETS = {1_000: Goal(50, 20), 10_000: Goal(200, 100)}
PAGES = (
    "/", "/hosts/1", "/alerts", "/incidents", "/services", "/advice", "/rules", "/silences", "/notices", "/settings",
    "/status",
)  # fmt: skip
AS_JSON = ("/api/monitoring/health/dashboard", "/api/monitoring/hosts")
TIMES = 10


def run(settings: Settings) -> list[Row]:
    rows = []
    for hosts, goal in FLEETS.items():
        with stage() as here:
            known = 50 if settings.quick else hosts
            tell(f"  {known:,} hosts")
            serving, tokens = collector(here, known)
            press(Order(serving.port, serving.pid, tokens, known / 500, per_s=min(known, 1_000)))
            for path in PAGES:
                name = "overview" if path == "/" else path
                rows.append(_row(f"page {name}", known, goal, _asked(serving, path)))
            one_more = load.Host(1, "load-0", wire.parse_token(tokens[0]))
            for path in AS_JSON:
                rows.append(_row(f"overview as JSON, {path}", known, goal, _asked(serving, path, one_more)))
        if settings.quick:
            break
    return rows


class Asked(Struct, frozen=True):
    took_ms: list[float]
    body: bytes


def _asked(serving: Collector, path: str, one_more: load.Host | None = None) -> Asked:
    """Again and again. With `one_more`, a host pushes before each time, and it is waited until no answer that was given
    before may be given again."""
    took_ms, body = [], ""
    for _ in range(TIMES):
        if one_more is not None:
            one_more.step(serving.port)
            time.sleep(FLEET_AGE_S)
        began_s = time.perf_counter()
        status, body = serving.get(path)
        took_ms.append((time.perf_counter() - began_s) * 1000)
        assert status == 200, f"{path} answered {status}"
    return Asked(took_ms, body.encode())


def _row(what: str, hosts: int, goal: Goal, asked: Asked) -> Row:
    took_ms, plain = asked.took_ms, asked.body
    p50_ms = quantile(took_ms, 0.5)
    weight = f"{len(plain) / 1024:.0f} KiB, {len(gzip.compress(plain, 3)) / 1024:.0f} zipped"
    figure = f"{p50_ms:.0f} ms ({min(took_ms):.0f} to {max(took_ms):.0f}, {TIMES} times), {weight}"
    return Row(f"{what}, {hosts:,} hosts", figure, p50_ms, goal)
