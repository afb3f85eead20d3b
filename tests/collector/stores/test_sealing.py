"""Packing what is old: what is read before it is read after it, what comes late finds its place, and nothing waits."""

from __future__ import annotations

import asyncio
import math

import numpy as np

from collector.store import Row, Store
from tests.collector.stores.builders import DAY, HOUR, NOW, TICK, arrival, batch, enrolled, sealed
from tests.collector.stores.conftest import Place

EVER = (0, 2**62)
LATER = NOW + 3 * DAY
PER_HOUR = HOUR // TICK


def plain(rows: list[Row]) -> list[tuple[int, int, int, dict[str, str]]]:
    """In a form that can be compared: NaN is equal to NaN, and the order of a layout makes no difference."""
    return [
        (
            row.at,
            row.arrived_at,
            row.every_ms,
            {name: repr(value) for name, value in zip(row.layout, row.values.tolist(), strict=True)},
        )
        for row in rows
    ]


async def read(store: Store, host: int, names: list[str]) -> list[object]:
    """All that can be read of a host's samples."""
    found: list[object] = [plain(await store.samples.rows(host, *EVER, 10**6))]
    for name in names:
        points = await store.samples.series(host, name, *EVER)
        found += [name, points.at.tolist(), list(map(repr, points.values.tolist()))]
    for step_ms in (TICK, 60_000, 900_000, HOUR):
        steps = await store.samples.series_step(host, names, NOW, NOW + DAY, step_ms)
        for name in names:
            one = steps[name]
            found += [one.step_ms, one.at.tolist(), one.count.tolist()]
            found += [list(map(repr, column.tolist())) for column in (one.low, one.high)]
            found.append([None if math.isnan(mean) else round(mean, 6) for mean in one.mean.tolist()])
    return [*found, await store.samples.names(host, *EVER)]


async def test_packing_changes_nothing_that_is_read(store: Store) -> None:
    host, other = await enrolled(store, "alice"), await enrolled(store, "bob")
    for tick in range(3 * PER_HOUR // 10):
        at = NOW + tick * 10 * TICK
        samples = {"load1": round(math.sin(tick), 2), "same": 7.0, "zero": 0.0, "odd": -0.0, "big": 1e300}
        if tick % 9 == 0:
            samples["load1"] = math.nan
        if 50 < tick < 80:
            samples['disk_used_pct{mount="/mnt"}'] = float(tick)
        if tick % 40 > 5:  # and gaps
            await store.commit([batch(host.id, at, samples, every_ms=TICK + tick % 2), batch(other.id, at)])
    names = ["load1", "same", "zero", "odd", "big", 'disk_used_pct{mount="/mnt"}', "never"]
    before = await read(store, host.id, names)
    await sealed(store, NOW + 2 * HOUR)
    assert await read(store, host.id, names) == before
    await sealed(store, NOW + 4 * HOUR)
    assert await read(store, host.id, names) == before
    assert (await store.health()).batches == 2 * len(before[0])  # type: ignore[arg-type]


async def test_every_number_comes_back_to_the_last_bit(store: Store) -> None:
    host = await enrolled(store)
    numbers = [0.0, -0.0, 5e-324, -1e308, math.inf, -math.inf, 0.1 + 0.2, math.nan, 1.0, math.pi]
    await store.commit([batch(host.id, NOW + n * TICK, {"x": number}) for n, number in enumerate(numbers)])
    await store.commit([batch(host.id, LATER)])
    await sealed(store, LATER)
    points = await store.samples.series(host.id, "x", *EVER)
    assert points.values.view(np.int64).tolist() == np.array(numbers).view(np.int64).tolist()


async def test_no_answer_is_told_from_not_asked(store: Store) -> None:
    host = await enrolled(store)
    await store.commit(
        [
            batch(host.id, NOW, {"x": 1.0, "y": math.nan}),
            batch(host.id, NOW + TICK, {"x": math.nan, "y": math.nan}),
            batch(host.id, NOW + 2 * TICK, {"y": math.nan}),
            batch(host.id, NOW + 3 * TICK, {"x": 4.0, "y": math.nan}),
            batch(host.id, LATER),
        ]
    )
    await sealed(store, LATER)
    points = await store.samples.series(host.id, "x", *EVER)
    assert points.at.tolist() == [NOW, NOW + TICK, NOW + 3 * TICK]
    np.testing.assert_array_equal(points.values, [1.0, math.nan, 4.0])
    assert np.isnan((await store.samples.series(host.id, "y", *EVER)).values).tolist() == [True] * 4
    layouts = [set(row.layout) for row in await store.samples.rows(host.id, *EVER, 4)]
    assert layouts == [{"x", "y"}, {"x", "y"}, {"y"}, {"x", "y"}]


async def test_late_batches_find_their_place_in_an_hour_that_is_packed(store: Store) -> None:
    host = await enrolled(store)
    ticks = range(90)
    late = {3, 4, 5, 77}
    await store.commit([batch(host.id, NOW + n * TICK, {"x": float(n)}) for n in ticks if n not in late])
    await store.commit([batch(host.id, LATER)])
    await sealed(store, LATER)
    await store.commit([batch(host.id, NOW + n * TICK, {"x": float(n), "new": 1.0}) for n in sorted(late)])
    wanted = list(map(float, ticks))
    assert (
        await store.samples.series(host.id, "x", *EVER)
    ).values.tolist() == wanted  # put together as it is read
    await sealed(store, LATER + HOUR)
    assert (await store.samples.series(host.id, "x", *EVER)).values.tolist() == wanted
    assert (await store.samples.series(host.id, "new", *EVER)).at.tolist() == [
        NOW + n * TICK for n in sorted(late)
    ]
    assert (await store.health()).batches == 91


async def test_of_batches_of_one_moment_the_order_in_which_they_came_stays(store: Store) -> None:
    host = await enrolled(store)
    await store.commit([batch(host.id, NOW, {"x": 1.0}), batch(host.id, NOW, {"x": 2.0})])
    await store.commit([batch(host.id, LATER)])
    await sealed(store, LATER)
    await store.commit([batch(host.id, NOW, {"x": 3.0})])
    for _ in range(2):
        assert (await store.samples.series(host.id, "x", *EVER)).values.tolist() == [1.0, 2.0, 3.0]
        await sealed(store, LATER + HOUR)


async def test_the_newest_batch_of_a_silent_host_stays_its_newest(place: Place) -> None:
    store = await place.open()
    host = await enrolled(store)
    await store.commit([batch(host.id, NOW + n * TICK, {"x": float(n)}) for n in range(5)])
    await sealed(store, LATER)
    store = await place.reopen()
    assert (await store.samples.overview())[0].values == {"x": 4.0}
    await store.commit([batch(host.id, LATER, {"x": 9.0})])
    await sealed(store, LATER + 3 * DAY)
    assert (await store.samples.series(host.id, "x", *EVER)).values.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 9.0]
    assert (await store.samples.overview())[0].values == {"x": 9.0}


async def test_a_range_may_begin_and_end_within_packed_hours(store: Store) -> None:
    host = await enrolled(store)
    times = [NOW + n * 7 * 60_000 for n in range(40)]
    await store.commit([batch(host.id, at, {"x": float(at)}) for at in times])
    await sealed(store, LATER)
    for start, end in ((times[3], times[21]), (times[3] + 1, times[21] + 1), (times[39], 2**62), (0, NOW)):
        wanted = [at for at in times if start <= at < end]
        assert (await store.samples.series(host.id, "x", start, end)).at.tolist() == wanted
        assert [row.at for row in await store.samples.rows(host.id, start, end, 100)] == wanted
    assert [row.at for row in await store.samples.rows(host.id, times[2], 2**62, 5)] == times[2:7]


async def test_a_host_whose_series_change_with_every_batch_can_be_packed(store: Store) -> None:
    host = await enrolled(store)
    for number in range(300):
        samples = {"same": float(number), f"odd_{number}": 0.5, f"pair_{number // 2}": 1.0}
        await store.commit([batch(host.id, NOW + number * TICK, samples)])
    await sealed(store, LATER)
    assert (await store.samples.series(host.id, "same", *EVER)).values.tolist() == list(range(300))
    assert (await store.samples.series(host.id, "odd_77", *EVER)).at.tolist() == [NOW + 77 * TICK]
    pair = await store.samples.series(host.id, "pair_20", *EVER)
    assert pair.at.tolist() == [NOW + 40 * TICK, NOW + 41 * TICK]
    assert len(await store.samples.names(host.id, *EVER)) == 1 + 300 + 150


async def test_batches_without_any_series_can_be_packed(store: Store) -> None:
    host = await enrolled(store)
    await store.commit([batch(host.id, NOW + n, {}) for n in range(5)])
    await sealed(store, LATER)
    rows = await store.samples.rows(host.id, *EVER, 10)
    assert [(row.at, row.layout, row.values.tolist()) for row in rows] == [
        (NOW + n, (), []) for n in range(5)
    ]


async def test_commits_and_readings_go_on_while_it_packs(store: Store) -> None:
    hosts = [await enrolled(store, f"host-{n}") for n in range(5)]
    old = [
        arrival(host.id, NOW + tick * TICK, {"x": float(tick)}) for tick in range(PER_HOUR) for host in hosts
    ]
    for place in range(0, len(old), 100):
        await store.commit([batch(a.host, a.at, {"x": a.values[0]}) for a in old[place : place + 100]])
    packing = asyncio.create_task(sealed(store, LATER))
    fresh = 0
    while not packing.done():
        await store.commit([batch(host.id, LATER + fresh * TICK, {"x": -1.0}) for host in hosts])
        fresh += 1
        points = await store.samples.series(hosts[fresh % 5].id, "x", NOW, LATER)
        assert points.values.tolist() == list(range(PER_HOUR))
    await packing
    assert fresh > 1
    assert (await store.health()).batches == len(old) + fresh * 5
