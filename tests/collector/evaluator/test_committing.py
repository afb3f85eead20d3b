"""Judged and kept: nothing is answered before it is on disk, and a failing disk loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Sequence

import pytest

from collector.evaluator import BEHIND_FROM
from collector.evaluator.committing import COMMITS_APART_S
from collector.store import Keep, Remembered, StoreError
from rules.model import Host, Outcome
from tests.collector.evaluator.house import House, database, pass_time
from tests.collector.stores.builders import NOW, arrival
from tests.waiting import until_it_is


async def test_many_pushes_at_once_are_kept_in_a_few_commits(house: House) -> None:
    await asyncio.gather(*(house.push(seq) for seq in range(1, 101)))
    assert await house.stored() == list(range(1, 101))
    commits = house.registry.get_sample_value("watchkeeper_commit_seconds_count")
    assert commits is not None
    assert commits < 20


async def test_pushes_that_come_one_by_one_share_commits_unless_they_are_rare(house: House) -> None:
    def commits() -> float:
        return house.registry.get_sample_value("watchkeeper_commit_seconds_count") or 0

    for seq in (1, 2):
        await asyncio.sleep(2 * COMMITS_APART_S)
        before = commits()
        await house.push(seq)
        assert commits() == before + 1
    before = commits()
    pushes = []
    for seq in range(3, 103):
        pushes.append(asyncio.create_task(house.push(seq)))
        await asyncio.sleep(COMMITS_APART_S / 100)
    await asyncio.gather(*pushes)
    assert commits() - before < 50


async def test_who_can_wait_is_told_to_while_much_waits_to_be_committed(house: House) -> None:
    assert not house.evaluator.is_behind()
    pushes = [asyncio.create_task(house.push(seq)) for seq in range(BEHIND_FROM // 2 + 100)]
    await asyncio.sleep(0)
    assert house.evaluator.is_behind()
    await asyncio.gather(*pushes)
    assert not house.evaluator.is_behind()


async def test_listeners_hear_of_what_is_on_disk_and_of_nothing_else(house: House) -> None:
    await house.push(1)
    assert [outcome.arrival.seq for outcome in house.told if outcome.arrival] == [1]


async def test_a_listener_that_fails_harms_nobody(house: House) -> None:
    def fail(_: Sequence[Outcome]) -> None:
        raise RuntimeError("the page is broken")

    house.listener = fail
    assert [await house.push(1), await house.push(2)] == ["ok", "ok"]
    assert house.registry.get_sample_value("watchkeeper_commit_errors_total") == 2


async def test_what_is_queued_when_we_stop_is_kept(house: House) -> None:
    pushes = asyncio.gather(*(house.push(seq) for seq in range(50)))
    await asyncio.sleep(0)
    await house.evaluator.stop()
    assert await pushes == ["ok"] * 50
    assert await house.stored() == list(range(50))
    with pytest.raises(StoreError, match="stopping"):
        await house.push(51)


# --- a store that fails -----------------------------------------------------------------------------------------------


async def test_what_a_failing_store_did_not_take_may_be_sent_again_and_then_is_there_once(
    house: House,
) -> None:
    await house.push(1)
    with contextlib.closing(sqlite3.connect(database(house), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        pushes = await asyncio.gather(
            *(house.push(seq, cpu=95) for seq in (2, 3, 4, 5)), return_exceptions=True
        )
        other.execute("ROLLBACK")
    assert all(isinstance(answer, StoreError) for answer in pushes)
    assert house.evaluator.health().state == "bad"
    await until_it_is(lambda: house.evaluator.health().state != "bad")
    for seq in (2, 3, 4, 5):
        assert await house.push(seq, cpu=95) == "ok"
    assert await house.stored() == [1, 2, 3, 4, 5]
    assert await house.reasons() == ["first"]


async def test_a_store_that_has_no_room_is_asked_ever_more_seldom_and_logged_once(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    await house.push(1)
    await house.store.forget(Keep(budget_bytes=1), NOW)
    deadline_s = asyncio.get_running_loop().time() + 1.0
    while asyncio.get_running_loop().time() < deadline_s:
        with contextlib.suppress(StoreError):
            await house.push(2)
        await asyncio.sleep(0.02)
    failed = house.registry.get_sample_value("watchkeeper_commit_errors_total")
    assert failed in (2, 3)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    await house.store.forget(Keep(), NOW)
    await until_it_is(lambda: house.evaluator.health().state != "bad")
    assert await house.push(2) == "ok"
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


async def test_a_fault_in_reading_the_store_again_is_survived(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [RuntimeError("not foreseen")]
    remember = house.store.remember

    async def fail_once(now: int) -> Remembered:
        if faults:
            raise faults.pop()
        return await remember(now)

    monkeypatch.setattr(house.store, "remember", fail_once)
    house.evaluator.watch.add_host(Host(987, "ghost"))
    with pytest.raises(StoreError):
        await house.evaluator.take([arrival(987, NOW, seq=1)])
    await until_it_is(lambda: house.evaluator.health().state != "bad")
    assert await house.push(1) == "ok"


async def test_nobody_is_missed_who_was_told_to_come_again_later(house: House) -> None:
    await house.push(1)
    house.evaluator.watch.add_host(Host(987, "ghost"))
    with pytest.raises(StoreError):
        await house.evaluator.take([arrival(987, NOW, seq=1)])
    await until_it_is(lambda: house.evaluator.health().state != "bad")
    pass_time(house, 40)
    assert house.evaluator.watch.alerts == {}
    pass_time(house, 5)
    await house.evaluator.stop()
    assert await house.reasons() == ["first"]


async def test_a_batch_that_contradicts_the_store_holds_up_none_before_it_and_is_put_off(
    house: House,
) -> None:
    house.evaluator.watch.add_host(Host(987, "ghost"))
    ghost = house.evaluator.take([arrival(987, NOW, seq=1)])
    answers = await asyncio.gather(house.push(1), house.push(2), ghost, house.push(3), return_exceptions=True)
    assert answers[:2] == ["ok", "ok"]
    assert isinstance(answers[2], StoreError)
    assert isinstance(answers[3], StoreError)
    await until_it_is(lambda: house.evaluator.health().state != "bad")
    assert await house.push(3) == "ok"
    assert await house.stored() == [1, 2, 3]
