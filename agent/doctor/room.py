"""The folder for what must outlive a restart: whether it can be written, and what waits there for the collector."""

from __future__ import annotations

import errno
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from agent.config import AgentConfig
from agent.options import say_duration
from agent.options.findings import Finding
from agent.spool.segments import NAME, BadSegment, Segment

PROBE_BYTES = 64 * 1024
LONG_S = 300.0
"""What waited so long waits for more than a moment."""


def look(config: AgentConfig, *, is_running: bool) -> Iterator[Finding]:
    state = config.state
    if not state.is_dir():
        yield Finding(
            "disk", "bad", f"there is no folder {state}", f"install -d -m 700 -o watchkeeper-agent {state}"
        )
        return
    try:
        _write(state)
    except OSError as error:
        yield _unwritable(state, error)
        return
    free = os.statvfs(state)
    free_bytes = free.f_bavail * free.f_frsize
    segments = list(_segments(state / "spool"))
    room_bytes = config.spool_bytes_max - sum(segment.size_bytes for segment in segments)
    words = f"{state} has {_mib(free_bytes)} free; the spool may become {_mib(config.spool_bytes_max)}"
    if free_bytes < room_bytes:
        yield Finding("disk", "look", words, "make room, or lower spool_max in agent.yaml")
    else:
        yield Finding("disk", "ok", words)
    yield _waiting(segments, time.time(), is_running=is_running)


def _waiting(segments: list[Segment], now_s: float, *, is_running: bool) -> Finding:
    """What is not acknowledged. An agent that runs holds the newest in memory for two ticks or so."""
    left = sum(segment.left for segment in segments)
    if not left:
        but = ", but perhaps for the newest, which are in memory" if is_running else ""
        return Finding("spool", "ok", f"nothing waits: the collector has acknowledged all{but}")
    oldest_s = min(entry.wall_ms for segment in segments for entry in segment.entries()) / 1000
    age_s = max(0.0, now_s - oldest_s)
    waiting = "1 batch waits" if left == 1 else f"{left} batches wait"
    words = (
        f"{waiting}; of what was sampled {say_duration(round(age_s))} ago and since, not all is acknowledged"
    )
    if age_s < LONG_S:
        return Finding("spool", "ok", words)
    return Finding(
        "spool", "look", words, "nothing is lost yet; what is said of the collector below tells why"
    )


def _segments(spool: Path) -> Iterator[Segment]:
    """Those that have batches, read and left alone: an agent may be at work in them."""
    for path in sorted(spool.iterdir()) if spool.is_dir() else []:
        if NAME.fullmatch(path.name):
            try:
                segment = Segment.open(path, mend=False)
            except (BadSegment, OSError):
                continue  # the agent has said what is odd about it
            if segment.left:
                yield segment


def _write(folder: Path) -> None:
    """Write as the spool would, and wait until it is on disk. OSError."""
    with tempfile.TemporaryFile(dir=folder, prefix=".doctor-") as file:
        file.write(b"\0" * PROBE_BYTES)
        file.flush()
        os.fsync(file.fileno())


def _unwritable(state: Path, error: OSError) -> Finding:
    words = f"{state} takes no writes: {(error.strerror or str(error)).lower()}"
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            do = f"make room: df {state}; until then batches are kept in memory, for two hours or so"
        case errno.EROFS:
            do = "it is mounted read-only, or the unit does not let it be written: StateDirectory= gives it"
        case _:
            do = f"it must belong to the agent's user: chown -R watchkeeper-agent: {state}"
    return Finding("disk", "bad", words, do)


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
