"""Killed at any moment, a store holds all of each group or nothing of it, and every group it has acknowledged."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import ModuleType

from collector.store import Store
from tests.collector.stores import crash_child, sealing_child
from tests.collector.stores.builders import DAY, NOW
from tests.collector.stores.conftest import Place
from tests.collector.stores.crash_child import BATCHES
from tests.collector.stores.sealing_child import at, seqs

ROOT = Path(__file__).parents[3]
ROUNDS_MAX = 100
"""On a machine that is busy with other things, before enough was done."""
ROUNDS = 20
WORKS_FOR_S_MAX = 0.08
LIMIT_S = 30


def run_and_kill(child: ModuleType, engine: str, folder: Path, works_for_s: float) -> int:
    """The last group that the child said it had kept, once it has been killed."""
    command = [sys.executable, "-m", child.__name__, engine, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline()]
        time.sleep(works_for_s)  # the one thing here that is left to chance
        process.kill()
        acknowledged += process.stdout.readlines()
        assert process.wait(timeout=LIMIT_S) == -9
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
        last = await asyncio.to_thread(run_and_kill, crash_child, place.engine, place.folder, works_for_s)
        kept = await groups_kept(await place.open())
        assert kept in (last + 1, last + 2)  # one may have been kept that could not be acknowledged any more
        await place.close()


async def packed_groups_kept(store: Store) -> int:
    """How many groups are there, having seen that each of their batches is there once, packed, summed up or not."""
    kept = await store.remember(NOW)
    count, host = kept.seen[0].below, kept.hosts[0].id
    sent = sorted(at(seq) for number in range(count) for seq in seqs(number))
    points = await store.samples.series(host, "x", 0, 2**62)
    assert points.at.tolist() == sent[-len(points.at) :]  # older ones have had their time
    assert points.values.tolist() == [(when - NOW) / sealing_child.MINUTE for when in points.at.tolist()]
    assert (await store.health()).batches == len(points.at)
    assert [row.at for row in await store.samples.rows(host, 0, 2**62, 10**6)] == points.at.tolist()
    days = (await store.samples.series_step(host, ["x"], NOW, sent[-1], DAY))["x"]
    wanted = Counter(when // DAY * DAY for when in sent)
    assert dict(zip(days.at.tolist(), days.count.tolist(), strict=True)) == wanted
    return count


async def test_batches_are_there_once_after_being_killed_while_they_are_packed_and_forgotten(
    place: Place,
) -> None:
    chance = random.Random(11)
    oldest = 0
    for turn in range(ROUNDS_MAX):
        works_for_s = chance.uniform(0, 2 * WORKS_FOR_S_MAX)
        last = await asyncio.to_thread(run_and_kill, sealing_child, place.engine, place.folder, works_for_s)
        store = await place.open()
        assert await packed_groups_kept(store) in (last + 1, last + 2)
        oldest = int((await store.samples.series(1, "x", 0, 2**62)).at[0])
        await place.close()
        if turn >= ROUNDS - 1 and oldest > NOW + DAY:
            break
    assert oldest > NOW + DAY  # so days were packed, summed up and dropped meanwhile
