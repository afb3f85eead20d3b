"""SQLite's write-ahead log as a power cut may leave it: copied at a moment, cut off where it was not on disk yet."""

from __future__ import annotations

import ctypes
import mmap
import os
import shutil
import signal
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system.harness import Collector, Stage
from tests.system.programs import wait_until

WAL_HEAD, FRAME_HEAD = 32, 24
CACHESTAT = 451
"""The system call, from Linux 6.5 on; the C library has no name for it yet."""


@contextmanager
def frozen(collector: Collector) -> Iterator[None]:
    """Nothing happens in it meanwhile."""
    collector.send(signal.SIGSTOP)
    try:
        wait_until("it to stand still", lambda: state_of(collector.pid) == "T")
        yield
    finally:
        collector.send(signal.SIGCONT)


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def log_of(database: Path) -> Path:
    return database.with_name(f"{database.name}-wal")


def left_behind(stage: Stage, name: str) -> Collector:
    """One that is never started, to ask about files that are put into its folder."""
    state = stage.folder / f"state-of-{name}"
    state.mkdir()
    return stage.keep(Collector(stage.folder / name, settings={"state": str(state)}))


def put(database: bytes, log: bytes, into: Collector) -> None:
    shutil.rmtree(into.database.parent)
    into.database.parent.mkdir()
    into.database.write_bytes(database)
    log_of(into.database).write_bytes(log)


def ends_of_frames(log: bytes) -> list[tuple[int, bool]]:
    """Where each page that is in force in a log ends, and whether a transaction ends with it."""
    if len(log) < WAL_HEAD:
        return []
    page_bytes, salt = int.from_bytes(log[8:12], "big"), log[16:24]
    found = []
    for begin in range(WAL_HEAD, len(log) - FRAME_HEAD - page_bytes + 1, FRAME_HEAD + page_bytes):
        _, pages_after, its_salt = struct.unpack(">II8s", log[begin : begin + 16])
        if its_salt != salt:
            break  # left from an earlier round of the log
        found.append((begin + FRAME_HEAD + page_bytes, pages_after > 0))
    return found


def frames_in_the_database(database: Path) -> int:
    """How many frames were copied, or begun to be copied, into the database: SQLite syncs the log before it does so,
    and they can be lost no more. It stands in the index of the log, behind its two headers."""
    index = database.with_name(f"{database.name}-shm").read_bytes()
    return max(struct.unpack_from("=I", index, 96)[0], struct.unpack_from("=I", index, 128)[0])


def unwritten_pages(file: Path, first: int = 0, count: int = 0) -> int:
    """How many of so many pages of a file, of all without `count`, are not on its disk yet; 0 as well where the kernel
    cannot tell."""
    stat = (ctypes.c_uint64 * 5)()
    descriptor = os.open(file, os.O_RDONLY)
    try:
        part = (ctypes.c_uint64 * 2)(first * mmap.PAGESIZE, count * mmap.PAGESIZE)
        failed = ctypes.CDLL(None).syscall(CACHESTAT, descriptor, ctypes.byref(part), ctypes.byref(stat), 0)
    finally:
        os.close(descriptor)
    _, dirty, under_way, *_ = stat
    return 0 if failed else dirty + under_way


def bytes_on_disk(file: Path) -> int:
    """How much of it, from its beginning, would be there after a power cut."""
    size = file.stat().st_size
    pages = -(-size // mmap.PAGESIZE)
    if not unwritten_pages(file):
        return size
    return next((page * mmap.PAGESIZE for page in range(pages) if unwritten_pages(file, page, 1)), size)


def log_on_disk(log: Path) -> bytes:
    """What of a log would be there after a power cut.

    A frame that begins on a page which is on the disk is there whole. The page on which it ends may not be, but only
    for what was written behind it since: SQLite writes no more before a transaction is synced.
    """
    on_disk, whole = bytes_on_disk(log), log.read_bytes()
    if on_disk <= WAL_HEAD:
        return whole[:on_disk]
    frame = FRAME_HEAD + int.from_bytes(whole[8:12], "big")
    return whole[: WAL_HEAD + -(-(on_disk - WAL_HEAD) // frame) * frame]


def on_a_real_disk(folder: Path) -> bool:
    """Memory file systems never write anything out."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    kinds = {mount[1]: mount[2] for mount in mounts}
    home = next(str(path) for path in (folder.resolve(), *folder.resolve().parents) if str(path) in kinds)
    return kinds[home] not in ("tmpfs", "ramfs", "overlay")
