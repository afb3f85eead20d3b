"""How a host stands, and which host a thing is about: what several pages say alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from rules.fleet.state import silent_hosts, state_of
from rules.model import Alert, Host, Incident, Severity, worst

Shape = Literal["up", "info", "warning", "critical", "unknown", "maintenance"]
"""What a mark looks like; its word is beside it, since a colour alone tells too little."""

SHAPES: dict[Severity, Shape] = {"info": "info", "warning": "warning", "critical": "critical"}
STOPPED = "stopped (planned)"
WORDS = {
    "never_heard": "never heard",
    "stopped": STOPPED,
    "restarting": "restarting",
    "silent": "silent",
    "quiet": "quiet",
}
"""Of the states in which nothing is known of now."""

_HOST = re.compile(r"host:(\d{1,18})(?:/.*)?", re.DOTALL)


class Mark(Struct, frozen=True):
    shape: Shape
    word: str
    acknowledged: bool = False

    @property
    def look(self) -> str:
        """Its classes in the style sheet."""
        return f"mark {self.shape} taken" if self.acknowledged else f"mark {self.shape}"


def mark_of(host: Host, alerts: Sequence[Alert], acknowledged: set[int], now: int) -> Mark:
    """How a host with these open alerts stands. Silence comes before anything that was known before it."""
    state = state_of(host, now, is_missed=host.id in silent_hosts(alerts))
    if state != "heard":
        return Mark("unknown", WORDS[state])
    severity = worst(*(alert.severity for alert in alerts))
    if severity in ("warning", "critical"):
        return Mark(severity, severity, all(alert.incident in acknowledged for alert in alerts))
    return Mark("up", "up")


def alerts_by_host(alerts: Iterable[Alert]) -> dict[int, list[Alert]]:
    found: dict[int, list[Alert]] = {}
    for alert in alerts:
        found.setdefault(alert.host, []).append(alert)
    return found


def acknowledged_of(incidents: Iterable[Incident]) -> set[int]:
    return {incident.id for incident in incidents if incident.acknowledged_at is not None}


def host_of(subject: str, hosts: Mapping[int, Host]) -> Host | None:
    """The host that an alert's subject or an incident's key names, if it is still there."""
    match = _HOST.fullmatch(subject)
    return hosts.get(int(match[1])) if match else None


def series_of(subject: str) -> str:
    """The series that an alert's subject names: disk_used_pct{mount="/"} for host:3/series:disk_used_pct{mount="/"}."""
    return subject.partition("/series:")[2]


def bare_title(incident: Incident, host: Host | None) -> str:
    """The title without the host's name before it, where that stands in a column of its own."""
    return incident.title.removeprefix(f"{host.name}: ") if host else incident.title
