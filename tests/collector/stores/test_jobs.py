"""What is known of jobs is there after a start, one word of each: the last."""

from __future__ import annotations

from collector.store import Store
from rules.jobs import Job
from tests.collector.stores.builders import NOW
from tests.collector.stores.conftest import Place


async def test_there_are_none_at_first(store: Store) -> None:
    assert await store.jobs.all() == []


async def test_the_last_word_of_each_stands_after_a_restart(place: Place) -> None:
    store = await place.open()
    await store.jobs.keep(Job("mail", NOW))
    await store.jobs.keep(Job("backup", NOW, started_at=NOW + 1))
    ended = Job("backup", NOW, NOW + 1, NOW + 5, exit_code=3, took_ms=4, words="no room ”\n")
    await store.jobs.keep(ended)
    store = await place.reopen()
    assert await store.jobs.all() == [ended, Job("mail", NOW)]


async def test_those_that_are_not_asked_about_any_more_are_gone(store: Store) -> None:
    for name in ("a", "b", "c"):
        await store.jobs.keep(Job(name, NOW))
    await store.jobs.forget(["c", "a", "never"])
    assert [job.name for job in await store.jobs.all()] == ["b"]
    await store.jobs.forget([])
    assert [job.name for job in await store.jobs.all()] == ["b"]
