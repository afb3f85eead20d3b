"""Several collectors: the next is used when one is away, kept while it answers, and the first is not forgotten."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from agent import wire
from agent.clock import Moment
from agent.pusher import Pusher
from agent.pusher.collectors import HOME_AFTER_S, Collectors
from agent.pusher.post import Post
from agent.spool import Limits, Spool
from tests.agent.receiver import TOKEN, Receiver, all_ok, problem

NOON = 1_790_000_000_000
TICK_MS = 10_000


class Host:
    """A spool and a pusher with three collectors, `a`, `b` and `c`, by a clock that is moved by hand."""

    def __init__(self, folder: Path, receivers: list[Receiver]) -> None:
        self.boot_ms = 1_000_000
        self.spool = Spool(folder, Limits(), self.now())
        self.collectors = Collectors(
            [Post(receiver.url, TOKEN, "watchkeeper-agent/test") for receiver in receivers], self.monotonic
        )
        self.pusher = Pusher(
            self.spool, self.collectors, TICK_MS, self.now, self.monotonic, lambda low, high: low
        )

    def now(self) -> Moment:
        return Moment("boot", self.boot_ms, self.boot_ms + NOON)

    def monotonic(self) -> float:
        return self.boot_ms / 1000

    def live(self, seconds: float) -> None:
        """Let time pass, with a batch every ten seconds."""
        for _ in range(int(seconds) // 10):
            self.spool.add(wire.Batch(0, 0, 0, TICK_MS, {"load1": 1.0}), self.now())
            next_ms = self.boot_ms + TICK_MS
            while self.boot_ms < next_ms:
                self.boot_ms = min(next_ms, self.boot_ms + max(1, int(self.pusher.step() * 1000)))


@pytest.fixture
def receivers() -> Iterator[list[Receiver]]:
    with ExitStack() as stack:
        yield [stack.enter_context(closing(Receiver())) for _ in range(3)]


@pytest.fixture
def host(tmp_path: Path, receivers: list[Receiver]) -> Iterator[Host]:
    host = Host(tmp_path / "spool", receivers)
    yield host
    host.collectors.close()
    host.spool.close()


def goes_away(receiver: Receiver) -> None:
    receiver.answer = lambda push: problem(503)


def taken_by(receivers: list[Receiver]) -> list[int]:
    """How many batches each got, tries in vain included."""
    return [len(receiver.batches) for receiver in receivers]


def test_while_the_first_is_there_no_other_is_troubled(host: Host, receivers: list[Receiver]) -> None:
    host.live(100)
    assert taken_by(receivers) == [10, 0, 0]


def test_when_one_is_away_the_next_is_tried_at_once_and_then_kept(
    host: Host, receivers: list[Receiver], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    host.live(20)
    goes_away(receivers[0])
    host.live(100)
    assert taken_by(receivers) == [2 + 1, 10, 0]
    assert host.spool.batches == 0
    first, second = (f"127.0.0.1:{receiver.port}" for receiver in receivers[:2])
    assert [record.message for record in caplog.records] == [
        f"connected to the collector at {first}",
        f"{first}: the collector says: no; the next collector is tried, {second}",
        f"connected to the collector at {second}",
    ]


def test_after_a_while_the_first_is_tried_again(host: Host, receivers: list[Receiver]) -> None:
    goes_away(receivers[0])
    host.live(20)
    receivers[0].answer = all_ok
    host.live(HOME_AFTER_S - 30)
    assert len(receivers[0].batches) == 1
    host.live(60)
    before = taken_by(receivers)
    host.live(100)
    assert taken_by(receivers) == [before[0] + 10, before[1], 0]


def test_a_first_that_is_still_away_then_costs_one_try(host: Host, receivers: list[Receiver]) -> None:
    goes_away(receivers[0])
    host.live(3 * HOME_AFTER_S + 50)
    assert len(receivers[0].batches) == 4
    assert host.spool.batches == 0


def test_when_all_are_away_each_is_tried_in_turn_and_nothing_is_lost(
    host: Host, receivers: list[Receiver], caplog: pytest.LogCaptureFixture
) -> None:
    for receiver in receivers:
        goes_away(receiver)
    host.live(300)
    tries = taken_by(receivers)
    assert max(tries) - min(tries) <= 2
    assert 60 <= sum(tries) <= 70 * 3  # with dice that always show the shortest wait
    receivers[2].answer = all_ok
    host.live(60)
    assert host.spool.batches == 0
    assert {batch.seq for batch in receivers[2].batches} >= set(range(30))
    said = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(said) == 3, "two that lead on, and one when none is left"
    assert said[2].startswith("nothing reaches the collector")


@pytest.mark.parametrize(
    ("status", "moves"), [(429, False), (401, True), (404, True), (500, True), (502, True)]
)
def test_what_makes_it_turn_to_the_next(
    host: Host, receivers: list[Receiver], status: int, moves: bool
) -> None:
    receivers[0].answer = lambda push: problem(status)
    host.live(20)
    assert (taken_by(receivers)[1] > 0) is moves


def test_on_the_way_out_the_others_are_tried_too(host: Host, receivers: list[Receiver]) -> None:
    host.live(20)
    goes_away(receivers[0])
    host.spool.add(wire.Batch(0, 0, 0, TICK_MS, {"load1": 1.0}), host.now())
    host.pusher.push_last(3.0)
    assert (taken_by(receivers), host.spool.batches) == ([3, 1, 0], 0)


def test_a_single_collector_is_the_only_one(tmp_path: Path, receivers: list[Receiver]) -> None:
    host = Host(tmp_path / "single", receivers[:1])
    goes_away(receivers[0])
    host.live(100)
    receivers[0].answer = all_ok
    host.live(50)
    assert host.spool.batches == 0
    host.collectors.close()
    host.spool.close()
