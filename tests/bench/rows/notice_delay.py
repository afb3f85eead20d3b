"""How long it takes from the judging of a bad batch until its notice is at a webhook, while a fleet pushes."""

from __future__ import annotations

from typing import Any

from tests.bench.client import Order, press
from tests.bench.fleet import Settings, collector, stage
from tests.bench.pushes import BREACH_RULE
from tests.bench.table import Goal, Row, quantile
from tests.system.far_side import FarSide
from tests.system.harness import Collector
from tests.system.programs import wait_until

HOSTS = 1_000
PACE_PER_S = 1_000
BREACHES = 200
SECONDS = 10.0


def run(settings: Settings) -> list[Row]:
    hosts, breaches, seconds = (50, 5, 1.0) if settings.quick else (HOSTS, BREACHES, SECONDS)
    with stage() as here:
        far_side: FarSide = here.far_side()
        judging, tokens = collector(here, hosts, rules=[BREACH_RULE], channels=[far_side.hook_channel])
        pressed = press(Order(judging.port, judging.pid, tokens, seconds, PACE_PER_S, breaches=breaches))
        wait_until("every notice to be sent", lambda: are_sent(judging))
        delays_ms = [float(delay_ms) for delay_ms in delays(judging, far_side)]
    p50_ms, p99_ms = quantile(delays_ms, 0.5), quantile(delays_ms, 0.99)
    return [
        Row(
            f"bad batch judged (before its commit) → its notice at a webhook, p99 under {PACE_PER_S:,} pushes/s",
            f"{p99_ms:.0f} ms (p50 {p50_ms:.0f} ms) of {len(delays_ms)} notices, at {pressed.per_s:,.0f} pushes/s",
            p99_ms,
            Goal(100, 30),
        )
    ]


def bad(judging: Collector) -> list[Any]:
    """The notices of hosts that breached, one each: once bad they stay so, and nothing is over before it is told."""
    return judging.ask("SELECT * FROM notices WHERE title LIKE '%load15%'")


def are_sent(judging: Collector) -> bool:
    return {row["delivery"] for row in bad(judging)} == {"sent"}


def delays(judging: Collector, far_side: FarSide) -> list[int]:
    """Both times are of this machine's clock: when it was judged stands in the notice, when it came in the record."""
    came_at = {post.headers["Idempotency-Key"]: post.at_ms for post in far_side.of_kind("post")}
    return [came_at[row["id"]] - row["created_at"] for row in bad(judging)]
