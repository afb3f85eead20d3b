"""A closer look at the host, taken once when the collector asks for it: what an admin would look at first.

It goes on beside the ticks, in threads of its own and with the lowest priority: a host in trouble has other things to
do, and what it looks at may be the very thing that hangs.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from agent.checks import systemd
from agent.checks._dbus import Bus, BusError
from agent.clock import Clock
from agent.evidence import folders, kernel_log, programs
from agent.net.dial import Deadline
from agent.sampler import plain, sentence
from agent.wire import Evidence, Folder
from agent.workers import Job, Workers, kindly

log = logging.getLogger(__name__)

PART_S_MAX = 3.0
WALK_S = 6.0
GRACE_S = 2.0
APART_S = 30.0
"""So long it rests after each look, whatever is asked."""
REMEMBERED = 100
THREADS_MAX = 8
UNITS_MAX = 50
UNIT_CHARS_MAX = 200


class Lookout:
    """Looks closer when asked, once for each number, and hands over what it found; one look at a time."""

    def __init__(
        self,
        deliver: Callable[[Evidence], None],
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._deliver, self._clock, self._monotonic = deliver, clock, monotonic
        self._looked: deque[int] = deque(maxlen=REMEMBERED)
        self._rests_until_s = 0.0
        self._thread: threading.Thread | None = None
        self._workers = Workers("evidence", THREADS_MAX)

    def look(self, about: int) -> None:
        """Begin to, unless that was done, or another look goes on or has just ended: it will be asked again."""
        busy = self._thread is not None and self._thread.is_alive()
        if about in self._looked or busy or self._monotonic() < self._rests_until_s:
            return
        self._looked.append(about)
        self._thread = threading.Thread(target=self._look, args=(about,), name="evidence", daemon=True)
        self._thread.start()

    def _look(self, about: int) -> None:
        try:
            self._deliver(gather(about, self._clock, self._workers))
        except Exception:
            log.exception("a fault in the agent; there is no evidence about %d", about)
        finally:
            self._rests_until_s = self._monotonic() + APART_S


def gather(about: int, clock: Clock, workers: Workers) -> Evidence:
    """All that could be seen in a few seconds, and in words what could not."""
    began = clock()
    parts: dict[str, Job[Any]] = {
        "the programs": Job(kindly(lambda: programs.greediest(Deadline(PART_S_MAX))), PART_S_MAX + GRACE_S),
        "the fullest disk": Job(kindly(_largest), WALK_S + GRACE_S),
        "the failed units": Job(kindly(failed_units), PART_S_MAX + GRACE_S),
        "the kernel's log": Job(kindly(lambda: kernel_log.last_lines(clock())), PART_S_MAX + GRACE_S),
    }
    workers.run(list(parts.values()))
    by_cpu, by_memory = parts["the programs"].result or ([], [])
    mount, largest, unseen = parts["the fullest disk"].result or ("", [], [])
    return Evidence(
        about=about,
        at=began.wall_ms,
        took_ms=clock().boot_ms - began.boot_ms,
        by_cpu=by_cpu,
        by_memory=by_memory,
        mount=mount,
        folders=largest,
        failed_units=parts["the failed units"].result,
        kernel=parts["the kernel's log"].result,
        unseen=[*unseen, *(why for name, job in parts.items() if (why := _why_not(name, job)))],
    )


def _why_not(name: str, job: Job[Any]) -> str:
    """Why a part has no answer; empty if it has one."""
    if job.ended and job.error is None:
        return ""
    if job.error is None or isinstance(job.error, TimeoutError):
        return f"{name}: no answer within {job.limit_s:.0f} s"
    if not isinstance(job.error, OSError | BusError):
        log.error("a fault in the agent while it looked at %s", name, exc_info=job.error)
    return plain(f"{name}: {sentence(job.error)}")


def _largest() -> tuple[str, list[Folder], list[str]]:
    """The fullest mount, its largest directories, and in words what of it was not seen."""
    mount = folders.fullest_mount()
    walk = folders.Walk(mount, WALK_S)
    unseen = [] if walk.complete else [f"not all of {mount} could be looked through in {WALK_S:.0f} s"]
    if walk.unreadable:
        unseen.append(f"{walk.unreadable} directories of {mount} that this user may not read")
    return plain(folders.shown(mount)), walk.largest(), [plain(folders.shown(words)) for words in unseen]


def failed_units() -> list[str]:
    """Those of systemd; none where it does not run the host. BusError: it cannot be asked."""
    if not systemd.BOOTED.is_dir():
        return []
    bus = Bus(systemd.BUS)
    try:
        deadline = Deadline(PART_S_MAX)
        reply = bus.call(
            systemd.SYSTEMD, systemd.OBJECT, f"{systemd.MANAGER}.ListUnitsFiltered", [["failed"]], deadline
        )
        names = sorted(unit.name for unit in systemd.units_in(reply))
    finally:
        bus.close()
    return [plain(name)[:UNIT_CHARS_MAX] for name in names[:UNITS_MAX]]
