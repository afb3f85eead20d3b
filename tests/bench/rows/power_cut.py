"""Acknowledged batches that are not there after a power cut: a file system that loses all it had not synced."""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.fleet import Settings, stage
from tests.bench.rows.crash import missing
from tests.bench.table import Goal, Row
from tests.system import load
from tests.system.harness import Collector, wait_until

WHAT = "acknowledged batches lost over power cuts under load"
DISK_MIB = 512
HOSTS = 6
DELAY_S_MAX = 0.3
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
        subprocess.run(["mkfs.ext4", "-q", str(self._image)], check=True)
        self.mount()

    def mount(self) -> None:
        """Its journal is played back, as after any cut."""
        command = ["mount", "-o", "loop", str(self._image), str(self.path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
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
        subprocess.run(["umount", str(self.path)], check=True)


@contextmanager
def disk(folder: Path) -> Iterator[Disk]:
    made = Disk(folder)
    try:
        yield made
    finally:
        subprocess.run(["umount", "--lazy", str(made.path)], check=False)


def run(settings: Settings) -> list[Row]:
    try:
        return [cuts(settings)]
    except NoDisk as lacking:
        return [Row(WHAT, str(lacking), None, Goal(0, 0))]


def cuts(settings: Settings) -> Row:
    dice = random.Random()
    with stage() as here, disk(here.folder) as below:
        try:
            collector: Collector = here.collector(
                rules=[load.RULE], settings={"state": str(below.path / "state")}
            )
            hosts = load.enrol_hosts(collector.database.parent, HOSTS)
            fleet = load.Load(hosts)
            collector.start()
            for _ in range(settings.crashes):
                before = fleet.acknowledged
                fleet.start(collector.port)
                wait_until("some pushes", lambda before=before: fleet.acknowledged > before + 10 * HOSTS)  # type: ignore[misc]
                time.sleep(dice.uniform(0, DELAY_S_MAX))
                below.cut()
                collector.kill()
                fleet.stop()
                below.unmount()
                below.mount()
                collector.start()
            lost, acknowledged = sum(missing(collector, host) for host in hosts), fleet.acknowledged
            load.check_file(collector, hosts, all_acknowledged=False)
        finally:
            here.end()  # before the disk goes
    return Row(WHAT, f"{lost} of {acknowledged:,}, over {settings.crashes} cuts", lost, Goal(0, 0))
