"""How far what `watchkeeper size` says lies from what a fleet takes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from collector.cli.simulate import trace
from collector.cli.size import DAY_S, HOUR_S, Fleet, need_of
from collector.stores.sqlite import open_store
from collector.stores.sqlite.caretaker import SqliteCaretaker
from rules.model import Outcome
from tests.bench.fleet import Settings, collector, stage
from tests.bench.process import resident_peak_mib
from tests.bench.table import Goal, Row
from tests.collector.stores.builders import DAY, HOUR, NOW, batch, enrolled
from tests.system.programs import PATIENCE_S, ROOT, environ

GOAL = Goal(0.35, 0.2)
HOSTS, HOURS = 10, 50
SHAPES = ((71, 10), (71, 60), (20, 10))
"""So many series, every so many seconds."""
MEMORY_HOSTS, MEMORY_EVERY_S, MEMORY_SECONDS = 2_000, 8.0, 20.0
START = NOW - NOW % DAY


def run(settings: Settings) -> list[Row]:
    shapes = SHAPES[1:2] if settings.quick else SHAPES
    return [row for series, every_s in shapes for row in disk(series, every_s)] + [memory(settings)]


def disk(series: int, every_s: int) -> list[Row]:
    with stage() as here:
        state = here.folder / "state"
        asyncio.run(live(state, series, every_s))
        inside = SqliteCaretaker(state).check(lambda _what, _share: None).contents
    assert inside is not None
    _, packed, rollups = inside.tiers
    need = need_of(Fleet(HOSTS, series, every_s), HOURS * HOUR_S, rollups.rows / HOSTS * DAY_S)
    shape = f"{series} series every {every_s} s"
    each = f"{packed.bytes / packed.samples:.2f} bytes a sample"
    return [
        row(f"disk of packed samples, {shape}", packed.bytes, need.packed, each),
        row(
            f"disk of rollups, {shape}",
            rollups.bytes,
            need.rollups,
            f"{rollups.bytes / rollups.rows / series:.0f} bytes a series and day",
        ),
    ]


async def live(state: Path, series: int, every_s: int) -> None:
    """The first of a narrow host's series are those that change."""
    said = [
        {name: float("nan") if value is None else value for name, value in chosen(tick.samples, series)}
        for tick in trace.read(trace.PACKAGED)
    ]
    store = await open_store(state, role="collector")
    hosts = [(await enrolled(store, f"sim-{number}")).id for number in range(HOSTS)]
    every_ms = every_s * 1000
    for hour in range(HOURS):
        times = range(START + hour * HOUR, START + (hour + 1) * HOUR, every_ms)
        outcomes: list[Outcome] = [
            batch(host, at, said[(host * 97 + at // every_ms) % len(said)], every_ms=every_ms)
            for at in times
            for host in hosts
        ]
        await store.commit(outcomes)
        while await store.seal(START + hour * HOUR):
            pass
    while await store.seal(START + (HOURS + 2) * HOUR):
        pass
    await store.close()


def chosen(samples: dict[str, float | None], series: int) -> list[tuple[str, float | None]]:
    checks = [(name, value) for name, value in samples.items() if name.startswith("check_state")]
    others = [(name, value) for name, value in samples.items() if not name.startswith("check_state")]
    return (others + checks)[:series]


def memory(settings: Settings) -> Row:
    hosts, seconds = (50, 1.0) if settings.quick else (MEMORY_HOSTS, MEMORY_SECONDS)
    with stage() as here:
        judging, _ = collector(here, 0)
        simulate = [
            "simulate",
            "--config",
            str(judging.config),
            "--hosts",
            str(hosts),
            "--connections",
            str(hosts),
        ]
        simulate += ["--interval", f"{MEMORY_EVERY_S:g}s", "--for", f"{seconds:g}s"]
        command = [sys.executable, "-m", "collector", *simulate]
        subprocess.run(
            command, cwd=ROOT, env=environ(), capture_output=True, check=True, timeout=seconds + PATIENCE_S
        )
        for _ in range(3):
            assert judging.get("/")[0] == 200
        peak_mib = resident_peak_mib(judging.pid)
    series = len(trace.read(trace.PACKAGED)[0].samples)
    need = need_of(Fleet(hosts, series, MEMORY_EVERY_S), 0, 0)
    return row(f"memory, {hosts:,} hosts, each connected", round(peak_mib * 2**20), need.memory, "")


def row(what: str, measured: int, said: int, each: str) -> Row:
    off = abs(said / measured - 1)
    figure = f"off by {off:.2f}: {said / 2**20:,.1f} MiB said, {measured / 2**20:,.1f} taken"
    return Row(f"size: {what}", f"{figure}{f' ({each})' if each else ''}", off, GOAL)
