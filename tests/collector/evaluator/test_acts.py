"""What people do to incidents goes through the one queue, and is on disk when it is answered."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from collector.store import StoreError
from collector.stores.sqlite import open_store
from rules.judging.acts import Acknowledge, Edit, Note, Open, Refused, Resolve
from rules.model import REOPEN_MS
from tests.collector.evaluator.house import CPU, SILENT, House
from tests.collector.stores.builders import NOW, TICK


async def in_trouble(house: House) -> None:
    """The host's CPU has been high for long enough to be told of."""
    for seq in range(4):
        await house.push(seq, cpu=95.0)
    assert await house.reasons() == ["first"]


async def started_again(house: House) -> None:
    await house.evaluator.stop()
    house.registry = CollectorRegistry()
    house.evaluator = house.make([CPU, SILENT])
    await house.evaluator.start()


async def test_an_act_is_on_disk_when_it_is_answered(house: House) -> None:
    await in_trouble(house)
    incident = await house.evaluator.act(Acknowledge(1, "ada", "on it"))
    assert incident.acknowledged_by == "ada"
    assert await house.store.incidents.get(1) == incident
    [remark] = await house.store.incidents.remarks(1)
    assert (remark.by, remark.kind, remark.text) == ("ada", "acknowledged", "on it")


async def test_from_firing_to_resolved_by_hand_while_the_rule_stays_bad(house: House) -> None:
    await in_trouble(house)
    incident = await house.evaluator.act(Resolve(1, "ada", "rebooted"))
    assert incident.resolved_at is not None
    for seq in range(4, 9):
        await house.push(seq, cpu=96.0)
    assert await house.reasons() == ["first", "resolved"]
    assert await house.store.incidents.open_alerts() == []
    whys = [step.why for step in await house.store.incidents.transitions(1)]
    assert "resolved by ada" in whys
    await house.push(9, cpu=10.0)
    for seq in range(10, 14):
        await house.push(seq, cpu=96.0)
    assert await house.reasons() == ["first", "resolved", "first"]


async def test_a_restart_knows_that_it_was_resolved_by_hand(house: House) -> None:
    await in_trouble(house)
    await house.evaluator.act(Resolve(1, "ada"))
    await started_again(house)
    for seq in range(4, 9):
        await house.push(seq, cpu=96.0)
    assert await house.reasons() == ["first", "resolved"]


async def test_an_incident_opened_by_hand_outlives_a_restart_and_every_sample(house: House) -> None:
    incident = await house.evaluator.act(Open("The shop is slow", "critical", "ada"))
    await started_again(house)
    for seq in range(5):
        await house.push(seq)
    assert [one.id for one in await house.store.incidents.open()] == [incident.id]
    await house.evaluator.act(Resolve(incident.id, "ada"))
    assert await house.reasons() == ["first", "resolved"]


async def test_an_act_that_is_refused_leaves_no_trace(house: House) -> None:
    with pytest.raises(Refused, match="There is no incident 7"):
        await house.evaluator.act(Note(7, "ada", "hm"))
    assert await house.store.incidents.remarks(7) == []


async def test_one_long_over_is_written_about_by_many_at_once(house: House) -> None:
    await in_trouble(house)
    await house.evaluator.act(Resolve(1, "ada"))
    house.clock.ms += 5 * REOPEN_MS
    await house.evaluator.act(Open("another", "info", "ada"))  # has the judge forget what is long over
    await asyncio.gather(
        house.evaluator.act(Edit(1, "ada", postmortem="We learned.")),
        house.evaluator.act(Edit(1, "bob", services=("shop",))),
        house.evaluator.act(Note(1, "eve", "hm")),
    )
    incident = await house.store.incidents.get(1)
    assert incident is not None
    assert (incident.postmortem, incident.services) == ("We learned.", ("shop",))
    assert [remark.by for remark in await house.store.incidents.remarks(1)] == ["ada", "ada", "bob", "eve"]


async def test_an_act_that_changes_nothing_answers_how_it_stands(house: House) -> None:
    await in_trouble(house)
    first = await house.evaluator.act(Acknowledge(1, "ada"))
    house.clock.ms += TICK
    assert await house.evaluator.act(Acknowledge(1, "ada")) == first
    assert first.acknowledged_at == NOW + 3 * TICK
    assert len(await house.store.incidents.remarks(1)) == 1


async def test_what_cannot_be_kept_is_not_said_to_be_done(house: House) -> None:
    await in_trouble(house)
    await house.store.close()
    with pytest.raises(StoreError):
        await house.evaluator.act(Acknowledge(1, "ada"))
    store = await open_store(house.store._folder.path, role="collector")  # type: ignore[attr-defined]
    incident = await store.incidents.get(1)
    assert incident is not None
    assert incident.acknowledged_at is None
    await store.close()
