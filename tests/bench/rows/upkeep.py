"""How long a commit takes while the store packs what is an hour old, and while it drops much."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from collector.app.upkeep import FORGET_SHARE, SEAL_SHARE, in_pieces
from collector.store import DAY_MS, Keep, Store
from collector.stores.sqlite import open_store
from rules.memory.seen import Seen
from rules.model import Arrival, Host, Outcome
from tests.bench.fleet import Settings, enrolled
from tests.bench.replayed import EVERY_MS, START, arrivals, fill
from tests.bench.table import Row, quantile

HOSTS, TICKS = 200, 400
PUSHES_PER_S, PUSHES_AT_ONCE = 1_000, 10
ALONE_S = 4.0
LIMIT_S = 60.0
LATER = START + TICKS * EVERY_MS + DAY_MS // 8


def run(settings: Settings) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="watchkeeper-bench-", dir="/var/tmp") as folder:
        return asyncio.run(measured(Path(folder), 20 if settings.quick else HOSTS))


async def measured(folder: Path, hosts: int) -> list[Row]:
    await enrolled(folder, hosts)
    store = await open_store(folder, role="collector")
    try:
        known = await store.hosts.all()
        await fill(store, known, TICKS)
        commits = Commits(store, known)
        alone = await commits.beside(asyncio.sleep(ALONE_S))
        packing = await commits.beside(upkeep(lambda: store.seal(LATER), SEAL_SHARE))
        while await store.seal(LATER + 2 * DAY_MS):
            pass  # so that all of it may go
        keep = Keep(samples_ms=0, rollups_ms=0)
        dropping = await commits.beside(upkeep(lambda: store.forget(keep, LATER + 2 * DAY_MS), FORGET_SHARE))
    finally:
        await store.close()
    pace = f"{PUSHES_PER_S:,} pushes/s, {PUSHES_AT_ONCE} to a commit"
    return [
        _row(f"a commit at {pace}; p99", alone, alone),
        _row(f"the same while {hosts} hosts' hours are packed", packing, alone),
        _row("the same while all of it is dropped", dropping, alone),
    ]


async def upkeep(piece: Callable[[], Awaitable[bool]], share: float) -> None:
    """As the collector does it, but for as long as it takes."""
    await in_pieces(piece, LIMIT_S, share)


class Commits:
    """Batches of all hosts in turn, at a steady pace, for as long as something else takes."""

    def __init__(self, store: Store, hosts: Sequence[Host]) -> None:
        self._store = store
        self._arrivals = self._for_ever(hosts)

    async def beside(self, other: Awaitable[None]) -> list[float]:
        """How long each commit took, in ms."""
        took_ms: list[float] = []
        at_work = asyncio.ensure_future(other)
        next_s = time.perf_counter()
        while not at_work.done():
            group = [_outcome(one) for one in itertools.islice(self._arrivals, PUSHES_AT_ONCE)]
            began_s = time.perf_counter()
            await self._store.commit(group)
            took_ms.append((time.perf_counter() - began_s) * 1000)
            next_s = max(next_s + PUSHES_AT_ONCE / PUSHES_PER_S, began_s)
            await asyncio.sleep(max(0.0, next_s - time.perf_counter()))
        await at_work
        return took_ms

    @staticmethod
    def _for_ever(hosts: Sequence[Host]) -> itertools.chain[Arrival]:
        def ticks(tick: int) -> list[Arrival]:
            return [next(arrivals(host.id, number, tick, 1)) for number, host in enumerate(hosts)]

        return itertools.chain.from_iterable(map(ticks, itertools.count(TICKS)))


def _outcome(one: Arrival) -> Outcome:
    return Outcome(arrival=one, seen=Seen(one.host, one.spool, one.seq + 1))


def _row(what: str, took_ms: list[float], alone: list[float]) -> Row:
    p99 = quantile(took_ms, 0.99)
    figure = f"{p99:.1f} ms (half of them under {quantile(took_ms, 0.5):.1f}, all under {max(took_ms):.0f})"
    return Row(what, figure, p99 / quantile(alone, 0.99))
