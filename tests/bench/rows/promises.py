"""A year of what services were: reckoned from samples, kept, summed up for a page; and a round that writes it down."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from collector.store import DAY_MS, Store
from collector.stores.sqlite import open_store
from rules.sla.courses import intervals_of
from rules.sla.model import CheckPart, Interval, ServiceOptions
from rules.sla.paper import as_html
from rules.sla.timeline import Answers, Group, Heard, Range, check_course, excluded_course, service_course
from tests.bench.fleet import Settings
from tests.bench.table import Row
from tests.collector.promises.house import OK, T0, TICK, House

SERVICES, DAYS = 100, 365
OUTAGES_A_DAY = 2
STEP_MS, DOWN_MS = 600_000, 50_000
NO_SLOW = np.empty(0, dtype=np.int64)


def run(settings: Settings) -> list[Row]:
    services, days = (3, 2) if settings.quick else (SERVICES, DAYS)
    began_s = time.perf_counter()
    years = [reckoned(number, days) for number in range(services)]
    reckoning_s = time.perf_counter() - began_s
    samples = services * days * DAY_MS // TICK
    with tempfile.TemporaryDirectory(prefix="watchkeeper-bench-", dir="/var/tmp") as folder:
        kept = asyncio.run(measured(Path(folder), years))
    return [
        Row(
            f"{days} days of {services} services, reckoned from a check every 10 s",
            f"{reckoning_s:.1f} s, {reckoning_s / samples * 1e9:.0f} ns a sample ({len(years[0])} rows each)",
            reckoning_s,
        ),
        *kept,
    ]


def reckoned(number: int, days: int) -> list[Interval]:
    """A service that goes down for a few minutes now and then, day by day as the collector would, with a week's hours
    of maintenance."""
    chance = np.random.default_rng(number)
    service = named(number, maintenance=["Sunday 02:00 to 04:00"])
    found: list[Interval] = []
    for day in range(days):
        start = T0 + day * DAY_MS
        at = np.arange(start, start + DAY_MS, TICK, dtype=np.int64)
        states = np.zeros(len(at))
        for begin in chance.integers(0, len(at), OUTAGES_A_DAY):
            states[begin : begin + int(chance.integers(3, 60))] = 2
        over = Range(start, start + DAY_MS)
        heard = Heard(at, np.full(len(at), TICK), T0)
        seen = check_course("web", "h1", heard, Answers(at, states, NO_SLOW), over, "")
        whole = service_course([Group((seen,), "all")], over, excluded_course(service, over))
        found += intervals_of(whole)
    return found


def named(number: int, **options: object) -> ServiceOptions:
    return ServiceOptions(name=f"service-{number}", checks=[CheckPart(id="web")], **options)  # type: ignore[arg-type]


async def measured(folder: Path, years: Sequence[Sequence[Interval]]) -> list[Row]:
    store = await open_store(folder, role="collector")
    try:
        return [
            await written(store, folder, years),
            await asked(store, years),
            await a_report(store, 1 if len(years) < SERVICES else DAYS),
            await a_round(store, len(years)),
        ]
    finally:
        await store.close()


async def written(store: Store, folder: Path, years: Sequence[Sequence[Interval]]) -> Row:
    for number, year in enumerate(years):
        await store.promises.write({f"service-{number}": year})
    rows = sum(map(len, years))
    size = sum(file.stat().st_size for file in folder.glob("watchkeeper.db*"))
    return Row("what that takes on disk", f"{size / 1e6:.1f} MB, {size / rows:.0f} bytes a row", size)


async def asked(store: Store, years: Sequence[Sequence[Interval]]) -> Row:
    """As the command does it beside a collector; the year lies in the past, so nothing is looked at anew."""
    house = House(store, [named(number) for number in range(len(years))])
    took_ms = []
    for _ in range(5):
        began_s = time.perf_counter()
        found = await house.accounts.summaries("year", years[0][-1].end)
        took_ms.append((time.perf_counter() - began_s) * 1000)
        assert len(found) == len(years)
    return Row(
        f"the year of all {len(years)} services summed up for a page",
        f"{statistics.median(took_ms):.0f} ms ({min(took_ms):.0f} to {max(took_ms):.0f})",
        statistics.median(took_ms),
    )


async def a_report(store: Store, days: int) -> Row:
    """Of a service that is down every ten minutes for so long: the worst that anybody would print. As processor time,
    for it is reckoned beside pushes."""
    begin = T0 - days * DAY_MS
    flaps = [
        Interval(
            at, at + (DOWN_MS if down else STEP_MS - DOWN_MS), "down" if down else "up", "bad" if down else ""
        )
        for step in range(begin, T0, STEP_MS)
        for at, down in ((step, False), (step + STEP_MS - DOWN_MS, True))
    ]
    for place in range(0, len(flaps), 5_000):
        await store.promises.write({"worst": flaps[place : place + 5_000]})
    house = House(store, [ServiceOptions(name="worst", checks=[CheckPart(id="web")], window="year")])
    month = f"{datetime.fromtimestamp(T0 / 1000 - 1, UTC):%Y-%m}"
    took_ms, outages, page = [], 0, ""
    for _ in range(5):
        began_s = time.process_time()
        report = await house.accounts.report("worst", month, T0)
        page = as_html(report)
        took_ms.append((time.process_time() - began_s) * 1000)
        outages = len(report.outages)
    assert outages > 0
    return Row(
        f"the page of a month with {outages:,} outages, of a service with {days} such days",
        f"{statistics.median(took_ms):.0f} ms of a processor, {len(page) / 1024:.0f} KiB",
        statistics.median(took_ms),
    )


async def a_round(store: Store, services: int) -> Row:
    """Each service has a host of its own, which pushed three batches since the last round."""
    names = [f"live-{number}" for number in range(services)]
    made = [ServiceOptions(name=name, checks=[CheckPart(id="web", where={"host": name})]) for name in names]
    house = House(store, made)
    hosts = [await house.enrol(name) for name in names]
    took_ms, at = [], T0
    for _ in range(6):
        for host in hosts:
            for tick in range(3):
                await house.said(host, at + tick * TICK, {"web": OK})
        at += 3 * TICK
        house.now = at
        began_s = time.perf_counter()
        await house.round()
        took_ms.append((time.perf_counter() - began_s) * 1000)
    return Row(
        f"a round, twice a minute, that writes down what {services} services on as many hosts were",
        f"{statistics.median(took_ms[2:]):.0f} ms",
        statistics.median(took_ms[2:]),
    )
