"""When to look again at what time alone may change."""

from __future__ import annotations

from heapq import heappop, heappush

SPARE = 100


class Looks:
    """A time for each incident. Asking changes nothing; what is due stays due until it is given another time."""

    def __init__(self) -> None:
        self._at: dict[int, int] = {}
        self._heap: list[tuple[int, int]] = []

    def put(self, incident: int, at: int | None) -> None:
        """Look at it then, and not before; None for never."""
        if at is None:
            self._at.pop(incident, None)
        elif self._at.get(incident) != at:
            self._at[incident] = at
            heappush(self._heap, (at, incident))
        while self._heap and self._at.get(self._heap[0][1]) != self._heap[0][0]:
            heappop(self._heap)
        if len(self._heap) > 2 * len(self._at) + SPARE:  # most of it is of times that were taken back
            self._heap = sorted((at, incident) for incident, at in self._at.items())

    def due(self, now: int) -> list[int]:
        """Those whose time has come, the longest due first."""
        found: set[tuple[int, int]] = set()
        ahead = [0]
        while ahead:  # in a heap nothing is due behind what is not
            place = ahead.pop()
            if place < len(self._heap) and self._heap[place][0] <= now:
                at, incident = self._heap[place]
                if self._at.get(incident) == at:
                    found.add((at, incident))
                ahead += (2 * place + 1, 2 * place + 2)
        return [incident for _, incident in sorted(found)]
