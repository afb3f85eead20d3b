"""The part of a spool that is on disk: segments in a folder, the oldest first."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from agent.clock import Ages, Moment
from agent.spool import folder as folders
from agent.spool.losses import Losses
from agent.spool.segments import BadSegment, Entry, Segment

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

    @property
    def old_words(self) -> str:
        """Why what is older than the limit is given up."""
        return f"they are older than {self.age_ms_max // 1000} s (see spool_age)"


class Held(Struct, frozen=True):
    """A batch that is not acknowledged: its number, when it was sampled, and its JSON after the times."""

    seq: int
    then: Moment
    tail: bytes


class Shelf:
    """Batches on disk, for one thread at a time.

    Only the constructor and `put` raise OSError; other trouble with the disk is logged once, and what cannot be read is
    given up.
    """

    def __init__(self, folder: Path, limits: Limits, ages: Ages, losses: Losses) -> None:
        self.limits = limits
        self._folder = folder
        self._ages = ages
        self._losses = losses
        self._trouble = ""
        self._active: Segment | None = None
        found = folders.read(folder)
        self._segments = found.segments
        self._next_file = found.next_file
        self.beyond = 1 + max((segment.last_seq for segment in found.segments), default=-1)
        """No batch that was found here has this number or a higher one."""
        for segment in list(self._segments):
            if segment.clock is not None:
                ages.learn(segment.clock)
            if not segment.left:
                self._remove(segment)

    @property
    def left(self) -> int:
        """How many batches there are."""
        return sum(segment.left for segment in self._segments)

    @property
    def size_bytes(self) -> int:
        return sum(segment.size_bytes for segment in self._segments)

    @property
    def first_left(self) -> int | None:
        """The lowest number of a batch."""
        return min((first for s in self._segments if (first := s.first_left) is not None), default=None)

    def in_order(self, now: Moment) -> Iterator[Held]:
        """All that can be sent now, oldest first."""
        for segment in list(self._segments):
            if segment.newest is not None and not self._ages.yet_to_come(segment.newest, now):
                yield from self._read(segment, now)

    def newest(self) -> Held | None:
        """The last batch of this run."""
        segment = self._active
        if segment is None:
            return None
        try:
            last = segment.entries()[-1:]
            tails = list(segment.read(last))
        except (BadSegment, OSError):
            return None  # whoever asks for the oldest will hear of it
        moments = [Moment(segment.boot_id, entry.boot_ms, entry.wall_ms) for entry in last]
        return Held(last[0].seq, moments[0], tails[0]) if tails else None

    def put(self, held: Held, now: Moment) -> None:
        """Add a batch that is newer than all here; the oldest go where there is no room for it. OSError: it is not on
        disk."""
        try:
            self._put(held, now)
        except OSError as error:
            self._cannot_write(error)
            raise
        if self._trouble:
            self._trouble = ""
            log.info("the spool in %s can be written again", self._folder)

    def done(self, seqs: set[int]) -> None:
        """These, as far as they are here, are acknowledged or given up."""
        for segment in list(self._segments):
            mine = sorted(seq for seq in seqs if segment.holds(seq))
            if mine:
                self._done(segment, mine)

    def expire(self, now: Moment) -> None:
        """Give up whole segments that are older than the limit."""
        for segment in list(self._segments):
            if segment.newest is not None and self._ages.too_old(segment.newest, now):
                self._give_up(segment, "old", self.limits.old_words, now)

    def note_clock(self, now: Moment) -> None:
        """When the clock was set, say so on disk: batches from before are dated by it even after another boot."""
        ours = [segment for segment in self._segments if segment.boot_id == now.boot_id]
        known = ours[-1].clock if ours else None
        if known is not None and abs(now.offset_ms - known.offset_ms) > CLOCK_MOVED_MS:
            try:
                ours[-1].note_clock(now)
            except OSError as error:
                self._cannot_write(error)

    def sync(self, now: Moment) -> None:
        """Return when all that was written in this boot is on disk."""
        try:
            for segment in self._segments:
                if segment.boot_id == now.boot_id:
                    segment.sync()
            folders.sync(self._folder)
        except OSError as error:
            self._cannot_write(error)

    # --- reading ---

    def _read(self, segment: Segment, now: Moment) -> Iterator[Held]:
        try:
            entries = self._young_enough(segment, now)
            for entry, tail in zip(entries, segment.read(entries), strict=True):
                then = Moment(segment.boot_id, entry.boot_ms, entry.wall_ms)
                yield Held(entry.seq, self._ages.redated(then, now), tail)
        except (BadSegment, OSError) as error:
            self._give_up(segment, "unreadable", f"{segment.path} cannot be read: {error}", now)

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
            self._losses.add(len(old), "old", self.limits.old_words, now)
            self._done(segment, old)
        return fit

    # --- writing ---

    def _put(self, held: Held, now: Moment) -> None:
        while self._segments and self.size_bytes + len(held.tail) > self.limits.bytes_max:
            words = f"the spool is full ({self.limits.bytes_max} bytes, see spool_max)"
            self._give_up(self._segments[0], "full", words, now)
        try:
            self._segment_for(held).append(held.seq, held.then, held.tail)
        except FileNotFoundError:
            for segment in [s for s in self._segments if not s.path.exists()]:
                self._give_up(segment, "lost", "someone deleted files of the spool", now)
            self._segment_for(held).append(held.seq, held.then, held.tail)

    def _segment_for(self, held: Held) -> Segment:
        """The file that the next batch goes to."""
        active = self._active
        if active is None or active.size_bytes + len(held.tail) > self.limits.segment_bytes:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            active = Segment.create(self._folder / f"{self._next_file:010d}.segment", held.then.boot_id)
            self._next_file += 1
            self._segments.append(active)
            self._active = active
        return active

    def _done(self, segment: Segment, seqs: list[int]) -> None:
        try:
            segment.done(seqs)
        except OSError as error:
            self._cannot_write(error)
        if not segment.left:
            self._remove(segment)

    def _give_up(self, segment: Segment, reason: str, words: str, now: Moment) -> None:
        self._losses.add(segment.left, reason, words, now)
        self._remove(segment)

    def _remove(self, segment: Segment) -> None:
        self._segments.remove(segment)
        self._active = None if segment is self._active else self._active
        try:
            segment.delete()
        except OSError as error:
            self._cannot_write(error)

    def _cannot_write(self, error: OSError) -> None:
        trouble = error.strerror or str(error)
        if trouble != self._trouble:
            self._trouble = trouble
            room = self.limits.memory_bytes_max
            log.error("%s: %s; batches are kept in memory, up to %d bytes", self._folder, trouble, room)
