"""The name of a spool and the numbers of its batches: no number is given twice, whatever happens to the agent.

The collector takes each (spool, number) once. A number given twice would make it swallow a batch as a repeat, so
numbers are reserved on disk far ahead: one that was used only in memory before a crash lies below the reservation.
"""

from __future__ import annotations

import logging
import os
import re
import zlib
from pathlib import Path

STEP = 100_000
"""Eleven days of ticks of 10 s. Half of it is always left, so that a disk that takes no writes is noticed days before
it matters."""

_SLOT = re.compile(rb"([0-9a-f]{32}) ([0-9]{16}) ([0-9a-f]{8})\n")
_SLOT_BYTES = 59
_SLOTS = 2

log = logging.getLogger(__name__)


class Numbering:
    """Gives the numbers of one spool; `path` holds the spool's id and how far numbers are reserved.

    The file is two slots that are written in turn and in place, which needs no room on a disk that is full and leaves
    one of them whole if the power fails. `anew` gives the spool a new id, whatever it had. OSError from the
    constructor: the first reservation cannot be written.
    """

    def __init__(self, path: Path, at_least: int = 0, step: int = STEP, *, anew: bool = False) -> None:
        self._path = path
        self._step = step
        self._slot = 0
        self._said = False
        self.spool, reserved = self._read()
        if anew:
            self.spool = new_spool_id()
        self.next = max(reserved, at_least)
        self._reserved = self.next
        self._reserve()

    def take(self) -> int:
        """The next number. Should the reservation be used up on a disk that takes no writes, the spool gets a new
        name, known to this process only, under which every number is new."""
        if self._reserved - self.next <= self._step // 2:
            try:
                self._reserve()
                self._said = False
            except OSError as error:
                self._without(error)
        number, self.next = self.next, self.next + 1
        return number

    def _without(self, error: OSError) -> None:
        if not self._said:
            self._said = True
            log.error(
                "cannot reserve batch numbers in %s: %s; %d are left", self._path, error.strerror, self.left
            )
        if not self.left:
            self.spool = new_spool_id()
            self._reserved = 2**53
            log.error("out of batch numbers; this agent goes by a new spool id until it is started again")

    @property
    def left(self) -> int:
        return self._reserved - self.next

    def _read(self) -> tuple[str, int]:
        try:
            data = self._path.read_bytes()[: _SLOT_BYTES * _SLOTS]
        except FileNotFoundError:
            data = b""
        found = []
        for slot in range(_SLOTS):
            match = _SLOT.fullmatch(data[slot * _SLOT_BYTES : (slot + 1) * _SLOT_BYTES])
            if match and zlib.crc32(match[1] + match[2]) == int(match[3], 16):
                found.append((int(match[2]), slot, match[1].decode()))
        if not found:
            if data:
                log.warning("%s is damaged; this spool goes by a new id", self._path)
            return new_spool_id(), 0
        reserved, self._slot, spool = max(found)
        return spool, reserved

    def _reserve(self) -> None:
        """Put `step` more numbers on disk, in the slot that was not written last."""
        upto = self.next + self._step
        slot = (self._slot + 1) % _SLOTS
        body = f"{self.spool} {upto:016d} "
        crc = zlib.crc32(body.replace(" ", "").encode())
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(descriptor, f"{body}{crc:08x}\n".encode(), slot * _SLOT_BYTES)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._slot, self._reserved = slot, upto


def new_spool_id() -> str:
    return os.urandom(16).hex()
