"""Batches read back: in the order of their sample times, however they came."""

from __future__ import annotations

import asyncio
import math
import random

import numpy as np

from collector.store import Store
from tests.collector.stores.builders import NOW, TICK, batch, enrolled

EVER = (0, 2**62)


async def test_a_series_is_in_the_order_of_its_times_however_late_each_batch_came(store: Store) -> None:
    host = await enrolled(store)
    times = [NOW + tick * TICK for tick in range(100)]
    shuffled = random.Random(1).sample(times, len(times))
    for start in range(0, 100, 7):
        await store.commit([batch(host.id, at, {"x": float(at)}) for at in shuffled[start : start + 7]])
    points = await store.samples.series(host.id, "x", *EVER)
    assert points.at.tolist() == times
    assert points.values.tolist() == times


async def test_a_range_begins_with_its_start_and_ends_before_its_end(store: Store) -> None:
    host = await enrolled(store)
    await store.commit([batch(host.id, at) for at in (10, 20, 30)])
    assert (await store.samples.series(host.id, "load1", 10, 30)).at.tolist() == [10, 20]
    assert [row.at for row in await store.samples.rows(host.id, 11, 31, 10)] == [20, 30]


async def test_no_answer_is_nan_and_a_gap_is_not_there(store: Store) -> None:
    host = await enrolled(store)
    await store.commit(
        [
            batch(host.id, 10, {"x": 1.0, "y": 5.0}),
            batch(host.id, 20, {"x": math.nan, "y": 5.0}),
            batch(host.id, 30, {"y": 5.0}),
            batch(host.id, 40, {"y": 5.0, "x": 4.0}),
        ]
    )
    points = await store.samples.series(host.id, "x", *EVER)
    assert points.at.tolist() == [10, 20, 40]
    np.testing.assert_array_equal(points.values, [1.0, math.nan, 4.0])


async def test_what_was_never_sampled_is_empty(store: Store) -> None:
    host = await enrolled(store)
    await store.commit([batch(host.id, NOW)])
    for number, name in ((host.id, "no such series"), (host.id + 1, "load1")):
        points = await store.samples.series(number, name, *EVER)
        assert (points.at.tolist(), points.values.tolist()) == ([], [])
    assert await store.samples.rows(host.id + 1, *EVER, 10) == []


async def test_two_hosts_do_not_see_each_others_samples(store: Store) -> None:
    alice, bob = await enrolled(store, "alice"), await enrolled(store, "bob")
    await store.commit([batch(alice.id, NOW, {"x": 1.0}), batch(bob.id, NOW, {"x": 2.0})])
    assert (await store.samples.series(bob.id, "x", *EVER)).values.tolist() == [2.0]


async def test_two_batches_of_one_moment_are_both_kept_and_the_last_to_come_is_the_newest(
    store: Store,
) -> None:
    host = await enrolled(store)
    await store.commit([batch(host.id, NOW, {"x": 1.0})])
    await store.commit([batch(host.id, NOW, {"x": 2.0})])
    assert (await store.samples.series(host.id, "x", *EVER)).values.tolist() == [1.0, 2.0]
    assert (await store.samples.overview())[0].values == {"x": 2.0}


async def test_whole_batches_come_back_as_they_were_and_no_more_than_asked_for(store: Store) -> None:
    host = await enrolled(store)
    await store.commit(
        [
            batch(host.id, at, {"b": 1.0, "a": math.nan}, arrived_at=at + 7, every_ms=at)
            for at in (300, 100, 200)
        ]
    )
    rows = await store.samples.rows(host.id, *EVER, 2)
    assert [(row.at, row.arrived_at, row.every_ms) for row in rows] == [(100, 107, 100), (200, 207, 200)]
    values = dict(zip(rows[0].layout, rows[0].values.tolist(), strict=True))
    assert values["b"] == 1.0
    assert math.isnan(values["a"])
    assert len(values) == 2


async def test_the_overview_has_every_host_by_name_with_its_newest_values(store: Store) -> None:
    bob, alice = await enrolled(store, "bob"), await enrolled(store, "alice")
    await enrolled(store, "charlie")
    await store.commit(
        [batch(bob.id, 10, {"x": 1.0}), batch(bob.id, 20, {"y": 2.0}), batch(alice.id, 5, {"z": 3.0})]
    )
    overview = await store.samples.overview()
    assert [(latest.host.name, latest.values) for latest in overview] == [
        ("alice", {"z": 3.0}),
        ("bob", {"y": 2.0}),
        ("charlie", {}),
    ]
    assert overview[2].host.arrived_at is None
    assert await store.samples.latest(bob.id) == overview[1]
    assert await store.samples.latest(999) is None


async def test_a_host_whose_series_change_with_every_batch_is_read_back_right(store: Store) -> None:
    host = await enrolled(store)
    for number in range(200):
        await store.commit([batch(host.id, NOW + number, {"same": float(number), f"odd_{number}": 0.5})])
    assert (await store.samples.series(host.id, "same", *EVER)).values.tolist() == list(range(200))
    assert (await store.samples.series(host.id, "odd_77", *EVER)).at.tolist() == [NOW + 77]


async def test_a_batch_may_name_no_series_at_all(store: Store) -> None:
    host = await enrolled(store)
    await store.commit([batch(host.id, NOW, {})])
    (row,) = await store.samples.rows(host.id, *EVER, 5)
    assert (row.layout, row.values.tolist()) == ((), [])
    assert (await store.samples.overview())[0].values == {}


async def test_a_read_sees_one_moment_while_batches_come_in(store: Store) -> None:
    alice, bob = await enrolled(store, "alice"), await enrolled(store, "bob")

    async def write() -> None:
        for tick in range(200):
            at = NOW + tick * TICK
            await store.commit([batch(host.id, at, {"x": float(tick)}) for host in (alice, bob)])

    writing = asyncio.create_task(write())
    while not writing.done():
        values = [latest.values for latest in await store.samples.overview()]
        assert values[0] == values[1]
    await writing
