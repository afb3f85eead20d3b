"""What the overview says: how each host stands, which problems are open, and the one-line sum of it all.

Pure: rows of the store and the time in, words for the template out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from collector.store import Latest
from collector.web.words import NBSP, NOTHING, Times, iso, say_count, say_number, say_share
from rules.model import RANK, Alert, Host, Incident, Severity, worst

Shape = Literal["up", "info", "warning", "critical", "unknown"]
"""What a mark looks like; its word is beside it, since a colour alone tells too little."""

_HOST_KEY = re.compile(r"host:(\d{1,18})(?:/.*)?", re.DOTALL)

SILENT_INTERVALS = 3
SILENT_MS_MIN = 3_000
HOSTS_PER_PAGE = 1_000
PROBLEMS_MAX = 200
LABELS_OFFERED_MAX = 30
GROUPS_MAX = 200


class Mark(Struct, frozen=True):
    shape: Shape
    word: str
    acknowledged: bool = False


class Meter(Struct, frozen=True):
    """A share as a bar: `text` in figures, `step` for its length (-1: no bar), `about` what it is of."""

    text: str = NOTHING
    step: int = -1
    about: str = ""
    severity: str = ""


class HostRow(Struct, frozen=True):
    id: int
    name: str
    mark: Mark
    note: str
    cpu: Meter
    memory: Meter
    disk: Meter
    load: str
    seen: str
    seen_iso: str
    stale: bool


class Group(Struct, frozen=True):
    """`name` is empty when the hosts are not grouped."""

    name: str
    sum: str
    rows: list[HostRow]


class Problem(Struct, frozen=True):
    id: int
    mark: Mark
    host: tuple[int, str] | None
    other_hosts: int
    title: str
    since: str
    lasted: str
    since_iso: str
    acknowledged: str


class Sum(Struct, frozen=True):
    """How the fleet stands in one line; `shape` is that of the gravest thing in it."""

    shape: Shape
    problems: int
    hosts: int
    fine: int
    unknown: int

    @property
    def parts(self) -> list[str]:
        """`3 problems`, `211 of 214 hosts fine`, `1 unknown`; what is none is left out."""
        if not self.hosts:
            return ["no host yet"]
        problems = say_count(self.problems, "problem") if self.problems else "no problems"
        fine = f"{self.fine} of {say_count(self.hosts, 'host')} fine"
        if self.fine == self.hosts:
            fine = f"all {say_count(self.hosts, 'host')} fine" if self.hosts > 1 else "the one host is fine"
        return [problems, fine] + ([f"{self.unknown} unknown"] if self.unknown else [])

    @property
    def headline(self) -> str:
        return (
            say_count(self.problems, "problem")
            if self.problems
            else "all well"
            if self.hosts
            else "no host yet"
        )


class Overview(Struct, frozen=True):
    sum: Sum
    problems: list[Problem]
    problems_left_out: int
    groups: list[Group]
    shown: int
    matching: int
    page: int
    pages: int
    labels: list[str]


# --- one host ---------------------------------------------------------------------------------------------------------


def is_silent(host: Host, now: int) -> bool:
    """Not heard for so long that its last values say nothing about now. Never heard counts too."""
    if host.arrived_at is None:
        return True
    return now - host.arrived_at > max(SILENT_MS_MIN, SILENT_INTERVALS * host.every_ms)


def mark_of(host: Host, alerts: Sequence[Alert], acknowledged: set[int], now: int) -> Mark:
    """Silence comes before anything that was known before it."""
    if host.arrived_at is None:
        return Mark("unknown", "not heard yet")
    if is_silent(host, now):
        return Mark("unknown", "silent")
    severity = worst(*(alert.severity for alert in alerts))
    if severity in ("warning", "critical"):
        return Mark(severity, severity, all(alert.incident in acknowledged for alert in alerts))
    return Mark("up", "up")


def alerts_by_host(alerts: Iterable[Alert]) -> dict[int, list[Alert]]:
    found: dict[int, list[Alert]] = {}
    for alert in alerts:
        found.setdefault(alert.host, []).append(alert)
    return found


def metric_of(subject: str) -> str:
    """The metric of an alert's subject: `host:3/series:disk_used_pct{mount="/"}` is about disk_used_pct."""
    return subject.partition("/series:")[2].partition("{")[0]


def severity_about(alerts: Sequence[Alert], beginning: str) -> str:
    return (
        worst(*(alert.severity for alert in alerts if metric_of(alert.subject).startswith(beginning))) or ""
    )


def _meter(value: float | None, severity: str, about: str = "") -> Meter:
    if value is None or value != value:
        return Meter(about=about, severity=severity)
    return Meter(say_share(value), min(100, max(0, round(value))), about, severity)


def _worst_disk(values: Mapping[str, float]) -> tuple[float | None, str]:
    """The fullest mount and its name."""
    full: float | None = None
    name = ""
    for series, value in values.items():
        if series.startswith('disk_used_pct{mount="') and value == value and (full is None or value > full):
            full, name = value, series
    return full, name[21:-2]


def _unanswered(values: Mapping[str, float]) -> int:
    return sum(1 for series, value in values.items() if value != value and series.startswith("check_state{"))


def _note(host: Host, values: Mapping[str, float]) -> str:
    """What is odd about a host that is up all the same."""
    unanswered = _unanswered(values)
    parts = [f"{say_count(unanswered, 'check')} without answer"] if unanswered else []
    if "clock" in host.flags:
        parts.append("clock is off")
    if "series" in host.flags:
        parts.append("too many series")
    return ", ".join(parts)


def _row(latest: Latest, mark: Mark, alerts: Sequence[Alert], times: Times) -> HostRow:
    host, values = latest.host, latest.values
    full, mount = _worst_disk(values)
    load = values.get("load1")
    heard = host.arrived_at
    return HostRow(
        host.id,
        host.name,
        mark,
        _note(host, values),
        _meter(values.get("cpu_used_pct"), severity_about(alerts, "cpu_") if alerts else ""),
        _meter(values.get("memory_used_pct"), severity_about(alerts, "memory_") if alerts else ""),
        _meter(full, severity_about(alerts, "disk_") if alerts else "", mount),
        NOTHING if load is None or load != load else say_number(round(load, 2)),
        "never" if heard is None else times.ago(heard),
        "" if heard is None else iso(heard),
        mark.shape == "unknown",
    )


# --- problems ---------------------------------------------------------------------------------------------------------

SHAPES: dict[Severity, Shape] = {"info": "info", "warning": "warning", "critical": "critical"}


def order_of(incident: Incident) -> tuple[bool, int, int]:
    """What is acknowledged sinks below what is not; then the gravest, then the newest."""
    return incident.acknowledged_at is not None, -RANK[incident.severity], -incident.opened_at


def host_of(subject: str, hosts: Mapping[int, Host]) -> Host | None:
    """The host that an alert's subject or an incident's key names, if it is still there."""
    match = _HOST_KEY.fullmatch(subject)
    return hosts.get(int(match[1])) if match else None


def bare_title(incident: Incident, host: Host | None) -> str:
    """The title without the host's name before it, where that stands in a column of its own."""
    return incident.title.removeprefix(f"{host.name}: ") if host else incident.title


def _problem(incident: Incident, alerts: Sequence[Alert], hosts: Mapping[int, Host], times: Times) -> Problem:
    own = host_of(incident.key, hosts)
    touched = dict.fromkeys(
        ([own.id] if own else []) + [alert.host for alert in alerts if alert.host in hosts]
    )
    silent = own is not None and incident.key == own.subject and is_silent(own, times.now)
    acknowledged = incident.acknowledged_at is not None
    shape: Shape = "unknown" if silent else SHAPES[incident.severity]
    since = min((alert.since for alert in alerts), default=incident.opened_at)
    return Problem(
        incident.id,
        Mark(shape, "silent" if silent else incident.severity, acknowledged),
        (own.id, own.name) if own else None,
        len(touched) - (own is not None),
        bare_title(incident, own),
        times.clock(since),
        times.lasted(since),
        iso(since),
        f"acknowledged by {incident.acknowledged_by or 'somebody'}" if acknowledged else "",
    )


# --- all of them ------------------------------------------------------------------------------------------------------


class Question(Struct, frozen=True):
    """What the reader asked to see: hosts that match all words of `text`, grouped by a label, one page of them."""

    text: str = ""
    group: str = ""
    page: int = 1


def overview(
    latests: Sequence[Latest],
    incidents: Sequence[Incident],
    alerts: Sequence[Alert],
    question: Question,
    times: Times,
) -> Overview:
    by_host = alerts_by_host(alerts)
    acknowledged = {incident.id for incident in incidents if incident.acknowledged_at is not None}
    marks = {
        latest.host.id: mark_of(latest.host, by_host.get(latest.host.id, ()), acknowledged, times.now)
        for latest in latests
    }
    matching = [latest for latest in latests if _matches(latest.host, question.text)]
    pages = max(1, -(-len(matching) // HOSTS_PER_PAGE))
    page = min(question.page, pages)
    rows = matching[(page - 1) * HOSTS_PER_PAGE : page * HOSTS_PER_PAGE]
    groups = [
        Group(name, _say_group(members, marks) if name else "", [
            _row(latest, marks[latest.host.id], by_host.get(latest.host.id, ()), times) for latest in members
        ])
        for name, members in _grouped(rows, question.group)
    ]  # fmt: skip
    problems = _problems(incidents, alerts, {latest.host.id: latest.host for latest in latests}, times)
    return Overview(
        _sum(incidents, marks),
        problems,
        len(incidents) - len(problems),
        groups,
        len(rows),
        len(matching),
        page,
        pages,
        _labels(latests),
    )


def _problems(
    incidents: Sequence[Incident], alerts: Sequence[Alert], hosts: Mapping[int, Host], times: Times
) -> list[Problem]:
    of_incident: dict[int, list[Alert]] = {}
    for alert in alerts:
        of_incident.setdefault(alert.incident, []).append(alert)
    first = sorted(incidents, key=order_of)[:PROBLEMS_MAX]
    return [_problem(incident, of_incident.get(incident.id, ()), hosts, times) for incident in first]


def _sum(incidents: Sequence[Incident], marks: Mapping[int, Mark]) -> Sum:
    shapes = [mark.shape for mark in marks.values()]
    fine, unknown = shapes.count("up"), shapes.count("unknown")
    gravest = worst(*(incident.severity for incident in incidents))
    shape: Shape = SHAPES[gravest] if gravest else "unknown" if unknown or not marks else "up"
    return Sum(shape, len(incidents), len(marks), fine, unknown)


def _matches(host: Host, text: str) -> bool:
    if not text:
        return True
    about = f"{host.name} {' '.join(f'{key}={value}' for key, value in host.labels.items())}".lower()
    return all(word in about for word in text.lower().split())


def _grouped(latests: Sequence[Latest], label: str) -> list[tuple[str, list[Latest]]]:
    """By the value of a label, those without it last; the rarest groups beyond the limit share one."""
    if not label:
        return [("", list(latests))] if latests else []
    found: dict[str, list[Latest]] = {}
    for latest in latests:
        value = latest.host.labels.get(label)
        name = f"no {label}" if value is None else f"{label} {value}"
        if name not in found and len(found) >= GROUPS_MAX:
            name = f"other values of {label}"
        found.setdefault(name, []).append(latest)
    return sorted(found.items(), key=lambda entry: (entry[0] == f"no {label}", entry[0]))


def _say_group(members: Sequence[Latest], marks: Mapping[int, Mark]) -> str:
    shapes = [marks[latest.host.id].shape for latest in members]
    parts = [say_count(len(members), "host")]
    parts += [
        f"{shapes.count(shape)}{NBSP}{shape}"
        for shape in ("critical", "warning", "unknown")
        if shape in shapes
    ]
    return " · ".join(parts)


def _labels(latests: Sequence[Latest]) -> list[str]:
    """The labels that hosts can be grouped by, the commonest first."""
    counts: dict[str, int] = {}
    for latest in latests:
        for label in latest.host.labels:
            counts[label] = counts.get(label, 0) + 1
    return sorted(counts, key=lambda label: (-counts[label], label))[:LABELS_OFFERED_MAX]
