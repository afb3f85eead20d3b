"""How long a series is waited for, out of a store of a thousand hosts: over a day and over a month."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import numpy as np

from collector.store import DAY_MS, Store
from collector.stores.sqlite import open_store
from collector.stores.sqlite.blocks import pack_block
from collector.stores.sqlite.layouts import WrittenLayouts
from collector.stores.sqlite.ranges import HOUR_MS
from collector.stores.sqlite.sealing import INSERT
from collector.stores.sqlite.sheets import Sheet
from tests.bench.fleet import Settings, enrolled
from tests.bench.replayed import EVERY_MS, START, arrivals, trace
from tests.bench.table import Goal, Row, quantile

HOSTS = 1_000
HOSTS_WITH_A_MONTH = 10
PATTERNS = 5
"""So many different hosts; the others are like one of them."""
MONTH_DAYS = 30
HOUR_TICKS, MONTH_TICKS = HOUR_MS // EVERY_MS, MONTH_DAYS * DAY_MS // EVERY_MS
SERIES = ["cpu_used_pct", "memory_used_bytes", "load1", 'disk_used_pct{mount="/"}']
READS = 40
END = START + MONTH_DAYS * DAY_MS
DAY_STEP_MS, MONTH_STEP_MS = 300_000, 10_800_000
"""As long as the pages draw them."""
NEWEST = "INSERT INTO batches (host, at, arrived_at, every_ms, layout, samples) VALUES (?, ?, ?, ?, ?, ?)"
HEARD = "INSERT INTO heard SELECT host, arrived_at, at, every_ms, 0, '[]', id FROM batches"


def run(settings: Settings) -> list[Row]:
    hosts, days = (20, 2) if settings.quick else (HOSTS, MONTH_DAYS)
    with tempfile.TemporaryDirectory(prefix="watchkeeper-bench-", dir="/var/tmp") as folder:
        return asyncio.run(measured(Path(folder), hosts, days))


async def measured(folder: Path, hosts: int, days: int) -> list[Row]:
    await enrolled(folder, hosts)
    fill(folder / "watchkeeper.db", hosts, days)
    store = await open_store(folder, role="collector")
    try:
        await sum_up(store)
        return [row async for row in rows(store, hosts, days)]
    finally:
        await store.close()


async def rows(store: Store, hosts: int, days: int) -> AsyncIterator[Row]:
    one, samples = SERIES[:1], store.samples
    day, month = END - DAY_MS, END - days * DAY_MS
    store_of = f"out of a store of {hosts:,} hosts"

    async def points(host: int, start: int) -> int:
        return len((await samples.series(host, SERIES[0], start, END)).at)

    async def steps(host: int, names: list[str], start: int, step_ms: int) -> int:
        return sum(
            len(found.at) for found in (await samples.series_step(host, names, start, END, step_ms)).values()
        )

    yield await row(
        f"one series over 24 h {store_of}, every sample", lambda host: points(host, day), Goal(5, 2)
    )
    yield await row("the same in steps of 5 min", lambda host: steps(host, one, day, DAY_STEP_MS), Goal(5, 2))
    yield await row(
        f"one series over {days} d {store_of}, in steps of 3 h",
        lambda host: steps(host, one, month, MONTH_STEP_MS),
        Goal(40, 10),
    )
    yield await row("the same, every sample", lambda host: points(host, month), Goal(40, 10))
    yield await row(
        f"{len(SERIES)} series over {days} d at once, in steps of 3 h",
        lambda host: steps(host, SERIES, month, MONTH_STEP_MS),
        None,
    )


async def row(what: str, read: Callable[[int], Awaitable[int]], goal: Goal | None) -> Row:
    """The median over hosts that are read in turn, each of them for the first time at least once."""
    took_ms, found = [], 0
    for turn in range(READS):
        began_s = time.perf_counter()
        found = await read(1 + turn % HOSTS_WITH_A_MONTH)
        took_ms.append((time.perf_counter() - began_s) * 1000)
    median = quantile(took_ms, 0.5)
    figure = f"{median:.1f} ms ({min(took_ms):.1f} to {max(took_ms):.1f}, {READS} times), {found:,} points"
    return Row(what, figure, median, goal)


async def sum_up(store: Store) -> None:
    while await store.seal(END + 2 * HOUR_MS):
        pass


# --- a thousand hosts without pushing their month: their hours are written as packing leaves them ---------------------


def fill(database: Path, hosts: int, days: int) -> None:
    """The last day of every host, and all days of a few, hour by hour, as they would be packed."""
    names, _, _ = trace()
    connection = sqlite3.connect(database)
    layout = WrittenLayouts().number(connection, names, END)
    for start in range(END - days * DAY_MS, END, HOUR_MS):
        there = hosts if start >= END - DAY_MS else min(hosts, HOSTS_WITH_A_MONTH)
        hours = [packed_hour(number, start) for number in range(PATTERNS)]
        connection.executemany(
            INSERT,
            [(host, start, 0, HOUR_TICKS, layout, hours[host % PATTERNS]) for host in range(1, there + 1)],
        )
        connection.commit()
    connection.executemany(
        NEWEST, [(host, END, END, EVERY_MS, layout, bytes(8 * len(names))) for host in range(1, hosts + 1)]
    )
    connection.execute(HEARD)
    connection.commit()
    connection.close()


def packed_hour(number: int, start: int) -> bytes:
    """An hour of the host with that number in the trace."""
    batches = list(arrivals(1, number, (start - END) // EVERY_MS + MONTH_TICKS, HOUR_TICKS))
    at, arrived_at = (np.array([getattr(one, field) for one in batches]) for field in ("at", "arrived_at"))
    values = np.array([one.values for one in batches]).T
    return pack_block(Sheet(at, arrived_at, np.full(HOUR_TICKS, EVERY_MS), batches[0].layout, values))
