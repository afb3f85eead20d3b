"""The thread that pushes: woken, told to end, and with a fault of its own."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest

from agent.parting import word
from tests.agent.pusher.host import TICK_MS, Host, seqs
from tests.agent.receiver import Receiver, Reply, all_ok, problem
from tests.waiting import until


def has_got(receiver: Receiver, count: int) -> bool:
    return len(receiver.got) == count


def test_the_thread_pushes_what_it_is_woken_for_and_ends_when_told(host: Host, receiver: Receiver) -> None:
    host.pusher.start()
    for count in (1, 2, 3):
        host.sample()
        host.pusher.wake()
        until(partial(has_got, receiver, count))
    host.pusher.stop(3.0)
    assert not any(thread.name == "pusher" for thread in threading.enumerate())


def test_a_last_push_is_tried_on_the_way_out_the_newest_first(host: Host, receiver: Receiver) -> None:
    receiver.answer = lambda push: problem(503, Retry_After="3000")
    host.pusher.start()
    host.sample()
    host.pusher.wake()
    until(lambda: len(receiver.got) == 1)
    host.sample()
    receiver.answer = all_ok
    host.spool.add(word("restart", TICK_MS), host.now())
    host.spool.flush(host.now())
    host.pusher.stop(3.0)
    assert seqs(receiver) == [[0], [1, 2, 0]]
    assert host.spool.batches == 0


def test_the_bye_goes_behind_the_newest_sample_and_before_the_past(host: Host, receiver: Receiver) -> None:
    host.sample(4)
    host.spool.add(word("restart", TICK_MS), host.now())
    host.pusher.push_last(3.0)
    assert seqs(receiver) == [[3, 4, 0, 1, 2]]
    assert receiver.batches[1].bye == "restart"
    assert host.spool.batches == 0


def test_a_last_push_with_much_behind_it_is_of_the_newest_alone(host: Host, receiver: Receiver) -> None:
    host.sample(100)
    host.spool.flush(host.now())
    host.pusher.push_last(3.0)
    assert seqs(receiver) == [[99]]
    assert host.spool.batches == 99


def test_a_collector_that_hangs_does_not_hold_up_the_end(host: Host, receiver: Receiver) -> None:
    receiver.answer = lambda push: Reply(200, b"x" * 1_000, drip_s=0.05)
    host.pusher.start()
    host.sample()
    host.pusher.wake()
    until(lambda: len(receiver.got) == 1)
    began_s = time.monotonic()
    host.pusher.stop(0.3)
    assert time.monotonic() - began_s < 1


def test_the_thread_outlives_a_fault_of_its_own_and_says_it_once(
    host: Host, receiver: Receiver, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.pusher.AFTER_ERROR_S", 0.01)
    host.sample()
    keep = host.spool.keep
    host.spool.keep = lambda now: 1 / 0  # type: ignore[method-assign,assignment]
    host.pusher.start()
    until(lambda: host.pusher.errors > 3)
    host.spool.keep = keep  # type: ignore[method-assign]
    host.pusher.wake()
    until(lambda: len(receiver.got) == 1)
    host.pusher.stop(3.0)
    assert len([record for record in caplog.records if record.exc_info]) == 1
    assert "ZeroDivisionError" in caplog.text
