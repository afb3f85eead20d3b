"""The collector's memory once a thousand hosts have pushed for a while."""

from __future__ import annotations

from tests.bench.client import Order, press
from tests.bench.fleet import Settings, collector, stage
from tests.bench.process import resident_mib, resident_peak_mib
from tests.bench.table import Goal, Row
from tests.bench.trace import ticks

HOSTS = 1_000
PACE_PER_S = 1_000
SECONDS = 10.0


def run(settings: Settings) -> list[Row]:
    hosts, seconds = (50, 1.0) if settings.quick else (HOSTS, SECONDS)
    with stage() as here:
        judging, tokens = collector(here, hosts)
        empty_mib = resident_mib(judging.pid)
        pressed = press(Order(judging.port, judging.pid, tokens, seconds, PACE_PER_S))
        for _ in range(3):
            assert judging.get("/")[0] == 200
        resident, peak = resident_mib(judging.pid), resident_peak_mib(judging.pid)
    return [
        Row(
            f"collector's memory, {hosts:,} hosts × {len(ticks()[0].samples)} series, all connected, pages shown",
            f"{resident:.0f} MiB after {pressed.pushes:,} pushes (peak {peak:.0f}, at its start {empty_mib:.0f})",
            resident,
            Goal(180, 120),
        )
    ]
