"""Files that hold batches: appended to while the collector is away, read again when it is back, deleted when empty.

A segment begins with a line that says what it is, and then is one record after another, each with its length and a
checksum. A record is a batch, or says which batches of this very file are done, or what the clock says now. So a
segment that was cut off by a crash, a full disk or a lost power supply costs what was being written and no more.
"""

from __future__ import annotations

import array
import errno
import os
import re
import stat
import struct
import zlib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from agent.clock import Moment
from agent.wire import BODY_BYTES_MAX

NAME = re.compile(r"([0-9]{10})\.segment")
_FIRST_LINE = re.compile(rb"watchkeeper spool 1 boot ([0-9a-zA-Z-]{1,64})\n")
# A byte that occurs in no UTF-8 text comes first: after damage, the next record is found by it.
_MARK = b"\xf5WK\x01"
_HEAD = struct.Struct("<4sIIBQqq")
_CHECKED_FROM = 8  # the checksum covers what follows it
_BATCH, _DONE, _CLOCK = 1, 2, 3
NO_TIME = Moment("", 0, 0)
_FILE_BYTES_MAX = 2 * BODY_BYTES_MAX


class BadSegment(Exception):
    """The file is not a segment of ours; the sentence says what is odd about it."""


class Entry(NamedTuple):
    """Where a batch lies in its segment, and when it was sampled."""

    seq: int
    boot_ms: int
    wall_ms: int
    offset: int
    length: int


class _Record(NamedTuple):
    kind: int
    entry: Entry
    end: int


class Segment:
    """One file of batches of one boot. `left` is how many are not done, `size_bytes` what the file takes.

    Every method may raise OSError; what was not written then has left no trace in the file.
    """

    def __init__(self, path: Path, boot_id: str) -> None:
        self.path = path
        self.boot_id = boot_id
        self.size_bytes = 0
        self.damaged_bytes = 0
        self.newest: Moment | None = None
        self.clock: Moment | None = None
        self._seqs = array.array("Q")  # in order, those that are done too
        self._done: set[int] = set()
        self._entries: dict[int, Entry] | None = {}  # those not done; None: to be read from the file

    @classmethod
    def create(cls, path: Path, boot_id: str) -> Segment:
        segment = cls(path, boot_id)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        os.close(descriptor)
        try:
            segment._append(f"watchkeeper spool 1 boot {boot_id}\n".encode())
        except OSError:
            path.unlink()
            raise
        return segment

    @classmethod
    def open(cls, path: Path, *, mend: bool = True) -> Segment:
        """Read a segment that another run has left, and cut off a record that it did not finish. BadSegment.

        Without `mend` the file is left alone, for whoever only looks: an agent may be writing that record now."""
        data = _contents(path)
        first_line = _FIRST_LINE.match(data)
        if first_line is None:
            raise BadSegment("does not begin as a segment does")
        segment = cls(path, first_line[1].decode())
        segment.size_bytes = first_line.end()
        for record in _scan(data, first_line.end()):
            segment._take(record, data)
        if segment.size_bytes < len(data):
            segment.damaged_bytes += len(data) - segment.size_bytes
            if mend:
                os.truncate(path, segment.size_bytes)
        segment._seqs = array.array("Q", sorted(set(segment._seqs)))
        segment._done.intersection_update(segment._seqs)
        segment._entries = None  # read again when its turn comes: the index of a full spool takes memory
        return segment

    @property
    def left(self) -> int:
        return len(self._seqs) - len(self._done)

    @property
    def first_left(self) -> int | None:
        return next((seq for seq in self._seqs if seq not in self._done), None)

    @property
    def last_seq(self) -> int:
        return self._seqs[-1] if self._seqs else -1

    def holds(self, seq: int) -> bool:
        at = bisect_left(self._seqs, seq)
        return at < len(self._seqs) and self._seqs[at] == seq and seq not in self._done

    def append(self, seq: int, then: Moment, tail: bytes) -> None:
        """Add a batch whose number is higher than any here."""
        offset = self.size_bytes + _HEAD.size
        self._append(_encode(_BATCH, seq, then, tail))
        self._add(Entry(seq, then.boot_ms, then.wall_ms, offset, len(tail)))

    def note_clock(self, now: Moment) -> None:
        """Keep what the clock says now, so that after another boot the batches can still be dated by it."""
        self._append(_encode(_CLOCK, 0, now, b""))
        self.clock = now

    def entries(self) -> list[Entry]:
        """The batches that are not done, oldest first. BadSegment if the file is not what it was."""
        if self._entries is None:
            records = _scan(_contents(self.path), 0)
            batches = [record.entry for record in records if record.kind == _BATCH]
            self._entries = {entry.seq: entry for entry in batches if self.holds(entry.seq)}
            if len(self._entries) < self.left:
                raise BadSegment("has changed since it was read first")
        return list(self._entries.values())

    def read(self, entries: Sequence[Entry]) -> Iterator[bytes]:
        """The batches themselves. BadSegment if the file is not what it was."""
        with self.path.open("rb", buffering=0) as file:
            for entry in entries:
                tail = os.pread(file.fileno(), entry.length, entry.offset)
                if len(tail) < entry.length:
                    raise BadSegment("has become shorter")
                yield tail

    def done(self, seqs: list[int]) -> None:
        """These, which it holds, need not be sent again; so it is even if OSError says that it is not on disk."""
        self._done.update(seqs)
        if self._entries is not None:
            for seq in seqs:
                del self._entries[seq]
        if self.left:
            self._append(_encode(_DONE, 0, NO_TIME, struct.pack(f"<{len(seqs)}Q", *seqs)))

    def delete(self) -> None:
        self.path.unlink(missing_ok=True)

    def sync(self) -> None:
        """Return when the file is on disk."""
        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _take(self, record: _Record, data: bytes) -> None:
        entry = record.entry
        self.damaged_bytes += entry.offset - _HEAD.size - self.size_bytes
        self.size_bytes = record.end
        if record.kind == _BATCH:
            self._add(entry)
        elif record.kind == _CLOCK:
            self.clock = Moment(self.boot_id, entry.boot_ms, entry.wall_ms)
        elif record.kind == _DONE:
            self._done.update(struct.unpack_from(f"<{entry.length // 8}Q", data, entry.offset))

    def _add(self, entry: Entry) -> None:
        self._seqs.append(entry.seq)
        self.newest = self.clock = Moment(self.boot_id, entry.boot_ms, entry.wall_ms)
        if self._entries is not None:
            self._entries[entry.seq] = entry

    def _append(self, data: bytes) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            written = os.write(descriptor, data)
            if written < len(data):
                os.ftruncate(descriptor, self.size_bytes)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(descriptor)
        self.size_bytes += len(data)


def _encode(kind: int, seq: int, moment: Moment, payload: bytes) -> bytes:
    head = _HEAD.pack(_MARK, 0, len(payload), kind, seq, moment.boot_ms, moment.wall_ms)
    checked = head[_CHECKED_FROM:] + payload
    return head[:4] + zlib.crc32(checked).to_bytes(4, "little") + checked


def _scan(data: bytes, start: int) -> Iterator[_Record]:
    """Every whole record from `start` on; what is damaged is passed over."""
    at = data.find(_MARK, start)
    while at >= 0:
        record = _record(data, at)
        if record is not None:
            yield record
        at = data.find(_MARK, at + 1 if record is None else record.end)


def _record(data: bytes, at: int) -> _Record | None:
    if at + _HEAD.size > len(data):
        return None
    _, crc, length, kind, seq, boot_ms, wall_ms = _HEAD.unpack_from(data, at)
    offset = at + _HEAD.size
    end = offset + length
    if end > len(data) or zlib.crc32(memoryview(data)[at + _CHECKED_FROM : end]) != crc:
        return None
    return _Record(kind, Entry(seq, boot_ms, wall_ms, offset, length), end)


def _contents(path: Path) -> bytes:
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise BadSegment("is not a plain file")
    if status.st_size > _FILE_BYTES_MAX:
        raise BadSegment(f"is larger than {_FILE_BYTES_MAX} bytes")
    return path.read_bytes()
