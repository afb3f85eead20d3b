"""The collector says once that it was not there, and blames nobody."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from collector.itself.attendance import AWAY_MS_MIN, NOTE_S, Attendance
from collector.stores.sqlite import open_store
from rules.model import Incident
from tests.collector.evaluator.house import House, pass_time
from tests.collector.stores.builders import NOW, TICK, enrolled

HOUR = 3_600_000


@pytest.fixture
async def house(tmp_path: Path) -> AsyncGenerator[House, None]:
    store = await open_store(tmp_path, role="collector")
    house = House(store, await enrolled(store))
    await house.evaluator.start()
    yield house
    await house.evaluator.stop()
    await store.close()


def attendance(house: House) -> Attendance:
    return Attendance(house.store.promises, house.evaluator.act, now_ms=house.clock.now_ms)


async def listen(house: House, there: Attendance, seconds: int) -> None:
    for _ in range(seconds // NOTE_S):
        house.clock.ms += NOTE_S * 1_000
        await there.note()


async def said(house: House) -> list[Incident]:
    return [one for one in await house.store.incidents.recent(10) if one.opened_by]


async def test_the_first_start_of_all_has_nothing_to_say(house: House) -> None:
    there = attendance(house)
    await there.start()
    await listen(house, there, 300)
    assert await said(house) == []


async def test_a_start_after_hours_says_once_from_when_to_when_nobody_listened(house: House) -> None:
    there = attendance(house)
    await there.start()
    await listen(house, there, 600)
    house.clock.ms += 2 * HOUR
    again = attendance(house)
    await again.start()
    await listen(house, again, 300)
    [incident] = await said(house)
    assert incident.title == (
        "The collector was away from 2027-01-15 08:10:00 UTC to 2027-01-15 10:10:00 UTC"
    )
    assert (incident.severity, incident.resolved_by) == ("info", "watchkeeper")
    assert "no host is blamed" in incident.text


async def test_a_restart_that_takes_a_few_seconds_is_not_worth_a_word(house: House) -> None:
    there = attendance(house)
    await there.start()
    await listen(house, there, 600)
    house.clock.ms += AWAY_MS_MIN - 1_000
    await attendance(house).start()
    assert await said(house) == []


async def test_one_that_was_stopped_for_longer_than_it_looks_back_makes_nothing_up(house: House) -> None:
    await attendance(house).start()
    house.clock.ms += 60 * 24 * HOUR
    await attendance(house).start()
    assert await said(house) == []


async def test_a_machine_that_slept_says_so_and_the_store_knows_it(house: House) -> None:
    there = attendance(house)
    await there.start()
    await listen(house, there, 60)
    house.clock.ms += HOUR
    await listen(house, there, 60)
    [incident] = await said(house)
    assert incident.title.startswith("The collector slept, or its clock was set, from 2027-01-15 08:01:00")
    gaps = await house.store.promises.away(NOW, house.clock.ms)
    assert gaps == [(NOW + 60_000, NOW + 60_000 + HOUR + NOTE_S * 1_000)]


async def test_a_clock_that_was_set_back_begins_anew_and_says_nothing(house: House) -> None:
    there = attendance(house)
    await there.start()
    await listen(house, there, 60)
    house.clock.ms -= HOUR
    await listen(house, there, 60)
    assert await said(house) == []


async def test_no_host_is_called_silent_for_the_time_we_slept(house: House) -> None:
    there = attendance(house)
    await there.start()
    await house.push(0)
    pass_time(house, TICK // 1_000)
    await there.note()
    house.clock.ms += 2 * HOUR
    house.evaluator.tick()
    await there.note()
    assert [one.severity for one in await house.store.incidents.recent(10)] == ["info"]
    assert await house.reasons() == []
