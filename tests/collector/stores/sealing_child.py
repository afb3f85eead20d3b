"""A collector's store that packs, sums up and forgets at full speed while batches come in, until it is killed:
`sealing_child ENGINE FOLDER` prints the number of each group that it kept. A minute passes with every batch."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from collector.store import Keep, Store
from rules.memory.seen import Seen
from rules.model import Outcome
from tests.collector.stores.builders import DAY, HOUR, NOW, SPOOL, arrival, enrolled
from tests.collector.stores.conftest import ENGINES

BATCHES = 40
"""In each group. One in eight comes late, with the group after its own."""
LATE = 8
MINUTE = 60_000
KEEP = Keep(samples_ms=2 * DAY)


def at(seq: int) -> int:
    return NOW + seq * MINUTE


def seqs(number: int) -> list[int]:
    """Which batches come with a group, in their order."""
    first = number * BATCHES
    late = [seq for seq in range(first - BATCHES, first) if seq % LATE == 0 and seq >= 0]
    return late + [seq for seq in range(first, first + BATCHES) if seq % LATE]


def group(host: int, number: int) -> list[Outcome]:
    seen = Seen(host, SPOOL, number + 1)
    return [
        Outcome(
            arrival=arrival(host, at(seq), {"x": float(seq), "y": seq / 7, f"odd_{seq % 100}": 1.0}, seq=seq),
            seen=seen,
        )
        for seq in seqs(number)
    ]


async def work(store: Store) -> None:
    hosts = await store.hosts.all()
    host = hosts[0] if hosts else await enrolled(store)
    kept = await store.remember(NOW)
    number = kept.seen[0].below if kept.seen else 0
    while True:
        tidying = asyncio.create_task(tidy_up(store, at(number * BATCHES)))
        await store.commit(group(host.id, number))
        print(number, flush=True)
        number += 1
        await tidying


async def tidy_up(store: Store, now: int) -> None:
    await store.seal(now)
    await store.seal(
        now + HOUR // 2
    )  # the host's turn comes once an hour, and this is never the same one twice
    await store.forget(KEEP, now)


async def main(engine: str, folder: str) -> None:
    await work(await ENGINES[engine](Path(folder), role="collector"))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
