"""The outbox: waiting, sending, then sent or failed; one at a time to each channel about each incident."""

from __future__ import annotations

import asyncio

import pytest

from collector.store import NoticeRow, Store, StoreError
from tests.collector.stores.builders import NOW, alert, notice, owe
from tests.collector.stores.conftest import Place


async def due(store: Store, now: int = NOW, limit: int = 100) -> list[str]:
    return [row.notice.id for row in await store.notices.due(now, limit)]


async def only(store: Store) -> NoticeRow:
    (row,) = await store.notices.recent(10)
    return row


async def test_a_notice_is_due_at_once_and_goes_from_waiting_over_sending_to_sent(store: Store) -> None:
    owed = notice("n1", alerts=[alert(1, of=1, limit=9.0)], resolved_at=NOW)
    await owe(store, owed)
    assert await store.notices.due(NOW, 10) == [NoticeRow(owed)]
    assert await store.notices.sending("n1", NOW + 1)
    assert await only(store) == NoticeRow(owed, "sending", tries=1, tried_at=NOW + 1)
    assert await due(store) == []
    await store.notices.sent("n1", NOW + 2, "250 ok")
    assert await only(store) == NoticeRow(owed, "sent", 1, 0, NOW + 1, NOW + 2, "250 ok")


async def test_a_notice_that_was_put_off_is_due_again_when_its_time_has_come(store: Store) -> None:
    await owe(store, notice("n1"))
    await store.notices.sending("n1", NOW)
    await store.notices.put_off("n1", NOW + 5, "421 later", NOW + 60)
    assert await due(store, NOW + 59) == []
    assert not await store.notices.sending("n1", NOW + 59)
    assert await store.notices.next_due_at() == NOW + 60
    assert await due(store, NOW + 60) == ["n1"]
    assert await store.notices.sending("n1", NOW + 60)
    row = await only(store)
    assert (row.tries, row.tried_at, row.answer) == (2, NOW + 60, "421 later")


async def test_a_try_that_may_have_got_through_stays_noted(store: Store) -> None:
    await owe(store, notice("n1"))
    assert not (await only(store)).perhaps_again
    for perhaps_again in (True, False):
        await store.notices.sending("n1", NOW)
        await store.notices.put_off("n1", NOW, "no answer", NOW, perhaps_again=perhaps_again)
        assert (await only(store)).perhaps_again
    await store.notices.sending("n1", NOW)
    await store.notices.sent("n1", NOW, "ok")
    assert (await only(store)).perhaps_again


async def test_a_later_notice_waits_for_the_earlier_one_of_its_channel_and_incident(store: Store) -> None:
    await owe(
        store,
        notice("first"),
        notice("second"),
        notice("third"),
        notice("other channel", channel="slack"),
        notice("other incident", of=2),
    )
    assert sorted(await due(store)) == ["first", "other channel", "other incident"]
    assert not await store.notices.sending("second", NOW)
    await store.notices.sending("first", NOW)
    assert "second" not in await due(store)
    await store.notices.put_off("first", NOW, "later", NOW + 60)
    assert "second" not in await due(store)
    await store.notices.sending("first", NOW + 60)
    await store.notices.sent("first", NOW + 61, "ok")
    assert "second" in await due(store)
    await store.notices.sending("second", NOW + 70)
    await store.notices.failed("second", NOW + 71, "no such mailbox")
    assert "third" in await due(store)


async def test_a_notice_is_over_once_the_word_of_its_end_waits_behind_it(store: Store) -> None:
    await owe(store, notice("n1"))
    assert not await store.notices.is_over("n1")
    await owe(store, notice("other", channel="slack", reason="resolved"))
    await owe(store, notice("of another", 9, reason="resolved"))
    assert not await store.notices.is_over("n1")
    await owe(store, notice("end", reason="resolved"), notice("n2"))
    assert await store.notices.is_over("n1")
    assert not await store.notices.is_over("n2")
    assert not await store.notices.is_over("end")
    assert not await store.notices.is_over("none like it")
    await store.notices.failed("end", NOW, "given up")
    assert not await store.notices.is_over("n1")


async def test_the_oldest_comes_first_and_no_more_than_asked_for(store: Store) -> None:
    await owe(store, *(notice(f"n{number}", of=number) for number in range(9, 0, -1)))
    assert await due(store, limit=3) == ["n9", "n8", "n7"]


async def test_a_channel_with_much_to_do_leaves_the_others_their_share(store: Store) -> None:
    await owe(store, *(notice(f"mail{n}", of=n) for n in range(1, 50)), notice("slack1", channel="slack"))
    assert sorted(await due(store, limit=4)) == ["mail1", "mail2", "mail3", "slack1"]


async def test_the_next_due_time_is_that_of_a_notice_that_waits_for_nothing_else(store: Store) -> None:
    assert await store.notices.next_due_at() is None
    await owe(store, notice("first"), notice("second"), notice("other", channel="slack"))
    assert (await store.notices.next_due_at() or 0) <= NOW
    for name, later in (("first", 60), ("other", 30)):
        await store.notices.sending(name, NOW)
        await store.notices.put_off(name, NOW, "later", NOW + later)
    assert await store.notices.next_due_at() == NOW + 30
    await store.notices.sending("other", NOW + 30)
    assert await store.notices.next_due_at() == NOW + 60
    await store.notices.sending("first", NOW + 60)
    assert await store.notices.next_due_at() is None


async def test_of_many_workers_that_want_a_notice_one_gets_it(place: Place) -> None:
    collector, tool = await place.open(), await place.open("tool")
    await owe(collector, *(notice(f"n{n}", of=n) for n in range(1, 21)))
    for name in await due(collector):
        got = await asyncio.gather(
            *(store.notices.sending(name, NOW) for store in (collector, tool, collector, tool))
        )
        assert got.count(True) == 1
    assert {row.tries for row in await collector.notices.recent(50)} == {1}


async def test_a_start_waits_for_no_pause_that_was_begun_before_it(place: Place) -> None:
    store = await place.open()
    await owe(store, notice("n1"))
    await store.notices.sending("n1", NOW)
    await store.notices.put_off("n1", NOW, "closed", NOW + 3_600_000)
    store = await place.reopen()
    assert await due(store) == []
    assert await store.notices.interrupted() == 0
    assert await due(store) == ["n1"]


async def test_after_a_crash_what_was_being_sent_waits_again_and_says_so(place: Place) -> None:
    store = await place.open()
    await owe(store, notice("n1"), notice("n2"), notice("n3", channel="slack"), notice("n4", of=2))
    for name in ("n1", "n3", "n4"):
        await store.notices.sending(name, NOW)
    await store.notices.sent("n4", NOW, "ok")
    store = await place.reopen()
    assert await store.notices.interrupted() == 2
    assert await store.notices.interrupted() == 0
    assert sorted(await due(store)) == ["n1", "n3"]
    again = {row.notice.id: row.perhaps_again for row in await store.notices.recent(10)}
    assert again == {"n1": True, "n2": False, "n3": True, "n4": False}
    await store.notices.sending("n1", NOW + 5)
    await store.notices.sent("n1", NOW + 6, "ok")
    (row,) = [row for row in await store.notices.recent(10) if row.notice.id == "n1"]
    assert (row.delivery, row.tries, row.perhaps_again) == ("sent", 2, True)


async def test_what_was_sent_or_given_up_stays_so(store: Store) -> None:
    await owe(store, notice("n1"), notice("n2", of=2))
    for name in ("n1", "n2"):
        await store.notices.sending(name, NOW)
    await store.notices.sent("n1", NOW, "ok")
    await store.notices.failed("n2", NOW, "no")
    before = await store.notices.recent(10)
    for settle in (
        store.notices.failed("n1", NOW + 1, "changed my mind"),
        store.notices.put_off("n1", NOW + 1, "again", NOW),
        store.notices.sent("n2", NOW + 1, "after all"),
        store.notices.put_off("n2", NOW + 1, "again", NOW),
        store.notices.sent("nobody", NOW, "ok"),
    ):
        with pytest.raises(StoreError) as refused:
            await settle
        assert not refused.value.passing
    assert not await store.notices.sending("n1", NOW + 1)
    assert await store.notices.recent(10) == before


async def test_what_was_never_on_its_way_cannot_have_been_sent(store: Store) -> None:
    await owe(store, notice("n1"))
    with pytest.raises(StoreError, match="'waiting'"):
        await store.notices.sent("n1", NOW, "ok")


async def test_saying_the_same_again_changes_nothing(store: Store) -> None:
    await owe(store, notice("n1"), notice("n2", of=2))
    for name in ("n1", "n2"):
        await store.notices.sending(name, NOW)
    await store.notices.sent("n1", NOW, "ok")
    await store.notices.failed("n2", NOW, "no")
    before = await store.notices.recent(10)
    await store.notices.sent("n1", NOW + 9, "ok again")
    await store.notices.failed("n2", NOW + 9, "no again")
    assert await store.notices.recent(10) == before


async def test_a_notice_may_be_given_up_without_a_try(store: Store) -> None:
    await owe(store, notice("n1"), notice("n2"))
    await store.notices.failed("n1", NOW, "no channel of that name any more")
    assert await store.notices.recent(10) == [
        NoticeRow(notice("n2")),
        NoticeRow(notice("n1"), "failed", answer="no channel of that name any more"),
    ]
    assert await due(store) == ["n2"]


async def test_notices_are_listed_newest_first_and_counted_by_channel(store: Store) -> None:
    await owe(store, notice("n1"), notice("n2", of=2), notice("n3"), notice("n4", channel="slack"))
    assert [row.notice.id for row in await store.notices.recent(3)] == ["n4", "n3", "n2"]
    assert [row.notice.id for row in await store.notices.recent(10, incident=1)] == ["n4", "n3", "n1"]
    await store.notices.sending("n2", NOW)
    assert await store.notices.counts() == {
        ("mail", "waiting"): 2,
        ("mail", "sending"): 1,
        ("slack", "waiting"): 1,
    }
