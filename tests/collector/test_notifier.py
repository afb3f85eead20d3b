"""The notifier over a real store, with real receivers: every notice owed leaves, and its end is written down."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from agent.options import Secret
from collector.channels import ChannelOptions, Failed, Message, Sent
from collector.channels.webhook import Channel as Webhook
from collector.channels.webhook import Options
from collector.messages import Channel
from collector.notifier import Notifier, Retry
from collector.store import NoticeRow, Notices, Store, StoreError
from rules.model import Notice
from tests.collector.owed import BEGAN, notice, owed
from tests.receivers import HttpReceiver, Received, at_work
from tests.waiting import until_it_is

START = BEGAN + 60_000


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


class RunningClock(Clock):
    def __call__(self) -> int:
        return time.time_ns() // 1_000_000


@pytest.fixture
def good(http: HttpReceiver) -> HttpReceiver:
    return http


@pytest.fixture
async def other() -> AsyncIterator[HttpReceiver]:
    async with at_work(HttpReceiver()) as receiver:
        yield receiver


class House:
    """A notifier over a store, with a clock that stands until it is moved."""

    def __init__(
        self,
        notices: Notices,
        channels: dict[str, Channel],
        retry: Retry | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.registry = CollectorRegistry()
        self.notices = notices
        self.notifier = Notifier(
            notices,
            channels,
            now_ms=self.clock,
            registry=self.registry,
            message=lambda notice, again: Message(
                notice, f"https://wk.example.org/incidents/{notice.incident}", again
            ),
            retry=retry,
            chance=lambda: 0.0,
        )

    async def owe(self, store: Store, *notices: Notice) -> None:
        await store.commit([owed(*notices)])
        self.notifier.wake()

    def pass_time(self, seconds: float) -> None:
        self.clock.now += round(seconds * 1000)
        self.notifier.wake()

    async def rows(self) -> dict[str, NoticeRow]:
        return {row.notice.id: row for row in await self.notices.recent(1_000)}

    async def row(self, number: int, when: Callable[[NoticeRow], bool]) -> NoticeRow:
        """The notice's row, as soon as it is as asked for."""
        async with asyncio.timeout(5):
            while True:
                row = (await self.rows())[f"n-{number}"]
                if when(row):
                    return row
                await asyncio.sleep(0.005)

    def sample(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


@contextlib.asynccontextmanager
async def house(
    notices: Notices, channels: dict[str, Channel], retry: Retry | None = None, clock: Clock | None = None
) -> AsyncIterator[House]:
    built = House(notices, channels, retry, clock)
    await built.notifier.start()
    try:
        yield built
    finally:
        await built.notifier.stop(drain_s=0.2)


def webhook(receiver: HttpReceiver, name: str = "ops", timeout_s: float = 5.0) -> Webhook:
    return Webhook(Options(name=name, url=Secret(f"{receiver.url}/{name}"), timeout_s=timeout_s))


def ids(taken: list[Received]) -> list[str]:
    return [received.headers["Idempotency-Key"] for received in taken]


def sent(row: NoticeRow) -> bool:
    return row.delivery == "sent"


def failed(row: NoticeRow) -> bool:
    return row.delivery == "failed"


def put_off(tries: int) -> Callable[[NoticeRow], bool]:
    return lambda row: row.tries == tries and row.delivery == "waiting"


class Scripted:
    """A channel that does what the test says: for errors that no receiver can cause."""

    def __init__(self, options: Any) -> None:
        self.act: Callable[[Message], Awaitable[Sent | Failed]] = options
        self.timeout_s = 0.1
        self.closed = False

    async def send(self, message: Message) -> Sent | Failed:
        return await self.act(message)

    async def close(self) -> None:
        self.closed = True


# --- when to try again ------------------------------------------------------------------------------------------------

PASSING = Failed("busy")


@pytest.mark.parametrize(
    ("outcome", "tries", "age_s", "chance", "pause_s"),
    [
        (PASSING, 1, 0, 0.0, 5.0),  # the first pause is short,
        (PASSING, 2, 5, 0.0, 10.0),  # and each is twice the one before,
        (PASSING, 5, 75, 0.0, 80.0),
        (PASSING, 8, 635, 0.0, 640.0),
        (PASSING, 9, 1_275, 0.0, 900.0),  # up to a quarter of an hour,
        (PASSING, 80, 60_000, 0.0, 900.0),
        (PASSING, 1, 0, 1.0, 3.75),  # and up to a quarter shorter, so that not all come back at once
        (PASSING, 9, 1_275, 1.0, 675.0),
        (PASSING, 100, 85_499, 0.0, 900.0),  # the last try that fits into a day
        (PASSING, 100, 85_501, 0.0, None),  # none after it
        (PASSING, 1, 200_000, 0.0, 5.0),  # but a collector that was away for days still tries some times
        (PASSING, 4, 200_000, 0.0, 40.0),
        (PASSING, 5, 200_000, 0.0, None),
        (PASSING, 249, 3_000, 0.0, 900.0),
        (PASSING, 250, 3_000, 0.0, None),  # whatever the pauses were
        (Failed("gone", permanent=True), 1, 0, 0.0, None),  # no use in trying again
        (Failed("gone", permanent=True, retry_after_s=5), 1, 0, 0.0, None),
        (Failed("who are you?", closed=True), 1, 0, 1.0, 3_600.0),  # a person has to see to it: once an hour,
        (Failed("who are you?", closed=True, retry_after_s=5), 9, 1_275, 0.0, 3_600.0),
        (Failed("who are you?", closed=True), 23, 82_800, 0.0, 3_600.0),
        (Failed("who are you?", closed=True), 24, 86_400, 0.0, None),  # for a day
        (Failed("slow down", retry_after_s=30), 1, 0, 1.0, 30.0),  # what was asked for wins, exactly,
        (Failed("slow down", retry_after_s=30), 9, 1_275, 0.0, 30.0),
        (Failed("slow down", retry_after_s=0), 1, 0, 0.0, 1.0),  # but not without any pause,
        (Failed("slow down", retry_after_s=1e9), 1, 0, 0.0, 3_600.0),  # nor for ever
    ],
)
def test_when_it_is_tried_again(
    outcome: Failed, tries: int, age_s: float, chance: float, pause_s: float | None
) -> None:
    assert Retry().pause_s(outcome, tries, age_s, chance) == pause_s


# --- the good day -----------------------------------------------------------------------------------------------------


async def test_a_notice_leaves_at_once_and_its_end_is_written_down(store: Store, good: HttpReceiver) -> None:
    async with house(store.notices, {"ops": webhook(good)}) as h:
        began = time.monotonic()
        await h.owe(store, notice(1))
        await good.wait_for(1)
        assert time.monotonic() - began < 0.5
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
        await until_it_is(lambda: other.tries != 0, 2)
        began = time.monotonic()
        await h.owe(store, notice(999))
        await good.wait_for(1)
        assert time.monotonic() - began < 0.5
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


# --- when we end ------------------------------------------------------------------------------------------------------


async def test_a_notice_found_on_its_way_is_sent_again_and_says_that_it_may_be_a_repeat(
    store: Store, good: HttpReceiver
) -> None:
    await store.commit([owed(notice(1), notice(2, incident=8))])
    assert await store.notices.sending("n-1", START)  # and here the collector died
    async with house(store.notices, {"ops": webhook(good)}) as h:
        await good.wait_for(2)
        row = await h.row(1, sent)
        assert (row.perhaps_again, row.tries) == (True, 2)
    said = {taken.headers["Idempotency-Key"]: taken.body["commonAnnotations"] for taken in good.taken}
    assert said["n-1"]["perhaps_again"] == "true"
    assert "had this before" in said["n-1"]["description"]
    assert said["n-2"]["perhaps_again"] == "false"


async def test_stopping_lets_what_is_being_sent_finish_and_begins_nothing(store: Store) -> None:
    begun = asyncio.Event()

    async def slow(message: Message) -> Sent | Failed:
        begun.set()
        await asyncio.sleep(0.2)
        return Sent("at last")

    channel = Scripted(slow)
    built = House(store.notices, {"ops": channel})
    await built.notifier.start()
    await built.owe(store, notice(1), notice(2, incident=8))
    await begun.wait()
    await built.notifier.stop(drain_s=2.0)
    rows = await built.rows()
    assert (rows["n-1"].delivery, rows["n-1"].answer) == ("sent", "at last")
    assert (rows["n-2"].delivery, rows["n-2"].tries) == ("waiting", 0)
    assert channel.closed
    assert built.notifier.health().state == "bad"


async def test_stopping_waits_no_longer_than_it_was_told_and_the_next_start_sends_again(
    store: Store, good: HttpReceiver
) -> None:
    good.behaviour = "hang-after-body"
    built = House(store.notices, {"ops": webhook(good)})
    await built.notifier.start()
    await built.owe(store, notice(1))
    await good.wait_for(1)
    began = time.monotonic()
    await built.notifier.stop(drain_s=0.1)
    assert time.monotonic() - began < 0.5
    assert (await built.rows())["n-1"].delivery == "sending"
    good.behaviour = "accept"
    async with house(store.notices, {"ops": webhook(good)}):
        await good.wait_for(2)
    assert ids(good.taken) == ["n-1", "n-1"]
    assert good.taken[1].body["commonAnnotations"]["perhaps_again"] == "true"


# --- when the store fails ---------------------------------------------------------------------------------------------


class Failing:
    """The real outbox behind a disk that fails now and then: each method named in `faults` raises that often first.
    With `kept` it fails only after it has done its work, as a cut connection to a database does."""

    def __init__(
        self, notices: Notices, faults: dict[str, int], *, kept: bool = False, passing: bool = True
    ) -> None:
        self._notices, self._kept, self._passing, self._faults = notices, kept, passing, faults

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._notices, name)

        async def call(*values: Any, **named: Any) -> Any:
            if not self._faults.get(name):
                return await method(*values, **named)
            self._faults[name] -= 1
            if self._kept:
                await method(*values, **named)
            raise StoreError("the disk is full", passing=self._passing)

        return call


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("method", ["sending", "sent", "due", "next_due_at"])
async def test_a_store_that_fails_now_and_then_loses_and_repeats_nothing(
    store: Store, good: HttpReceiver, method: str, kept: bool
) -> None:
    faulty: Any = Failing(store.notices, {method: 2}, kept=kept)
    async with house(faulty, {"ops": webhook(good)}) as h:
        await h.owe(store, notice(1), notice(2, incident=8))
        await h.row(1, sent)
        await h.row(2, sent)
    assert sorted(ids(good.taken)) == ["n-1", "n-2"]


async def test_putting_off_is_tried_until_it_is_written_down(store: Store, good: HttpReceiver) -> None:
    good.behaviour = "status:503"
    faulty: Any = Failing(store.notices, {"put_off": 2})
    async with house(faulty, {"ops": webhook(good)}) as h:
        await h.owe(store, notice(1))
        row = await h.row(1, put_off(1))
        assert row.next_try_at == START + 5_000
    assert good.tries == 1


async def test_a_record_that_is_refused_for_good_is_told_and_holds_up_nobody(
    store: Store, good: HttpReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    faulty: Any = Failing(store.notices, {"sent": 1}, passing=False)
    async with house(faulty, {"ops": webhook(good)}) as h:
        await h.owe(store, notice(1))
        await good.wait_for(1)
        await h.owe(store, notice(2, incident=8))
        await h.row(2, sent)
        assert (await h.rows())["n-1"].delivery == "sending"
        assert h.sample("watchkeeper_notifier_errors_total", task="channel ops") == 1
    assert "the disk is full" in caplog.text
    assert ids(good.taken) == ["n-1", "n-2"]


async def test_a_store_that_cannot_be_read_makes_the_notifier_bad_and_is_told_once(
    store: Store, good: HttpReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    faulty: Any = Failing(store.notices, {"due": 3})
    async with house(faulty, {"ops": webhook(good)}) as h:
        await asyncio.sleep(0.05)
        assert h.notifier.health().state == "bad"
        assert h.notifier.health().detail == "outbox: the disk is full"
        await h.owe(store, notice(1))
        await good.wait_for(1)
        assert h.sample("watchkeeper_notifier_errors_total", task="outbox") == 3
        await h.row(1, sent)
        assert h.notifier.health().state == "ok"
    assert caplog.text.count("met an error") == 1


# --- what people see --------------------------------------------------------------------------------------------------


async def test_health_says_who_will_not_be_told(store: Store, good: HttpReceiver) -> None:
    assert House(store.notices, {}).notifier.health().state == "bad"
    async with house(store.notices, {}) as h:
        assert h.notifier.health().state == "degraded"
        assert "nobody will be told" in h.notifier.health().detail
    async with house(store.notices, {"ops": webhook(good)}) as h:
        assert (h.notifier.health().state, h.notifier.health().detail) == ("ok", "channels: ops")
        good.behaviour = "status:503"
        await h.owe(store, notice(1))
        await h.row(1, put_off(1))
        assert h.notifier.health().state == "degraded"
        assert h.notifier.health().detail == f"ops: {good.url} answered 503 Service Unavailable as told"
        good.behaviour = "accept"
        h.pass_time(5)
        await h.row(1, sent)
        assert h.notifier.health().state == "ok"


async def test_the_state_of_a_channel_outlives_a_restart(store: Store, good: HttpReceiver) -> None:
    async with house(store.notices, {"ops": webhook(good)}) as h:
        await h.owe(store, notice(1))
        await h.row(1, sent)
        h.clock.now += 1_000
        good.behaviour = "status:503"
        await h.owe(store, notice(2, incident=8))
        await h.row(2, put_off(1))
        (before,) = await h.notifier.channels_state()
    assert (before.sent_at, before.failed_at, before.waiting) == (START, START + 1_000, 1)
    assert "503" in before.failure
    async with house(store.notices, {"ops": webhook(good)}, clock=h.clock) as h:
        (after,) = await h.notifier.channels_state()
    assert (after.sent_at, after.failed_at, after.waiting) == (START, START + 1_000, 1)


async def test_the_metrics_tell_what_left_what_failed_and_what_waits(
    store: Store, good: HttpReceiver
) -> None:
    async with house(store.notices, {"ops": webhook(good)}) as h:
        assert h.sample("watchkeeper_notices_total", channel="ops", reason="resolved", outcome="failed") == 0
        assert h.sample("watchkeeper_notices_oldest_waiting_seconds") == 0
        good.behaviour = "status:503"
        await h.owe(store, notice(1))
        await h.row(1, put_off(1))
        h.clock.now += 4_000
        assert h.sample("watchkeeper_notices_oldest_waiting_seconds") == 4
        good.behaviour = "accept"
        h.pass_time(6)
        await h.row(1, sent)
        await until_it_is(lambda: h.sample("watchkeeper_notices_oldest_waiting_seconds") == 0, 5)
        assert h.sample("watchkeeper_notices_total", channel="ops", reason="first", outcome="sent") == 1
        assert h.sample("watchkeeper_notice_tries_total", channel="ops", outcome="put_off") == 1
        assert h.sample("watchkeeper_notice_tries_total", channel="ops", outcome="sent") == 1
        assert h.sample("watchkeeper_notice_delay_seconds_sum", channel="ops") == 10


async def test_the_count_of_what_waits_is_refreshed(store: Store, good: HttpReceiver) -> None:
    await store.commit([owed(notice(1), notice(2), notice(3, incident=8))])
    good.behaviour = "hang"
    async with house(store.notices, {"ops": webhook(good)}) as h:
        await until_it_is(lambda: h.sample("watchkeeper_notices_waiting", channel="ops") == 3, 2)


def test_the_channels_own_kind_is_what_the_notifier_speaks_to() -> None:
    channel: Channel = Webhook(Options(name="a", url=Secret("http://x")))
    assert isinstance(Options(name="a", url=Secret("http://x")), ChannelOptions)
    assert channel.timeout_s == 15.0
