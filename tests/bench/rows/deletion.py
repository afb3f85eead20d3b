"""How long pushes take while much that has had its time is dropped, and how much of the disk that gives back."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import time
from pathlib import Path

import numpy as np
import yaml

from collector.store import DAY_MS
from collector.stores.sqlite.blocks import pack_block
from collector.stores.sqlite.layouts import WrittenLayouts
from collector.stores.sqlite.ranges import HOUR_MS
from collector.stores.sqlite.sheets import Sheet
from tests.bench.client import Order, press
from tests.bench.fleet import DEFAULT_PACKS, Settings, enrolled, stage
from tests.bench.replayed import EVERY_MS, arrivals, trace
from tests.bench.table import Goal, Row
from tests.system.harness import Collector
from tests.system.programs import wait_until

HOSTS, DAYS = 200, 13
KEPT_DAYS = 2
PUSHES_PER_S, SECONDS = 1_000, 4.0
HOUR_TICKS = HOUR_MS // EVERY_MS
LIMIT_S = 180.0
INSERT = "INSERT INTO blocks (host, start, part, count, layout, summed_up, data) VALUES (?, ?, 0, ?, ?, 1, ?)"
BLOCKS = "SELECT count(*) FROM blocks"


def run(settings: Settings) -> list[Row]:
    hosts, days, seconds = (10, 4, 0.5) if settings.quick else (HOSTS, DAYS, SECONDS)
    with stage() as here:
        collector: Collector = here.collector(settings={"packs": list(DEFAULT_PACKS), "keep": "400d"})
        tokens = asyncio.run(enrolled(collector.database.parent, hosts))
        fill(collector.database, hosts, days)
        collector.start()
        order = Order(collector.port, collector.pid, tokens, seconds, PUSHES_PER_S)
        alone = [press(order)]
        before, before_mib = collector.ask_one(BLOCKS), size_mib(collector)
        drop_all_but(KEPT_DAYS, collector)
        beside = press(order)
        left = collector.ask_one(BLOCKS)
        wait_until("all of it to be gone", lambda: is_over(collector), LIMIT_S, every_s=0.5)
        after_mib = size_mib(collector)
        alone.append(press(order))
    alone_ms = min(one.p99_ms for one in alone)
    ratio = beside.p99_ms / alone_ms
    dropped = f"{before - left:,} of {before:,} hours of hosts were dropped meanwhile"
    return [
        Row(
            f"push until it is on disk and answered, p99 at {PUSHES_PER_S:,}/s: during a big deletion ÷ without",
            f"{ratio:.2f}: {beside.p99_ms:.0f} ms ÷ {alone_ms:.0f} ms (before or after, the better); {dropped}",
            ratio,
            Goal(2.0, 1.3),
        ),
        Row(
            f"disk that the store takes once {days - KEPT_DAYS} of {days} days are gone ÷ before",
            f"{after_mib / before_mib:.2f}: {after_mib:,.0f} ÷ {before_mib:,.0f} MiB",
            after_mib / before_mib,
        ),
    ]


def fill(database: Path, hosts: int, days: int) -> None:
    """The days before this one, hour by hour, as they lie once they are packed and summed up: all hosts alike."""
    names, _, _ = trace()
    midnight = time.time_ns() // 1_000_000 // DAY_MS * DAY_MS
    connection = sqlite3.connect(database)
    layout = WrittenLayouts().number(connection, names, midnight)
    for number, start in enumerate(range(midnight - days * DAY_MS, midnight, HOUR_MS)):
        batches = list(arrivals(1, 0, number * HOUR_TICKS, HOUR_TICKS))
        at = start + np.arange(HOUR_TICKS, dtype=np.int64) * EVERY_MS
        values = np.array([one.values for one in batches]).T
        hour = pack_block(Sheet(at, at + 50, np.full(HOUR_TICKS, EVERY_MS), names, values))
        connection.executemany(
            INSERT, [(host, start, HOUR_TICKS, layout, hour) for host in range(1, hosts + 1)]
        )
        connection.commit()
    connection.execute("UPDATE meta SET value = (SELECT sum(count) FROM blocks) WHERE key = 'batches'")
    connection.commit()
    connection.close()


def drop_all_but(days: int, collector: Collector) -> None:
    """As a person does it while the collector runs."""
    section = yaml.safe_load(collector.config.read_text())["collector"]
    collector.config.write_text(yaml.safe_dump({"collector": section | {"keep": f"{days}d"}}))
    collector.send(signal.SIGHUP)
    wait_until("the first of it to go", lambda: "how long and on how much disk" in collector.said)


def is_over(collector: Collector) -> bool:
    """Whether what has had its time is dropped, and no more than a twentieth of the file is empty."""
    oldest = collector.ask_one("SELECT min(start) FROM blocks")
    empty, pages = (collector.ask_one(f"PRAGMA {name}") for name in ("freelist_count", "page_count"))
    is_young = oldest is None or oldest >= time.time_ns() // 1_000_000 - KEPT_DAYS * DAY_MS - HOUR_MS
    return is_young and bool(empty <= max(2_000, pages // 20) + 1)


def size_mib(collector: Collector) -> float:
    return collector.database.stat().st_size / 2**20
