"""The same questions about the same samples over HTTP: ours, and others' query interfaces."""

from __future__ import annotations

import asyncio
import http.client
import shutil
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from collector.store import DAY_MS
from collector.stores.sqlite import open_store
from collector.stores.sqlite.ranges import HOUR_MS
from tests.bench.fleet import Server, Settings, enrolled, stage
from tests.bench.replayed import EVERY_MS, START, fill
from tests.bench.rows.bytes import days_earlier_ms, import_lines, open_metrics, post
from tests.bench.rows.push_rate import PROMETHEUS, VICTORIA_METRICS
from tests.bench.table import Row, quantile
from tests.system.harness import Collector, Stage

HOSTS, QUICK_HOSTS = 4, 2
SERIES = "cpu_used_pct"
STEP_S = 300
READS = 25
LIMIT_S = 300

Ask = Callable[[int, int, int | None], str]
"""The path that asks for the series of a host, by its number, over the day from so many seconds on: each sample, or
means of so many seconds."""


class Asked(Struct, frozen=True):
    """How long the answers took and how many points were in the last."""

    took_ms: list[float]
    points: int

    @property
    def median_ms(self) -> float:
        return quantile(self.took_ms, 0.5)


def run(settings: Settings) -> list[Row]:
    hosts, hours = (QUICK_HOSTS, 2) if settings.quick else (HOSTS, 24)
    ticks = hours * HOUR_MS // EVERY_MS
    with stage() as here:
        ours = _ours(here, hosts, ticks)
        asks = {ours.port: _ask_us(START, ticks)}
        others = {
            "Prometheus": (_prometheus(here, hosts, ticks), _ask_prometheus(START, ticks)),
            "VictoriaMetrics": (
                _victoria_metrics(here, hosts, ticks),
                _ask_prometheus(START - days_earlier_ms(ticks), ticks),
            ),
        }
        rows = []
        for what, step_s in (("every sample", None), (f"means of {STEP_S // 60} min", STEP_S)):
            mine = _asked(ours.port, asks[ours.port], hosts, step_s)
            for name, (server, ask) in others.items():
                theirs = None if server is None else _asked(server.port, ask, hosts, step_s)
                rows.append(_row(f"{hours} h of one series over HTTP, {what}", mine, name, theirs))
    return rows


def _row(what: str, mine: Asked, name: str, theirs: Asked | None) -> Row:
    what = f"{what} ÷ {name}"
    if theirs is None:
        return Row(what, f"{mine.median_ms:.1f} ms ÷ nothing: it is not installed")
    ratio = mine.median_ms / theirs.median_ms
    figure = f"{ratio:.2f}: {mine.median_ms:.1f} ms ({mine.points:,} points) ÷ "
    return Row(what, f"{figure}{theirs.median_ms:.1f} ms ({theirs.points:,} points)", ratio)


def _asked(port: int, ask: Ask, hosts: int, step_s: int | None) -> Asked:
    """Of the hosts in turn, over one connection; never the same twice, so that no answer is one that was kept."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
    took_ms, body = [], b""
    for turn in range(READS):
        began_s = time.perf_counter()
        connection.request("GET", ask(turn % hosts, turn * EVERY_MS // 1000, step_s))
        answer = connection.getresponse()
        body = answer.read()
        took_ms.append((time.perf_counter() - began_s) * 1000)
        assert answer.status == 200, body[:300]
    connection.close()
    points = _points(msgspec.json.decode(body))
    assert points, f"nothing was found: {body[:300]!r}"
    return Asked(took_ms, points)


def _points(said: Any) -> int:
    """How many are in an answer of ours, or of theirs."""
    if "series" in said:
        return sum(len(line["points"]) for line in said["series"])
    return sum(len(line["values"]) for line in said["data"]["result"])


# --- ours -------------------------------------------------------------------------------------------------------------


def _ours(here: Stage, hosts: int, ticks: int) -> Collector:
    collector: Collector = here.collector()
    asyncio.run(_live(collector.database.parent, hosts, ticks))
    collector.start()
    return collector


async def _live(state: Path, hosts: int, ticks: int) -> None:
    await enrolled(state, hosts)
    store = await open_store(state, role="collector")
    await fill(store, await store.hosts.all(), ticks)
    while await store.seal(START + ticks * EVERY_MS + DAY_MS // 12):
        pass
    await store.close()


def _ask_us(start: int, ticks: int) -> Ask:
    def path(host: int, from_s: int, step_s: int | None) -> str:
        times = (start + from_s * 1000, start + ticks * EVERY_MS)
        begin, end = (datetime.fromtimestamp(at / 1000, UTC).isoformat() for at in times)
        step = "raw" if step_s is None else f"{step_s}s"
        asked = urlencode({"name": SERIES, "start": begin, "end": end, "step": step})
        return f"/api/monitoring/hosts/{host + 1}/series?{asked}"

    return path


# --- others -----------------------------------------------------------------------------------------------------------


def _prometheus(here: Stage, hosts: int, ticks: int) -> Server | None:
    promtool = shutil.which("promtool")
    if promtool is None:
        return None
    text = here.folder / "samples.txt"
    with text.open("w") as file:
        file.writelines(open_metrics(hosts, ticks))
    blocks = here.folder / "prometheus"
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", str(text), str(blocks)]
    subprocess.run(command, check=True, capture_output=True, timeout=LIMIT_S)
    return PROMETHEUS.start(here)


def _victoria_metrics(here: Stage, hosts: int, ticks: int) -> Server | None:
    server = VICTORIA_METRICS.start(here)
    if server is not None:
        url = f"http://127.0.0.1:{server.port}"
        for line in import_lines(hosts, ticks):
            post(f"{url}/api/v1/import", line)
        post(f"{url}/internal/force_flush")
    return server


def _ask_prometheus(start: int, ticks: int) -> Ask:
    """Both speak its language."""
    begin_s, end_s = start // 1000, (start + ticks * EVERY_MS) // 1000

    def path(host: int, from_s: int, step_s: int | None) -> str:
        series = f'{SERIES}{{host="{host}"}}'
        if step_s is None:
            range_s = end_s - begin_s - from_s
            return "/api/v1/query?" + urlencode({"query": f"{series}[{range_s}s]", "time": end_s})
        asked = {"start": begin_s + from_s + step_s, "end": end_s, "step": step_s}
        return "/api/v1/query_range?" + urlencode({"query": f"avg_over_time({series}[{step_s}s])", **asked})

    return path
