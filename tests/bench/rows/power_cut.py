"""Acknowledged batches that are not there after a power cut, which loses all that was not on the disk by then.

In two ways. A file system is cut off from its disk, which takes a privilege. And the store's files are copied at random
moments, without what of the write-ahead log the kernel says is not on the disk; with `synchronous=NORMAL` as well, as
many have it, so that it can be seen what FULL is for, and that what is lost would be found.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from collector.stores.sqlite.connection import connect_writer
from tests.bench.fleet import Settings, stage
from tests.bench.progress import tell_each
from tests.bench.rows.crash import missing, wait_for_pushes
from tests.bench.table import Goal, Row
from tests.system import load
from tests.system.harness import Collector
from tests.system.write_ahead_log import frozen, left_behind, log_of, log_on_disk, put, unwritten_pages

DISK_MIB = 512
HOSTS = 6
MOMENTS_OF_NORMAL = 10
SYNCED_SELDOM = (sys.executable, "-m", "tests.bench.normal")
LEVELS = ("OFF", "NORMAL", "FULL", "EXTRA")
COMMAND_S = 60
SHUT_DOWN, WITHOUT_WRITING_ITS_JOURNAL = 0x8004587D, 2
"""EXT4_IOC_SHUTDOWN, as in Linux' fs/ext4/ext4.h."""


class NoDisk(Exception):
    """The sentence says what this machine lacks."""


class Disk:
    """An ext4 file system in a file, whose power can be cut."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "disk"
        self._image = folder / "disk.img"
        self.path.mkdir()
        if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None or not Path("/dev/loop-control").exists():
            raise NoDisk("needs root, mkfs.ext4 and loop devices")
        with self._image.open("wb") as image:
            image.truncate(DISK_MIB * 2**20)
        subprocess.run(["mkfs.ext4", "-q", str(self._image)], check=True, timeout=COMMAND_S)
        self.mount()

    def mount(self) -> None:
        """Its journal is played back, as after any cut."""
        command = ["mount", "-o", "loop", str(self._image), str(self.path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=COMMAND_S)
        if done.returncode:
            raise NoDisk(f"needs the right to mount: {done.stderr.strip()}")

    def cut(self) -> None:
        """Nothing reaches it any more, and what had not been synced by now never will."""
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, SHUT_DOWN, struct.pack("I", WITHOUT_WRITING_ITS_JOURNAL))
        finally:
            os.close(descriptor)

    def turn_read_only(self) -> None:
        """As Linux does with a file system in which it finds a mistake."""
        subprocess.run(["mount", "-o", "remount,errors=remount-ro", str(self.path)], check=True)
        command = ["findmnt", "-n", "-o", "SOURCE", str(self.path)]
        device = Path(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()).name
        Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("found")

    def unmount(self) -> None:
        subprocess.run(["umount", str(self.path)], check=True, timeout=COMMAND_S)


@contextmanager
def disk(folder: Path) -> Iterator[Disk]:
    made = Disk(folder)
    try:
        yield made
    finally:
        subprocess.run(["umount", "--lazy", str(made.path)], check=False, timeout=COMMAND_S)


def run(settings: Settings) -> list[Row]:
    return [cuts(settings), *cut_logs(settings)]


def cuts(settings: Settings) -> Row:
    what = f"acknowledged batches lost over power cuts under load, synchronous={level()}"
    try:
        lost, acknowledged = cut_off(settings.crashes)
    except NoDisk as lacking:
        return Row(what, str(lacking), None, Goal(0, 0))
    return Row(what, f"{lost:,} of {acknowledged:,}, over {settings.crashes} cuts", lost, Goal(0, 0))


def cut_off(times: int) -> tuple[int, int]:
    """How many acknowledged batches are gone after so many cuts, and how many there were."""
    dice = random.Random()
    with stage() as here, disk(here.folder) as below:
        try:
            collector: Collector = here.collector(
                rules=[load.RULE], settings={"state": str(below.path / "state")}
            )
            hosts = load.enrol_hosts(collector.database.parent, HOSTS)
            fleet = load.Load(hosts)
            collector.start()
            for turn in range(times):
                tell_each(10, turn, times, "cuts")
                fleet.start(collector.port)
                wait_for_pushes(fleet, dice)
                below.cut()
                collector.kill()
                fleet.stop()
                below.unmount()
                below.mount()
                collector.start()
            lost = sum(len(missing(collector, host)) for host in hosts)
            if not lost:
                load.check_file(collector, hosts, all_acknowledged=False)
            return lost, fleet.acknowledged
        finally:
            here.end()  # before the disk goes


# --- the same without a disk to cut off: what of the log is not on it is cut off a copy ------------------------------


def cut_logs(settings: Settings) -> list[Row]:
    """With the level that ours has, and with the next lower one, to see what it is for."""
    few = min(settings.crashes, MOMENTS_OF_NORMAL)
    what = "the same with what of the write-ahead log was not on the disk cut off, synchronous="
    return [
        _cut_logs(f"{what}{level()}", settings.crashes, (), Goal(0, 0)),
        _cut_logs(f"{what}NORMAL (not ours, to compare)", few, SYNCED_SELDOM, None),
    ]


def _cut_logs(what: str, moments: int, prefix: Sequence[str], goal: Goal | None) -> Row:
    dice = random.Random()
    with stage() as here:
        if not tells_what_is_on_disk(here.folder):
            return Row(what, "the kernel (before 6.5) or the file system does not tell", None, goal)
        collector: Collector = here.collector(rules=[load.RULE], prefix=prefix)
        left = left_behind(here, "left")
        hosts = load.enrol_hosts(collector.database.parent, HOSTS)
        fleet = load.Load(hosts)
        collector.start()
        fleet.start(collector.port)
        lost: set[tuple[int, int]] = set()
        ends = 0
        for turn in range(moments):
            tell_each(10, turn, moments, "moments")
            wait_for_pushes(fleet, dice)
            known, is_cut = cut_off_at_this_moment(collector, fleet, left)
            ends += is_cut
            gone = {(host.number, at) for host in known for at in missing(left, host)}
            if not gone:
                load.check_file(left, known, all_acknowledged=False)
            lost |= gone
        fleet.stop()
    figure = f"{len(lost):,} of {fleet.acknowledged:,}, at {moments} moments; at {ends} of them there was such an end"
    return Row(what, figure, len(lost), goal)


def cut_off_at_this_moment(
    collector: Collector, fleet: load.Load, left: Collector
) -> tuple[list[load.Host], bool]:
    """What would be left goes into the folder of `left`. What was acknowledged by now, and whether anything is cut."""
    log = log_of(collector.database)
    with frozen(collector):
        known = fleet.as_known_now()
        on_disk, database = log_on_disk(log), collector.database.read_bytes()
        is_cut = len(on_disk) < log.stat().st_size
    put(database, on_disk, left)
    return known, is_cut


def tells_what_is_on_disk(folder: Path) -> bool:
    """Whether what was just written, and not synced, is said not to be there."""
    file = folder / "written"
    file.write_bytes(bytes(65_536))
    return unwritten_pages(file) > 0


def level() -> str:
    """By which the collector writes, as SQLite says."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "watchkeeper.db"
        path.touch()
        with contextlib.closing(connect_writer(path)) as connection:
            (number,) = connection.execute("PRAGMA synchronous").fetchone()
    return LEVELS[number]
