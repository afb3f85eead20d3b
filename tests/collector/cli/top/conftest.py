"""What `top` has seen of a small fleet."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from collector.cli.remote.answers import Alert, Health, Host, Incident, Measure
from collector.cli.top.follower import Seen
from rules.model import Severity

NOW = 1_800_000_000_000
NONE = Measure(None, "")


def moment(ago_s: int) -> datetime:
    return datetime.fromtimestamp(NOW / 1000 - ago_s, UTC)


def host(number: int, name: str, state: Any = "heard", alerts: int = 0, **labels: str) -> Host:
    return Host(number, name, labels, state, moment(3) if state != "never_heard" else None, alerts)


def incident(number: int, title: str, severity: Severity = "warning", by: str = "") -> Incident:
    return Incident(
        number,
        title,
        severity,
        "acknowledged" if by else "open",
        moment(600 - number),
        None,
        acknowledged_by=by,
    )


def alert(number: int, about: Host, severity: Severity, of: int, by: str = "") -> Alert:
    return Alert(number, "rule", about.id, about.name, severity, "open", "is bad", moment(600), of, by)


WEB, DB, GONE, CAM, CALM = HOSTS = [
    host(1, "web-1", alerts=1, role="web"),
    host(2, "db-1", alerts=2, role="db"),
    host(3, "gone-1", "silent", alerts=1),
    host(4, "cam-1", "never_heard"),
    host(5, "calm-1"),
]


def seen() -> Seen:
    """web-1 has a warning, db-1 a critical alert that ada has and one that nobody has, gone-1 is silent."""
    incidents = [
        incident(7, "web-1 is busy"),
        incident(8, "db-1 is full", "critical", by="ada"),
        incident(9, "db-1 is slow", "critical"),
        incident(10, "gone-1 is silent", "critical"),
    ]
    alerts = [
        alert(1, WEB, "warning", 7),
        alert(2, DB, "critical", 8, "ada"),
        alert(3, DB, "critical", 9),
        alert(4, GONE, "critical", 10),
    ]
    values = {
        "cpu_used_pct": {1: 97.0, 2: 20.0, 5: 3.0},
        "memory_used_pct": {1: 10.0, 2: 30.0, 5: 20.0},
        "disk_used_pct": {1: 10.0, 2: 99.0, 5: 50.0},
        "load1": {1: 0.5, 2: 4.0, 5: 9.0},
    }
    states = {"heard": 3, "silent": 1, "stopped": 0, "never_heard": 1}
    health = Health("critical", states, 4, 4, *([NONE] * 8))
    return Seen(NOW, health, incidents, alerts, HOSTS, values)
