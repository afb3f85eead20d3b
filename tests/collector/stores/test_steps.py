"""Series in steps: the same from samples as from rollups, gaps stay gaps, and no spike is lost."""

from __future__ import annotations

import math

import numpy as np
import pytest

from collector.store import SERIES_AT_ONCE_MAX, Keep, Steps, Store, StoreError
from tests.collector.stores.builders import DAY, HOUR, NOW, TICK, batch, enrolled, forgotten, sealed

MIDNIGHT = NOW // DAY * DAY
QUARTER = HOUR // 4


async def three_days(store: Store) -> int:
    """A host that reports every five minutes, but for six hours of the second day; its newest batch is of today."""
    host = await enrolled(store)
    outcomes = []
    for number in range(3 * DAY // 300_000):
        at = MIDNIGHT + number * 300_000
        if not MIDNIGHT + DAY + 6 * HOUR <= at < MIDNIGHT + DAY + 12 * HOUR:
            samples = {"x": float(number % 50), "y": math.nan if number % 6 < 3 else 0.1 * (number % 7)}
            outcomes.append(batch(host.id, at, samples))
    await store.commit(outcomes)
    return host.id


def plain(steps: Steps) -> list[tuple[int, float, float, int]]:
    columns = (steps.at, np.nan_to_num(steps.low, nan=-1), np.nan_to_num(steps.high, nan=-1), steps.count)
    return list(zip(*(column.tolist() for column in columns), strict=True))


async def test_a_step_holds_the_lowest_the_highest_the_mean_and_how_many(store: Store) -> None:
    host = await enrolled(store)
    values = [4.0, 1.0, 10.0, math.nan]
    await store.commit([batch(host.id, NOW + n * TICK, {"x": value}) for n, value in enumerate(values)])
    await store.commit(
        [batch(host.id, NOW + 60_000, {"x": 7.0}), batch(host.id, NOW + 180_000, {"x": math.nan})]
    )
    steps = (await store.samples.series_step(host.id, ["x"], NOW, NOW + HOUR, 60_000))["x"]
    assert steps.step_ms == 60_000
    assert steps.at.tolist() == [NOW, NOW + 60_000, NOW + 180_000]  # nobody asked in the third minute: a gap
    assert steps.low.tolist()[:2] == [1.0, 7.0]
    assert steps.high.tolist()[:2] == [10.0, 7.0]
    assert steps.mean.tolist()[:2] == [5.0, 7.0]
    assert steps.count.tolist() == [3, 1, 0]  # in the fourth it was asked and there was no answer
    assert math.isnan(steps.mean[2])


async def test_the_range_is_moved_outwards_to_whole_steps(store: Store) -> None:
    host = await enrolled(store)
    await store.commit([batch(host.id, NOW + n * TICK, {"x": float(n)}) for n in range(60)])
    steps = (await store.samples.series_step(host.id, ["x"], NOW + 70_000, NOW + 121_000, 60_000))["x"]
    assert steps.at.tolist() == [NOW + 60_000, NOW + 120_000]
    assert steps.count.tolist() == [6, 6]


@pytest.mark.parametrize("step_ms", [QUARTER, 2 * QUARTER, HOUR, 5 * HOUR, DAY])
@pytest.mark.parametrize("cut", [(0, 3 * DAY), (DAY + 3 * HOUR, DAY + 13 * HOUR), (DAY // 2, 2 * DAY)])
async def test_rollups_say_what_the_samples_said(store: Store, step_ms: int, cut: tuple[int, int]) -> None:
    host = await three_days(store)
    span = MIDNIGHT + cut[0], MIDNIGHT + cut[1]
    names = ["x", "y", "never"]
    from_samples = await store.samples.series_step(host, names, *span, step_ms)
    await sealed(store, MIDNIGHT + 4 * DAY)
    from_both = await store.samples.series_step(host, names, *span, step_ms)
    await forgotten(store, Keep(samples_ms=DAY), MIDNIGHT + 4 * DAY)
    assert not len((await store.samples.series(host, "x", 0, MIDNIGHT + 2 * DAY)).at)
    from_rollups = await store.samples.series_step(host, names, *span, step_ms)
    for name in names:
        wanted = from_samples[name]
        for found in (from_both[name], from_rollups[name]):
            assert found.step_ms == step_ms
            assert plain(found) == plain(wanted)
            np.testing.assert_allclose(found.mean, wanted.mean, atol=50 / 4_000)
    assert len(from_samples["x"].at)
    assert await store.samples.names(host, *span) == ["x", "y"]


async def test_where_only_rollups_are_left_the_steps_are_as_long_as_theirs(store: Store) -> None:
    host = await three_days(store)
    await sealed(store, MIDNIGHT + 4 * DAY)
    short = await store.samples.series_step(host, ["x"], MIDNIGHT, MIDNIGHT + HOUR, 60_000)
    assert short["x"].step_ms == 60_000
    await forgotten(store, Keep(samples_ms=DAY), MIDNIGHT + 4 * DAY)
    steps = (await store.samples.series_step(host, ["x"], MIDNIGHT, MIDNIGHT + HOUR, 1_000_000))["x"]
    assert steps.step_ms == 2 * QUARTER
    assert steps.at.tolist() == [MIDNIGHT, MIDNIGHT + 2 * QUARTER]
    assert steps.count.tolist() == [6, 6]


async def test_a_spike_of_one_sample_is_seen_in_a_chart_of_a_year(store: Store) -> None:
    host = await three_days(store)
    await store.commit([batch(host, MIDNIGHT + DAY + 1, {"x": 1e6})])
    await sealed(store, MIDNIGHT + 4 * DAY)
    await forgotten(store, Keep(samples_ms=0), MIDNIGHT + 4 * DAY)
    steps = (await store.samples.series_step(host, ["x"], MIDNIGHT - 200 * DAY, MIDNIGHT + 165 * DAY, DAY))[
        "x"
    ]
    assert steps.high.tolist()[1] == 1e6
    assert steps.at.tolist()[:2] == [MIDNIGHT, MIDNIGHT + DAY]


async def test_late_batches_mend_the_rollup_of_their_day(store: Store) -> None:
    host = await three_days(store)
    await sealed(store, MIDNIGHT + 4 * DAY)
    gap = MIDNIGHT + DAY + 6 * HOUR
    span = (MIDNIGHT, MIDNIGHT + 3 * DAY)
    before = (await store.samples.series_step(host, ["x"], *span, HOUR))["x"]
    assert gap not in before.at
    await store.commit([batch(host, gap + n * 300_000, {"x": 77.0, "new": 1.0}) for n in range(72)])
    for _ in range(3):  # waiting, packed, and when the samples are gone
        mended = await store.samples.series_step(host, ["x", "new"], *span, HOUR)
        assert mended["x"].count.tolist() == [12] * 72
        assert mended["x"].high[30:36].tolist() == [77.0] * 6
        assert mended["new"].at.tolist() == [gap + n * HOUR for n in range(6)]
        await sealed(store, MIDNIGHT + 5 * DAY)
        await forgotten(store, Keep(samples_ms=2 * DAY), MIDNIGHT + 5 * DAY)


async def test_several_series_are_read_at_once_but_not_too_many(store: Store) -> None:
    host = await three_days(store)
    with pytest.raises(StoreError, match="at once"):
        await store.samples.series_step(host, ["x"] * (SERIES_AT_ONCE_MAX + 1), NOW, NOW + HOUR, QUARTER)
    nothing = await store.samples.series_step(host + 1, ["x", "y"], NOW, NOW + HOUR, QUARTER)
    assert [len(nothing[name].at) for name in ("x", "y")] == [0, 0]


async def test_the_names_of_a_range_are_those_that_were_there(store: Store) -> None:
    host = await enrolled(store)
    for day in range(4):
        await store.commit(
            [batch(host.id, MIDNIGHT + day * DAY + n, {f"day_{day}": 1.0, "x": 1.0}) for n in (0, 9)]
        )
    await sealed(store, MIDNIGHT + 4 * DAY)
    await forgotten(store, Keep(samples_ms=2 * DAY), MIDNIGHT + 4 * DAY)
    assert await store.samples.names(host.id, MIDNIGHT, MIDNIGHT + DAY) == ["day_0", "x"]
    assert await store.samples.names(host.id, MIDNIGHT, 2**62) == ["day_0", "day_1", "day_2", "day_3", "x"]
    assert await store.samples.names(host.id, MIDNIGHT + 9 * DAY, 2**62) == []


async def test_a_metric_over_the_fleet_is_each_of_its_series_in_the_newest_batches(store: Store) -> None:
    alice, bob = await enrolled(store, "alice"), await enrolled(store, "bob")
    await enrolled(store, "charlie")
    root, home = 'disk_used_pct{mount="/"}', 'disk_used_pct{mount="/home"}'
    await store.commit(
        [batch(alice.id, NOW, {root: 0.0}), batch(alice.id, NOW + TICK, {home: 2.0, root: 1.0})]
    )
    await store.commit([batch(bob.id, NOW, {root: math.nan, "disk_used_pct_of_all": 9.0, "load1": 1.0})])
    found = await store.samples.latest_of("disk_used_pct")
    assert [(value.host, value.name, value.at) for value in found] == [
        (alice.id, root, NOW + TICK),
        (alice.id, home, NOW + TICK),
        (bob.id, root, NOW),
    ]
    assert [value.value for value in found[:2]] == [1.0, 2.0]
    assert math.isnan(found[2].value)
    assert [value.value for value in await store.samples.latest_of("load1")] == [1.0]
    assert await store.samples.latest_of("load") == []
