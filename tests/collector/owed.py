"""Notices as judging leaves them, for the tests of whatever sends them."""

from __future__ import annotations

from collections.abc import Sequence

from rules.model import Alert, Incident, Notice, Outcome, Reason, Severity

BEGAN = 1_763_600_000_000


def alert(number: int = 1, *, resolved_at: int | None = None, severity: Severity = "critical") -> Alert:
    return Alert(
        id=number,
        rule="disk-full",
        subject='host:1/series:disk_used_pct{mount="/"}',
        host=1,
        severity=severity,
        since=BEGAN,
        fired_at=BEGAN + 60_000,
        summary=f"disk / of web-{number} is at 97 %",
        incident=7,
        value=97.25,
        limit=95.0,
        runbook="https://wiki.example.org/disk",
        resolved_at=resolved_at,
    )


def notice(
    number: int = 1,
    *,
    channel: str = "ops",
    incident: int = 7,
    reason: Reason = "first",
    severity: Severity = "critical",
    title: str = "web-1: disk / is at 97 %",
    text: str = "97.2 % used, limit 95 %, since 02:13",
    created_at: int = BEGAN + 60_000,
    alerts: Sequence[Alert] | None = None,
) -> Notice:
    resolved_at = created_at if reason == "resolved" else None
    return Notice(
        id=f"n-{number}",
        incident=incident,
        channel=channel,
        reason=reason,
        severity=severity,
        host="web-1",
        title=title,
        text=text,
        created_at=created_at,
        started_at=BEGAN,
        resolved_at=resolved_at,
        alerts=list(alerts) if alerts is not None else [alert(resolved_at=resolved_at, severity=severity)],
    )


def owed(*notices: Notice) -> Outcome:
    """What is committed when these are owed: them, and the incidents they are about."""
    incidents = {
        n.incident: Incident(
            id=n.incident, key=f"host:{n.incident}", title=n.title, severity="critical", opened_at=BEGAN
        )
        for n in notices
    }
    return Outcome(notices=list(notices), incidents=list(incidents.values()))
