"""What people did to incidents: kept in order, never altered, gone with their incident."""

from __future__ import annotations

import pytest

from collector.store import Keep, Store, StoreError
from rules.model import Outcome, Remark, RuleState
from tests.collector.stores.builders import DAY, NOW, alert, forgotten, incident


def remark(number: int, at: int, text: str = "looking at it") -> Remark:
    return Remark(number, at, "ada", "note", text)


async def test_the_remarks_of_an_incident_come_oldest_first(store: Store) -> None:
    said = [remark(1, NOW + 20), remark(1, NOW, "first"), remark(2, NOW)]
    await store.commit([Outcome(incidents=[incident(1), incident(2)], remarks=said)])
    await store.commit([Outcome(remarks=[remark(1, NOW + 20, "a moment after")])])
    assert [one.text for one in await store.incidents.remarks(1)] == [
        "first",
        "looking at it",
        "a moment after",
    ]
    assert await store.incidents.remarks(2) == [remark(2, NOW)]
    assert await store.incidents.remarks(3) == []


async def test_what_everybody_may_read_comes_newest_first_and_nothing_else_with_it(store: Store) -> None:
    told = [Remark(number, NOW + number, "ada", "published", f"update {number}") for number in (1, 2, 1)]
    await store.commit([Outcome(incidents=[incident(1), incident(2)], remarks=[*told, remark(1, NOW)])])
    assert await store.incidents.published(10) == list(reversed(told))
    assert await store.incidents.published(1) == told[-1:]


async def test_a_remark_about_no_incident_is_not_kept(store: Store) -> None:
    with pytest.raises(StoreError):
        await store.commit([Outcome(remarks=[remark(7, NOW)])])


async def test_remarks_go_with_their_incident_however_new_they_are(store: Store) -> None:
    old = incident(1, NOW - 40 * DAY, resolved_at=NOW - 30 * DAY)
    await store.commit([Outcome(incidents=[old, incident(2)], remarks=[remark(1, NOW), remark(2, NOW)])])
    await forgotten(store, Keep(history_ms=20 * DAY), NOW)
    assert await store.incidents.get(1) is None
    assert await store.incidents.remarks(1) == []
    assert len(await store.incidents.remarks(2)) == 1


async def test_an_incident_comes_back_with_all_that_people_made_of_it(store: Store) -> None:
    changed = incident(
        1,
        assignee="bob",
        snoozed_until=NOW + 1,
        opened_by="ada",
        resolved_by="eve",
        text="it burns",
        services=("shop", "mail"),
        edited=("severity", "title"),
        postmortem="# what we learned",
    )
    await store.commit([Outcome(incidents=[changed])])
    assert await store.incidents.get(1) == changed


async def test_a_rule_that_a_person_hushed_is_hushed_after_a_start(store: Store) -> None:
    hushed = RuleState("load", "host:1/series:load1", "firing", NOW, "warning", hushed="warning")
    over = alert(1, of=1, resolved_at=NOW)
    await store.commit([Outcome(incidents=[incident(1)], alerts=[over], states=[hushed])])
    assert (await store.remember(NOW)).states == [hushed]
