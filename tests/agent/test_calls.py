"""A wait that signals and other threads can end."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from agent.calls import Calls


@pytest.fixture
def calls() -> Iterator[Calls]:
    with closing(Calls()) as calls:
        yield calls


def test_without_a_call_it_waits_for_as_long_as_it_was_told(calls: Calls) -> None:
    began_s = time.monotonic()
    assert calls.wait(0.05) is None
    assert time.monotonic() - began_s >= 0.05


def test_a_call_is_heard_once_and_a_stop_for_ever(calls: Calls) -> None:
    for _ in range(3):
        calls.make("sample")
    assert [calls.wait(0.01), calls.wait(0.01)] == ["sample", None]
    calls.make("stop")
    assert [calls.wait(0), calls.wait(0)] == ["stop", "stop"]


def test_the_gravest_of_several_calls_comes_first(calls: Calls) -> None:
    calls.make("sample")
    calls.make("reload")
    assert [calls.wait(1), calls.wait(1)] == ["reload", "sample"]
    calls.make("sample")
    calls.make("stop")
    assert calls.wait(1) == "stop"


def test_a_wait_ends_when_another_thread_calls(calls: Calls) -> None:
    caller = threading.Timer(0.05, calls.make, ["reload"])
    caller.start()
    assert calls.wait(10) == "reload"
    caller.join()


def test_a_stop_is_heard_however_often_something_else_was_called_before(calls: Calls) -> None:
    for _ in range(100_000):  # more than a pipe holds
        calls.make("sample")
    calls.make("stop")
    assert calls.wait(0) == "stop"


@pytest.mark.parametrize(
    ("number", "call"), [(signal.SIGTERM, "stop"), (signal.SIGINT, "stop"), (signal.SIGHUP, "reload")]
)
def test_a_signal_is_a_call(calls: Calls, number: signal.Signals, call: str) -> None:
    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        calls.listen()
        os.kill(os.getpid(), number)
        assert calls.wait(5) == call
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
