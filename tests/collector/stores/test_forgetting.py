"""What has had its time goes, in pieces; what has not, and what is still open, stays."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from agent.wire import Evidence
from collector.store import EvidenceRow, Keep, Store
from rules.model import Outcome, RuleState
from tests.collector.stores.builders import (
    DAY,
    HOUR,
    NOW,
    TICK,
    alert,
    batch,
    enrolled,
    forgotten,
    incident,
    notice,
    sealed,
    transition,
)

EVER = (0, 2**62)
MIDNIGHT = NOW // DAY * DAY
LATER = MIDNIGHT + 10 * DAY


async def times(store: Store, host: int) -> list[int]:
    return (await store.samples.series(host, "load1", *EVER)).at.tolist()


async def test_samples_go_by_whole_hours_once_they_are_packed_but_never_a_hosts_newest(store: Store) -> None:
    alice, bob = await enrolled(store, "alice"), await enrolled(store, "bob")
    some = [NOW + n * HOUR // 2 for n in range(6)]
    await store.commit([batch(host.id, at) for host in (alice, bob) for at in some])
    await store.commit([batch(alice.id, LATER)])
    keep = Keep(samples_ms=LATER - NOW - HOUR - 1)
    await forgotten(store, keep, LATER)
    assert len(await times(store, alice.id)) == 7  # they are still as they came
    await sealed(store, LATER)
    await forgotten(store, keep, LATER)
    assert await times(store, alice.id) == [*some[2:], LATER]
    assert (await store.health()).batches == 9
    await forgotten(store, Keep(samples_ms=0), LATER)
    assert await times(store, bob.id) == [some[-1]]  # bob has not been heard since
    assert (await store.health()).batches == 2


async def test_what_comes_late_from_before_the_samples_that_are_kept_goes_too(store: Store) -> None:
    host = await enrolled(store)
    await store.commit([batch(host.id, at) for at in (NOW, NOW + TICK, LATER)])
    await sealed(store, LATER)
    await forgotten(store, Keep(samples_ms=DAY), LATER)
    await store.commit([batch(host.id, NOW + n, {"load1": 5.0}) for n in range(9)])
    await sealed(store, LATER + HOUR)
    await forgotten(store, Keep(samples_ms=DAY), LATER + HOUR)
    assert await times(store, host.id) == [LATER]
    steps = (await store.samples.series_step(host.id, ["load1"], NOW, NOW + HOUR, HOUR))["load1"]
    assert steps.count.tolist() == [2]  # the rollup stays what it was


async def test_series_that_were_dropped_can_come_back(store: Store) -> None:
    host = await enrolled(store)
    await store.commit([batch(host.id, NOW + n, {"old": 1.0}) for n in (1, 2)])
    await store.commit([batch(host.id, LATER, {"new": 2.0})])
    await sealed(store, LATER)
    await forgotten(store, Keep(samples_ms=0, rollups_ms=0), LATER)
    assert await store.samples.names(host.id, *EVER) == ["new"]
    await store.commit([batch(host.id, LATER + 1, {"old": 3.0})])
    assert (await store.samples.series(host.id, "old", *EVER)).values.tolist() == [3.0]


async def test_rollups_outlive_samples_and_go_in_their_turn(store: Store) -> None:
    host = await enrolled(store)
    await store.commit([batch(host.id, MIDNIGHT + day * DAY) for day in range(11)])
    await sealed(store, LATER)

    async def days() -> list[int]:
        steps = (await store.samples.series_step(host.id, ["load1"], MIDNIGHT, LATER, DAY))["load1"]
        return [(at - MIDNIGHT) // DAY for at in steps.at.tolist()]

    await forgotten(store, Keep(samples_ms=2 * DAY), LATER)
    assert await times(store, host.id) == [MIDNIGHT + day * DAY for day in (8, 9, 10)]
    assert await days() == list(range(10))
    await forgotten(store, Keep(samples_ms=2 * DAY, rollups_ms=5 * DAY), LATER)
    assert await days() == list(range(5, 10))


async def test_history_goes_with_its_incident_once_that_is_long_resolved(store: Store) -> None:
    long_ago, of_late = NOW, NOW + 90 * DAY
    outcome = Outcome(
        incidents=[
            incident(1, long_ago, resolved_at=long_ago + HOUR),
            incident(2, long_ago),  # open to this day
            incident(3, long_ago, resolved_at=of_late),
        ],
        alerts=[
            alert(1, of=1, resolved_at=long_ago + HOUR),
            alert(2, of=2),
            alert(3, of=3, resolved_at=of_late),
        ],
        transitions=[transition(long_ago, of=number) for number in (1, 2, 3)]
        + [transition(long_ago), transition(of_late)],
        notices=[notice(f"n{number}", of=number) for number in (1, 2, 3)],
        states=[RuleState("load", "host:1/series:load1", "firing", long_ago, alert=2)],
    )
    await store.commit([outcome])
    for number in (1, 2, 3):
        await store.incidents.add_evidence(EvidenceRow(number, number, 1, NOW, Evidence(number, NOW, 5)))
    now = of_late + DAY
    assert await forgotten(store, Keep(), now) == 1
    assert len(await store.incidents.recent(10)) == 3
    await forgotten(store, Keep(history_ms=30 * DAY), now)
    assert [found.id for found in await store.incidents.recent(10)] == [2, 3]
    assert [row.notice.id for row in await store.notices.recent(10)] == ["n3", "n2"]
    assert [len(await store.incidents.evidence(number)) for number in (1, 2, 3)] == [0, 1, 1]
    assert await store.incidents.transitions(1) == []
    assert len(await store.incidents.transitions(2)) == 1
    assert len(await store.incidents.transitions(3)) == 1
    assert [found.id for found in await store.incidents.open_alerts()] == [2]


async def test_an_incident_that_was_resolved_long_ago_stays_while_a_transition_of_it_is_young(
    store: Store,
) -> None:
    late = replace(transition(NOW, of=1, late=True), recorded_at=LATER)
    await store.commit(
        [
            Outcome(
                incidents=[incident(1, NOW, resolved_at=NOW + HOUR)],
                alerts=[alert(1, of=1, resolved_at=NOW + HOUR)],
                transitions=[late],
            )
        ]
    )
    await forgotten(store, Keep(history_ms=HOUR), LATER)
    assert len(await store.incidents.transitions(1)) == 1
    await forgotten(store, Keep(history_ms=HOUR), LATER + 2 * HOUR)
    assert await store.incidents.get(1) is None


async def test_much_is_dropped_in_many_pieces(store: Store) -> None:
    hosts = [await enrolled(store, f"host-{number}") for number in range(40)]
    for hour in range(8):
        await store.commit([batch(host.id, NOW + hour * HOUR) for host in hosts])
    await store.commit([batch(host.id, LATER) for host in hosts])
    await store.commit([Outcome(transitions=[transition(NOW + n) for n in range(3_000)])])
    await sealed(store, LATER)
    assert await forgotten(store, Keep(samples_ms=0, rollups_ms=0, history_ms=0), LATER) > 5
    assert (await store.health()).batches == 40


async def test_commits_and_readings_go_on_while_much_is_dropped(store: Store) -> None:
    hosts = [await enrolled(store, f"host-{number}") for number in range(40)]
    for hour in range(24):
        await store.commit([batch(host.id, NOW + hour * HOUR) for host in hosts])
    await sealed(store, LATER)
    dropping = asyncio.create_task(forgotten(store, Keep(samples_ms=0, rollups_ms=0), LATER))
    fresh = 0
    while not dropping.done():
        await store.commit([batch(host.id, LATER + fresh, {"load1": -1.0}) for host in hosts])
        fresh += 1
        assert len(await store.samples.overview()) == len(hosts)
    assert await dropping > 5
    assert fresh > 2
    assert (await times(store, hosts[0].id))[-fresh:] == [LATER + n for n in range(fresh)]
    assert len(await times(store, hosts[0].id)) <= fresh + 1  # and what was its newest when it began


async def test_a_clock_that_was_far_ahead_for_a_while_costs_nothing_that_comes_later(store: Store) -> None:
    host = await enrolled(store)
    await forgotten(store, Keep(samples_ms=DAY), LATER + 5_000 * DAY)
    await store.commit([batch(host.id, NOW), batch(host.id, LATER)])
    await sealed(store, LATER)
    await forgotten(store, Keep(samples_ms=30 * DAY), LATER)
    assert await times(store, host.id) == [NOW, LATER]


@pytest.mark.parametrize("behind", [3 * HOUR, 100 * DAY])
async def test_what_came_while_the_clock_was_behind_is_packed_like_all_else(
    store: Store, behind: int
) -> None:
    alice, bob = (await enrolled(store, "alice")).id, (await enrolled(store, "bob")).id
    then = LATER - behind
    await store.commit([batch(host, LATER, {"load1": 1.0}) for host in (alice, bob)])
    await store.commit([batch(alice, then, {"load1": 2.0, "disk": 3.0})])
    await store.commit([batch(host, LATER + TICK, {"load1": 4.0}) for host in (alice, bob)])
    keep = Keep(samples_ms=101 * DAY)
    await forgotten(store, keep, LATER + TICK)
    assert (await store.samples.series(alice, "disk", *EVER)).values.tolist() == [3.0]
    await sealed(store, LATER + 2 * HOUR)
    await forgotten(store, keep, LATER + 2 * HOUR)
    assert await times(store, alice) == [then, LATER, LATER + TICK]
    assert (await store.samples.series(alice, "disk", *EVER)).values.tolist() == [3.0]
