"""How many updates apt would install: asked in the background, seldom, and only when the answer may be another.

To work it out takes apt a second or two of processor and some 80 MiB of memory, on a small board ten times that long.
So it runs with the lowest priority beside the ticks, some time after the agent's start, and then only when apt has
fetched lists or something was installed since. It changes nothing, takes no lock and needs no rights.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from agent.checks._program import CLEAN, Running
from agent.net.dial import Deadline, NoAnswer
from agent.workers import Job, Workers, kindly

APT = Path("/usr/bin/apt-get")
LISTS = Path("/var/lib/apt/lists")
INSTALLED = Path("/var/lib/dpkg/status")
ARGUMENTS = ("--simulate", "-qq", "-o", "Debug::NoLocking=true", "dist-upgrade")
FIRST_AFTER_S = 60.0
"""A host that has just booted has better things to do."""
HANDED_OVER_S = 0.1
ANSWER_S_MAX = 300.0
OUTPUT_BYTES_MAX = 4 * 1024 * 1024
UPGRADE = re.compile(r"^Inst \S+ \[[^\]]*\] \((.*)\)", re.MULTILINE)
"""What is installed already: its version stands before that which would come, and where that would come from."""
SECURITY = re.compile(r"security", re.IGNORECASE)


class Waiting(Struct, frozen=True):
    """How many updates wait, and how many of them mend holes in security."""

    updates: int
    security: int


class Apt:
    """`waiting` is what apt said last, None before; `trouble` is why it said nothing, in words."""

    def __init__(
        self, every_s: float, apt: Path = APT, lists: Path = LISTS, installed: Path = INSTALLED
    ) -> None:
        self.waiting: Waiting | None = None
        self.trouble = ""
        self._every_s = every_s
        self._apt, self._lists, self._installed = apt, lists, installed
        self._job: Job[Waiting] | None = None
        self._due_s: float | None = None
        self._knew: tuple[int, ...] | None = None

    @property
    def is_here(self) -> bool:
        return self._apt.exists() and self._installed.exists()

    def looked_at_s(self) -> float | None:
        """When apt last looked for updates, as the clock on the wall has it; None if it has no lists."""
        if not any(self._lists.glob("*Release")):
            return None
        return max(path.stat().st_mtime for path in (self._lists, self._lists / "partial") if path.exists())

    def turn(self, at_s: float) -> None:
        """Hear what apt said, and ask it anew when it is time. To be called often; it does not wait for the answer."""
        job = self._job
        if job is not None and not job.ended:
            return
        self._job = None
        if job is not None:
            self._hear(job)
        if self._due_s is None:
            self._due_s = at_s + FIRST_AFTER_S
        if at_s >= self._due_s and (knows := tuple(self._changed())) != self._knew:
            job = Job(kindly(self._ask), ANSWER_S_MAX)
            thread = Workers("apt", 1)
            thread.run([job], HANDED_OVER_S)
            thread.close()  # it ends with the answer: the next question is an hour away
            if job.started_s is not None:
                self._job, self._knew, self._due_s = job, knows, at_s + self._every_s

    def _changed(self) -> Iterator[int]:
        """When what apt goes by was written."""
        for path in (self._lists, self._lists / "partial", self._installed):
            if path.exists():
                yield path.stat().st_mtime_ns

    def _hear(self, job: Job[Waiting]) -> None:
        if job.error is None:
            self.waiting, self.trouble = job.result, ""
            return
        self._knew = None
        self.trouble = str(job.error)
        if not isinstance(job.error, NoAnswer):
            raise job.error

    def _ask(self) -> Waiting:
        running = Running((str(self._apt), *ARGUMENTS), CLEAN)
        try:
            ended = running.watch(Deadline(ANSWER_S_MAX), OUTPUT_BYTES_MAX)
        finally:
            running.end()
        if ended.code:
            said = ended.err.decode("utf-8", "replace").partition("\n")[0]
            raise NoAnswer(f"{self._apt.name} ended with {ended.code}: {said}")
        return counted(ended.out.decode("utf-8", "replace"))


def counted(said: str) -> Waiting:
    """The updates in what a simulated upgrade says; what it would install besides is none."""
    sources = UPGRADE.findall(said)
    return Waiting(len(sources), sum(bool(SECURITY.search(source)) for source in sources))
