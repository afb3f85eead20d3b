"""Hosts, alerts and incidents as programs see them: times in RFC 3339, numbers with their units, states in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from agent.options import duration_s
from collector.api.doors import Refusal
from rules.fleet.state import HostState
from rules.model import Alert, Host, Incident, Severity

RANGE_S_MAX = 400 * 86_400

Instant = Annotated[
    str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$", max_length=40)
]
Span = Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,8}(s|m|h|d)$")]


def moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def moment_or_none(ms: int | None) -> datetime | None:
    return None if ms is None else moment(ms)


def ms_of(text: str, key: str) -> int:
    """A time as people and programs write it. Refusal where the calendar has no such time."""
    try:
        at = datetime.fromisoformat(text)
        return round(at.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise Refusal(400, "time", f"{key}: {text[:40]!r} is no time; write 2026-11-20T02:00:00Z") from None


def span_ms(text: str, key: str, *, most_s: float = RANGE_S_MAX) -> int:
    """A duration such as 15m. Refusal for none, and for one that is longer than `most_s`."""
    try:
        seconds = duration_s(text)
    except ValueError as error:
        raise Refusal(400, key, f"{key}: {error}") from None
    if not 0 < seconds <= most_s:
        raise Refusal(400, key, f"{key}: {text} is not from 1s to {most_s / 86_400:g}d; write 15m, 1h or 30d")
    return round(seconds * 1000)


def number(value: float) -> float | None:
    """A number of JSON, which has none for what is unknown."""
    return None if math.isnan(value) or math.isinf(value) else value


class HostView(Struct, frozen=True):
    """A host, or with `service` true a service that posts metrics of its own. `skew_ms` is how far its clock is off."""

    id: int
    name: str
    labels: dict[str, str]
    state: HostState
    service: bool
    heard_at: datetime | None
    sampled_at: datetime | None
    every_ms: int
    skew_ms: int
    flags: tuple[str, ...]
    enrolled_at: datetime
    open_alerts: int


def host_view(host: Host, state: HostState, alerts: Mapping[int, int]) -> HostView:
    return HostView(
        id=host.id,
        name=host.name,
        labels=host.labels,
        state=state,
        service=host.is_service,
        heard_at=moment_or_none(host.arrived_at),
        sampled_at=moment_or_none(host.last_at),
        every_ms=host.every_ms,
        skew_ms=host.skew_ms,
        flags=host.flags,
        enrolled_at=moment(host.enrolled_at),
        open_alerts=alerts.get(host.id, 0),
    )


class AlertView(Struct, frozen=True):
    """One rule that is bad about one subject. `since` is its first bad sample, `fired_at` when it became an alert;
    acknowledged is the incident that it belongs to."""

    id: int
    rule: str
    subject: str
    host: int
    host_name: str
    severity: Severity
    state: Literal["open", "resolved"]
    summary: str
    since: datetime
    fired_at: datetime
    resolved_at: datetime | None
    value: float | None
    limit: float | None
    runbook: str
    incident: int
    acknowledged_at: datetime | None
    acknowledged_by: str


def alert_view(alert: Alert, hosts: Mapping[int, str], incident: Incident | None) -> AlertView:
    return AlertView(
        id=alert.id,
        rule=alert.rule,
        subject=alert.subject,
        host=alert.host,
        host_name=hosts.get(alert.host, ""),
        severity=alert.severity,
        state="open" if alert.resolved_at is None else "resolved",
        summary=alert.summary,
        since=moment(alert.since),
        fired_at=moment(alert.fired_at),
        resolved_at=moment_or_none(alert.resolved_at),
        value=alert.value,
        limit=alert.limit,
        runbook=alert.runbook,
        incident=alert.incident,
        acknowledged_at=moment_or_none(incident.acknowledged_at if incident else None),
        acknowledged_by=incident.acknowledged_by if incident else "",
    )


class IncidentView(Struct, frozen=True):
    """One problem, opened by alerts or by a person. `round` counts how often it came back within minutes, and
    `postmortem_version` says which text the post-mortem is."""

    id: int
    title: str
    severity: Severity
    state: Literal["open", "acknowledged", "resolved"]
    opened_at: datetime
    opened_by: str
    resolved_at: datetime | None
    resolved_by: str
    acknowledged_at: datetime | None
    acknowledged_by: str
    assignee: str
    snoozed_until: datetime | None
    services: tuple[str, ...]
    round: int
    key: str
    text: str
    postmortem: str
    postmortem_version: str


def incident_view(incident: Incident) -> IncidentView:
    state: Literal["open", "acknowledged", "resolved"] = "open"
    if incident.resolved_at is not None:
        state = "resolved"
    elif incident.acknowledged_at is not None:
        state = "acknowledged"
    return IncidentView(
        id=incident.id,
        title=incident.title,
        severity=incident.severity,
        state=state,
        opened_at=moment(incident.opened_at),
        opened_by=incident.opened_by,
        resolved_at=moment_or_none(incident.resolved_at),
        resolved_by=incident.resolved_by,
        acknowledged_at=moment_or_none(incident.acknowledged_at),
        acknowledged_by=incident.acknowledged_by,
        assignee=incident.assignee,
        snoozed_until=moment_or_none(incident.snoozed_until),
        services=incident.services,
        round=incident.round,
        key=incident.key,
        text=incident.text,
        postmortem=incident.postmortem,
        postmortem_version=incident.postmortem_version,
    )
