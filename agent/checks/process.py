"""Are there as many processes of a program as there should be, and how much CPU and memory do they use?

Processes that are dead and only wait to be taken away (zombies) do not count. To find them all processes are looked at,
which costs some 20 µs for each; with a pid file only that one is.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import time
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from agent.checks import CheckOptions, Measured
from agent.wire import series_name

PROC = Path("/proc")
NAME_CHARS = 15
"""As much as the kernel keeps of the name of a program."""
COMMAND_BYTES_MAX = 16 * 1024
SHOWN_CHARS = 100
"""As much as a message needs of a pattern."""
PID_BYTES_MAX = 32
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGESIZE")
SERIES = {
    "process_count": "How many processes fit.",
    "process_cpu_pct": "How much CPU the processes that fit use together; 100 is one whole processor.",
    "process_memory_bytes": "How much memory the processes that fit have in use; what they share counts for each.",
}


class Options(CheckOptions, kw_only=True, frozen=True):
    """
    name: the program, as top shows it; * stands for anything
    command: a pattern that the whole command line fits, such as "*java*-jar /opt/shop.jar*"; * is anything
    user: the name or number of whose processes are meant
    pid_file: a file with the number of the one process that is meant
    at_least: how few there may be
    at_most: how many there may be; when left out, any number
    """

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    command: Annotated[str, Meta(max_length=4_000)] = ""
    user: Annotated[str, Meta(max_length=200)] = ""
    pid_file: Annotated[str, Meta(pattern="^(/|$)", max_length=4_000)] = ""
    at_least: Annotated[int, Meta(ge=0)] = 1
    at_most: Annotated[int, Meta(ge=0)] | None = None

    def __post_init__(self) -> None:
        if self.at_most is not None and self.at_most < self.at_least:
            raise ValueError("at_most is less than at_least, so no number could be right")


class Process(Struct, frozen=True):
    """A process at a time. With `started` beside it, its number is that of no other."""

    pid: int
    name: str
    started: int
    cpu: int
    """Both in ticks of the kernel: since the boot, and used so far."""
    memory_bytes: int


class Check:
    def __init__(self, options: Options, proc: Path = PROC) -> None:
        self._options = options
        self._proc = proc
        label = {"check": options.id or "process"}
        self._count, self._cpu_pct, self._memory_bytes = (series_name(metric, label) for metric in SERIES)
        self._before: dict[tuple[int, int], int] = {}
        self._at_s: float | None = None
        self._looked = 0

    def measure(self, at_s: float) -> Measured:
        try:
            found = list(self._found())
            fault = self._fault_of(len(found))
        except NotThere as error:
            found, fault = [], str(error)
        samples: dict[str, float | None] = {
            self._count: len(found),
            self._memory_bytes: sum(process.memory_bytes for process in found),
        }
        cpu_pct = self._cpu(found, at_s)
        if cpu_pct is not None:
            samples[self._cpu_pct] = cpu_pct
        if fault and len(found) < self._options.at_least and self._others_are_hidden():
            return Measured(
                samples, "unknown", f"{fault}, but this user sees only its own processes (hidepid)"
            )
        return Measured(samples, "bad" if fault else "ok", fault)

    def _found(self) -> Iterator[Process]:
        """The processes that fit. NotThere: there can be none."""
        options = self._options
        pids = [pid_in(Path(options.pid_file))] if options.pid_file else numbers_in(self._proc)
        uid = number_of(options.user) if options.user else None
        for pid in pids:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                folder = self._proc / str(pid)
                process = process_in((folder / "stat").read_bytes())
                if process is not None and self._fits(process, folder, uid):
                    yield process

    def _fits(self, process: Process, folder: Path, uid: int | None) -> bool:
        """The cheapest question first, as it is asked of every process."""
        name, command = self._options.name, self._options.command
        return (
            (process.name == name[:NAME_CHARS] or fnmatchcase(process.name, name))
            and (uid is None or user_in((folder / "status").read_text()) == uid)
            and (not command or fnmatchcase(command_in(folder / "cmdline"), command))
        )

    def _fault_of(self, count: int) -> str:
        least, most = self._options.at_least, self._options.at_most
        there = (
            f"{count} processes {self._which}"
            if count > 1
            else f"{count or 'there is no'} process {self._which}"
        )
        if count < least:
            return there if least == 1 else f"{there}, expected at least {least}"
        if most is not None and count > most:
            return f"{there}, expected at most {most}"
        return ""

    @property
    def _which(self) -> str:
        """Whose number is wrong, as it is written in the config."""
        options = self._options
        more = {"command": options.command, "user": options.user, "pid_file": options.pid_file}
        narrowed = ", ".join(
            f"{key.replace('_', ' ')} {value[:SHOWN_CHARS]}" for key, value in more.items() if value
        )
        return f"{options.name} ({narrowed})" if narrowed else options.name

    def _cpu(self, found: list[Process], at_s: float) -> float | None:
        """The CPU used since the last look; None at the first. What was started since then has used all of its own."""
        now = {(process.pid, process.started): process.cpu for process in found}
        before, at_before_s, looked = self._before, self._at_s, self._looked
        self._before, self._at_s = now, at_s
        self._looked = int(time.clock_gettime(time.CLOCK_BOOTTIME) * TICKS_PER_S)
        if at_before_s is None or at_s <= at_before_s:
            return None
        used = sum(cpu - before.get(which, cpu if which[1] < looked else 0) for which, cpu in now.items())
        return 100 * used / TICKS_PER_S / (at_s - at_before_s)

    def _others_are_hidden(self) -> bool:
        """Whether not even the first of all processes may be looked at."""
        try:
            (self._proc / "1" / "stat").read_bytes()
        except OSError:
            return True
        return False


class NotThere(Exception):
    """There is not even what should lead to a process. The text is a sentence for a person."""


def numbers_in(proc: Path) -> Iterator[int]:
    with os.scandir(proc) as entries:
        for entry in entries:
            if entry.name.isdecimal():
                yield int(entry.name)


def pid_in(path: Path) -> int:
    try:
        with path.open("rb") as file:
            return int(file.read(PID_BYTES_MAX).split()[0])
    except FileNotFoundError:
        raise NotThere(f"there is no {path}") from None
    except (ValueError, IndexError):
        raise NotThere(f"{path} does not hold the number of a process") from None


def process_in(stat: bytes) -> Process | None:
    """What /proc/PID/stat says; None for one that is dead."""
    head, _, tail = stat.rpartition(b")")  # a name may hold anything, a parenthesis too
    pid, _, name = head.partition(b" (")
    fields = tail.split()
    if fields[0] in (b"Z", b"X", b"x"):
        return None
    return Process(
        pid=int(pid),
        name=name.decode("utf-8", "replace"),
        started=int(fields[19]),
        cpu=int(fields[11]) + int(fields[12]),
        memory_bytes=int(fields[21]) * PAGE_BYTES,
    )


def command_in(path: Path) -> str:
    """A command line as ps shows it."""
    with path.open("rb") as file:
        return file.read(COMMAND_BYTES_MAX).rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "replace")


def user_in(status: str) -> int:
    """The user whose rights a process has, from /proc/PID/status."""
    _, _, rest = status.partition("\nUid:")
    return int(rest.split(maxsplit=2)[1])


def number_of(user: str) -> int:
    try:
        return int(user) if user.isdecimal() else pwd.getpwnam(user).pw_uid
    except KeyError:
        raise NotThere(f"there is no user {user}") from None
