"""What was counted within a while: what happens in a moment is to be seen for longer than a moment."""

from __future__ import annotations

from collections import deque

TEN_MINUTES_S = 600.0


class Recent:
    """Adds up; what is older than `within_s` is forgotten, and no tick without a count is remembered."""

    def __init__(self, within_s: float = TEN_MINUTES_S) -> None:
        self._within_s = within_s
        self._counts: deque[tuple[float, int]] = deque()

    def with_now(self, at_s: float, count: int) -> int:
        """What it comes to with what was counted just now."""
        if count:
            self._counts.append((at_s, count))
        while self._counts and self._counts[0][0] <= at_s - self._within_s:
            self._counts.popleft()
        return sum(count for _, count in self._counts)
