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
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from agent import wire
from agent.clock import Ages, Moment
from agent.spool import folder as folders
from agent.spool.folder import MACHINE, NUMBERS, SpoolError
from agent.spool.losses import Losses
from agent.spool.machine import Machine, has_moved, remember, this_machine
from agent.spool.numbering import Numbering
from agent.spool.segments import BadSegment, Entry, Segment

__all__ = ["Held", "Limits", "Spool", "SpoolError"]

log = logging.getLogger(__name__)

MEMORY_BYTES_MAX = 4 * 1024 * 1024
"""While the disk takes no writes; two hours of ticks of 10 s with 70 series."""
SEGMENT_BYTES_MAX = 1024 * 1024
SEGMENTS = 64
CLOCK_MOVED_MS = 1_000


class Limits(Struct, frozen=True):
    bytes_max: int = 64 * 1024 * 1024
    age_ms_max: int = 7 * 86_400_000
    spill_after_ms: int = 20_000
    memory_bytes_max: int = MEMORY_BYTES_MAX

    @property
    def segment_bytes(self) -> int:
        return min(SEGMENT_BYTES_MAX, self.bytes_max // SEGMENTS)


class Held(Struct, frozen=True):
    """A batch that is not acknowledged: its number, when it was sampled, and its JSON after the times."""

    seq: int
    then: Moment
    tail: bytes


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
        self._segments: list[Segment] = []
        self._active: Segment | None = None
        self._ages = Ages(limits.age_ms_max, now)
        self._trouble = ""
        self._closed = False
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock_file = folders.lock(folder)
            self._numbers = self._begin(machine())
        except OSError as error:
            raise SpoolError(f"{error.filename or folder} cannot be written: {error.strerror}") from None

    def _begin(self, machine: Machine) -> Numbering:
        """Go on with what is in the folder, under a new name if it came from another machine."""
        found = folders.read(self.folder)
        self._next_file = found.next_file
        self._segments = list(found.segments)
        for segment in list(found.segments):
            if segment.clock is not None:
                self._ages.learn(segment.clock)
            if not segment.left:
                self._remove(segment)
        at_least = 1 + max((segment.last_seq for segment in found.segments), default=-1)
        moved = has_moved(self.folder / MACHINE, machine)
        numbers = Numbering(self.folder / NUMBERS, at_least, anew=moved)
        if moved:
            log.warning("%s was copied from another machine; this spool goes by a new id", self.folder)
        remember(self.folder / MACHINE, machine)
        return numbers

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
            self._losses.add(
                1, "memory", "the disk takes no writes and the memory for batches is full", held.then
            )

    def _forget_oldest(self) -> None:
        self._memory_bytes -= len(self._memory.popleft().tail)

    # --- sending ---

    @property
    def id(self) -> str:
        return self._numbers.spool

    def newest(self) -> Held | None:
        """The newest batch of this run, unless it is acknowledged."""
        with self._lock:
            if self._memory:
                return self._memory[-1]
            return self._last_on_disk() if self._active else None

    def oldest(self, now: Moment, batches_max: int, bytes_max: int) -> list[Held]:
        """The oldest batches that can be sent now, in order: at least one if there is any, then up to both limits."""
        found: list[Held] = []
        size = 0
        with self._lock:
            self._expire(now)
            for held in self._in_order(now):
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
            for segment in list(self._segments):
                mine = sorted(seq for seq in left if segment.holds(seq))
                if mine:
                    self._done_on_disk(segment, mine)

    def refuse(self, held: Held, now: Moment, why: str) -> None:
        """This one will never be taken."""
        self.done([held.seq])
        self._losses.add(
            1, "refused", f"the collector refused them: {why}", now, key=re.sub("[0-9]+", "", why)
        )

    @property
    def floor(self) -> int:
        """The lowest number that may still be sent."""
        with self._lock:
            firsts = [first for s in self._segments if (first := s.first_left) is not None]
            firsts += [self._memory[0].seq] if self._memory else []
            return min(firsts, default=self._numbers.next)

    @property
    def batches(self) -> int:
        with self._lock:
            return len(self._memory) + sum(segment.left for segment in self._segments)

    @property
    def size_bytes(self) -> int:
        with self._lock:
            return self._memory_bytes + self._disk_bytes

    def _in_order(self, now: Moment) -> Iterator[Held]:
        """All that can be sent now, oldest first."""
        for segment in list(self._segments):
            if segment.newest is not None and not self._ages.yet_to_come(segment.newest, now):
                yield from self._from_disk(segment, now)
        yield from list(self._memory)

    def _from_disk(self, segment: Segment, now: Moment) -> Iterator[Held]:
        try:
            entries = self._young_enough(segment, now)
            for entry, tail in zip(entries, segment.read(entries), strict=True):
                then = Moment(segment.boot_id, entry.boot_ms, entry.wall_ms)
                yield Held(entry.seq, self._ages.redated(then, now), tail)
        except (BadSegment, OSError) as error:
            self._give_up(segment, "unreadable", f"{segment.path} cannot be read: {error}", now)

    def _last_on_disk(self) -> Held | None:
        assert self._active is not None
        segment = self._active
        try:
            last = segment.entries()[-1:]
            tails = list(segment.read(last))
        except (BadSegment, OSError):
            return None  # whoever asks for the oldest will hear of it
        moments = [Moment(segment.boot_id, entry.boot_ms, entry.wall_ms) for entry in last]
        return Held(last[0].seq, moments[0], tails[0]) if tails else None

    def _young_enough(self, segment: Segment, now: Moment) -> list[Entry]:
        """The entries of a segment that can be sent; those that are too old for good are given up."""
        fit, old = [], []
        for entry in segment.entries():
            then = Moment(segment.boot_id, entry.boot_ms, entry.wall_ms)
            if self._ages.too_old(then, now):
                old.append(entry.seq)
            elif self._ages.age_ms(then, now) <= self.limits.age_ms_max:
                fit.append(entry)
        if old:
            self._losses.add(len(old), "old", self._old_words, now)
            self._done_on_disk(segment, old)
        return fit

    # --- keeping ---

    def change(self, limits: Limits) -> None:
        """Keep to these limits from now on."""
        with self._lock:
            self.limits, self._ages.age_ms_max = limits, limits.age_ms_max

    def keep(self, now: Moment) -> None:
        """Put on disk what is due, and let go of what is too old. To be called at least once a tick."""
        with self._lock:
            if self._closed:
                return
            self._expire(now)
            self._spill(now, self.limits.spill_after_ms)
            self._note_clock(now)

    def flush(self, now: Moment) -> None:
        """Put everything on disk and return when it is there."""
        with self._lock:
            self._spill(now, 0)
            self._note_clock(now)
            try:
                for segment in self._segments:
                    if segment.boot_id == now.boot_id:
                        segment.sync()
                folders.sync(self.folder)
            except OSError as error:
                self._cannot_write(error)

    def close(self) -> None:
        """Let another agent have the folder. What is called on this spool from now on does nothing."""
        with self._lock:
            self._closed = True
            os.close(self._lock_file)

    @property
    def _disk_bytes(self) -> int:
        return sum(segment.size_bytes for segment in self._segments)

    def _spill(self, now: Moment, after_ms: int) -> None:
        while self._memory and now.boot_ms - self._memory[0].then.boot_ms >= after_ms:
            try:
                self._write(self._memory[0], now)
            except OSError as error:
                return self._cannot_write(error)
            self._forget_oldest()
        return None

    def _write(self, held: Held, now: Moment) -> None:
        while self._segments and self._disk_bytes + len(held.tail) > self.limits.bytes_max:
            words = f"the spool is full ({self.limits.bytes_max} bytes, see spool_max)"
            self._give_up(self._segments[0], "full", words, now)
        try:
            self._segment_for(held).append(held.seq, held.then, held.tail)
        except FileNotFoundError:
            for segment in [s for s in self._segments if not s.path.exists()]:
                self._give_up(segment, "lost", "someone deleted files of the spool", now)
            self._segment_for(held).append(held.seq, held.then, held.tail)
        if self._trouble:
            self._trouble = ""
            log.info("the spool in %s can be written again", self.folder)

    def _segment_for(self, held: Held) -> Segment:
        """The file that the next batch goes to."""
        active = self._active
        if active is None or active.size_bytes + len(held.tail) > self.limits.segment_bytes:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            active = Segment.create(self.folder / f"{self._next_file:010d}.segment", held.then.boot_id)
            self._next_file += 1
            self._segments.append(active)
            self._active = active
        return active

    def _note_clock(self, now: Moment) -> None:
        """When the clock was set, say so on disk: batches from before are dated by it even after another boot."""
        ours = [segment for segment in self._segments if segment.boot_id == now.boot_id]
        known = ours[-1].clock if ours else None
        if known is not None and abs(now.offset_ms - known.offset_ms) > CLOCK_MOVED_MS:
            try:
                ours[-1].note_clock(now)
            except OSError as error:
                self._cannot_write(error)

    def _cannot_write(self, error: OSError) -> None:
        trouble = error.strerror or str(error)
        if trouble != self._trouble:
            self._trouble = trouble
            room = self.limits.memory_bytes_max
            log.error("%s: %s; batches are kept in memory, up to %d bytes", self.folder, trouble, room)

    def _done_on_disk(self, segment: Segment, seqs: list[int]) -> None:
        try:
            segment.done(seqs)
        except OSError as error:
            self._cannot_write(error)
        if not segment.left:
            self._remove(segment)

    def _remove(self, segment: Segment) -> None:
        self._segments.remove(segment)
        self._active = None if segment is self._active else self._active
        try:
            segment.delete()
        except OSError as error:
            self._cannot_write(error)

    # --- giving up ---

    def _give_up(self, segment: Segment, reason: str, words: str, now: Moment) -> None:
        self._losses.add(segment.left, reason, words, now)
        self._remove(segment)

    def _expire(self, now: Moment) -> None:
        """Give up what is older than the limit, whole segments first."""
        for segment in list(self._segments):
            if segment.newest is not None and self._ages.too_old(segment.newest, now):
                self._give_up(segment, "old", self._old_words, now)
        while self._memory and self._ages.too_old(self._memory[0].then, now):
            self._forget_oldest()
            self._losses.add(1, "old", self._old_words, now)

    @property
    def _old_words(self) -> str:
        return f"they are older than {self.limits.age_ms_max // 1000} s (see spool_age)"
