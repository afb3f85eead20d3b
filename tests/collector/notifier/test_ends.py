"""The notifier stops, or is killed: what was being sent is not lost, and says that it may be a repeat."""

from __future__ import annotations

import asyncio
import time

from collector.channels import Failed, Message, Sent
from collector.store import Store
from tests.collector.notifier.house import START, House, Scripted, house, ids, sent, webhook
from tests.collector.owed import notice, owed
from tests.receivers import HttpReceiver


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
    assert time.monotonic() - began < 2, "the channel itself waits for 5 s"
    assert (await built.rows())["n-1"].delivery == "sending"
    good.behaviour = "accept"
    async with house(store.notices, {"ops": webhook(good)}):
        await good.wait_for(2)
    assert ids(good.taken) == ["n-1", "n-1"]
    assert good.taken[1].body["commonAnnotations"]["perhaps_again"] == "true"
