"""Which programs take the most of a host, found by two looks at /proc: only when somebody asks, never on a tick."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from heapq import nlargest
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from agent.evidence.masking import masked
from agent.net.dial import Deadline
from agent.sampler import plain
from agent.wire import Program

PROC = Path("/proc")
APART_S = 1.0
SHOWN = 8
PROCESSES_MAX = 50_000
COMMAND_BYTES_MAX = 4_096
CHARS_MAX = 200
"""As much as the wire takes."""


class Seen(NamedTuple):
    """A process at one moment. `began` tells it from an older one of the same number."""

    name: str
    began: int
    ticks: int
    memory_bytes: int


def greediest(
    deadline: Deadline, proc: Path = PROC, wait: Callable[[float], object] = time.sleep
) -> tuple[list[Program], list[Program]]:
    """Those that take the most CPU and those that hold the most memory. OSError: /proc cannot be read."""
    before, before_s = look(proc, deadline), time.monotonic()
    wait(min(APART_S, deadline.left_s() / 2))
    after, passed_s = look(proc, deadline), time.monotonic() - before_s
    per_s = os.sysconf("SC_CLK_TCK") * passed_s
    cpu_pct = {
        pid: (now.ticks - before[pid].ticks) / per_s * 100
        for pid, now in after.items()
        if pid in before and before[pid].began == now.began
    }

    def program(pid: int) -> Program:
        seen = after[pid]
        used_pct = round(cpu_pct.get(pid, 0.0), 1)
        return Program(pid, seen.name, command(pid, seen.name, proc), used_pct, seen.memory_bytes)

    busy = [pid for pid in nlargest(SHOWN, cpu_pct, cpu_pct.__getitem__) if cpu_pct[pid] > 0]
    large = nlargest(SHOWN, after, lambda pid: after[pid].memory_bytes)
    return [program(pid) for pid in busy], [program(pid) for pid in large if after[pid].memory_bytes]


def look(proc: Path, deadline: Deadline) -> dict[int, Seen]:
    """Every process there is, as far as the time allows."""
    page_bytes = os.sysconf("SC_PAGESIZE")
    found = {}
    for folder in islice((entry for entry in proc.iterdir() if entry.name.isdecimal()), PROCESSES_MAX):
        deadline.left_s()
        try:
            stat = (folder / "stat").read_bytes()
        except OSError:
            continue  # it has ended
        found[int(folder.name)] = seen(stat, page_bytes)
    return found


def seen(stat: bytes, page_bytes: int) -> Seen:
    """What /proc/PID/stat says; the name in it may hold anything, brackets and spaces too."""
    head, _, tail = stat.rpartition(b")")
    name = head.partition(b"(")[2].decode("utf-8", "replace")
    fields = tail.split()
    user, system, began, pages = (int(fields[place]) for place in (11, 12, 19, 21))
    return Seen(plain(name)[:CHARS_MAX], began, user + system, pages * page_bytes)


def command(pid: int, name: str, proc: Path = PROC) -> str:
    """How it was called, with secrets masked; a name in brackets for the kernel's own."""
    try:
        with (proc / str(pid) / "cmdline").open("rb") as file:
            line = file.read(COMMAND_BYTES_MAX)
    except OSError:
        return ""
    arguments = line.decode("utf-8", "replace").rstrip("\0").split("\0")
    return plain(masked(arguments))[:CHARS_MAX] if line else f"[{name}]"[:CHARS_MAX]
