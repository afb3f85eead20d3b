"""The folder for all that is kept: its disk, how fast that is, whose the files are, and whether the store is sound."""

from __future__ import annotations

import errno
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from agent.options.findings import Finding, Mark
from collector.caretaker import Caretaker
from collector.config import Loaded
from collector.store import StoreError

FREE_BYTES_LOW, FREE_BYTES_MIN = 2 * 2**30, 256 * 2**20
"""Below the second the store soon takes nothing more."""
SYNCS, SYNC_BYTES = 5, 4096
SYNC_MS_SLOW, SYNC_MS_BAD = 50.0, 500.0
"""Each group of pushes waits for one: beyond the second, agents run into their time limit when many push."""
READ_THROUGH_BYTES_MAX = 256 * 2**20
"""A larger store is not read through without being asked to: that takes minutes."""


def look(loaded: Loaded, caretaker: Caretaker) -> Iterator[Finding]:
    state = loaded.state
    if not state.is_dir():
        do = "the first start makes it: systemctl start watchkeeper-collector"
        yield Finding("disk", "bad", f"there is no folder {state}; no collector has run with this config", do)
        return
    try:
        sync_ms = _sync_ms(state)
    except OSError as error:
        yield _unwritable(state, error)
        return
    yield _room(state, loaded.config.disk_budget_bytes)
    yield _speed(sync_ms)
    yield from _owners(state)
    yield from _store(caretaker, state)


def _room(state: Path, budget_bytes: int | None) -> Finding:
    disk = os.statvfs(state)
    free = disk.f_bavail * disk.f_frsize
    taken = sum(file.stat().st_size for file in state.iterdir() if file.is_file())
    words = f"{state} holds {_mib(taken)}, and its disk has {_mib(free)} free"
    if free < FREE_BYTES_MIN:
        return Finding("disk", "bad", words, "make room; until then agents keep what they have")
    if free < FREE_BYTES_LOW or (budget_bytes is not None and taken + free < budget_bytes):
        return Finding(
            "disk",
            "look",
            words,
            "make room, or set disk_budget in collector.yaml: the oldest samples go first",
        )
    return Finding("disk", "ok", words)


def _speed(sync_ms: float) -> Finding:
    words = f"takes {sync_ms:.1f} ms to have a write on disk (fsync)"
    do = "many pushes share one such wait, but each waits for it: a faster disk, or fewer others on it"
    mark: Mark = "bad" if sync_ms > SYNC_MS_BAD else "look" if sync_ms > SYNC_MS_SLOW else "ok"
    return Finding("disk", mark, words, "" if mark == "ok" else do)


def _sync_ms(folder: Path) -> float:
    """How long a small write takes to be on disk, the middle of a few. OSError."""
    took = []
    with tempfile.TemporaryFile(dir=folder, prefix=".doctor-", buffering=0) as file:
        for _ in range(SYNCS):
            began = time.perf_counter()
            file.write(b"\0" * SYNC_BYTES)
            os.fsync(file.fileno())
            took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def _owners(state: Path) -> Iterator[Finding]:
    """A command that was run as the wrong user leaves files that the collector cannot use."""
    owner = state.stat().st_uid
    foreign = sorted(file.name for file in state.iterdir() if file.lstat().st_uid != owner)
    if foreign:
        words = f"not all in {state} belongs to its owner: {', '.join(foreign[:5])}"
        yield Finding("disk", "bad", words, f"chown -R --reference={state} {state}")


def _store(caretaker: Caretaker, state: Path) -> Iterator[Finding]:
    size = sum(file.stat().st_size for file in state.glob("*.db"))
    if not size:
        yield Finding(
            "store", "look", f"there is none in {state} yet", "systemctl start watchkeeper-collector"
        )
        return
    if size > READ_THROUGH_BYTES_MAX:
        words = f"{_mib(size)} were not read through now"
        yield Finding("store", "ok", words, "whether all of it is sound: watchkeeper store check")
        return
    try:
        found = caretaker.check(lambda doing, share: None)
    except StoreError as trouble:
        yield Finding("store", "bad", str(trouble))
        return
    if found.damage:
        do = "systemctl stop watchkeeper-collector; watchkeeper restore FILE, with your newest backup"
        yield Finding("store", "bad", f"{found.place} is damaged: {found.damage[0]}", do)
    else:
        yield Finding("store", "ok", f"{found.place} is sound: every page of it was read")


def _unwritable(state: Path, error: OSError) -> Finding:
    words = f"{state} takes no writes: {(error.strerror or str(error)).lower()}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Finding("disk", "bad", words, f"make room: df {state}; until then agents keep what they have")
    return Finding("disk", "bad", words, "run this as root; the folder must belong to the collector's user")


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
