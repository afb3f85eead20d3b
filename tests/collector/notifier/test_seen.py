"""What people see of it: its health, the state of each channel, its metrics."""

from __future__ import annotations

from agent.options import Secret
from collector.channels import ChannelOptions
from collector.channels.webhook import Channel as Webhook
from collector.channels.webhook import Options
from collector.messages import Channel
from collector.store import Store
from tests.collector.notifier.house import START, House, house, put_off, sent, webhook
from tests.collector.owed import notice, owed
from tests.receivers import HttpReceiver
from tests.waiting import until_it_is


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
        await until_it_is(lambda: h.sample("watchkeeper_notices_oldest_waiting_seconds") == 0)
        assert h.sample("watchkeeper_notices_total", channel="ops", reason="first", outcome="sent") == 1
        assert h.sample("watchkeeper_notice_tries_total", channel="ops", outcome="put_off") == 1
        assert h.sample("watchkeeper_notice_tries_total", channel="ops", outcome="sent") == 1
        assert h.sample("watchkeeper_notice_delay_seconds_sum", channel="ops") == 10


async def test_the_count_of_what_waits_is_refreshed(store: Store, good: HttpReceiver) -> None:
    await store.commit([owed(notice(1), notice(2), notice(3, incident=8))])
    good.behaviour = "hang"
    async with house(store.notices, {"ops": webhook(good)}) as h:
        await until_it_is(lambda: h.sample("watchkeeper_notices_waiting", channel="ops") == 3)


def test_the_channels_own_kind_is_what_the_notifier_speaks_to() -> None:
    channel: Channel = Webhook(Options(name="a", url=Secret("http://x")))
    assert isinstance(Options(name="a", url=Secret("http://x")), ChannelOptions)
    assert channel.timeout_s == 15.0
