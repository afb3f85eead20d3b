"""The last lines of the kernel's log, for a user who may read them."""

from __future__ import annotations

import os
import time
from collections import deque
from pathlib import Path

from agent.clock import Moment
from agent.sampler import plain

KMSG = Path("/dev/kmsg")
LINES = 20
RECORDS_MAX = 50_000
RECORD_BYTES_MAX = 8_192


def last_lines(now: Moment, kmsg: Path = KMSG) -> list[str]:
    """Each with its time, UTC, the newest last. OSError: this user may not read them."""
    lines: deque[str] = deque(maxlen=LINES)
    began_ms = now.wall_ms - time.monotonic_ns() // 1_000_000
    descriptor = os.open(kmsg, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        for _ in range(RECORDS_MAX):
            try:
                record = os.read(descriptor, RECORD_BYTES_MAX)
            except BlockingIOError:
                break  # that was the newest
            except BrokenPipeError:
                continue  # the oldest were overwritten while we read
            if not record:
                break
            lines.append(line(record, began_ms))
    finally:
        os.close(descriptor)
    return list(lines)


def line(record: bytes, began_ms: int) -> str:
    """A record as the kernel documents it (dev-kmsg): priority, number, microseconds since its clock began; text."""
    head, _, text = record.partition(b"\n")[0].partition(b";")
    fields = head.split(b",")
    said = plain(text.decode("utf-8", "replace"))
    if len(fields) < 3 or not fields[2].isdigit():
        return said
    at = time.gmtime((began_ms + int(fields[2]) // 1000) // 1000)
    return plain(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', at)} {said}")
