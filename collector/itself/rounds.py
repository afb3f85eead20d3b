"""What comes round: jobs that are done again and again, each in a task of its own.

They are timed by the clock that nobody can set. By the wall clock, an hour that it is set back would be an hour in
which nothing comes round, not even the look for hosts that fell silent.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from prometheus_client import CollectorRegistry, Counter

from collector.store import StoreError

log = logging.getLogger(__name__)


class Rounds:
    """Runs jobs. One that fails comes round again: that is counted each time, and logged when its words are new."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self._called: dict[str, asyncio.Event] = {}
        self._errors = Counter(
            "watchkeeper_job_errors", "Jobs that come round and failed", ["job"], registry=registry
        )

    def start(self, name: str, every_s: float, job: Callable[[], Awaitable[None]]) -> None:
        """Do `job` every so often from now on, the first time after `every_s`. One that takes longer is not begun a
        second time meanwhile, and what was missed is not made up for."""
        self._errors.labels(name)
        self._called[name] = asyncio.Event()
        self._tasks.append(asyncio.create_task(self._go_round(name, every_s, job), name=f"round: {name}"))

    def soon(self, name: str) -> None:
        """Do a job that was started at once, or once more when it is being done; then again every so often."""
        self._called[name].set()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _go_round(self, name: str, every_s: float, job: Callable[[], Awaitable[None]]) -> None:
        loop = asyncio.get_running_loop()
        due_s, said, called = loop.time() + every_s, "", self._called[name]
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due_s):
                    await called.wait()
            called.clear()
            try:
                await job()
                said = ""
            except Exception as error:
                self._errors.labels(name).inc()
                if (words := repr(error)) != said:
                    said = words
                    if isinstance(error, StoreError):  # such as a full disk: its sentence says all
                        log.error("The job %r failed: %s; it comes round again.", name, error)  # noqa: TRY400
                    else:
                        log.exception("The job %r failed; it comes round again.", name)
            due_s = max(min(due_s, loop.time()) + every_s, loop.time())
