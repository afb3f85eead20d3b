"""How many processes there are, run, wait for disks, were started, or are dead and not taken away (zombies).

The kernel counts all this for the whole machine, also where it is asked inside a container, and it costs the same
however many there are. Zombies it does not count: for those every process that this user can see is looked at, which
costs more the more there are, and so is done only now and then.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, ClassVar

from msgspec import Meta

from agent.checks import CheckOptions, Measured
from agent.checks._kernel import Counters, read

PROC = Path("/proc")
FEW = "zombies are counted only among the processes that this user can see"
SERIES = {
    "processes": "How many processes there are.",
    "processes_running": "How many threads run or could run if a processor were free.",
    "processes_blocked": "How many threads wait for disks and can do nothing else.",
    "processes_started_per_s": "How many processes and threads were started.",
    "processes_zombie": "How many processes are dead but not taken away by their parent, as of the last count.",
    "threads": "How many threads there are, in all processes together.",
    "threads_used_pct": "How many of the threads that the kernel allows there are; without room nothing can start.",
}


class Options(CheckOptions, kw_only=True, frozen=True):
    """
    zombies_every: how often every process is looked at to count zombies; 0s never
    """

    zombies_every_s: Annotated[float, Meta(ge=0, le=86_400)] = 300.0

    by_default: ClassVar[bool] = True


class Check:
    def __init__(self, options: Options, proc: Path = PROC) -> None:
        self._options = options
        self._proc, self._proc_folder = str(proc), proc
        self._forks = Counters()
        self._walked_s: float | None = None
        self._folders = folders_in(self._proc)
        self._zombies = self._seen = 0

    def measure(self, at_s: float) -> Measured:
        told = told_by_stat(read(f"{self._proc}/stat"))
        running, threads = (int(count) for count in read(f"{self._proc}/loadavg").split()[3].split("/"))
        threads_max = min(
            int(read(f"{self._proc}/sys/kernel/{limit}")) for limit in ("pid_max", "threads-max")
        )
        samples: dict[str, float | None] = {
            # To the links of a folder (itself twice, and each folder in it) the kernel adds one for each process here.
            "processes": self._proc_folder.stat().st_nlink - 2 - self._folders,
            "processes_running": running,
            "processes_blocked": told["procs_blocked"],
            "threads": threads,
            "threads_used_pct": 100 * threads / threads_max,
        }
        for rate in self._forks.per_s(at_s, {"forks": told["processes"]}).values():
            samples["processes_started_per_s"] = rate
        if not self._options.zombies_every_s:
            return Measured(samples)
        samples["processes_zombie"] = self._zombies_at(at_s)
        few = self._seen < (samples["processes"] or 0) / 2
        return Measured(samples, detail=FEW if few else "")

    def _zombies_at(self, at_s: float) -> int:
        """As many as there were at the last count, which is made now if it is due."""
        if self._walked_s is None or at_s - self._walked_s >= self._options.zombies_every_s:
            self._walked_s = at_s
            self._folders = folders_in(self._proc)  # a module loaded meanwhile may have brought one
            self._zombies, self._seen = zombies_in(self._proc)
        return self._zombies


def told_by_stat(text: str) -> dict[str, int]:
    """The lines of /proc/stat that are about processes: `processes`, `procs_running`, `procs_blocked`."""
    lines = text[text.rindex("\nprocesses ") :].splitlines()
    return {
        fields[0]: int(fields[1])
        for fields in map(str.split, lines)
        if fields and fields[0].startswith("proc")
    }


def folders_in(proc: str) -> int:
    """How many folders are in /proc besides those of processes."""
    with os.scandir(proc) as entries:
        return sum(not entry.name.isdigit() and entry.is_dir(follow_symlinks=False) for entry in entries)


def zombies_in(proc: str) -> tuple[int, int]:
    """How many processes are dead but still there, and how many there are, of those that this user can see."""
    zombies = seen = 0
    with os.scandir(proc) as entries:
        for name in (entry.name for entry in entries if entry.name.isdigit()):
            try:
                stat = read(f"{proc}/{name}/stat")
            except OSError:
                continue  # gone meanwhile, or not for the eyes of this user
            seen += 1
            zombies += stat[stat.rindex(")") + 2] == "Z"  # a name may hold anything, also a bracket
    return zombies, seen
