"""Killed at any moment, a store holds all of each group or nothing of it, and every group it has acknowledged."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from pathlib import Path

from collector.store import Store
from tests.collector.stores.builders import NOW
from tests.collector.stores.conftest import Place
from tests.collector.stores.crash_child import BATCHES

ROOT = Path(__file__).parents[3]
ROUNDS = 20
WORKS_FOR_S_MAX = 0.08
LIMIT_S = 30


def run_and_kill(engine: str, folder: Path, works_for_s: float) -> int:
    """The last group that the child said it had kept, once it has been killed."""
    command = [sys.executable, "-m", "tests.collector.stores.crash_child", engine, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        acknowledged = [child.stdout.readline()]
        time.sleep(works_for_s)  # the one thing here that is left to chance
        child.kill()
        acknowledged += child.stdout.readlines()
        assert child.wait(timeout=LIMIT_S) == -9
    whole = [line for line in acknowledged if line.endswith(b"\n")]
    assert whole, "the child died before it kept anything"
    return int(whole[-1])


async def groups_kept(store: Store) -> int:
    """How many groups are there, having seen that each is there whole."""
    kept = await store.remember(NOW)
    count = kept.next_incident - 1
    host = kept.hosts[0].id
    times = (await store.samples.series(host, "series_69", 0, 2**62)).at.tolist()
    assert times == [NOW + seq for seq in range(count * BATCHES)]
    assert [seen.below for seen in kept.seen] == [count * BATCHES]
    assert [state.since for state in kept.states] == [NOW + count - 1]
    assert [check.detail for check in await store.samples.checks(host)] == [str(count * BATCHES - 1)]
    assert [alert.id for alert in kept.alerts] == list(range(1, count + 1))
    notices = {row.notice.id for row in await store.notices.recent(10**6)}
    assert notices == {f"n{number}" for number in range(count)}
    for number in random.sample(range(count), min(count, 20)):
        assert len(await store.incidents.transitions(number + 1)) == BATCHES
        only_here = await store.samples.series(host, f"only_{number}", 0, 2**62)
        assert only_here.at.tolist() == [NOW + number * BATCHES + place for place in range(BATCHES)]
    assert (await store.health()).batches == count * BATCHES
    return count


async def test_what_was_acknowledged_is_there_whole_after_being_killed_at_any_moment(place: Place) -> None:
    chance = random.Random(7)
    for _ in range(ROUNDS):
        works_for_s = chance.uniform(0, WORKS_FOR_S_MAX)
        last = await asyncio.to_thread(run_and_kill, place.engine, place.folder, works_for_s)
        kept = await groups_kept(await place.open())
        assert kept in (last + 1, last + 2)  # one may have been kept that could not be acknowledged any more
        await place.close()
