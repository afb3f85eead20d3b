"""Whether each array of Linux' software RAID has all its disks, and how far repairing it has come.

What hardware controllers, ZFS and btrfs do by themselves is not seen here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from msgspec import Struct

from agent.checks import CheckOptions, Measured
from agent.checks._kernel import read
from agent.wire import Answer, series_name

MDSTAT = Path("/proc/mdstat")
HEAD = re.compile(r"(md\S*) ?: (\w+)(.*)")
DISK = re.compile(r"(\S+)\[\d+\](?:\([A-Z]\))*")
IN_USE = re.compile(r"\[(\d+)/(\d+)\] \[[U_]+\]")
WORK = re.compile(r"(recovery|resync|reshape|check)\s*=\s*([\d.]+)%")
REPAIRS = ("recovery", "reshape")
"""Work that gives an array back what it lacks; resync and check go over disks that are all there."""
SERIES = {
    "raid_disks": "How many disks a RAID array should have.",
    "raid_disks_missing": "How many of its disks a RAID array runs without.",
    "raid_disks_failed": "How many disks of a RAID array failed and were not taken out yet.",
    "raid_sync_pct": "How far recovery, resync, reshape or check of a RAID array has come; only while it goes on.",
}


class Options(CheckOptions, kw_only=True, frozen=True):
    """No more than what every check can be told."""

    by_default: ClassVar[bool] = True


class Array(Struct, frozen=True):
    """An array as /proc/mdstat has it; `disks` and `missing` are None where its level cannot do without any."""

    name: str
    running: bool
    failed: tuple[str, ...]
    disks: int | None = None
    missing: int | None = None
    work: str = ""
    work_pct: float | None = None


class Check:
    def __init__(self, options: Options, mdstat: Path = MDSTAT) -> None:
        self._mdstat = str(mdstat)

    def measure(self, at_s: float) -> Measured:
        try:
            text = read(self._mdstat)
        except FileNotFoundError:
            return Measured({})
        samples: dict[str, float | None] = {}
        state: Answer = "ok"
        faults = []
        for array in arrays(text):
            samples |= series(array)
            how, fault = judged(array)
            if fault:
                faults.append(fault)
                state = "bad" if "bad" in (state, how) else how
        return Measured(samples, state, "; ".join(faults))


def arrays(text: str) -> Iterator[Array]:
    """What stands in /proc/mdstat: a line that begins with the name of an array, and those below it up to the next."""
    for block in re.split(r"\n(?=\S)", text):
        head = HEAD.match(block)
        # What holds the drives of a vendor's RAID together is an array too, which never runs, as it should.
        if head is None or (head[2] == "inactive" and "super external:" in block):
            continue
        count, work = IN_USE.search(block), WORK.search(block)
        yield Array(
            head[1],
            head[2] == "active",
            tuple(disk[1] for disk in DISK.finditer(head[3]) if "(F)" in disk[0]),
            int(count[1]) if count else None,
            int(count[1]) - int(count[2]) if count else None,
            work[1] if work else "",
            float(work[2]) if work else None,
        )


def series(array: Array) -> dict[str, float | None]:
    label = {"array": array.name}
    samples: dict[str, float | None] = {series_name("raid_disks_failed", label): len(array.failed)}
    if array.disks is not None:
        samples[series_name("raid_disks", label)] = array.disks
        samples[series_name("raid_disks_missing", label)] = array.missing
    if array.work_pct is not None:
        samples[series_name("raid_sync_pct", label)] = array.work_pct
    return samples


def judged(array: Array) -> tuple[Answer, str]:
    """How an array stands, and what is wrong with it in words that stay the same while that lasts."""
    failed = f"{', '.join(array.failed)} failed" if array.failed else ""
    if not array.running:
        return "bad", f"{array.name} does not run"
    if array.missing:
        lacks = f"{array.name} runs without {array.missing} of {array.disks} disks"
        if array.work in REPAIRS:
            return "warn", f"{lacks} and is being repaired"
        return "bad", f"{lacks} ({failed})" if failed else lacks
    return ("warn", f"{array.name}: {failed}") if failed else ("ok", "")
