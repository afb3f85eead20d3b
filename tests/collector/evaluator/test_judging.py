"""The evaluator over the real store: what it makes of batches, of silence and of what comes late."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from collector.evaluator.committing import QUEUE_MAX
from collector.store import Row, StoreError
from rules.kinds import flapping, fleet
from tests.collector.evaluator.house import CPU, OPS, SILENT, House, late_transitions, pass_time, settle
from tests.collector.stores.builders import NOW, TICK, arrival, enrolled


async def test_a_batch_that_is_answered_is_in_the_store(house: House) -> None:
    assert await house.push(1) == "ok"
    assert await house.stored() == [1]


async def test_a_batch_sent_twice_is_taken_once_and_acknowledged_twice(house: House) -> None:
    assert [await house.push(1), await house.push(1)] == ["ok", "ok"]
    assert await house.stored() == [1]


async def test_a_breach_is_told_of_once_when_it_lasts_and_once_when_it_is_over(house: House) -> None:
    for seq, cpu in enumerate([10, 95, 95, 95, 95, 10, 10]):
        await house.push(seq, cpu)
    assert await house.reasons() == ["first", "resolved"]


async def test_a_host_enrolled_while_we_run_may_push_at_once(house: House) -> None:
    house.host = await enrolled(house.store, "bob")
    assert await house.push(1) == "ok"


async def test_a_host_that_nobody_knows_is_put_off(house: House) -> None:
    with pytest.raises(StoreError, match="host 77 has a token but is not in the store"):
        await house.evaluator.take([arrival(77, NOW)])


async def test_a_queue_that_is_full_puts_a_push_off_before_it_is_judged(house: House) -> None:
    many = [arrival(house.host.id, NOW + seq, seq=seq) for seq in range(QUEUE_MAX + 1)]
    with pytest.raises(StoreError, match="than there is room for"):
        await house.evaluator.take(many)
    assert await house.push(1) == "ok"
    assert await house.stored() == [1]


async def test_a_host_that_was_put_off_is_not_missed_for_it(house: House) -> None:
    await house.push(0)
    pass_time(house, 20)
    with pytest.raises(StoreError, match="than there is room for"):
        await house.evaluator.take([arrival(house.host.id, NOW, seq=seq) for seq in range(QUEUE_MAX + 1)])
    pass_time(house, 29)
    await house.evaluator.stop()
    assert await house.reasons() == []


# --- silence ----------------------------------------------------------------------------------------------------------


async def test_a_silent_host_is_told_of_and_so_is_its_return(house: House) -> None:
    await house.push(1)
    pass_time(house, 40)
    await house.push(9)
    assert await house.reasons() == ["first", "resolved"]


async def test_a_host_that_said_bye_is_not_missed_even_by_a_collector_that_starts_anew(house: House) -> None:
    await house.push(0)
    word = arrival(
        house.host.id, NOW + 1_000, {}, seq=1, arrived_at=NOW + 1_000, flags=("shutdown",), checks=[]
    )
    assert await house.evaluator.take([word]) == ["ok"]
    assert await house.stored() == [0]
    [kept] = await house.store.samples.overview()
    assert (kept.host.bye, kept.host.arrived_at) == ("shutdown", NOW + 1_000)
    assert list(kept.values) == ["cpu_used_pct"]
    assert house.evaluator.hosts_by_state() == {
        "heard": 0, "silent": 0, "restarting": 0, "stopped": 1, "never_heard": 0,
    }  # fmt: skip
    await house.evaluator.stop()
    house.registry = CollectorRegistry()
    again = house.make([CPU, SILENT])
    await again.start()
    house.clock.ms += 1_000_000
    again.tick()
    house.clock.ms += 4_000
    again.tick()
    await again.stop()
    assert await house.reasons() == []


async def test_nobody_is_called_silent_for_time_in_which_we_slept(house: House) -> None:
    await house.push(1)
    house.clock.ms += 3_600_000
    house.evaluator.tick()
    house.clock.ms += 1_000
    house.evaluator.tick()
    assert await house.reasons() == []


async def test_a_host_is_missed_though_the_clock_was_set_back_since_it_was_heard(house: House) -> None:
    await house.push(360)
    house.clock.set_by_ms = -3_600_000
    pass_time(house, 40)
    await house.evaluator.stop()
    assert await house.reasons() == ["first"]


async def test_a_host_is_missed_while_the_past_of_another_is_being_read(house: House) -> None:
    await house.push(0)
    await house.push(9)
    await house.push(5, cpu=95)
    read, reading = house.store.samples.rows, asyncio.Event()

    async def never(*given: int) -> list[Row]:
        reading.set()
        await asyncio.Event().wait()
        return await read(*given)

    house.store.samples.rows = never  # type: ignore[method-assign]
    pass_time(house, 25)
    repair = asyncio.create_task(house.evaluator.repair_late())
    await reading.wait()
    pass_time(house, 20)
    repair.cancel()
    await house.evaluator.stop()
    assert await house.reasons() == ["first"]


async def test_a_restart_counts_silence_from_its_own_start(house: House) -> None:
    await house.push(1)
    await house.evaluator.stop()
    house.clock.ms += 3_600_000
    house.registry = CollectorRegistry()
    house.evaluator = house.make([SILENT])
    await house.evaluator.start()
    house.evaluator.tick()
    assert await house.reasons() == []


async def test_a_rule_that_looks_back_knows_after_a_start_what_it_knew_before(house: House) -> None:
    flaps = flapping.Rule(flapping.Options(name="flaps", metric="cpu_used_pct", above=3.0, over_s=300))
    for seq in range(3):
        await house.push(seq, cpu=seq % 2)
    await house.evaluator.stop()
    house.registry = CollectorRegistry()
    house.evaluator = house.make([flaps])
    await house.evaluator.start()
    await asyncio.gather(*(house.push(seq, cpu=seq % 2) for seq in (3, 4)))
    await house.evaluator.stop()
    assert await house.reasons() == ["first"], "two changes before the start and two after it"
    [alert] = await house.store.incidents.open_alerts()
    assert (alert.rule, alert.value) == ("flaps", 4.0)


async def test_a_rule_that_is_new_looks_back_as_well(house: House) -> None:
    flaps = flapping.Rule(flapping.Options(name="flaps", metric="cpu_used_pct", above=3.0, over_s=300))
    for seq in range(4):
        await house.push(seq, cpu=seq % 2)
    house.evaluator.replace_rules([flaps], [OPS])
    await house.push(4, cpu=0)
    assert await house.reasons() == ["first"]


# --- late batches -----------------------------------------------------------------------------------------------------


async def test_a_breach_that_was_over_before_we_heard_of_it_wakes_nobody_and_is_on_record(
    house: House,
) -> None:
    house.evaluator.replace_rules([CPU], [OPS])
    await house.push(0)
    await house.push(9)
    for seq, cpu in enumerate([95, 95, 95, 95, 95, 10, 10, 10], start=1):
        await house.push(seq, cpu)
    await settle(house)
    assert await house.reasons() == []
    assert await house.stored() == list(range(10))
    assert late_transitions(house) == [("pending", "firing"), ("firing", "ok")]


async def test_a_breach_that_goes_on_is_dated_from_its_first_sample_however_late_that_came(
    house: House,
) -> None:
    house.evaluator.replace_rules([CPU], [OPS])
    await house.push(0)
    await house.push(6, cpu=95)
    for seq in (1, 2):
        await house.push(seq)
    for seq in (3, 4, 5):
        await house.push(seq, cpu=95)
    await settle(house)
    [alert] = await house.store.incidents.open_alerts()
    assert alert.since == NOW + 3 * TICK
    assert await house.reasons() == ["first"]


async def test_what_is_judged_over_many_hosts_is_kept_over_a_start(house: House) -> None:
    many = fleet.Rule(fleet.Options(name="many", rules=["cpu-high"], need=1))
    house.evaluator.replace_rules([CPU, many], [OPS])
    for seq in range(4):
        await house.push(seq, 95)
    pass_time(house, 1)
    await house.evaluator.stop()
    assert {alert.subject for alert in await house.store.incidents.open_alerts()} >= {"group:all"}
    house.registry = CollectorRegistry()
    again = house.make([CPU, many])
    await again.start()
    assert again.watch.gathered["many", "group:all"].state == "firing"
    await again.stop()
