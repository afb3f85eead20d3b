"""Stores filled with what a real host said, replayed: a line of the trace is a tick, each host begins at its own.

`data/host-trace-70.csv.gz` was recorded on a small machine, a line a second: 70 series while it was idle, compiling,
and under load of its processor, memory and disk in turn. A third of them never changed, as on most hosts.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from collector.store import Store
from rules.memory.seen import Seen
from rules.model import Arrival, Host, Outcome

FILE = Path(__file__).parent.parent / "data" / "host-trace-70.csv.gz"
START = 1_800_000_000_000 // 86_400_000 * 86_400_000
EVERY_MS, RECORDED_EVERY_MS = 10_000, 1_000
OFFSET = 311
"""Ticks from where one host begins in the trace to where the next does."""
ARRIVES_AFTER_MS = (20, 120)


@cache
def trace() -> tuple[tuple[str, ...], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The names, how much later than it should have been each line was taken, and the lines."""
    with gzip.open(FILE, "rt") as file:
        names, *lines = csv.reader(file, delimiter=";")
    table = np.array(lines, dtype=np.float64)
    late = table[:, 0] - table[0, 0] - np.arange(len(table)) * RECORDED_EVERY_MS
    jitter = np.rint(late - np.minimum.accumulate(late[::-1])[::-1]).astype(np.int64)
    return tuple(names[1:]), jitter, np.ascontiguousarray(table[:, 1:])


def arrivals(host: int, number: int, first: int, count: int) -> Iterator[Arrival]:
    """A host's batches: `count` ticks from the tick `first` on."""
    names, jitter, table = trace()
    chance = np.random.default_rng(first * 1_000 + number)
    travel = chance.integers(*ARRIVES_AFTER_MS, size=count)
    for tick in range(first, first + count):
        line = (tick + number * OFFSET) % len(table)
        at = START + tick * EVERY_MS + int(jitter[line])
        yield Arrival(
            host=host,
            spool=f"{host:032x}",
            seq=tick,
            floor=0,
            at=at,
            arrived_at=at + int(travel[tick - first]),
            every_ms=EVERY_MS,
            skew_ms=0,
            layout=names,
            values=table[line],
        )


async def fill(store: Store, hosts: Sequence[Host], ticks: int, ticks_at_once: int = 60) -> None:
    """Commit the batches of all hosts in the order in which they come."""
    for first in range(0, ticks, ticks_at_once):
        count = min(ticks_at_once, ticks - first)
        of_hosts = [arrivals(host.id, number, first, count) for number, host in enumerate(hosts)]
        for _ in range(count):
            tick = [next(of_host) for of_host in of_hosts]
            await store.commit(
                [Outcome(arrival=one, seen=Seen(one.host, one.spool, one.seq + 1)) for one in tick]
            )
