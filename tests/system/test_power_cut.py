"""The power goes at bad moments: what was acknowledged does not depend on anything that was not on disk by then.

What is not synced when the power goes is the end of SQLite's write-ahead log, in any length. So that log is copied at a
moment, cut off wherever it can be, and what is left is opened. (`make bench ARGS="--only power"` cuts a whole file
system off from its disk, where the machine allows for that.)
"""

from __future__ import annotations

import ctypes
import os
import random
import shutil
import signal
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system import load
from tests.system.harness import Collector, Stage, wait_until

HOSTS = 6
PUSHES = 40
ROUNDS = 4
CUTS = 20
"""In each round: at the end of so many of the newest frames."""

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


def unwritten_pages(file: Path) -> int:
    """How much of a file is not on its disk yet; 0 as well where the kernel cannot tell."""
    stat = (ctypes.c_uint64 * 5)()
    descriptor = os.open(file, os.O_RDONLY)
    try:
        whole = (ctypes.c_uint64 * 2)(0, 0)
        failed = ctypes.CDLL(None).syscall(CACHESTAT, descriptor, ctypes.byref(whole), ctypes.byref(stat), 0)
    finally:
        os.close(descriptor)
    _, dirty, under_way, *_ = stat
    return 0 if failed else dirty + under_way


def on_a_real_disk(folder: Path) -> bool:
    """Memory file systems never write anything out."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    kinds = {mount[1]: mount[2] for mount in mounts}
    home = next(str(path) for path in (folder.resolve(), *folder.resolve().parents) if str(path) in kinds)
    return kinds[home] not in ("tmpfs", "ramfs", "overlay")


def test_at_each_acknowledgement_the_files_hold_all_that_was_acknowledged(stage: Stage) -> None:
    collector, left = stage.collector(rules=[load.RULE]), left_behind(stage, "left")
    (host,) = load.enrol_hosts(collector.database.parent, 1)
    collector.start()
    told = on_a_real_disk(stage.folder)
    for _ in range(PUSHES):
        host.step(collector.port)
        with frozen(collector):
            unwritten = unwritten_pages(log_of(collector.database))
            database, log = collector.database.read_bytes(), log_of(collector.database).read_bytes()
        ends = [end for end, is_commit in ends_of_frames(log) if is_commit]
        put(database, log[: max(ends, default=0)], left)
        load.check_file(left, [host], all_acknowledged=True)
        assert not (told and unwritten), (
            f"{unwritten} pages of the log were not on disk when it was acknowledged"
        )


def test_wherever_the_log_is_cut_off_each_transaction_is_there_whole_or_not_at_all(stage: Stage) -> None:
    collector, left = stage.collector(rules=[load.RULE]), left_behind(stage, "left")
    hosts = load.enrol_hosts(collector.database.parent, HOSTS)
    fleet = load.Load(hosts)
    dice = random.Random(7)
    collector.start()
    torn = 0
    for _ in range(ROUNDS):
        fleet.start(collector.port)
        time.sleep(dice.uniform(0.1, 0.3))
        with frozen(collector):
            known = fleet.as_known_now()
            database, log = collector.database.read_bytes(), log_of(collector.database).read_bytes()
            in_database = frames_in_the_database(collector.database)
        fleet.stop()
        ends = ends_of_frames(log)
        last = max((end for end, is_commit in ends if is_commit), default=0)
        put(database, log[:last], left)
        load.check_file(left, known, all_acknowledged=False)
        for end, is_commit in ends[in_database:][-CUTS:]:
            put(database, log[: end + dice.choice((0, 0, FRAME_HEAD + 100))], left)
            load.check_whole(left, hosts)
            torn += not is_commit
    assert torn > ROUNDS, "no transaction was cut in two"
    assert fleet.acknowledged > 10 * HOSTS
