"""What the pages of incidents and notices say: each incident in words, its timeline, and what became of each message.

Pure: rows of the store and the time in, words for the templates out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from collector.store import NoticeRow
from collector.web.remarks import said
from collector.web.standing import SHAPES, Mark, Shape, bare_title, host_of, series_of
from collector.web.words import NBSP, NOTHING, Times, iso, say_count, say_duration, say_value, unit_of
from rules import words
from rules.model import RANK, Alert, Host, Incident, Notice, Reason, Remark, Series, Transition

_REASONS: dict[Reason, str] = {
    "first": "first word of it",
    "escalated": "it got worse, or nobody has acknowledged it",
    "repeat": "it still stands",
    "resolved": "it is over",
    "digest": "several problems in one message",
}


class When(Struct, frozen=True):
    """A time as it is shown, in full for the tooltip, and for machines."""

    text: str
    full: str
    iso: str


class IncidentRow(Struct, frozen=True):
    id: int
    mark: Mark
    state: str
    title: str
    host: tuple[int, str] | None
    began: When
    lasted: str
    over: bool


class AlertRow(Struct, frozen=True):
    mark: Mark
    host: tuple[int, str] | None
    summary: str
    rule: str
    since: When
    lasted: str
    over: bool
    runbook: str
    incident: int


class NoticeLine(Struct, frozen=True):
    """A notice and what became of it, in words."""

    id: str
    incident: int
    title: str
    channel: str
    reason: str
    mark: Mark
    delivery: str
    tries: str
    answer: str
    decided: When
    done: When | None
    perhaps_again: bool


class Event(Struct, frozen=True):
    """A line of the timeline; `late` when it was learned after the fact."""

    at: int
    when: When
    shape: str
    text: str
    detail: str = ""
    late: str = ""


def when(ms: int, times: Times, *, seconds: bool = False) -> When:
    return When(times.second(ms) if seconds else times.clock(ms), times.full(ms), iso(ms))


def _link(host: Host | None) -> tuple[int, str] | None:
    return (host.id, host.name) if host else None


def mark_of(incident: Incident) -> Mark:
    if incident.resolved_at is not None:
        return Mark("up", "resolved")
    return Mark(SHAPES[incident.severity], incident.severity, incident.acknowledged_at is not None)


def incident_row(incident: Incident, hosts: Mapping[int, Host], times: Times) -> IncidentRow:
    over = incident.resolved_at is not None
    host = host_of(incident.key, hosts)
    return IncidentRow(
        incident.id,
        mark_of(incident),
        state_of(incident, times),
        bare_title(incident, host),
        _link(host),
        when(incident.opened_at, times),
        say_duration((incident.resolved_at or times.now) - incident.opened_at),
        over,
    )


def state_of(incident: Incident, times: Times) -> str:
    if incident.resolved_at is not None:
        return f"over since {times.clock(incident.resolved_at)}"
    if incident.opened_by and incident.acknowledged_at is None:
        return f"opened by {incident.opened_by}, nobody has it yet"
    if incident.acknowledged_at is not None:
        return f"acknowledged by {incident.acknowledged_by or 'somebody'} at {times.clock(incident.acknowledged_at)}"
    return "open, nobody has it yet"


def alert_rows(alerts: Sequence[Alert], hosts: Mapping[int, Host], times: Times) -> list[AlertRow]:
    """What still stands first, then the gravest, then the oldest."""
    ordered = sorted(alerts, key=lambda a: (a.resolved_at is not None, -RANK[a.severity], a.since, a.id))
    return [
        AlertRow(
            Mark("up", "over")
            if alert.resolved_at is not None
            else Mark(SHAPES[alert.severity], alert.severity),
            _link(host_of(alert.subject, hosts)),
            alert.summary,
            alert.rule,
            when(alert.since, times),
            say_duration((alert.resolved_at or times.now) - alert.since),
            alert.resolved_at is not None,
            alert.runbook if alert.runbook.startswith(("https://", "http://")) else "",
            alert.incident,
        )
        for alert in ordered
    ]


# --- notices ----------------------------------------------------------------------------------------------------------

_DELIVERIES: dict[str, tuple[Shape, str]] = {
    "sent": ("up", "sent"),
    "waiting": ("unknown", "waiting"),
    "sending": ("unknown", "being sent"),
    "failed": ("critical", "not delivered"),
}


def notice_line(row: NoticeRow, times: Times) -> NoticeLine:
    notice = row.notice
    shape, word = _DELIVERIES[row.delivery]
    if row.delivery == "waiting" and row.tries:
        shape, word = "warning", "will be tried again"
    done_at = row.sent_at or row.tried_at
    return NoticeLine(
        notice.id,
        notice.incident,
        notice.title,
        notice.channel,
        _REASONS[notice.reason],
        Mark(shape, word),
        _fate(row, times),
        say_count(row.tries, "try", "tries") if row.tries else NOTHING,
        row.answer,
        when(notice.created_at, times, seconds=True),
        when(done_at, times, seconds=True) if done_at is not None else None,
        row.perhaps_again,
    )


def _fate(row: NoticeRow, times: Times) -> str:
    """What became of it, as a sentence goes on after `mail: `."""
    if row.delivery == "sent" and row.sent_at is not None:
        took = row.sent_at - row.notice.created_at
        return f"sent {_within(took)}"
    if row.delivery == "failed":
        return "not delivered, and not tried any more"
    if row.delivery == "sending":
        return "being sent"
    if not row.tries:
        return "waits to be sent"
    if row.next_try_at > times.now:
        return f"not delivered yet, tried again in {say_duration(row.next_try_at - times.now)}"
    return "not delivered yet, tried again any moment"


def _within(ms: int) -> str:
    return "within a second" if ms < 1_000 else f"after {say_duration(ms)}"


# --- the timeline -----------------------------------------------------------------------------------------------------


def timeline(
    incident: Incident,
    alerts: Sequence[Alert],
    transitions: Sequence[Transition],
    notices: Sequence[NoticeRow],
    remarks: Sequence[Remark],
    hosts: Mapping[int, Host],
    times: Times,
) -> list[Event]:
    """All that happened, the newest last."""
    summaries = {alert.id: alert for alert in alerts}
    events = [_began(alert, hosts, times) for alert in alerts if alert.fired_at - alert.since >= 1_000]
    events += [_turned(change, summaries, hosts, times) for change in transitions]
    events += [_told(row, times) for row in notices]
    events += [
        Event(remark.at, when(remark.at, times, seconds=True), "person", *said(remark)) for remark in remarks
    ]
    if incident.resolved_at is not None:
        lasted = say_duration(incident.resolved_at - incident.opened_at)
        at = incident.resolved_at
        events.append(
            Event(at, when(at, times, seconds=True), "up", f"The incident is over, after {lasted}.")
        )
    return sorted(events, key=lambda event: (event.at, _LAST.get(event.shape, 0)))


_LAST = {"up": 1, "notice": 2, "failed": 2}
"""Of one moment: first what happened and what people did, then that it is over, then who is told of it."""


def subject_words(subject: str, hosts: Mapping[int, Host]) -> str:
    """`db-3, disk /var` for host:3/series:disk_used_pct{mount="/var"}."""
    name = _name(subject, hosts)
    series = series_of(subject)
    if not series:
        return name
    try:
        return f"{name}, {words.what(Series.parse(series))}"
    except ValueError:
        return f"{name}, {series}"


def _name(subject: str, hosts: Mapping[int, Host]) -> str:
    host = host_of(subject, hosts)
    return host.name if host else subject.partition("/")[0]


def _began(alert: Alert, hosts: Mapping[int, Host], times: Times) -> Event:
    about = subject_words(alert.subject, hosts)
    if alert.subject == f"host:{alert.host}":
        text = f"{about}: heard for the last time."
    else:
        text = f"{about}: first beyond its limit; it has to last before anybody is told."
    return Event(alert.since, when(alert.since, times, seconds=True), "pending", text)


def _turned(
    change: Transition, alerts: Mapping[int, Alert], hosts: Mapping[int, Host], times: Times
) -> Event:
    about = subject_words(change.subject, hosts)
    alert = alerts.get(change.alert or 0)
    shape = "pending"
    if change.before == change.after and change.why:
        text = f"{about}: as it was, and {change.why}; nobody is told again before it is ok once, or graver."
        return Event(change.at, when(change.at, times, seconds=True), shape, text, f"rule {change.rule}")
    if change.after == "firing":
        shape = change.severity or "warning"
        known = alert is not None and alert.severity == change.severity
        text = words.named(_name(change.subject, hosts), alert.summary) if alert and known else about
        text += f" ({change.severity or 'bad'})."
    elif change.after == "ok":
        shape, text = "ok", f"{about}: well again."
    elif change.after == "unknown":
        shape, text = "unknown", f"{about}: no answer, so nobody knows; the alert stays."
    else:
        text = (
            f"{about}: beyond its limit again."
            if change.before == "firing"
            else f"{about}: beyond its limit."
        )
    late = ""
    if change.late:
        late = f"learned {say_duration(change.recorded_at - change.at)} late, at {times.second(change.recorded_at)}"
    return Event(change.at, when(change.at, times, seconds=True), shape, text, _reading(change), late)


def _reading(change: Transition) -> str:
    parts = []
    series = series_of(change.subject)
    if series and change.value is not None and not series.startswith("check_state"):
        parts.append(f"value {say_value(unit_of(series.partition('{')[0]), change.value)}")
    return ", ".join(parts + ([change.why] if change.why else []) + [f"rule {change.rule}"])


def _told(row: NoticeRow, times: Times) -> Event:
    notice: Notice = row.notice
    text = f"{notice.channel} is told that {_WHAT[notice.reason]}: {_fate(row, times)}."
    parts = [say_count(row.tries, "try", "tries")] if row.tries > 1 else []
    parts += [f"answer: {row.answer}"] if row.answer else []
    parts += (
        ["perhaps sent twice: we stopped between sending and writing it down"] if row.perhaps_again else []
    )
    shape = "failed" if row.delivery == "failed" else "notice"
    return Event(
        notice.created_at, when(notice.created_at, times, seconds=True), shape, text, f"{NBSP}· ".join(parts)
    )


_WHAT: dict[Reason, str] = {
    "first": "it began",
    "escalated": "it got worse, or nobody has acknowledged it",
    "repeat": "it still stands",
    "resolved": "it is over",
    "digest": "it is one of several problems",
}
