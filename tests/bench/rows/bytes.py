"""How much disk a sample takes: as it came, packed, and in rollups; beside others' files of the same batches."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import msgspec

from collector.caretaker import Contents, Tier
from collector.store import DAY_MS, Keep, Store
from collector.stores.sqlite import open_store
from collector.stores.sqlite.caretaker import SqliteCaretaker
from rules.model import Series
from tests.bench.fleet import Settings, enrolled, stage
from tests.bench.replayed import EVERY_MS, START, arrivals, fill, trace
from tests.bench.rows.push_rate import VICTORIA_METRICS
from tests.bench.table import Goal, Row
from tests.system.harness import get
from tests.system.programs import wait_until

HOSTS, TICKS = 8, DAY_MS // EVERY_MS
THEIR_HOSTS, THEIR_TICKS = 4, 2_500
QUICK = 2, 800
LIMIT_S = 300
MONTHS_MAX = 2
"""So many the hours of their hosts touch at most."""
SETTLED_S = 1.0


def run(settings: Settings) -> list[Row]:
    hosts, ticks = QUICK if settings.quick else (HOSTS, TICKS)
    with tempfile.TemporaryDirectory(prefix="watchkeeper-bench-", dir="/var/tmp") as folder:
        fresh, rest = asyncio.run(ours(Path(folder), hosts, ticks))
        fleet = QUICK if settings.quick else (THEIR_HOSTS, THEIR_TICKS)
        blocks = prometheus(Path(folder), *fleet)
    parts = victoria_metrics(*fleet)
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
        _beside_blocks(each, blocks),
        _beside_parts(each, parts),
        Row("samples of the last two hours, not packed yet", f"{hot_each:.1f} bytes", hot_each),
        _rollups(rollups),
        Row("all pages in use ÷ samples, once packed and summed up", f"{whole:.2f} bytes", whole),
    ]


def _beside_blocks(ours: float, theirs: float | None) -> Row:
    what = "packed samples ÷ Prometheus' blocks of the same batches"
    if theirs is None:
        return Row(what, "÷ nothing: promtool (Debian's prometheus) is not installed", None, Goal(0.25, 0.2))
    return Row(what, f"{ours / theirs:.3f}: {ours:.2f} ÷ {theirs:.2f} bytes", ours / theirs, Goal(0.25, 0.2))


def _beside_parts(ours: float, theirs: float | None) -> Row:
    what = "packed samples ÷ VictoriaMetrics' files of the same batches, merged"
    if theirs is None:
        return Row(what, "÷ nothing: victoria-metrics is not installed")
    return Row(what, f"{ours / theirs:.2f}: {ours:.2f} ÷ {theirs:.2f} bytes", ours / theirs)


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
        file.writelines(open_metrics(hosts, ticks))
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", str(text), str(blocks)]
    subprocess.run(command, check=True, capture_output=True, timeout=LIMIT_S)
    taken = sum(file.stat().st_size for file in blocks.rglob("*") if file.is_file())
    return taken / (hosts * ticks * len(trace()[0]))


def open_metrics(hosts: int, ticks: int) -> Iterator[str]:
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


def victoria_metrics(hosts: int, ticks: int) -> float | None:
    """Bytes a sample once VictoriaMetrics has merged all, its index included; None when it is not here."""
    samples = hosts * ticks * len(trace()[0])
    with stage() as here:
        server = VICTORIA_METRICS.start(here)
        if server is None:
            return None
        url = f"http://127.0.0.1:{server.port}"
        for line in import_lines(hosts, ticks):
            post(f"{url}/api/v1/import", line)
        post(f"{url}/internal/force_flush")
        post(f"{url}/internal/force_merge")
        seen: list[int] = []
        wait_until("it to have merged all", lambda: _is_settled(url, seen), LIMIT_S, every_s=SETTLED_S)
        assert _said(url, "rows", "storage") == samples, "it did not keep all of it"
        return _said(url, "data_size_bytes", "") / samples


def import_lines(hosts: int, ticks: int) -> Iterator[bytes]:
    """A series a line, some whole days earlier."""
    names, _, _ = trace()
    earlier_ms = days_earlier_ms(ticks)
    for number in range(hosts):
        batches = list(arrivals(number + 1, number, 0, ticks))
        at = [batch.at - earlier_ms for batch in batches]
        for place, name in enumerate(names):
            series = Series.parse(name)
            metric = {"__name__": series.metric, "host": str(number), **series.labels}
            values = [float(batch.values[place]) for batch in batches]
            yield msgspec.json.encode({"metric": metric, "values": values, "timestamps": at}) + b"\n"


def days_earlier_ms(ticks: int) -> int:
    """VictoriaMetrics takes nothing of the future."""
    return max(0, -(-(START + ticks * EVERY_MS - time.time_ns() // 1_000_000) // DAY_MS)) * DAY_MS


def post(url: str, body: bytes = b"") -> None:
    with urllib.request.urlopen(urllib.request.Request(url, body, method="POST"), timeout=LIMIT_S):
        pass


def _is_settled(url: str, seen: list[int]) -> bool:
    """Whether it has a part for each month at most, and what it takes was the same the last time. `seen` keeps that."""
    seen.append(_said(url, "data_size_bytes", ""))
    return _said(url, "parts", "storage") <= MONTHS_MAX and len(seen) > 1 and seen[-1] == seen[-2]


def _said(url: str, metric: str, begins: str) -> int:
    """The sum of what it tells of itself under this name, of the types that begin so."""
    status, said = get(f"{url}/metrics")
    found = re.findall(rf'^vm_{metric}{{type="{begins}[^"]*"}} (\d+)$', said, re.MULTILINE)
    assert status == 200
    assert found, f"VictoriaMetrics tells nothing of {metric}"
    return sum(map(int, found))
