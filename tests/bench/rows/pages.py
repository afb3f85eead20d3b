"""How long the overview takes with a thousand hosts, and one series over a day."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from collector.store import Store
from collector.stores.sqlite import open_store
from rules.model import Arrival, Host, Outcome
from rules.seen import Seen
from tests.bench.client import Order, press
from tests.bench.fleet import Settings, collector, enrolled, stage
from tests.bench.table import Goal, Row, quantile
from tests.bench.trace import ticks
from tests.system.harness import Collector

HOSTS = 1_000
PAGES = 20
DAY_MS, EVERY_MS = 86_400_000, 10_000
HOSTS_WITH_A_DAY = 8
"""Batches lie in the order of their arrival, some seven on a page of the file: with so many hosts each batch of one
lies on another page, as it does with a thousand."""
READS = 20
NEWEST_AT = 1_800_000_000_000
SERIES = "cpu_used_pct"


def run(settings: Settings) -> list[Row]:
    hosts, day_ms = (50, DAY_MS // 24) if settings.quick else (HOSTS, DAY_MS)
    with stage() as here:
        serving, tokens = collector(here, hosts)
        press(Order(serving.port, serving.pid, tokens, 2.0, per_s=hosts))
        row = overview(serving, hosts)
    with stage() as here:
        return [row, asyncio.run(series(here.folder, day_ms))]


def overview(serving: Collector, hosts: int) -> Row:
    took_ms = []
    for _ in range(PAGES):
        began_s = time.perf_counter()
        status, _ = serving.get("/")
        took_ms.append((time.perf_counter() - began_s) * 1000)
        assert status == 200
    figure = f"{quantile(took_ms, 0.5):.0f} ms ({min(took_ms):.0f} to {max(took_ms):.0f}, {PAGES} times)"
    return Row(f"overview page, {hosts:,} hosts", figure, quantile(took_ms, 0.5), Goal(50, 20))


async def series(folder: Path, day_ms: int) -> Row:
    await enrolled(folder / "state", HOSTS_WITH_A_DAY)
    store = await open_store(folder / "state", role="collector")
    try:
        for group in groups(await store.hosts.all(), day_ms):
            await store.commit(group)
        took_ms, points = await read(store, day_ms)
    finally:
        await store.close()
    p50_ms = quantile(took_ms, 0.5)
    figure = f"{p50_ms:.1f} ms ({min(took_ms):.1f} to {max(took_ms):.1f}, {READS} times), {points:,} points"
    return Row("one series over 24 h, as it lies in a store of 1,000 hosts", figure, p50_ms, Goal(5, 2))


async def read(store: Store, day_ms: int) -> tuple[list[float], int]:
    took_ms, points = [], 0
    for turn in range(READS):
        began_s = time.perf_counter()
        found = await store.samples.series(1 + turn % HOSTS_WITH_A_DAY, SERIES, NEWEST_AT - day_ms, NEWEST_AT)
        took_ms.append((time.perf_counter() - began_s) * 1000)
        points = len(found.at)
    return took_ms, points


def groups(hosts: list[Host], day_ms: int) -> Iterator[list[Outcome]]:
    """A day of all hosts, tick by tick, some hundred batches to a commit."""
    layout = tuple(sorted(ticks()[0].samples))
    values = [np.array([tick.samples[name] for name in layout], dtype=np.float64) for tick in ticks()]
    group: list[Outcome] = []
    for seq, at in enumerate(range(NEWEST_AT - day_ms, NEWEST_AT, EVERY_MS)):
        for host in hosts:
            taken = Seen(host.id, "0" * 32, seq + 1)
            arrival = Arrival(
                host.id, taken.spool, seq, 0, at, at, EVERY_MS, 0, layout, values[seq % len(values)]
            )
            group.append(Outcome(arrival=arrival, host=host, seen=taken))
        if len(group) >= 500:
            yield group
            group = []
    yield group
