"""Every notice owed leaves, once, in its order and by its own channel, and its end is written down."""

from __future__ import annotations

import time

from collector.messages import Channel
from collector.store import Store
from tests.collector.notifier.house import START, failed, house, ids, put_off, sent, webhook
from tests.collector.owed import notice, owed
from tests.receivers import HttpReceiver
from tests.waiting import until_it_is

AT_ONCE_S = 3.0
"""Of itself the notifier looks once a minute, and a channel that hangs is given up after five seconds."""


# --- the good day -----------------------------------------------------------------------------------------------------


async def test_a_notice_leaves_at_once_and_its_end_is_written_down(store: Store, good: HttpReceiver) -> None:
    async with house(store.notices, {"ops": webhook(good)}) as h:
        began = time.monotonic()
        await h.owe(store, notice(1))
        await good.wait_for(1)
        assert time.monotonic() - began < AT_ONCE_S
        row = await h.row(1, sent)
    assert (row.tries, row.tried_at, row.sent_at, row.answer) == (1, START, START, "200 OK taken")
    assert not row.perhaps_again
    assert good.taken[0].body["alerts"][0]["generatorURL"] == "https://wk.example.org/incidents/7"


async def test_what_was_owed_before_the_start_leaves_at_the_start(store: Store, good: HttpReceiver) -> None:
    await store.commit([owed(notice(1), notice(2, incident=8))])
    async with house(store.notices, {"ops": webhook(good)}):
        await good.wait_for(2)
    assert sorted(ids(good.taken)) == ["n-1", "n-2"]


async def test_a_notice_goes_to_its_own_channel_only(
    store: Store, good: HttpReceiver, other: HttpReceiver
) -> None:
    async with house(store.notices, {"a": webhook(good, "a"), "b": webhook(other, "b")}) as h:
        await h.owe(store, notice(1, channel="a"), notice(2, channel="b"))
        await good.wait_for(1)
        await other.wait_for(1)
    assert (ids(good.taken), ids(other.taken)) == (["n-1"], ["n-2"])


async def test_many_notices_all_leave_once(store: Store, good: HttpReceiver) -> None:
    async with house(store.notices, {"ops": webhook(good)}) as h:
        await h.owe(store, *(notice(number, incident=number) for number in range(100)))
        await good.wait_for(100)
    assert ids(good.taken) == [f"n-{number}" for number in range(100)]


# --- one channel beside the other -------------------------------------------------------------------------------------


async def test_a_channel_that_hangs_holds_up_no_other(
    store: Store, good: HttpReceiver, other: HttpReceiver
) -> None:
    other.behaviour = "hang"
    channels: dict[str, Channel] = {"dead": webhook(other, "dead"), "ops": webhook(good)}
    async with house(store.notices, channels) as h:
        # More of them than the notifier ever asks for at a time, all older than the one that can leave.
        await h.owe(store, *(notice(number, channel="dead", incident=number) for number in range(300)))
        await until_it_is(lambda: other.tries != 0)
        began = time.monotonic()
        await h.owe(store, notice(999))
        await good.wait_for(1)
        assert time.monotonic() - began < AT_ONCE_S
        assert other.tries == 1


# --- the order of things ----------------------------------------------------------------------------------------------


async def test_what_got_graver_waits_for_the_first_however_often_that_fails(
    store: Store, good: HttpReceiver
) -> None:
    good.behaviour = "status:503"
    async with house(store.notices, {"ops": webhook(good)}) as h:
        await h.owe(store, notice(1), notice(2, reason="escalated"))
        for tries, pause_s in ((1, 5.0), (2, 10.0)):
            row = await h.row(1, put_off(tries))
            assert row.next_try_at == h.clock.now + pause_s * 1000
            assert row.answer == f"{good.url} answered 503 Service Unavailable as told"
            h.pass_time(pause_s)
        good.behaviour = "accept"
        h.pass_time(20.0)
        await h.row(2, sent)
    assert ids(good.taken) == ["n-1", "n-2"]


async def test_whoever_could_not_be_reached_hears_once_that_it_was_and_is_over(
    store: Store, good: HttpReceiver
) -> None:
    good.behaviour = "status:503"
    async with house(store.notices, {"ops": webhook(good)}) as h:
        await h.owe(store, notice(1), notice(2, reason="escalated"), notice(4, incident=8))
        await h.row(1, put_off(1))
        await h.owe(store, notice(3, reason="resolved"))
        good.behaviour = "accept"
        h.pass_time(5.0)
        await h.row(3, sent)
        for number in (1, 2):
            row = await h.row(number, failed)
            assert row.answer.startswith("it was over before this could be sent")
        assert h.sample("watchkeeper_notices_total", channel="ops", reason="first", outcome="overtaken") == 1
        assert h.sample("watchkeeper_notices_oldest_waiting_seconds") == 0
        await h.row(4, sent)
    assert sorted(ids(good.taken)) == ["n-3", "n-4"]


async def test_another_incident_does_not_wait_for_it(store: Store, good: HttpReceiver) -> None:
    good.behaviour = "status:503"
    async with house(store.notices, {"ops": webhook(good)}) as h:
        await h.owe(store, notice(1))
        await h.row(1, put_off(1))
        good.behaviour = "accept"
        await h.owe(store, notice(2, incident=8))
        await h.row(2, sent)
    assert ids(good.taken) == ["n-2"]


async def test_a_resolve_still_leaves_when_the_first_was_given_up(store: Store, good: HttpReceiver) -> None:
    good.behaviour = "status:400"
    async with house(store.notices, {"ops": webhook(good)}) as h:
        await h.owe(store, notice(1))
        row = await h.row(1, failed)
        assert (row.tries, row.answer) == (1, f"{good.url} answered 400 Bad Request as told")
        good.behaviour = "accept"
        await h.owe(store, notice(2, reason="resolved"))
        await h.row(2, sent)
