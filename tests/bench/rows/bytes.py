"""How much disk a sample takes: as it came, packed, and in rollups; beside Prometheus' blocks of the same batches."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from collector.caretaker import Contents, Tier
from collector.store import DAY_MS, Keep, Store
from collector.stores.sqlite import open_store
from collector.stores.sqlite.caretaker import SqliteCaretaker
from tests.bench.fleet import Settings, enrolled
from tests.bench.replayed import EVERY_MS, START, arrivals, fill, trace
from tests.bench.table import Goal, Row

HOSTS, TICKS = 8, DAY_MS // EVERY_MS
THEIR_HOSTS, THEIR_TICKS = 4, 2_500
QUICK = 2, 800
LIMIT_S = 300


def run(settings: Settings) -> list[Row]:
    hosts, ticks = QUICK if settings.quick else (HOSTS, TICKS)
    with tempfile.TemporaryDirectory(prefix="watchkeeper-bench-", dir="/var/tmp") as folder:
        fresh, rest = asyncio.run(ours(Path(folder), hosts, ticks))
        theirs = prometheus(Path(folder), *(QUICK if settings.quick else (THEIR_HOSTS, THEIR_TICKS)))
    hot, packed, rollups = tier(fresh, "fresh"), tier(rest, "packed"), tier(rest, "rollups")
    each, hot_each = packed.bytes / packed.samples, hot.bytes / hot.samples
    of_it = f"({packed.samples:,} samples of {hosts} hosts)"
    whole = (rest.file_bytes - rest.free_bytes) / hot.samples
    return [
        Row(
            "packed samples at rest, with all that SQLite adds",
            f"{each:.2f} bytes {of_it}",
            each,
            Goal(0.8, 0.6),
        ),
        _beside(each, theirs),
        Row("samples of the last two hours, not packed yet", f"{hot_each:.1f} bytes", hot_each),
        _rollups(rollups),
        Row("all pages in use ÷ samples, once packed and summed up", f"{whole:.2f} bytes", whole),
    ]


def _beside(ours: float, theirs: float | None) -> Row:
    what = "packed samples ÷ Prometheus' blocks of the same batches"
    if theirs is None:
        return Row(what, "÷ nothing: promtool (Debian's prometheus) is not installed", None, Goal(0.25, 0.2))
    return Row(what, f"{ours / theirs:.2f}: {ours:.2f} ÷ {theirs:.2f} bytes", ours / theirs, Goal(0.25, 0.2))


def _rollups(rollups: Tier) -> Row:
    what = "rollups of a host and a day: 70 series, in quarters of an hour"
    if not rollups.rows:
        return Row(what, "no day is over in a quick run")
    return Row(what, f"{rollups.bytes / rollups.rows / 1024:.1f} KiB", rollups.bytes / rollups.rows)


async def ours(folder: Path, hosts: int, ticks: int) -> tuple[Contents, Contents]:
    """What is in a store before all that can be is packed, summed up and tidied away, and after."""
    state = folder / "state"
    await enrolled(state, hosts)
    store = await open_store(state, role="collector")
    await fill(store, await store.hosts.all(), ticks)
    before = contents(state)
    await tidied_up(store, START + ticks * EVERY_MS + DAY_MS // 12)
    await store.close()
    return before, contents(state)


async def tidied_up(store: Store, now: int) -> None:
    while await store.seal(now):
        pass
    while await store.forget(Keep(), now):
        pass


def contents(state: Path) -> Contents:
    found = SqliteCaretaker(state).check(lambda said, share: None)
    assert not found.damage, found.damage
    assert found.contents is not None
    return found.contents


def tier(found: Contents, name: str) -> Tier:
    return next(tier for tier in found.tiers if tier.name == name)


def prometheus(folder: Path, hosts: int, ticks: int) -> float | None:
    """Bytes a sample in the blocks that Prometheus makes of the same; None when it is not here."""
    promtool = shutil.which("promtool")
    if promtool is None:
        return None
    text, blocks = folder / "samples.txt", folder / "blocks"
    with text.open("w") as file:
        file.writelines(_open_metrics(hosts, ticks))
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", str(text), str(blocks)]
    subprocess.run(command, check=True, capture_output=True, timeout=LIMIT_S)
    taken = sum(file.stat().st_size for file in blocks.rglob("*") if file.is_file())
    return taken / (hosts * ticks * len(trace()[0]))


def _open_metrics(hosts: int, ticks: int) -> Iterator[str]:
    """Series by series, as the format wants it."""
    names, _, _ = trace()
    batches = [list(arrivals(number + 1, number, 0, ticks)) for number in range(hosts)]
    for place, name in enumerate(names):
        metric, _, labels = name.partition("{")
        more = f",{labels[:-1]}" if labels else ""
        for number in range(hosts):
            for batch in batches[number]:
                value = float(batch.values[place])
                yield f'{metric}{{host="{number}"{more}}} {value!r} {batch.at / 1000:.3f}\n'
    yield "# EOF\n"
