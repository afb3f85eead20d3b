"""Problems that come and go: told twice, then as one that keeps coming and going, and over once it has been quiet."""

from __future__ import annotations

from rules.model import REOPEN_MS, Incident

FLAPS = 3
"""Coming so often ..."""
WITHIN_MS = 30 * 60_000
"""... within so long is coming and going."""


def flaps(incident: Incident) -> bool:
    """Whether it keeps coming and going, as far as it has come yet."""
    came = incident.came
    newest = incident.resolved_at or (came[-1] if came else 0)
    return len(came) >= FLAPS and newest - came[-FLAPS] <= WITHIN_MS


def restless_until(incident: Incident) -> int | None:
    """When one that is over, but keeps coming and going, has been quiet for so long that its end may be told; a person
    who says that it is over is believed at once."""
    if incident.resolved_at is None or incident.resolved_by or not flaps(incident):
        return None
    return incident.resolved_at + REOPEN_MS


def opened(incident: Incident, now: int) -> tuple[int, ...]:
    """When it came, of late, once it comes again."""
    return (*incident.came, now)[-FLAPS:]
