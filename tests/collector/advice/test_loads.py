"""The load a service had, out of a real store, and a peak that is prepared for because it came every day."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from collector.advice.loads import past_load
from collector.advice.seeing import read_numbers
from collector.store import DAY_MS, Store
from rules.scaling.model import CPU, LookAhead
from tests.collector.advice.house import House
from tests.collector.stores.builders import DAY, HOUR, NOW, batch, enrolled, sealed

QUARTER = 15 * 60_000
MIDNIGHT = NOW // DAY * DAY


async def test_the_loads_of_all_instances_are_added_up(store: Store) -> None:
    for name, cpu in (("a", 35.0), ("b", 70.0)):
        host = await enrolled(store, name)
        await store.commit(
            [
                batch(host.id, MIDNIGHT + n * QUARTER, {CPU: cpu}, seq=n)
                for n in range(8)
                if (name, n) != ("b", 3)
            ]
        )
    series = [(1, CPU), (2, CPU)]
    at, load = await past_load(store.samples, series, 70.0, MIDNIGHT + 3 * HOUR, 4 * HOUR)
    assert at[0] == MIDNIGHT - HOUR + QUARTER // 2
    assert np.isnan(load[:4]).all(), "before the first batch nobody knows"
    assert load[4:12].tolist() == [1.5, 1.5, 1.5, 0.5, 1.5, 1.5, 1.5, 1.5]
    assert np.isnan(load[12:]).all()


async def test_of_a_past_of_which_only_rollups_are_left_it_is_the_same(store: Store) -> None:
    host = await enrolled(store)
    quarters = range(2 * 96)
    await store.commit([batch(host.id, MIDNIGHT + n * QUARTER, {CPU: 35.0}, seq=n) for n in quarters])
    await sealed(store, MIDNIGHT + 4 * DAY)
    at, load = await past_load(
        store.samples, [(host.id, CPU)], 70.0, MIDNIGHT + 2 * DAY, 2 * DAY_MS, QUARTER // 3
    )
    assert len(at) == 2 * 96 * 3
    known = load[np.isfinite(load)]
    assert known == pytest.approx(np.full(len(known), 0.5), rel=0.01)
    assert len(known) >= 2 * 96


async def test_of_several_series_of_a_host_the_greatest_counts(store: Store) -> None:
    host, other = await enrolled(store, "a"), await enrolled(store, "b")
    shop, mail = 'http_total_ms{check="shop"}', 'http_total_ms{check="mail"}'
    await store.commit(
        [batch(host.id, NOW, {shop: 300.0, mail: 900.0, CPU: 5}), batch(other.id, NOW, {shop: math.nan})]
    )
    found = await read_numbers(store.samples, ["http_total_ms", shop])
    assert found.values["http_total_ms"][host.id] == 900
    assert found.values[shop][host.id] == 300
    assert math.isnan(found.values[shop][other.id])
    assert found.names[shop] == {host.id: [shop], other.id: [shop]}


async def test_a_peak_that_comes_every_morning_is_prepared_for(tmp_path: Path) -> None:
    def cpu(at: int) -> float:
        """As of three instances: 20 % by night, 80 % from 08:30 on."""
        hour = at % DAY / HOUR
        return 20 + 60 / (1 + math.exp(-(hour - 8.5) * 12)) - 60 / (1 + math.exp(-(hour - 18) * 6))

    async with House(tmp_path, look_ahead=LookAhead(), min=2) as house:
        morning = MIDNIGHT + 8 * HOUR + 20 * 60_000
        names = ("a", "b", "c")
        house.now = morning
        await house.join(*names)
        past = range(MIDNIGHT - 14 * DAY, morning - 60_000, QUARTER)
        for number in (1, 2, 3):
            await house.store.commit(
                [batch(number, at, {CPU: cpu(at)}, seq=1_000 + place) for place, at in enumerate(past)]
            )
        said = await house.look(**dict.fromkeys(names, cpu(morning)))
        standing = house.advisor.standing("shop")
        assert standing is not None
        assert "a daily pattern would have foretold" in standing.ahead
        assert standing.test is not None
        assert standing.test.trust_pct > 80
        assert cpu(morning) < 35, "nothing to see yet"
        assert (said.direction, said.wanted) == ("up", 4)
        assert "the load that comes back will need 4 at 08:" in said.reason
