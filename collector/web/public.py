"""All that the status page may say to anybody: worked out here, from nothing but counts, states and times.

No name of a host, no label, no word of an alert comes into these types, so none can leave by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from collector.store import Latest
from collector.web.standing import is_silent
from rules.model import Alert, Incident

PublicState = Literal["good", "degraded", "bad", "unknown"]

_HEADLINES: dict[PublicState, str] = {
    "good": "All systems work",
    "degraded": "Some systems are degraded",
    "bad": "Some systems do not work",
    "unknown": "Nobody knows at the moment",
}
_SHAPES: dict[PublicState, str] = {
    "good": "up",
    "degraded": "warning",
    "bad": "critical",
    "unknown": "unknown",
}


class Status(Struct, frozen=True):
    """The worst state there is, and how many of the systems are in which."""

    state: PublicState
    systems: int
    working: int
    troubled: int
    unknown: int
    incidents_open: int
    oldest_opened_at: int | None
    updated_at: int | None

    @property
    def shape(self) -> str:
        return _SHAPES[self.state]

    @property
    def headline(self) -> str:
        return _HEADLINES[self.state] if self.systems else "Nothing is watched yet"


def status(
    latests: Sequence[Latest], incidents: Sequence[Incident], alerts: Sequence[Alert], now: int
) -> Status:
    """What the public is told. Information for the operators alone (severity info) is no trouble of the systems, and a
    host that was stopped as planned is none of them, nor is a service that posts metrics: what it runs on is."""
    latests = [latest for latest in latests if not (latest.host.has_stopped or latest.host.is_service)]
    grave = {alert.host for alert in alerts if alert.severity != "info"}
    silent = {latest.host.id for latest in latests if is_silent(latest.host, now)}
    troubled = {latest.host.id for latest in latests if latest.host.id in grave} - silent
    systems = len(latests)
    counted = [incident for incident in incidents if incident.severity != "info"]
    return Status(
        _state(systems, silent, counted),
        systems,
        systems - len(silent) - len(troubled),
        len(troubled),
        len(silent),
        len(counted),
        min((incident.opened_at for incident in counted), default=None),
        max((latest.host.arrived_at or 0 for latest in latests), default=0) or None,
    )


def _state(systems: int, silent: set[int], incidents: Sequence[Incident]) -> PublicState:
    if not systems or len(silent) == systems:
        return "unknown"
    if any(incident.severity == "critical" for incident in incidents):
        return "bad"
    if incidents:
        return "degraded"
    return "unknown" if silent else "good"
