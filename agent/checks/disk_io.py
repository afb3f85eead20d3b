"""How much is read from and written to each disk, how busy it is, and how long it takes to answer.

A disk is what has a device behind it: partitions, loop devices, RAID and volumes, which are parts of disks or made of
them, are left out unless they are included by name. Busy is the time in which at least one request was on its way; a
disk that serves many at once can do more at 100 %. Rates are since the last tick.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from msgspec import Struct

from agent.checks import CheckOptions, Measured, chosen
from agent.checks._kernel import read
from agent.wire import series_name

DISKSTATS = Path("/proc/diskstats")
SYS_BLOCK = Path("/sys/block")
SECTOR_BYTES = 512
"""What the kernel counts in here, whatever the disk's own sectors are."""
MS_WRAP = 2**32
"""Where the kernel's milliseconds begin anew: after 50 days of one request at a time, sooner of many."""
NOT_DISKS = ("sr*", "fd*", "mmcblk*boot*")
RATES = {
    "read_bytes": "disk_read_bytes_per_s",
    "write_bytes": "disk_write_bytes_per_s",
    "reads": "disk_reads_per_s",
    "writes": "disk_writes_per_s",
}
SERIES = {
    "disk_read_bytes_per_s": "How much is read from a disk.",
    "disk_write_bytes_per_s": "How much is written to a disk.",
    "disk_reads_per_s": "How many reads a disk completes.",
    "disk_writes_per_s": "How many writes a disk completes.",
    "disk_busy_pct": "How much of the time a disk had at least one request to serve.",
    "disk_await_ms": "How long a read or write took on average, waiting in the queue included.",
}


class Options(CheckOptions, kw_only=True, frozen=True):
    """
    include_disks: patterns of the block devices to look at and no others, of whatever kind; when left out, every disk
    exclude_disks: patterns of disks to leave out, unless some are included; by default CD drives, floppies and the like
    """

    include_disks: tuple[str, ...] = ()
    exclude_disks: tuple[str, ...] = NOT_DISKS

    by_default: ClassVar[bool] = True


class Counted(Struct, frozen=True):
    """What a disk had counted at a time; `busy_ms` and `waited_ms` begin anew at MS_WRAP."""

    at_s: float
    reads: int
    read_bytes: int
    writes: int
    write_bytes: int
    waited_ms: int
    busy_ms: int


class Check:
    def __init__(self, options: Options, diskstats: Path = DISKSTATS, sys_block: Path = SYS_BLOCK) -> None:
        self._options = options
        self._diskstats, self._sys_block = str(diskstats), sys_block
        self._wanted: dict[str, bool] = {}
        self._before: dict[str, Counted] = {}

    def measure(self, at_s: float) -> Measured:
        try:
            lines = [line.split() for line in read(self._diskstats).splitlines()]
        except FileNotFoundError:
            return Measured({}, detail="this kernel does not tell what its disks do")
        self._wanted = {fields[2]: self._is_wanted(fields[2]) for fields in lines}
        now = {fields[2]: counted(at_s, fields) for fields in lines if self._wanted[fields[2]]}
        samples: dict[str, float | None] = {}
        for disk, counts in now.items():
            if disk in self._before:
                for metric, value in values(self._before[disk], counts).items():
                    samples[series_name(metric, {"disk": disk})] = value
        self._before = now
        return Measured(samples)

    def _is_wanted(self, name: str) -> bool:
        if name in self._wanted:
            return self._wanted[name]
        if self._options.include_disks:
            return chosen(name, self._options.include_disks, ())
        # Where a driver puts its disks in a folder, as cciss/c0d0, /sys has a ! in the place of the slash.
        device = self._sys_block / name.replace("/", "!") / "device"
        return chosen(name, (), self._options.exclude_disks) and device.exists()


def counted(at_s: float, fields: list[str]) -> Counted:
    """From a line of /proc/diskstats: major, minor, name, and then what is counted."""
    reads, _, read_sectors, read_ms, writes, _, write_sectors, write_ms, _, busy_ms = map(int, fields[3:13])
    return Counted(
        at_s,
        reads,
        read_sectors * SECTOR_BYTES,
        writes,
        write_sectors * SECTOR_BYTES,
        (read_ms + write_ms) % MS_WRAP,
        busy_ms,
    )


def values(before: Counted, now: Counted) -> dict[str, float]:
    """What passed between two looks; nothing at all if a counter went backwards. An idle disk has no await."""
    seconds = now.at_s - before.at_s
    passed = {name: getattr(now, name) - getattr(before, name) for name in RATES}
    if seconds <= 0 or min(passed.values()) < 0:
        return {}
    found = {metric: passed[name] / seconds for name, metric in RATES.items()}
    # The kernel keeps this time in steps of its clock, and so may count a little more than has passed.
    found["disk_busy_pct"] = min(100.0, (now.busy_ms - before.busy_ms) % MS_WRAP / (10 * seconds))
    if requests := passed["reads"] + passed["writes"]:
        found["disk_await_ms"] = (now.waited_ms - before.waited_ms) % MS_WRAP / requests
    return found
