"""What the terminal reads of a collector's answers. What else is in them is passed over, so that a newer collector can
be asked as well."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from rules.fleet.state import HostState
from rules.model import Severity


def ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


class Host(Struct, frozen=True):
    id: int
    name: str
    labels: dict[str, str]
    state: HostState
    heard_at: datetime | None
    open_alerts: int
    every_ms: int = 0
    flags: tuple[str, ...] = ()


class HostDetails(Struct, frozen=True):
    host: Host
    facts: dict[str, str]


class Check(Struct, frozen=True):
    id: str
    kind: str
    state: str
    at: datetime
    ms: float | None
    detail: str


class Latest(Struct, frozen=True):
    at: datetime | None
    values: dict[str, float | None]


class Value(Struct, frozen=True):
    host: int
    series: str
    at: datetime
    value: float | None


class FleetValues(Struct, frozen=True):
    values: list[Value]


class Alert(Struct, frozen=True):
    id: int
    rule: str
    host: int
    host_name: str
    severity: Severity
    state: str
    summary: str
    since: datetime
    incident: int
    acknowledged_by: str = ""


class Incident(Struct, frozen=True):
    id: int
    title: str
    severity: Severity
    state: Literal["open", "acknowledged", "resolved"]
    opened_at: datetime
    resolved_at: datetime | None
    acknowledged_by: str = ""
    assignee: str = ""
    snoozed_until: datetime | None = None
    services: tuple[str, ...] = ()
    text: str = ""
    postmortem: str = ""


class Event(Struct, frozen=True):
    at: datetime
    kind: str
    by: str
    text: str
    late: bool = False


class IncidentDetails(Struct, frozen=True):
    incident: Incident
    alerts: list[Alert]
    timeline: list[Event]


class Measure(Struct, frozen=True):
    value: float | None
    unit: str
    highest: float | None = None
    where: str = ""
    why: str = ""


class Health(Struct, frozen=True):
    status: Literal["ok", "info", "warning", "critical", "unknown"]
    hosts: dict[str, int]
    open_alerts: int
    open_incidents: int
    cpu: Measure
    memory: Measure
    disk: Measure
    network_latency: Measure
    response_time: Measure
    active_connections: Measure
    error_rate: Measure
    throughput: Measure


class Dashboard(Struct, frozen=True):
    health: Health
    incidents: list[Incident]


class Matching(Struct, frozen=True):
    where: dict[str, str | list[str]] = {}
    from_severity: Severity = "info"
    rules: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    subject: str = ""


class Numbered(Struct, frozen=True):
    """As much as is asked of what is no more."""

    id: int


class Silence(Struct, frozen=True):
    id: int
    state: Literal["waiting", "active", "over"]
    start: datetime
    end: datetime
    by: str
    comment: str
    matching: Matching


class Maintenance(Struct, frozen=True):
    id: int
    name: str
    when: str | tuple[str, ...]
    by: str
    matching: Matching


class Notice(Struct, frozen=True):
    incident: int
    channel: str
    reason: str
    title: str
    created_at: datetime
    delivery: Literal["waiting", "sending", "sent", "failed"]
    tries: int
    answer: str
    perhaps_again: bool = False


class Channel(Struct, frozen=True):
    channel: str


class NoticeList(Struct, frozen=True):
    items: list[Notice]
    channels: list[Channel] = []


class Rule(Struct, frozen=True):
    name: str


# --- promises and advice ----------------------------------------------------------------------------------------------


class Budget(Struct, frozen=True):
    left_ms: int


class Standing(Struct, frozen=True):
    """A service over a period."""

    service: str
    period: str
    state: str
    availability_pct: float | None
    objective_pct: float | None
    budget: Budget | None
    outages: int
    downtime_ms: int
    longest_outage_ms: int | None
    sentence: str


class Sla(Struct, frozen=True):
    services: list[Standing]


class Filling(Struct, frozen=True):
    """`outlook` is fills, steady or unknown, and `reason` says why. A collector of an older version does not say how
    full it is now."""

    series: str
    outlook: str
    days: float | None
    soonest_days: float | None
    latest_days: float | None
    reason: str
    level: float | None = None
    per_day: float | None = None


class Room(Struct, frozen=True):
    """`size` is why a host fits what it does, or does not; `per_month` what another size would cost more."""

    name: str
    fit: str
    size: str
    fills: list[Filling]
    bottlenecks: list[str]
    per_month: float | None = None
    currency: str = ""


class Advice(Struct, frozen=True):
    service: str
    at: datetime | None
    direction: str
    current: int | None
    wanted: int | None
    reason: str
    confidence: float


class Analysis(Struct, frozen=True):
    """`hosts` are those that should be looked at first, of `hosts_total`."""

    services: list[Advice]
    hosts: list[Room]
    why: str = ""
    hosts_total: int = 0
