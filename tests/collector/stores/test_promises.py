"""What services were, as every engine keeps it: intervals, sums of days, what came late, and when nobody listened."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from collector.store import DAY_MS, SERVICES_MAX, Keep, Store, StoreError
from collector.store.promises import Asked, LateRange, Promise, Reach
from rules.model import CheckAnswer, Outcome
from rules.sla.courses import course_of, intervals_of, tally
from rules.sla.model import Interval
from tests.collector.stores.builders import DAY, HOUR, NOW, TICK, arrival, batch, enrolled, forgotten, sealed
from tests.collector.stores.conftest import Place

DAY_0 = NOW // DAY * DAY


def spell(start: int, end: int, state: str = "up", repaired: bool = False) -> Interval:
    """Times in minutes after a midnight."""
    cause = "" if state == "up" else f"why {state}"
    return Interval(DAY_0 + start * 60_000, DAY_0 + end * 60_000, state, cause, repaired)  # type: ignore[arg-type]


async def kept(store: Store, service: str = "shop") -> list[Interval]:
    return await store.promises.intervals(service, 0, 2**60)


# --- intervals --------------------------------------------------------------------------------------------------------


async def test_what_is_written_is_read_back(store: Store) -> None:
    rows = [spell(0, 5), spell(5, 6, "down"), spell(6, 9)]
    await store.promises.write({"shop": rows})
    assert await kept(store) == rows
    assert await kept(store, "mail") == []
    assert await store.promises.reach() == {"shop": Reach("shop", rows[0].start, rows[-1].end)}
    assert await store.promises.latest("shop", 2**60) == rows[-1]
    assert await store.promises.latest("shop", rows[-1].start) == rows[-2]
    assert await store.promises.latest("mail", 2**60) is None


async def test_what_goes_on_becomes_one_row(store: Store) -> None:
    for minute in range(5):
        await store.promises.write({"shop": [spell(minute, minute + 1)]})
    assert await kept(store) == [spell(0, 5)]


async def test_a_range_in_the_middle_is_replaced(store: Store) -> None:
    await store.promises.write({"shop": [spell(0, 10, "unknown")]})
    await store.promises.write({"shop": [spell(3, 5, repaired=True), spell(5, 7, "down", True)]})
    assert await kept(store) == [
        spell(0, 3, "unknown"),
        spell(3, 5, "up", True),
        spell(5, 7, "down", True),
        spell(7, 10, "unknown"),
    ]


async def test_a_hole_is_refused_with_nothing_changed(store: Store) -> None:
    await store.promises.write({"shop": [spell(0, 5)]})
    with pytest.raises(StoreError, match="written down until"):
        await store.promises.write({"shop": [spell(6, 7)]})
    assert await kept(store) == [spell(0, 5)]


async def test_a_range_is_cut_out_of_what_is_there(store: Store) -> None:
    await store.promises.write({"shop": [spell(0, 5), spell(5, 8, "down"), spell(8, 20)]})
    start, end = DAY_0 + 6 * 60_000, DAY_0 + 9 * 60_000
    assert await store.promises.intervals("shop", start, end) == [spell(6, 8, "down"), spell(8, 9)]
    assert await store.promises.intervals("shop", start, end, but_up=True) == [spell(6, 8, "down")]
    assert await store.promises.intervals("shop", start - DAY, start - DAY + 1) == []
    assert await store.promises.intervals("shop", end, start) == []
    assert (await store.promises.tally("shop", end, start)).whole == 0


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 59), st.integers(1, 20), st.sampled_from(["up", "down", "unknown"])),
        max_size=12,
    )
)
async def test_whatever_is_written_over_what_the_sums_agree(
    place: Place, pieces: list[tuple[int, int, str]]
) -> None:
    """Pieces of hours over two days; what is expected is kept minute by minute beside it."""
    await place.close()
    for file in place.folder.glob("*"):
        file.unlink()
    store = await place.open()
    await store.promises.write({"shop": [spell(0, 2_880)]})
    states = ["up"] * 2_880
    for at, length, state in pieces:
        first, last = at * 30, min(2_880, at * 30 + length * 60)
        await store.promises.write({"shop": [spell(first, last, state)]})
        states[first:last] = [state] * (last - first)
    assert intervals_of(course_of(await kept(store))) == await kept(store)
    days = await store.promises.days("shop", DAY_0, DAY_0 + 3 * DAY)
    for number, day in enumerate(days):
        of_day = states[number * 1_440 : (number + 1) * 1_440]
        assert (day.up, day.down, day.unknown) == tuple(
            of_day.count(state) * 60_000 for state in ("up", "down", "unknown")
        )
    for start, end in ((0, 2_880), (700, 2_000), (100, 200), (1_440, 2_880)):
        found = await store.promises.tally("shop", DAY_0 + start * 60_000, DAY_0 + end * 60_000)
        rows = await store.promises.intervals("shop", DAY_0 + start * 60_000, DAY_0 + end * 60_000)
        assert found == tally(course_of(rows))
        assert found.whole == (end - start) * 60_000


async def test_a_tally_is_of_what_is_written_and_no_more(store: Store) -> None:
    await store.promises.write({"shop": [spell(0, 90)]})
    found = await store.promises.tally("shop", DAY_0 - DAY, DAY_0 + DAY)
    assert (found.up, found.whole) == (90 * 60_000, 90 * 60_000)


async def test_a_day_counts_what_was_repaired(store: Store) -> None:
    await store.promises.write({"shop": [spell(0, 10), spell(10, 15, "up", True)]})
    (day,) = await store.promises.days("shop", DAY_0, DAY_0 + 1)
    assert (day.tally.up, day.repaired) == (15 * 60_000, 5 * 60_000)


async def test_what_was_is_kept_as_long_as_history(store: Store) -> None:
    days = 10
    await store.promises.write({"shop": [spell(0, 30), spell(30, days * 1_440, "down")]})
    await forgotten(store, Keep(history_ms=4 * DAY_MS), DAY_0 + days * DAY + HOUR)
    (reach,) = (await store.promises.reach()).values()
    assert reach.start == DAY_0 + 6 * DAY
    assert await kept(store) == [spell(30, days * 1_440, "down")]
    assert [day.start for day in await store.promises.days("shop", 0, 2**60)] == [
        DAY_0 + n * DAY for n in range(6, 10)
    ]


async def test_what_a_wrong_clock_wrote_is_taken_back(store: Store) -> None:
    rows = [spell(0, 5), spell(5, 3_000, "unknown")]
    await store.promises.write({"shop": rows})
    await store.promises.take_back("shop", DAY_0 + 7 * 60_000)
    assert await kept(store) == [spell(0, 5), spell(5, 7, "unknown")]
    (day,) = await store.promises.days("shop", 0, 2**60)
    assert day.tally.whole == 7 * 60_000
    await store.promises.take_back("shop", DAY_0 - 1)
    assert await kept(store) == []
    assert await store.promises.days("shop", 0, 2**60) == []
    assert await store.promises.reach() == {}


# --- services made at run time ----------------------------------------------------------------------------------------


async def test_a_service_is_made_changed_and_removed(store: Store) -> None:
    shop = Promise("shop", '{"name":"shop"}', NOW, "ada")
    await store.promises.put(shop)
    await store.promises.put(changed := replace(shop, options="{}", changed_by="token:ci"))
    assert await store.promises.all() == [changed]
    assert await store.promises.remove("shop")
    assert not await store.promises.remove("shop")
    assert await store.promises.all() == []


async def test_there_are_only_so_many(store: Store) -> None:
    for number in range(SERVICES_MAX):
        await store.promises.put(Promise(f"s{number:03}", "{}", NOW, "ada"))
    with pytest.raises(StoreError, match="200 services already"):
        await store.promises.put(Promise("one-more", "{}", NOW, "ada"))
    await store.promises.put(Promise("s000", "{}", NOW + 1, "ada"))


# --- when the collector listened --------------------------------------------------------------------------------------


async def test_between_its_runs_the_collector_was_away(store: Store) -> None:
    await store.promises.listened(NOW, NOW)
    await store.promises.listened(NOW, NOW + 60_000)
    await store.promises.listened(NOW + 90_000, NOW + 120_000)
    assert await store.promises.away(NOW - 10, NOW + 130_000) == [
        (NOW - 10, NOW),
        (NOW + 60_000, NOW + 90_000),
        (NOW + 120_000, NOW + 130_000),
    ]
    assert await store.promises.away(NOW + 1, NOW + 2) == []


async def test_runs_that_overlap_since_the_clock_was_set_back_are_one(store: Store) -> None:
    await store.promises.listened(NOW, NOW + 60_000)
    await store.promises.listened(NOW + 10_000, NOW + 20_000)
    assert await store.promises.away(NOW, NOW + 60_000) == []


async def test_before_the_first_run_it_was_away(store: Store) -> None:
    assert await store.promises.away(NOW, NOW + 1) == [(NOW, NOW + 1)]


# --- what came late ---------------------------------------------------------------------------------------------------


async def test_what_comes_after_its_time_was_looked_at_is_noted_with_the_batch(place: Place) -> None:
    store = await place.open()
    host = await enrolled(store)
    await store.commit([batch(host.id, NOW - DAY, arrived_at=NOW, seq=0)])
    assert await store.promises.late() == []
    await store.promises.looks_until(NOW)
    await store.commit(
        [
            batch(host.id, NOW, seq=1),
            batch(host.id, NOW - TICK, arrived_at=NOW - TICK, seq=2),
            batch(host.id, NOW - HOUR, arrived_at=NOW, seq=3),
        ]
    )
    store = await place.reopen()
    expected = LateRange(host.id, NOW - HOUR, NOW - TICK + 25_000, 2)
    assert await store.promises.late() == [expected]
    await store.promises.looks_until(NOW + TICK)
    await store.commit([batch(host.id, NOW + 1, seq=4)])
    await store.promises.late_done([expected])
    (left,) = await store.promises.late()
    assert (left.noted, left.end) == (3, NOW + 1 + 25_000)
    await store.promises.late_done([left])
    assert await store.promises.late() == []


async def test_when_the_clock_was_set_back_less_is_late(store: Store) -> None:
    host = await enrolled(store)
    await store.promises.looks_until(NOW + DAY)
    await store.promises.looks_until(NOW)
    await store.commit([batch(host.id, NOW + HOUR)])
    assert await store.promises.late() == []


async def test_it_is_known_which_hosts_have_a_check(store: Store) -> None:
    hosts = [await enrolled(store, name) for name in ("alice", "bob")]
    for host in hosts:
        said = [CheckAnswer(id, "http", "ok", NOW) for id in ("shop", f"only-{host.name}")]
        await store.commit([Outcome(arrival=arrival(host.id, NOW), checks=said)])
    assert await store.promises.asked(["shop", "only-bob", "nothing"]) == [
        Asked(hosts[0].id, "shop", "http"),
        Asked(hosts[1].id, "only-bob", "http"),
        Asked(hosts[1].id, "shop", "http"),
    ]


# --- what it is reckoned from -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True])
async def test_a_host_is_heard_and_some_of_its_series_are_read(store: Store, packed: bool) -> None:
    host = await enrolled(store)
    ticks = [NOW + n * TICK for n in range(10)]
    batches = [
        batch(host.id, at, {"load1": float(n)} if n % 2 else {"other": 1.0}, seq=n, every_ms=TICK + n)
        for n, at in enumerate(ticks)
    ]
    await store.commit(batches)
    if packed:
        await sealed(store, NOW + 3 * HOUR)
    found = await store.promises.spoken(host.id, ["load1", "nothing"], ticks[2], ticks[8])
    assert found.at.tolist() == ticks[2:8]
    assert found.every_ms.tolist() == [TICK + n for n in range(2, 8)]
    assert found.series["load1"][0].tolist() == [ticks[n] for n in (3, 5, 7)]
    assert found.series["load1"][1].tolist() == [3.0, 5.0, 7.0]
    assert found.series["nothing"][0].tolist() == []
    assert found.first_at == ticks[0]


async def test_what_comes_late_from_before_is_the_first_then(store: Store) -> None:
    host = await enrolled(store)
    await store.commit([batch(host.id, NOW, seq=0)])
    await sealed(store, NOW + 3 * HOUR)
    await store.commit([batch(host.id, NOW - HOUR, seq=1, arrived_at=NOW + 3 * HOUR)])
    found = await store.promises.spoken(host.id, [], NOW, NOW + 1)
    assert (found.first_at, found.at.tolist()) == (NOW - HOUR, [NOW])


async def test_a_host_that_was_never_heard_says_nothing(store: Store) -> None:
    host = await enrolled(store)
    found = await store.promises.spoken(host.id, ["load1"], NOW, NOW + HOUR)
    assert found.first_at is None
    assert np.array_equal(found.at, np.empty(0))
    assert await store.promises.samples_from() is None


async def test_it_is_known_since_when_there_are_samples(store: Store) -> None:
    host = await enrolled(store)
    days = [NOW // DAY * DAY + n * DAY + HOUR for n in range(6)]
    await store.commit([batch(host.id, at, seq=n) for n, at in enumerate(reversed(days))])
    await store.commit([batch((await enrolled(store, "bob")).id, days[3])])
    assert await store.promises.samples_from() == days[0]
    await sealed(store, days[-1] + 30 * HOUR)
    await forgotten(store, Keep(samples_ms=3 * DAY), days[-1] + 30 * HOUR)
    assert await store.promises.samples_from() == days[4]
