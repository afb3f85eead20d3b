"""An agent without its checks, and what its collector got of it."""

from __future__ import annotations

from pathlib import Path

from agent import wire
from agent.clock import Moment
from agent.pusher import Pusher
from agent.pusher.collectors import Collectors
from agent.pusher.post import Post
from agent.spool import Limits, Spool
from tests.agent.receiver import TOKEN, Receiver

NOON = 1_790_000_000_000
TICK_MS = 10_000
REFUSED = {"refused": "a bad series name"}


class Host:
    """An agent without its checks: a clock that is moved by hand, a real spool, a real connection."""

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        self.asked: list[wire.Ask] = []
        self.boot_id = "boot"
        self.boot_ms = 1_000_000
        self.offset_ms = NOON
        self.spool = Spool(folder, Limits(), self.now())
        self.post = Collectors([Post(receiver.url, TOKEN, "watchkeeper-agent/test")])
        self.pusher = self.new_pusher()

    def new_pusher(self) -> Pusher:
        return Pusher(
            self.spool,
            self.post,
            TICK_MS,
            self.now,
            lambda: self.boot_ms / 1000,
            lambda low, high: low,
            self.asked.append,
        )

    def now(self) -> Moment:
        return Moment(self.boot_id, self.boot_ms, self.boot_ms + self.offset_ms)

    def sample(self, count: int = 1, filler: int = 0) -> None:
        for number in range(count):
            if number:
                self.boot_ms += TICK_MS
            samples: dict[str, float | None] = {f"filler_{n}": n / 7 for n in range(filler)}
            self.spool.add(wire.Batch(0, 0, 0, TICK_MS, samples | {"load1": number}), self.now())

    def push(self) -> float:
        """All that goes at this moment; how long to wait then."""
        for _ in range(1_000):
            wait_s = self.pusher.step()
            if wait_s > 0:
                return wait_s
        raise AssertionError("it goes on and on")

    def live(self, seconds: float, every_s: float = 10.0) -> None:
        """Let time pass, sampling on."""
        end_ms = self.boot_ms + int(seconds * 1000)
        sample_ms = self.boot_ms
        while self.boot_ms < end_ms:
            if self.boot_ms >= sample_ms:
                self.spool.add(wire.Batch(0, 0, 0, TICK_MS, {"load1": 1.0}), self.now())
                sample_ms += int(every_s * 1000)
            wait_ms = int(self.push() * 1000) + 1
            self.boot_ms = min(self.boot_ms + wait_ms, max(sample_ms, self.boot_ms + 1))


def sizes(receiver: Receiver) -> list[int]:
    return [len(got.push.batches) for got in receiver.got]


def seqs(receiver: Receiver) -> list[list[int]]:
    return [[batch.seq for batch in got.push.batches] for got in receiver.got]
