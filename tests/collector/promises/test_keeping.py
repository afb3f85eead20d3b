"""What is written down once a minute, what late batches change of it, and what the collector's absence means."""

from __future__ import annotations

import pytest

from collector.promises.keeping import GRACE_MS, together
from collector.store import Keep, Store
from collector.store.promises import LateRange
from rules.sla.model import CheckPart, HostPart, LatencyOptions, ServicePart
from tests.collector.promises.house import BAD, DAY, HOUR, MIN, NONE, OK, T0, TICK, House, shop
from tests.collector.stores.builders import forgotten, sealed

UP, DOWN, UNKNOWN = "up", "down", "unknown"


async def test_a_service_is_what_its_check_says(store: Store) -> None:
    house = House(store, [shop()])
    host = await house.enrol()
    await house.every_tick(host, T0, T0 + 10 * MIN, lambda at: BAD if 2 * MIN <= at - T0 < 4 * MIN else OK)
    await house.settle(T0 + 10 * MIN)
    assert await house.told() == [
        (0, 120, UP, "", False),
        (120, 240, DOWN, "web from h1 is bad", False),
        (240, 600, UP, "", False),
    ]


async def test_a_slow_answer_is_degraded_and_a_missing_one_unknown(store: Store) -> None:
    house = House(store, [shop(latency=LatencyOptions(limit_ms=300))])
    host = await house.enrol()
    for n, (state, ms) in enumerate([(OK, 100), (OK, 301), (OK, 300), (NONE, 0), (OK, 100)]):
        await house.said(host, T0 + n * TICK, {"web": state}, web=ms)
    await house.settle(T0 + 5 * TICK)
    assert [row[2:4] for row in await house.told()] == [
        (UP, ""),
        ("degraded", "web from h1 took longer than 300 ms"),
        (UP, ""),
        (UNKNOWN, "web from h1 gave no answer"),
        (UP, ""),
    ]


async def test_late_batches_put_right_what_was_written_and_it_is_marked(store: Store) -> None:
    house = House(store, [shop()])
    host = await house.enrol()
    await house.every_tick(host, T0, T0 + 2 * MIN)
    await house.every_tick(host, T0 + 8 * MIN, T0 + 10 * MIN)
    await house.settle(T0 + 10 * MIN)
    assert await house.told() == [
        (0, 135, UP, "", False),
        (135, 480, UNKNOWN, "h1 was not heard", False),
        (480, 600, UP, "", False),
    ]
    await house.every_tick(
        host, T0 + 2 * MIN, T0 + 8 * MIN, lambda at: BAD if at - T0 >= 5 * MIN else OK, arrived=house.now
    )
    await house.round()
    assert await house.told() == [
        (0, 135, UP, "", False),
        (135, 300, UP, "", True),
        (300, 480, DOWN, "web from h1 is bad", True),
        (480, 600, UP, "", False),
    ]
    assert await store.promises.late() == []


async def test_a_host_that_is_not_heard_is_down_until_it_brings_what_it_kept(store: Store) -> None:
    house = House(store, [shop(checks=[], hosts=HostPart(where={"role": "web"}))])
    host = await house.enrol(role="web")
    await house.every_tick(host, T0, T0 + 1 * MIN)
    await house.settle(T0 + 3 * MIN)
    assert [row[:4] for row in await house.told()] == [(0, 75, UP, ""), (75, 180, DOWN, "h1 was not heard")]
    await house.every_tick(host, T0 + 1 * MIN, T0 + 3 * MIN, arrived=T0 + 3 * MIN + GRACE_MS)
    await house.round()
    assert await house.told() == [(0, 75, UP, "", False), (75, 180, UP, "", True)]


async def test_while_the_collector_was_away_nothing_is_known_of_hosts(store: Store) -> None:
    house = House(store, [shop(checks=[], hosts=HostPart(where={}))])
    host = await house.enrol()
    await house.every_tick(host, T0, T0 + 2 * MIN)
    await house.settle(T0 + 2 * MIN)
    house.now = T0 + 10 * MIN
    house.start_collector()
    await house.every_tick(host, T0 + 12 * MIN, T0 + 14 * MIN)
    await house.settle(T0 + 14 * MIN)
    assert await house.told() == [
        (0, 135, UP, "", False),
        (135, 150, DOWN, "h1 was not heard", False),
        (150, 600, UNKNOWN, "the collector was away", False),
        (600, 720, DOWN, "h1 was not heard", False),
        (720, 840, UP, "", False),
    ]


async def test_nothing_is_written_of_time_that_nobody_is_noted_to_have_listened_in(store: Store) -> None:
    house = House(store, [shop(checks=[], hosts=HostPart(where={}))])
    host = await house.enrol()
    await house.every_tick(host, T0, T0 + 2 * MIN)
    await house.settle(T0 + 2 * MIN)
    house.now += 10 * MIN
    await house.keeping.round()
    assert (await house.told())[-1][1] == 150
    house.start_collector()
    await house.settle(house.now)
    assert (150, 750, UNKNOWN, "the collector was away", False) in await house.told()


async def test_what_hosts_kept_meanwhile_is_known_though_the_collector_was_away(store: Store) -> None:
    house = House(store, [shop()])
    host = await house.enrol()
    await house.every_tick(host, T0, T0 + 2 * MIN)
    await house.settle(T0 + 2 * MIN)
    house.now = T0 + 10 * MIN
    house.start_collector()
    await house.every_tick(host, T0 + 2 * MIN, T0 + 10 * MIN, arrived=house.now)
    await house.settle(T0 + 10 * MIN)
    assert await house.told() == [(0, 600, UP, "", False)]


async def test_one_that_stands_on_another_falls_with_it_and_names_it(store: Store) -> None:
    base = shop(name="base")
    top = shop(name="top", checks=[], depends_on=ServicePart(services=["base"]))
    house = House(store, [top, base])
    host = await house.enrol()
    await house.every_tick(host, T0, T0 + 2 * MIN, BAD)
    await house.settle(T0 + 2 * MIN)
    assert await house.told("top") == [(0, 120, DOWN, "base: web from h1 is bad", False)]
    await house.every_tick(host, T0 + 3 * MIN, T0 + 5 * MIN)
    await house.settle(T0 + 5 * MIN)
    await house.every_tick(host, T0 + 2 * MIN, T0 + 3 * MIN, BAD, arrived=house.now)
    await house.round()
    assert (135, 180, DOWN, "base: web from h1 is bad", True) in await house.told("top")


async def test_a_new_service_is_reckoned_from_all_samples_that_there_are(store: Store) -> None:
    house = House(store, [])
    host = await house.enrol()
    for hour in range(0, 20, 2):
        await house.every_tick(host, T0 + hour * HOUR, T0 + hour * HOUR + MIN)
    house.now = T0 + DAY
    house.services.replace([shop()])
    await house.round()
    reach = (await store.promises.reach())["shop"]
    assert (reach.start, reach.end) == (T0, house.now - GRACE_MS)
    ups = [row for row in await house.told() if row[2] == UP]
    assert [(row[0], row[1]) for row in ups] == [(hour * 3600, hour * 3600 + 75) for hour in range(0, 20, 2)]


async def test_what_is_packed_says_the_same(store: Store) -> None:
    house = House(store, [])
    host = await house.enrol()
    await house.every_tick(host, T0, T0 + 10 * MIN, lambda at: BAD if (at // MIN) % 3 == 0 else OK)
    house.now = T0 + 4 * HOUR
    house.services.replace([shop()])
    await house.round()
    before = await house.told()
    await sealed(store, T0 + 4 * HOUR)
    await store.promises.take_back("shop", 0)
    await house.round()
    assert await house.told() == before


async def test_time_whose_samples_are_gone_is_unknown_and_says_why(store: Store) -> None:
    house = House(store, [shop()])
    host = await house.enrol()
    await house.every_tick(host, T0, T0 + MIN)
    await house.settle(T0 + MIN)
    house.now = T0 + 20 * DAY
    await house.every_tick(host, house.now - HOUR, house.now)
    await sealed(store, house.now + 2 * DAY)
    await forgotten(store, Keep(samples_ms=2 * DAY), house.now)
    house.start_collector()
    for _ in range(20):
        await house.round()
    rows = await house.told()
    assert rows[0][2:4] == (UP, "")
    assert rows[1][2:4] == (UNKNOWN, "the samples of that time are not kept")
    assert rows[1][1] - rows[1][0] > 17 * 86_400
    assert rows[-1][2] == UP


async def test_a_date_that_is_in_doubt_writes_nothing(store: Store) -> None:
    house = House(store, [shop()])
    host = await house.enrol()
    await house.every_tick(host, T0, T0 + MIN)
    await house.settle(T0 + MIN)
    before = await house.told()
    house.now, house.doubt = T0 + 300 * DAY, True
    await house.round()
    assert await house.told() == before


async def test_once_the_clock_was_set_back_the_future_is_taken_back(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    house = House(store, [shop()])
    host = await house.enrol()
    await house.every_tick(host, T0, T0 + 10 * MIN)
    await house.settle(T0 + 2 * MIN)
    house.now = T0 + 5 * HOUR
    await house.round()
    assert (await house.told())[-1][2] == UNKNOWN
    house.now = T0 + 10 * MIN + GRACE_MS
    await house.round()
    await house.settle(T0 + 10 * MIN)
    assert await house.told() == [(0, 600, UP, "", False)]
    assert "The clock was set back" in caplog.text


async def test_a_host_that_was_heard_first_by_what_came_late_is_a_part_since_then(store: Store) -> None:
    house = House(store, [shop(checks=[], hosts=HostPart(where={}))])
    first, second = await house.enrol("h1"), await house.enrol("h2")
    await house.every_tick(first, T0, T0 + 6 * MIN)
    await house.every_tick(second, T0 + 5 * MIN, T0 + 6 * MIN)
    await house.settle(T0 + 6 * MIN)
    assert await house.told() == [(0, 360, UP, "", False)]
    await house.said(second, T0 + 1 * MIN, arrived=house.now)
    await house.round()
    assert await house.told() == [
        (0, 85, UP, "", False),
        (85, 300, DOWN, "h2 was not heard", True),
        (300, 360, UP, "", False),
    ]


async def test_several_vantage_points_outvote_one(store: Store) -> None:
    house = House(store, [shop(checks=[CheckPart(id="web", where={"site": "lyon"}, need=2)])])
    hosts = [await house.enrol(f"h{n}", site="lyon") for n in range(3)]
    away = await house.enrol("h9", site="oslo")
    for host, state in zip([*hosts, away], [OK, OK, BAD, BAD], strict=True):
        await house.every_tick(host, T0, T0 + MIN, state)
    await house.settle(T0 + MIN)
    assert await house.told() == [(0, 60, UP, "", False)]


@pytest.mark.parametrize(
    ("ranges", "groups", "sentence"),
    [
        ([], [], "nothing came late"),
        ([(1, 0, 10), (2, 5, 20), (3, 20, 30)], [[1, 2], [3]], "what overlaps is looked at once"),
        ([(1, 50, 60), (2, 0, 100), (3, 70, 80)], [[2, 1, 3]], "one may hold all others"),
        ([(1, 50, 60), (2, 0, 10)], [[2], [1]], "the oldest first"),
    ],
)
def test_time_that_many_hosts_bring_late_is_looked_at_once(
    ranges: list[tuple[int, int, int]], groups: list[list[int]], sentence: str
) -> None:
    late = [LateRange(host, start, end, 1) for host, start, end in ranges]
    found = together(late, {one.host: one.end for one in late})
    assert [[one.host for one in group] for group in found] == groups, sentence


async def test_a_service_of_many_hosts_is_what_they_are_together(store: Store) -> None:
    house = House(store, [shop(checks=[], hosts=HostPart(where={}, need=250))])
    hosts = [await house.enrol(f"h{number}") for number in range(251)]
    for host in hosts:
        await house.said(host, T0, {})
        await house.said(host, T0 + 2 * TICK, {})
    for host in hosts[:249]:
        await house.said(host, T0 + 4 * TICK, {})
    await house.settle(T0 + 6 * TICK)
    assert [row[:4] for row in await house.told()] == [
        (0, 45, UP, ""),
        (45, 60, DOWN, "h249 was not heard; h250 was not heard"),
    ]
