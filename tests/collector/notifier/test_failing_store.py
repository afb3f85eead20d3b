"""A disk that fails now and then: nothing is lost, nothing is told twice, and it is seen."""

from __future__ import annotations

from typing import Any

import pytest

from collector.store import Notices, Store, StoreError
from tests.collector.notifier.house import START, house, ids, put_off, sent, webhook
from tests.collector.owed import notice
from tests.receivers import HttpReceiver
from tests.waiting import until_it_is


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
        await until_it_is(lambda: h.notifier.health().state == "bad")
        assert h.notifier.health().detail == "outbox: the disk is full"
        await h.owe(store, notice(1))
        await good.wait_for(1)
        assert h.sample("watchkeeper_notifier_errors_total", task="outbox") == 3
        await h.row(1, sent)
        assert h.notifier.health().state == "ok"
    assert caplog.text.count("met an error") == 1
