"""Recommendations, what became of them, runs of hooks and switches, as every engine keeps them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from collector.store import Store, StoreError
from collector.store.advice import ADVISED_MAX, Advised, HookRun, Switch
from rules.scaling.model import Change, Evidence
from tests.collector.stores.builders import NOW
from tests.collector.stores.conftest import Place

MINUTE = 60_000
ADVISED = Advised(
    "shop", NOW, NOW, "up", 3, 5, 3, 0.9, "cpu is at 96 %", (Evidence("cpu_used_pct", 96.0, 70.0, 5, 3),)
)
RUN = HookRun(0, "shop", NOW, "auto", 3, 5, dry_run=False)


async def test_what_is_said_is_read_back_the_newest_first(store: Store) -> None:
    later = replace(ADVISED, since=NOW + MINUTE, until=NOW + MINUTE, direction="hold", wanted=5, evidence=())
    for advised in (ADVISED, later, replace(ADVISED, service="mail")):
        await store.advice.say(advised)
    assert await store.advice.said("shop", 10) == [later, ADVISED]
    assert await store.advice.said("shop", 1) == [later]
    assert len(await store.advice.said(None, 10)) == 3


async def test_what_goes_on_takes_the_place_of_what_it_was(store: Store) -> None:
    await store.advice.say(ADVISED)
    on = replace(ADVISED, until=NOW + 5 * MINUTE, became=5)
    await store.advice.say(on)
    assert await store.advice.said("shop", 10) == [on]


async def test_only_so_many_recommendations_of_a_service_are_kept(store: Store) -> None:
    await store.advice.say(replace(ADVISED, service="mail"))
    for number in range(0, ADVISED_MAX + 20, 1_000):
        await store.advice.say(replace(ADVISED, since=NOW + number))
    kept = await store.advice.said("shop", ADVISED_MAX)
    assert len(kept) == 6
    assert len(await store.advice.said("mail", 10)) == 1


async def test_changes_come_oldest_first_with_the_one_before(store: Store) -> None:
    changes = [Change(NOW + number * MINUTE, number, number + 1) for number in range(1, 5)]
    for change in [*changes, changes[0]]:
        await store.advice.changed("shop", change)
    await store.advice.changed("mail", changes[0])
    assert await store.advice.changes("shop", 0) == changes
    assert await store.advice.changes("shop", NOW + 3 * MINUTE) == changes[1:]
    assert await store.advice.changes("shop", NOW + 60 * MINUTE) == changes[-1:]
    assert await store.advice.changes("none", 0) == []


async def test_a_run_is_noted_before_and_after(store: Store) -> None:
    begun = await store.advice.begin_run(RUN)
    assert begun.id > 0
    assert await store.advice.runs("shop", 10) == [begun]
    await store.advice.end_run(begun.id, "done", "200 OK", NOW + 500)
    (ended,) = await store.advice.runs(None, 10)
    assert ended == replace(begun, state="done", answer="200 OK", ended_at=NOW + 500)
    with pytest.raises(StoreError, match=f"no run {begun.id}"):
        await store.advice.end_run(begun.id, "failed", "again", NOW)


async def test_after_a_restart_a_run_that_was_under_way_is_unsure(place: Place) -> None:
    store = await place.open()
    done = await store.advice.begin_run(RUN)
    await store.advice.end_run(done.id, "done", "", NOW)
    await store.advice.begin_run(replace(RUN, by="ada"))
    store = await place.reopen()
    assert await store.advice.interrupted(NOW + MINUTE) == 1
    unsure, other = await store.advice.runs("shop", 10)
    assert (unsure.state, unsure.by, unsure.ended_at) == ("unsure", "ada", NOW + MINUTE)
    assert "stopped before it knew" in unsure.answer
    assert other.state == "done"
    assert await store.advice.interrupted(NOW + MINUTE) == 0


async def test_a_switch_stays_as_it_was_put(place: Place) -> None:
    store = await place.open()
    await store.advice.switch(Switch("shop", True, NOW, "ada"))
    await store.advice.switch(Switch("mail", False, NOW, "ada"))
    await store.advice.switch(Switch("shop", False, NOW + 1, "bob"))
    store = await place.reopen()
    assert await store.advice.switches() == [
        Switch("mail", False, NOW, "ada"),
        Switch("shop", False, NOW + 1, "bob"),
    ]
