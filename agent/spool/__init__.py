"""Batches that the collector has not acknowledged: the newest in memory, older ones on disk, none without a limit.

Every batch passes through here. One that is acknowledged promptly never touches the disk; one that is not after about
two ticks is written to it, and on a planned stop all that are left. So a kill -9 costs what was sampled in the last two
ticks or so, and only while the collector is away; a loss of power costs besides what the system had not yet written,
some 30 s. What is written is not forced to the disk before a stop: forcing it each tick would wear out a flash card.

Beyond its limit of bytes or age the oldest goes, and is counted.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path

from agent import wire
from agent.clock import Ages, Moment
from agent.spool import folder as folders
from agent.spool.folder import MACHINE, NUMBERS, SpoolError
from agent.spool.losses import Losses
from agent.spool.machine import Machine, has_moved, remember, this_machine
from agent.spool.numbering import Numbering
from agent.spool.shelf import Held, Limits, Shelf

__all__ = ["Held", "Limits", "Spool", "SpoolError"]

log = logging.getLogger(__name__)


class Spool:
    """The queue between sampling and sending, used by the threads of both.

    `dropped` counts by reason the batches that were given up. Only the constructor raises (SpoolError): trouble with
    the disk later on is logged once, and the batches stay in memory within its limit.
    """

    def __init__(
        self, folder: Path, limits: Limits, now: Moment, machine: Callable[[], Machine] = this_machine
    ) -> None:
        self.folder = folder
        self.limits = limits
        self._losses = Losses()
        self._lock = threading.RLock()
        self._memory: deque[Held] = deque()
        self._memory_bytes = 0
        self._ages = Ages(limits.age_ms_max, now)
        self._closed = False
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock_file = folders.lock(folder)
            self._shelf = Shelf(folder, limits, self._ages, self._losses)
            self._numbers = numbering(folder, self._shelf.beyond, machine())
        except OSError as error:
            raise SpoolError(f"{error.filename or folder} cannot be written: {error.strerror}") from None

    @property
    def dropped(self) -> Counter[str]:
        return self._losses.counts

    # --- sampling ---

    def add(self, batch: wire.Batch, now: Moment) -> None:
        """Take a batch that was sampled now; its `seq`, `at` and `sent` are given when it is sent."""
        tail = wire.tail(batch)
        with self._lock:
            self._hold(Held(self._numbers.take(), now, tail))
            self.keep(now)

    def _hold(self, held: Held) -> None:
        self._memory.append(held)
        self._memory_bytes += len(held.tail)
        while self._memory_bytes > self.limits.memory_bytes_max and len(self._memory) > 1:
            self._forget_oldest()
            words = "the disk takes no writes and the memory for batches is full"
            self._losses.add(1, "memory", words, held.then)

    def _forget_oldest(self) -> None:
        self._memory_bytes -= len(self._memory.popleft().tail)

    # --- sending ---

    @property
    def id(self) -> str:
        return self._numbers.spool

    def newest(self) -> Held | None:
        """The newest batch of this run, unless it is acknowledged."""
        with self._lock:
            return self._memory[-1] if self._memory else self._shelf.newest()

    def oldest(self, now: Moment, batches_max: int, bytes_max: int) -> list[Held]:
        """The oldest batches that can be sent now, in order: at least one if there is any, then up to both limits."""
        found: list[Held] = []
        size = 0
        with self._lock:
            self._expire(now)
            for held in chain(self._shelf.in_order(now), list(self._memory)):
                size += len(held.tail)
                if found and (len(found) == batches_max or size > bytes_max):
                    break
                found.append(held)
        return found

    def done(self, seqs: Iterable[int]) -> None:
        """These are acknowledged or given up."""
        left = set(seqs)
        with self._lock:
            if self._closed:
                return
            keep = [held for held in self._memory if held.seq not in left]
            self._memory = deque(keep)
            self._memory_bytes = sum(len(held.tail) for held in keep)
            self._shelf.done(left)

    def refuse(self, held: Held, now: Moment, why: str) -> None:
        """This one will never be taken."""
        self.done([held.seq])
        words = f"the collector refused them: {why}"
        self._losses.add(1, "refused", words, now, key=re.sub("[0-9]+", "", why))

    @property
    def floor(self) -> int:
        """The lowest number that may still be sent."""
        with self._lock:
            in_memory = self._memory[0].seq if self._memory else self._numbers.next
            on_disk = self._shelf.first_left
            return in_memory if on_disk is None else min(in_memory, on_disk)

    @property
    def batches(self) -> int:
        with self._lock:
            return len(self._memory) + self._shelf.left

    @property
    def size_bytes(self) -> int:
        with self._lock:
            return self._memory_bytes + self._shelf.size_bytes

    # --- keeping ---

    def change(self, limits: Limits) -> None:
        """Keep to these limits from now on."""
        with self._lock:
            self.limits = self._shelf.limits = limits
            self._ages.age_ms_max = limits.age_ms_max

    def keep(self, now: Moment) -> None:
        """Put on disk what is due, and let go of what is too old. To be called at least once a tick."""
        with self._lock:
            if self._closed:
                return
            self._expire(now)
            self._spill(now, self.limits.spill_after_ms)
            self._shelf.note_clock(now)

    def flush(self, now: Moment) -> None:
        """Put everything on disk and return when it is there."""
        with self._lock:
            self._spill(now, 0)
            self._shelf.note_clock(now)
            self._shelf.sync(now)

    def close(self) -> None:
        """Let another agent have the folder. What is called on this spool from now on does nothing."""
        with self._lock:
            self._closed = True
            os.close(self._lock_file)

    def _spill(self, now: Moment, after_ms: int) -> None:
        while self._memory and now.boot_ms - self._memory[0].then.boot_ms >= after_ms:
            try:
                self._shelf.put(self._memory[0], now)
            except OSError:
                return  # the shelf has said so
            self._forget_oldest()

    def _expire(self, now: Moment) -> None:
        """Give up what is older than the limit."""
        self._shelf.expire(now)
        while self._memory and self._ages.too_old(self._memory[0].then, now):
            self._forget_oldest()
            self._losses.add(1, "old", self.limits.old_words, now)


def numbering(folder: Path, at_least: int, machine: Machine) -> Numbering:
    """The numbers of the spool in a folder, under a new id if it came from another machine. OSError: the first
    reservation cannot be written."""
    moved = has_moved(folder / MACHINE, machine)
    numbers = Numbering(folder / NUMBERS, at_least, anew=moved)
    if moved:
        log.warning("%s was copied from another machine; this spool goes by a new id", folder)
    remember(folder / MACHINE, machine)
    return numbers
