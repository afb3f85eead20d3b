"""Channels that refuse, fail, hang or are gone: what is tried again and when, and what is said of it."""

from __future__ import annotations

import asyncio
import logging

import pytest

from collector.channels import Failed, Message, Sent
from collector.notifier import Retry
from collector.store import Store
from tests.collector.notifier.house import (
    START,
    RunningClock,
    Scripted,
    failed,
    house,
    ids,
    put_off,
    sent,
    webhook,
)
from tests.collector.owed import notice, owed
from tests.receivers import HttpReceiver

# --- when the channel is closed ---------------------------------------------------------------------------------------


async def test_a_channel_that_refuses_everything_is_left_alone_for_an_hour_and_loses_nothing(
    store: Store, good: HttpReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    good.behaviour = "status:404"
    async with house(store.notices, {"ops": webhook(good)}) as h:
        await h.owe(store, notice(1))
        await h.row(1, put_off(1))
        await h.owe(store, *(notice(number, incident=number) for number in range(2, 20)))
        h.pass_time(3_599)
        await asyncio.sleep(0.1)
        assert good.tries == 1
        (state,) = await h.notifier.channels_state()
        assert (state.closed, state.waiting) == (True, 19)
        assert h.notifier.health().detail.startswith("ops is closed: ")
        assert caplog.text.count("is closed until somebody puts it right") == 1
        good.behaviour = "accept"
        h.pass_time(1)
        await good.wait_for(19)
        await h.row(19, sent)
        assert not (await h.notifier.channels_state())[0].closed


async def test_a_start_tries_a_closed_channel_at_once(store: Store, good: HttpReceiver) -> None:
    good.behaviour = "status:401"
    async with house(store.notices, {"ops": webhook(good)}) as h:
        await h.owe(store, notice(1), notice(2, incident=8))
        await h.row(1, put_off(1))
    good.behaviour = "accept"
    async with house(store.notices, {"ops": webhook(good)}):
        await good.wait_for(2)
    assert sorted(ids(good.taken)) == ["n-1", "n-2"]


# --- when it fails ----------------------------------------------------------------------------------------------------


async def test_a_clock_that_was_set_back_leaves_no_channel_at_rest(store: Store, good: HttpReceiver) -> None:
    good.behaviour = "status:404"
    async with house(store.notices, {"ops": webhook(good)}) as h:
        await h.owe(store, notice(1))
        await h.row(1, put_off(1))
        good.behaviour = "accept"
        h.pass_time(-86_400)
        await h.owe(store, notice(2, incident=8))
        await h.row(2, sent)


async def test_a_pause_ends_by_itself(store: Store, good: HttpReceiver) -> None:
    good.behaviour = "status:503"
    async with house(store.notices, {"ops": webhook(good)}, Retry(pause_s_min=0.1), RunningClock()) as h:
        await h.owe(store, notice(1))
        await h.row(1, lambda row: row.tries == 1)
        good.behaviour = "accept"
        await good.wait_for(1)


async def test_what_the_far_side_asks_for_holds_for_the_whole_channel(
    store: Store, good: HttpReceiver
) -> None:
    good.behaviour = "busy:30"
    async with house(store.notices, {"ops": webhook(good)}) as h:
        await h.owe(store, notice(1))
        row = await h.row(1, put_off(1))
        assert row.next_try_at == START + 30_000
        good.behaviour = "accept"
        await h.owe(store, notice(2, incident=8))
        h.pass_time(29)
        await asyncio.sleep(0.1)
        assert good.taken == []
        h.pass_time(1)
        await good.wait_for(2)


async def test_after_a_day_of_failures_it_is_given_up(store: Store, good: HttpReceiver) -> None:
    good.behaviour = "status:503"
    async with house(store.notices, {"ops": webhook(good)}, Retry(tries_min=3)) as h:
        await h.owe(store, notice(1))
        for tries in (1, 2):
            await h.row(1, put_off(tries))
            h.pass_time(13 * 3_600)
        row = await h.row(1, failed)
        assert row.answer.startswith("given up after 3 tries; the last: ")
        sample = h.sample("watchkeeper_notices_total", channel="ops", reason="first", outcome="failed")
        assert sample == 1


async def test_a_try_that_may_have_got_through_makes_the_next_say_so(
    store: Store, good: HttpReceiver
) -> None:
    good.behaviour = "cut"
    async with house(store.notices, {"ops": webhook(good)}) as h:
        await h.owe(store, notice(1))
        await h.row(1, put_off(1))
        good.behaviour = "accept"
        h.pass_time(5)
        await good.wait_for(1)
    assert good.taken[0].body["commonAnnotations"]["perhaps_again"] == "true"


async def test_a_channel_that_is_no_longer_configured_fails_its_notices_in_plain_words(
    store: Store, good: HttpReceiver
) -> None:
    await store.commit([owed(notice(1, channel="gone"), notice(2, channel="gone", reason="resolved"))])
    async with house(store.notices, {"ops": webhook(good)}) as h:
        row = await h.row(2, failed)
        assert row.answer == "the channel 'gone' is no longer in the configuration, so this was not sent"
        await h.owe(store, notice(3))
        await good.wait_for(1)


async def test_an_error_of_a_channel_is_told_without_its_words_and_survived(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(message: Message) -> Sent | Failed:
        raise RuntimeError("https://hooks.example.org/" + "SEC" + "RET")  # not as one word in the source

    channel = Scripted(broken)
    async with house(store.notices, {"ops": channel}) as h:
        await h.owe(store, notice(1))
        row = await h.row(1, put_off(1))
        assert row.answer == "the channel met an error of its own (RuntimeError)"
        assert h.sample("watchkeeper_notifier_errors_total", task="channel ops") == 1
    assert channel.closed
    assert "in broken" in caplog.text
    assert "SECRET" not in caplog.text


async def test_a_channel_that_never_ends_is_ended(store: Store) -> None:
    async def endless(message: Message) -> Sent | Failed:
        await asyncio.sleep(3_600)
        return Sent("")

    async with house(store.notices, {"ops": Scripted(endless)}) as h:
        await h.owe(store, notice(1))
        row = await h.row(1, put_off(1))
    assert row.answer == "no end within 2.1 s; it may have got through"


async def test_the_same_failure_is_logged_once(
    store: Store, good: HttpReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="collector.notifier")
    good.behaviour = "status:503"
    async with house(store.notices, {"ops": webhook(good)}) as h:
        await h.owe(store, notice(1))
        for tries in range(1, 4):
            await h.row(1, put_off(tries))
            h.pass_time(1_000)
        good.behaviour = "accept"
        h.pass_time(1_000)
        await good.wait_for(1)
        await h.row(1, sent)
    said = [record.getMessage() for record in caplog.records if record.name.startswith("collector.notifier")]
    assert said == [
        f"Channel ops does not take notice n-1: {good.url} answered 503 Service Unavailable as told",
        "Channel ops works again",
    ]
