"""Which batches of a spool have been taken: exact, small, and the same however they arrive."""

from __future__ import annotations

from bisect import bisect_right

from msgspec import Struct

GAPS_MAX = 1_000
"""More gaps than this in one spool is no agent of ours: what would open another is put off."""


class TooManyGaps(Exception):
    """The batch would open one gap too many; it must be sent again later, when others have closed."""


class Seen(Struct, gc=False):
    """Every sequence number below `below` has been taken, and those in `ranges` (first, last), sorted and apart.

    Between two ranges, and between `below` and the first, at least one number is missing: so what was taken has one
    way of being written down, whatever the order it came in.
    """

    host: int
    spool: str
    below: int = 0
    ranges: list[tuple[int, int]] = []

    def __contains__(self, seq: int) -> bool:
        if seq < self.below:
            return True
        at = bisect_right(self.ranges, (seq, 2**63)) - 1
        return at >= 0 and seq <= self.ranges[at][1]

    def after(self, seq: int, floor: int) -> Seen | None:
        """What is seen once `seq` was taken and the agent sends nothing below `floor` any more; None when `seq` was
        taken before. TooManyGaps at the limit."""
        if seq == self.below and not self.ranges and floor <= seq:
            return Seen(self.host, self.spool, seq + 1)  # the next one, as it mostly is
        seen = Seen(self.host, self.spool, self.below, list(self.ranges))
        seen.forget_below(floor)
        return seen if seen.add(seq) else None

    def add(self, seq: int) -> bool:
        """Take `seq`; False when it was taken before. TooManyGaps, with nothing changed, at the limit."""
        if seq in self:
            return False
        if seq == self.below:
            self.below += 1
        else:
            self._insert(seq)
        self._swallow()
        return True

    def forget_below(self, floor: int) -> None:
        """The agent will send nothing below `floor` again: the gaps there are closed."""
        if floor > self.below:
            self.below = floor
            self._swallow()

    def _insert(self, seq: int) -> None:
        at = bisect_right(self.ranges, (seq, 2**63))
        first = last = seq
        low = high = at
        if at > 0 and self.ranges[at - 1][1] == seq - 1:
            low, first = at - 1, self.ranges[at - 1][0]
        if at < len(self.ranges) and self.ranges[at][0] == seq + 1:
            high, last = at + 1, self.ranges[at][1]
        if low == high and len(self.ranges) >= GAPS_MAX:
            raise TooManyGaps(
                f"spool {self.spool} of host {self.host} has {GAPS_MAX} gaps in its numbering already"
            )
        self.ranges[low:high] = [(first, last)]

    def _swallow(self) -> None:
        while self.ranges and self.ranges[0][0] <= self.below:
            self.below = max(self.below, self.ranges.pop(0)[1] + 1)
