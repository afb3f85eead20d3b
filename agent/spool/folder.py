"""The folder of a spool: used by one agent at a time, and read at its start, whatever lies there."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
from pathlib import Path

from msgspec import Struct

from agent.spool.segments import NAME, BadSegment, Segment

log = logging.getLogger(__name__)

LOCK, NUMBERS, MACHINE = "lock", "numbers", "machine"
OURS = {LOCK, NUMBERS, MACHINE}
NAMES_SAID = 5


class SpoolError(Exception):
    """The spool cannot be used; the sentence says where and why."""


class Found(Struct, frozen=True):
    """The segments in a folder, oldest first, and the first number that no file there has."""

    segments: list[Segment]
    next_file: int


def read(folder: Path) -> Found:
    """What earlier runs have left. What is damaged or none of ours is said, and left alone."""
    segments, odd, next_file = [], [], 0
    for path in sorted(folder.iterdir()):
        name = NAME.fullmatch(path.name)
        if name is None:
            odd += [path.name] if path.name not in OURS else []
            continue
        next_file = max(next_file, int(name[1]) + 1)
        try:
            segment = Segment.open(path)
        except (BadSegment, OSError) as error:
            odd.append(f"{path.name} ({error})")
            continue
        if segment.damaged_bytes:
            log.warning("%s: %d damaged bytes are passed over", path, segment.damaged_bytes)
        segments.append(segment)
    if odd:
        more = f" and {len(odd) - NAMES_SAID} more" if len(odd) > NAMES_SAID else ""
        log.warning("ignored in %s: %s%s", folder, ", ".join(odd[:NAMES_SAID]), more)
    return Found(segments, next_file)


def lock(folder: Path) -> int:
    """Make this process the only one that uses the folder, for as long as the descriptor is open. SpoolError: another
    does."""
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise SpoolError(f"{folder} is in use by another agent (process {pid}); stop it first") from None
    with contextlib.suppress(OSError):  # the number only helps people; the disk may be full
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def sync(folder: Path) -> None:
    """Return when it is on disk which files there are."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
