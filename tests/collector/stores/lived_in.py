"""A store that has been lived in for a few hours, and what must be found in it ever after.

`python -m tests.collector.stores.lived_in FILE.gz` writes such a SQLite file. It was run once for each version of the
schema, before the next one came; the files are in tests/data/stores and are never written again.
"""

from __future__ import annotations

import asyncio
import gzip
import math
import sys
import tempfile
from pathlib import Path

import numpy as np

from collector.store import Store
from collector.stores.sqlite import open_store
from rules.memory.seen import Seen
from rules.model import CheckAnswer, Outcome, RuleState
from tests.collector.stores.builders import (
    DAY,
    NOW,
    SPOOL,
    alert,
    arrival,
    batch,
    enrolled,
    incident,
    notice,
    sealed,
    transition,
)

MINUTE = 60_000
TICKS = 180
"""One a minute: three whole hours, the first of which begins at NOW."""


def samples(tick: int) -> dict[str, float]:
    """Steady, in waves, without an answer now and then, and one that comes and goes."""
    found = {"cpu_used_pct": round(50 + 40 * math.sin(tick / 20), 1), "memory_total_bytes": 8e9}
    found["http_total_ms"] = math.nan if tick % 50 == 7 else 100.0 + tick % 13
    if 70 <= tick < 95:
        found['disk_used_pct{mount="/media/stick"}'] = 12.5
    return found


async def live(store: Store) -> None:
    alice, bob = await enrolled(store, "alice"), await enrolled(store, "bob")
    at = [NOW + tick * MINUTE for tick in range(TICKS)]
    late = {40, 41, 42}
    for tick in [tick for tick in range(TICKS) if tick not in late] + sorted(late):
        seen = Seen(alice.id, SPOOL, tick)
        check = CheckAnswer("shop", "http", "ok", at[tick])
        outcome = Outcome(arrival=arrival(alice.id, at[tick], samples(tick)), seen=seen, checks=[check])
        await store.commit([outcome])
    await store.commit([batch(bob.id, at[10], {"load1": 0.25})])
    over, open_ = incident(1, at[20], resolved_at=at[30]), incident(2, at[90])
    await store.commit(
        [
            Outcome(
                incidents=[over, open_],
                alerts=[alert(1, of=1, resolved_at=at[30]), alert(2, of=2)],
                transitions=[transition(at[20], of=1), transition(at[90], of=2)],
                notices=[notice("n1", of=1), notice("n2", of=2)],
                states=[RuleState("load", "host:1/series:load1", "firing", at[90], alert=2)],
            )
        ]
    )


async def look(store: Store) -> None:
    """All that was put in is there."""
    alice, bob = await store.hosts.all()
    assert (alice.name, bob.name) == ("alice", "bob")
    at = [NOW + tick * MINUTE for tick in range(TICKS)]
    names = {name for tick in range(TICKS) for name in samples(tick)}
    for name in names:
        wanted = [(at[tick], samples(tick)[name]) for tick in range(TICKS) if name in samples(tick)]
        points = await store.samples.series(alice.id, name, 0, 2**62)
        assert points.at.tolist() == [when for when, _ in wanted], name
        np.testing.assert_array_equal(points.values, [value for _, value in wanted])
    assert (await store.samples.series(bob.id, "load1", 0, 2**62)).values.tolist() == [0.25]
    latest, latest_bob = await store.samples.overview()
    assert (latest.host.last_at, latest.values) == (at[-1], samples(TICKS - 1))
    assert latest_bob.values == {"load1": 0.25}
    kept = await store.remember(NOW)
    assert [incident.id for incident in kept.incidents] == [1, 2]
    assert [state.alert for state in kept.states] == [2]
    assert (await store.samples.checks(alice.id))[0].at == at[-1]
    assert [row.at for row in await store.incidents.transitions(1)] == [at[20]]
    assert [row.notice.id for row in await store.notices.recent(10)] == ["n2", "n1"]
    assert (await store.health()).batches == TICKS + 1


async def write(file: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = await open_store(Path(folder), role="collector")
        await live(store)
        await sealed(store, NOW + 2 * DAY)
        await look(store)
        await store.close()
        with gzip.GzipFile(file, "wb", mtime=0) as packed:
            packed.write((Path(folder) / "watchkeeper.db").read_bytes())


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1])))
