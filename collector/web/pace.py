"""How quickly problems are taken up and ended, on average over the last while."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from collector.web.words import DAY_MS, say_count, say_duration
from rules.model import Incident

PACE_MS = 30 * DAY_MS


class Pace(Struct, frozen=True):
    """Of the incidents that began within PACE_MS: how many, and the mean time until somebody had them (MTTA) and until
    they were over (MTTR); None while there is none to tell by."""

    incidents: int
    acknowledged_ms: float | None
    resolved_ms: float | None

    @property
    def said(self) -> list[str]:
        """`12 incidents in the last 30 days`, `acknowledged after 4 min on average`, `over after 38 min`."""
        if not self.incidents:
            return ["No incident in the last 30 days"]
        parts = [f"{say_count(self.incidents, 'incident')} in the last 30 days"]
        if self.acknowledged_ms is not None:
            parts.append(f"acknowledged after {say_duration(self.acknowledged_ms)} on average")
        if self.resolved_ms is not None:
            parts.append(f"over after {say_duration(self.resolved_ms)} on average")
        return parts


def pace(incidents: Sequence[Incident], now: int) -> Pace:
    late = [incident for incident in incidents if incident.opened_at >= now - PACE_MS]
    taken = [one.acknowledged_at - one.opened_at for one in late if one.acknowledged_at is not None]
    ended = [one.resolved_at - one.opened_at for one in late if one.resolved_at is not None]
    return Pace(len(late), _mean(taken), _mean(ended))


def _mean(spans_ms: Sequence[int]) -> float | None:
    return sum(spans_ms) / len(spans_ms) if spans_ms else None
