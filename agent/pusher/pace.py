"""When the next request may go, and how much of the backlog in it. Pure: the time and the dice are passed in.

The present goes first and at once: before it has gone, the collector would take the backlog for the present, and wake
people about what is long over. The backlog goes in requests of its own, one after each push of the present (with
long ticks, every ten seconds), and never more than half of the time, so that a collector that has just come back gets
at most twice its usual requests. When the collector fails, tries come ever less often, down to the rate of the ticks.
All of it is spread by chance, or a fleet that lost its collector together would come back together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from agent.wire import BATCHES_PER_PUSH_MAX

BATCHES_FIRST = 20
BEAT_S_MAX = 10.0
BACKOFF_S_FIRST = 1.0
BACKOFF_S_MAX = 60.0
RETRY_AFTER_S_MAX = 3_600.0


class Turn(Struct, frozen=True):
    """What is to be done now. A wait ends early when there is something new."""

    kind: Literal["present", "backlog", "wait"]
    wait_s: float = 0.0


class Pace:
    """Remembers how it went, and says what comes next. `batches` is how many the next backlog request may hold."""

    def __init__(self, every_s: float, uniform: Callable[[float, float], float]) -> None:
        self.batches = BATCHES_FIRST
        self._every_s = every_s
        self._beat_s = min(every_s, BEAT_S_MAX)
        self._uniform = uniform
        self._failures = 0
        self._present_has_gone = False
        self._closed_until_s = 0.0
        self._backlog_from_s = 0.0

    def turn(self, now_s: float, *, present: bool, backlog: bool) -> Turn:
        """What to do at `now_s` (monotonic), given what there is to send."""
        if not (present or backlog):
            return Turn("wait", self._every_s)
        if now_s < self._closed_until_s:
            return Turn("wait", self._closed_until_s - now_s)
        if present:
            return Turn("present")
        if not self._present_has_gone:
            return Turn("wait", self._every_s)
        if now_s < self._backlog_from_s:
            return Turn("wait", self._backlog_from_s - now_s)
        return Turn("backlog")

    def went_well(self, now_s: float, *, backlog: bool, took_s: float) -> None:
        if self._failures:
            self._failures = 0
            self._backlog_from_s = now_s + self._uniform(0, self._beat_s)
        if backlog:
            self.batches = min(2 * self.batches, BATCHES_PER_PUSH_MAX)
            self.rest(now_s, took_s)
        else:
            self._present_has_gone = True

    def rest(self, now_s: float, took_s: float = 0.0) -> None:
        """The backlog has had its turn."""
        self._backlog_from_s = now_s + max(self._beat_s * self._uniform(1.0, 1.2), took_s)

    def was_too_much(self, batches: int) -> None:
        """A request of many was rejected as a whole: half of them goes next, at once."""
        self.batches = max(1, batches // 2)

    def failed(
        self, now_s: float, *, backlog: bool, lasting: bool = False, retry_after_s: float | None = None
    ) -> None:
        """No answer, or one that says: later. `lasting` is what does not pass by itself, such as a wrong token."""
        most_s = BACKOFF_S_MAX if lasting else min(max(self._every_s, BACKOFF_S_FIRST), BACKOFF_S_MAX)
        wait_s = min(BACKOFF_S_FIRST * 2 ** min(self._failures, 10), most_s) * self._uniform(0.5, 1.5)
        self._failures += 1
        if retry_after_s is not None:
            wait_s = min(retry_after_s, RETRY_AFTER_S_MAX) + self._uniform(0.0, self._beat_s)
        self._closed_until_s = now_s + wait_s
        if backlog:
            self.batches = max(1, self.batches // 2)
