"""Threads for calls that may never come back, such as asking a disk that is gone.

A thread in such a call cannot be stopped. So whoever wants it made waits for a limited time and then leaves the call to
its thread, and the next calls get another one.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

log = logging.getLogger(__name__)

GROW_AFTER_S = 0.03
"""How long calls wait their turn before more threads are put to work. The usual calls take far less, and one thread
makes them one after the other without the threads getting in each other's way, which would spoil what they measure."""
IDLE_S_MAX = 60.0
NICEST = 19

T = TypeVar("T")


class Job(Generic[T]):
    """One call: not started while `started_s` is None, on its way, or ended with `result` or `error`."""

    def __init__(self, call: Callable[[], T], limit_s: float) -> None:
        self.call = call
        self.limit_s = limit_s
        self.started_s: float | None = None
        self.ended_s: float | None = None
        self.result: T | None = None
        self.error: BaseException | None = None

    @property
    def ended(self) -> bool:
        return self.ended_s is not None


class Workers:
    """At most `threads_max` daemon threads, those in calls that do not come back included. One caller at a time."""

    def __init__(
        self,
        name: str,
        threads_max: int,
        clock: Callable[[], float] = time.monotonic,
        idle_s_max: float = IDLE_S_MAX,
    ) -> None:
        self._name = name
        self._idle_s_max = idle_s_max
        self._threads_max = threads_max
        self._clock = clock
        self._lock = threading.Lock()
        self._ended = threading.Condition(self._lock)
        self._queue: deque[Job[Any]] = deque()
        self._threads = 0
        # The one that fell idle last is woken first, so that those who are not needed stay idle, and end.
        self._idle: list[threading.Condition] = []
        self._closed = False

    def run(self, jobs: Sequence[Job[T]], within_s: float = math.inf) -> None:
        """Make the calls; come back when each has ended or used up its limit, at the latest after the largest limit, or
        after `within_s`.

        A call that has not ended by then goes on in its thread and may end later. One that got no thread is given up
        and stays not started.
        """
        began_s = self._clock()
        with self._lock:
            self._queue.extend(jobs)
            self._put_to_work(1)
            while (left_s := self._left_s(jobs, began_s, within_s)) > 0:
                self._ended.wait(min(left_s, GROW_AFTER_S) if self._queue else left_s)
                if self._queue:
                    self._put_to_work(max(1, self._threads - len(self._idle)))  # twice as many as are busy
            self._queue.clear()

    def close(self) -> None:
        """Let the idle threads end. What still is in a call is left behind and does not keep the process alive."""
        with self._lock:
            self._closed = True
            self._wake(len(self._idle))

    def _left_s(self, jobs: Sequence[Job[T]], began_s: float, within_s: float) -> float:
        """How long there is something to wait for; 0 or less when there is nothing."""
        end_s = began_s + min(within_s, max((job.limit_s for job in jobs), default=0.0))
        ends = (
            end_s if job.started_s is None else min(end_s, job.started_s + job.limit_s)
            for job in jobs
            if not job.ended
        )
        return max(ends, default=0.0) - self._clock()

    def _put_to_work(self, count: int) -> None:
        more = count - self._wake(count)
        for _ in range(min(more, self._threads_max - self._threads, len(self._queue))):
            try:
                threading.Thread(target=self._work, name=self._name, daemon=True).start()
            except RuntimeError as error:  # the system allows no more; those there are go on
                log.warning("%s: no further thread could be started: %s", self._name, error)
                return
            self._threads += 1

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                job.result = job.call()
            except BaseException as error:  # noqa: BLE001 - whatever a call raises is its answer
                job.error = error
            with self._lock:
                job.ended_s = self._clock()
                if not self._queue:
                    self._ended.notify()

    def _wake(self, count: int) -> int:
        """Wake so many of those who are idle, or all; how many."""
        woken = min(count, len(self._idle))
        for _ in range(woken):
            self._idle.pop().notify()
        return woken

    def _next(self) -> Job[Any] | None:
        with self._lock:
            mine, in_time = threading.Condition(self._lock), True
            while not self._queue:
                if self._closed or not in_time:
                    self._threads -= 1
                    return None
                self._idle.append(mine)
                in_time = mine.wait(self._idle_s_max)
                if mine in self._idle:
                    self._idle.remove(mine)
            job = self._queue.popleft()
            job.started_s = self._clock()
            return job


def kindly(call: Callable[[], T]) -> Callable[[], T]:
    """The same call with the lowest priority, which its thread keeps; programs that it starts have it too."""

    def kind() -> T:
        with contextlib.suppress(OSError):  # a service may be denied even that
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICEST)
        return call()

    return kind
