"""Checks that do what a test tells them, and how a tick says that they stand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from agent.checks import Measured
from agent.sampler import Tick


class Answering:
    """A check that does what a test tells it."""

    def __init__(self, answer: Callable[[float], Measured]) -> None:
        self.measure = answer


def fine(**samples: float | None) -> Answering:
    return Answering(lambda at_s: Measured(dict(samples)))


def failing(error: BaseException) -> Answering:
    def fail(at_s: float) -> Measured:
        raise error

    return Answering(fail)


class Hanging:
    """A check that comes back only when it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.asked = 0

    def measure(self, at_s: float) -> Measured:
        self.asked += 1
        assert self.let_go.wait(20)
        return Measured({"came_late": 1.0})


class Clock:
    """A clock that runs as fast as ours and can be put forward."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


def states(tick: Tick) -> dict[str, str]:
    return {check.id: check.state for check in tick.checks}
