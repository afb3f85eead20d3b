"""How soon people had what went wrong, and how soon it was over: MTTA and MTTR, from incidents alone.

An incident counts when it was opened within the range, but for what Watchkeeper says of itself, which is over the
moment it is said. What nobody acknowledged has no time to acknowledge (it was over by itself, or nobody saw it), and
says so by its absence from that count; what is still open has no time to resolve.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from msgspec import Struct

from rules.model import RANK, WATCHKEEPER, Incident, Severity


class Spell(Struct, frozen=True):
    """How long something took, over `count` incidents. Without any there are no times."""

    count: int
    mean_ms: int | None = None
    median_ms: int | None = None
    longest_ms: int | None = None

    @classmethod
    def of(cls, lasted: Sequence[int]) -> Spell:
        if not lasted:
            return cls(0)
        mean = sum(lasted) / len(lasted)
        return cls(len(lasted), round(mean), round(median(lasted)), max(lasted))


class Responses(Struct, frozen=True):
    """`to_acknowledge` has the MTTA, `to_resolve` the MTTR, each as its mean."""

    incidents: int
    still_open: int
    by_hand: int
    to_acknowledge: Spell
    to_resolve: Spell


class Report(Struct, frozen=True):
    """All incidents of a range, and apart for each severity, the gravest first, and for each service touched."""

    start: int
    end: int
    overall: Responses
    by_severity: dict[Severity, Responses]
    by_service: dict[str, Responses]


def report(incidents: Iterable[Incident], start: int, end: int) -> Report:
    """Over the incidents that were opened from `start` on and before `end`."""
    within = [
        incident
        for incident in incidents
        if start <= incident.opened_at < end and incident.opened_by != WATCHKEEPER
    ]
    graver_first = sorted({incident.severity for incident in within}, key=lambda severity: -RANK[severity])
    services = sorted({service for incident in within for service in incident.services})
    return Report(
        start,
        end,
        _responses(within),
        {grave: _responses([one for one in within if one.severity == grave]) for grave in graver_first},
        {name: _responses([one for one in within if name in one.services]) for name in services},
    )


def _responses(incidents: Sequence[Incident]) -> Responses:
    acknowledged = [
        one.acknowledged_at - one.opened_at for one in incidents if one.acknowledged_at is not None
    ]
    resolved = [one.resolved_at - one.opened_at for one in incidents if one.resolved_at is not None]
    return Responses(
        incidents=len(incidents),
        still_open=len(incidents) - len(resolved),
        by_hand=sum(bool(one.opened_by) for one in incidents),
        to_acknowledge=Spell.of([max(lasted, 0) for lasted in acknowledged]),
        to_resolve=Spell.of([max(lasted, 0) for lasted in resolved]),
    )
