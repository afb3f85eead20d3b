"""Rules that fail: what they were asked about is kept without an answer, counted, and said once."""

from __future__ import annotations

import logging

from prometheus_client import CollectorRegistry, Counter

log = logging.getLogger(__name__)

LATELY_MS = 60_000


class Faults:
    """Each is counted, and logged when its words are new; those of the last minute are in the health."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._counter = Counter(
            "watchkeeper_unjudged",
            "Batches kept without being judged, as a rule failed at them",
            registry=registry,
        )
        self._newest: tuple[int, str] | None = None
        self._said = ""

    def note(self, what: str, error: Exception, now: int) -> None:
        words = f"{type(error).__name__}: {error}"
        self._counter.inc()
        self._newest = now, f"{what[:1].upper()}{what[1:]} is kept unjudged, as a rule failed at it: {words}."
        if self._said != words:
            self._said = words
            log.error("A rule failed at %s, which is kept unjudged: %s", what, words, exc_info=error)

    def lately(self, now: int) -> str:
        """A sentence about the newest of the last minute; empty when there was none."""
        if self._newest is None or not 0 <= now - self._newest[0] < LATELY_MS:
            return ""
        return self._newest[1]
