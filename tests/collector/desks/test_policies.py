"""Silences and maintenance hold as soon as they are kept, beside what the config says, and after a start."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from collector.config import CollectorConfig
from collector.desks.policies import Policies
from collector.stores.sqlite import open_store
from collector.who import LOCAL, Refusal
from rules.policy import Maintenance, Planned, Silence
from tests.collector.desks.house import policies_of
from tests.collector.evaluator.house import CPU, House, pass_time
from tests.collector.stores.builders import enrolled

HOUR = 3_600_000


@pytest.fixture
async def house(tmp_path: Path) -> AsyncGenerator[House, None]:
    store = await open_store(tmp_path, role="collector")
    house = House(store, await enrolled(store))
    yield house
    await house.evaluator.stop()
    await store.close()


async def started(house: House, said: CollectorConfig | None = None) -> Policies:
    """An evaluator as after a start, with the policies that it stands under."""
    await house.evaluator.stop()
    house.registry = CollectorRegistry()
    house.evaluator = house.make([CPU])
    policies = policies_of(house.store, house.evaluator, house.clock.now_ms, said)
    await policies.start()
    await house.evaluator.start()
    return policies


def silence(house: House, lasts_ms: int = HOUR) -> Silence:
    now = house.clock.now_ms()
    return Silence(where={"host": house.host.name}, start=now, end=now + lasts_ms, by="ada")


async def make_it_bad(house: House) -> None:
    for seq in range(4):
        await house.push(seq, cpu=99)


async def reasons(house: House) -> list[str]:
    """All that was owed, once it is on disk."""
    await house.push(1_000_000 + house.clock.ms, cpu=99, at=house.clock.ms)
    return await house.reasons()


async def test_a_silence_holds_at_once_and_through_a_start_and_when_it_ends_the_problem_is_told(
    house: House,
) -> None:
    policies = await started(house)
    kept = await policies.add_silence(LOCAL, silence(house, 300_000))
    await make_it_bad(house)
    assert await reasons(house) == []
    policies = await started(house)
    assert [one.id for one in policies.silences] == [kept.id]
    pass_time(house, 200)
    assert await reasons(house) == []
    pass_time(house, 100)
    assert await reasons(house) == ["first"]


async def test_ending_a_silence_tells_what_it_kept(house: House) -> None:
    policies = await started(house)
    kept = await policies.add_silence(LOCAL, silence(house))
    await make_it_bad(house)
    await policies.end_silence(LOCAL, kept.id)
    pass_time(house, 1)
    assert await reasons(house) == ["first"]


async def test_maintenance_is_planned_and_taken_back(house: House) -> None:
    policies = await started(house)
    planned = await policies.add_maintenance(
        LOCAL, Planned(name="work", when="daily 00:00 to 24:00", by="ada")
    )
    await make_it_bad(house)
    assert await reasons(house) == []
    assert [one.name for one in policies.planned] == ["work"]
    assert await policies.remove_maintenance(LOCAL, planned.id) == planned
    pass_time(house, 1)
    assert await reasons(house) == ["first"]


async def test_what_the_config_says_holds_beside_it_and_anew_after_a_reload(house: House) -> None:
    everyday = Maintenance(name="always", when="daily 00:00 to 24:00")
    policies = await started(house, CollectorConfig(maintenance=[everyday]))
    await make_it_bad(house)
    assert await reasons(house) == []
    await policies.add_silence(LOCAL, silence(house, 2_000))
    policies.configure(CollectorConfig())
    pass_time(house, 1)
    assert await reasons(house) == [], "the silence still holds"
    pass_time(house, 2)
    assert await reasons(house) == ["first"]


@pytest.mark.parametrize(
    ("begins_ms", "ends_ms", "sentence"),
    [(0, 0, "it lasts no time"), (HOUR, 0, "it ends before it begins"), (-HOUR, -1, "it is over already")],
)
async def test_a_silence_that_would_say_nothing_is_refused(
    house: House, begins_ms: int, ends_ms: int, sentence: str
) -> None:
    policies, now = await started(house), house.clock.now_ms()
    with pytest.raises(Refusal, match="ends after it begins, and in the future"):
        await policies.add_silence(
            LOCAL, Silence(rules=("x",), start=now + begins_ms, end=now + ends_ms, by="ada")
        )
    assert list(policies.silences) == [], sentence


async def test_what_is_withheld_is_written_beside_the_incident(house: House) -> None:
    policies = await started(house)
    kept = await policies.add_silence(LOCAL, silence(house))
    await make_it_bad(house)
    await reasons(house)
    [incident] = await house.store.incidents.open()
    assert [(one.why, one.until, one.detail) for one in incident.withheld] == [("silence", kept.end, "ada")]


async def test_a_cap_outlives_a_start(house: House) -> None:
    await started(house)
    await make_it_bad(house)
    assert await reasons(house) == ["first"]
    await started(house)
    assert house.evaluator.watch.ledger.sent_within_the_hour("ops", "warning", house.clock.now_ms()) == 1
