"""Durations in buckets: added up over any range they give the percentiles of the values, wherever the samples lie."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from collector.store import SERVICES_MAX, Keep, Store, StoreError
from rules.histograms import ERROR, bucket_of, label_of, percentiles
from rules.model import Outcome
from tests.collector.stores.builders import DAY, HOUR, NOW, TICK, batch, enrolled, forgotten, sealed

MIDNIGHT = NOW // DAY * DAY
QUARTER = HOUR // 4
WANTED = [50.0, 95.0, 99.0]
Values = list[tuple[int, str, float, int]]
"""When, which path, how long, and how often that."""


def some_values(seed: int) -> Values:
    """Three days of a shop with two paths; some ticks are busy, most are quiet."""
    chance = random.Random(seed)
    values: Values = []
    for _ in range(400):
        at = MIDNIGHT + chance.randrange(3 * DAY) // TICK * TICK
        for _ in range(chance.randrange(1, 6)):
            path = chance.choice("ab")
            times = chance.choice([1, 1, 3, 100_000 + chance.randrange(9)])
            values.append((at, path, chance.lognormvariate(3, 2), times))
    return values


def batches(host: int, values: Values, seed: int) -> list[Outcome]:
    """A batch for each tick, with the buckets that it has, in no order."""
    ticks: dict[int, Counter[str]] = {}
    for at, path, value, times in values:
        name = f'took_ms_bucket{{path="{path}",upto="{label_of(bucket_of(value))}"}}'
        ticks.setdefault(at, Counter())[name] += times
    made = [batch(host, at, dict(sorted(tick.items()))) for at, tick in ticks.items()]
    random.Random(seed).shuffle(made)
    return made


def true_percentile(values: Values, percent: float) -> float:
    rank, reached = -(-sum(times for *_, times in values) * int(percent) // 100), 0
    for _, _, value, times in sorted(values, key=lambda each: each[2]):
        reached += times
        if reached >= rank:
            return value
    raise AssertionError("there is none")


async def agrees(store: Store, host: int, values: Values, start: int, end: int) -> None:
    for path, series in (("", "took_ms"), ("a", 'took_ms{path="a"}')):
        inside = [each for each in values if path in ("", each[1]) and start <= each[0] < end]
        wanted: Counter[int] = Counter()
        for _, _, value, times in inside:
            wanted[bucket_of(value)] += times
        counts = await store.samples.histogram(host, series, start, end)
        assert counts == dict(sorted(wanted.items()))
        if inside:
            true = [true_percentile(inside, percent) for percent in WANTED]
            assert percentiles(counts, WANTED) == pytest.approx(true, rel=ERROR)


@pytest.mark.parametrize("seed", range(4))
async def test_percentiles_are_those_of_the_values_over_any_range(store: Store, seed: int) -> None:
    values, chance = some_values(seed), random.Random(seed)
    host = (await enrolled(store)).id
    made = batches(host, values, seed)
    await store.commit(made[:300])
    await sealed(store, MIDNIGHT + 3 * DAY + 3 * HOUR)
    await store.commit(made[300:])
    ranges = [(0, 2**53), (MIDNIGHT, MIDNIGHT + DAY), (MIDNIGHT + 5, MIDNIGHT + 90_007)]
    for _ in range(5):
        start, end = sorted(MIDNIGHT + chance.randrange(3 * DAY) for _ in "se")
        ranges.append((start, end))
    for start, end in ranges:  # some of it came late and is not worked in yet
        await agrees(store, host, values, start, end)
    await sealed(store, MIDNIGHT + 4 * DAY + 3 * HOUR)
    for start, end in ranges:
        await agrees(store, host, values, start, end)
    await forgotten(store, Keep(samples_ms=DAY), MIDNIGHT + 4 * DAY)
    for start, end in ranges:  # rollups are left, and they know quarters of an hour
        await agrees(store, host, values, start // QUARTER * QUARTER, -(-end // QUARTER) * QUARTER)


async def test_what_is_no_series_is_refused_and_what_never_was_has_no_counts(store: Store) -> None:
    host = (await enrolled(store)).id
    assert await store.samples.histogram(host, "took_ms", 0, NOW) == {}
    with pytest.raises(ValueError, match="not a series"):
        await store.samples.histogram(host, "took ms", 0, NOW)


async def test_a_service_is_a_source_of_its_own_and_made_once(store: Store) -> None:
    shop = await store.hosts.add_service("shop", NOW)
    assert (shop.name, shop.labels, shop.is_service) == ("service:shop", {"service": "shop"}, True)
    assert await store.hosts.add_service("shop", NOW + 5) == shop
    await store.commit([batch(shop.id, NOW, {"x": 1.0})])
    assert [latest.values for latest in await store.samples.overview()] == [{"x": 1.0}]


async def test_there_are_only_so_many_services(store: Store) -> None:
    for number in range(SERVICES_MAX):
        await store.hosts.add_service(f"s{number}", NOW)
    with pytest.raises(StoreError, match="name fewer services"):
        await store.hosts.add_service("one-more", NOW)
    await store.hosts.add_service("s0", NOW)
