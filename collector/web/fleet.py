"""What the overview says: the one-line sum, the open problems, and a row for each host.

Pure: rows of the store and the time in, words for the template out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct

from collector.store import Latest
from collector.web.standing import (
    SHAPES,
    STOPPED,
    Mark,
    Shape,
    acknowledged_of,
    alerts_by_host,
    bare_title,
    host_of,
    mark_of,
    series_of,
)
from collector.web.words import NBSP, NOTHING, Times, iso, say_count, say_share
from rules.fleet.state import is_silent
from rules.histograms import ENDING
from rules.model import RANK, SERVICE, Alert, Host, Incident, Series, worst

HOSTS_PER_PAGE = 500
PROBLEMS_MAX = 200
LABELS_OFFERED_MAX = 30
GROUPS_MAX = 200
LAYOUTS_KNOWN_MAX = 1_000
BAR_STEP = 4
"""A bar's length in percent is a multiple of this: there is a rule for each in the style sheet."""


class Question(Struct, frozen=True):
    """What the reader asked to see: hosts that match all words of `text`, grouped by a label, one page of them."""

    text: str = ""
    group: str = ""
    page: int = 1


class HostRow(NamedTuple):
    """One row of a thousand: flat, so that the template takes it apart at once instead of asking it field by field.

    A name that ends in `look` is the classes of the cell: a bar's length (p64), and its colour where that is alarming.
    """

    id: int
    name: str
    stale: bool
    mark_look: str
    word: str
    note: str
    cpu_look: str
    cpu: str
    cpu_line: str
    memory_look: str
    memory: str
    disk_look: str
    disk: str
    mount: str
    load: str
    seen: str
    seen_iso: str


class Group(Struct, frozen=True):
    """`label` is empty when the hosts are not grouped."""

    label: str
    value: str
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
    stopped: int = 0
    warned: int = 0

    @property
    def parts(self) -> list[str]:
        """`3 problems`, `211 of 214 hosts fine`, `1 with a warning`, `1 unknown`; what is none is left out. One with a
        warning works all the same."""
        if not self.hosts:
            return ["No host yet"]
        problems = say_count(self.problems, "problem") if self.problems else "No problems"
        working = self.fine + self.warned
        if self.warned and working == self.hosts:
            fine = f"all {say_count(self.hosts, 'host')} work" if self.hosts > 1 else "the one host works"
        elif working < self.hosts:
            fine = f"{working} of {say_count(self.hosts, 'host')} {'work' if self.warned else 'fine'}"
        else:
            fine = f"all {say_count(self.hosts, 'host')} fine" if self.hosts > 1 else "the one host is fine"
        counted = (
            (self.warned, "with a warning"), (self.unknown, "unknown"), (self.stopped, "stopped"),
        )  # fmt: skip
        return [problems, fine, *(f"{count} {word}" for count, word in counted if count)]

    @property
    def headline(self) -> str:
        """For the browser's tab."""
        return self.parts[0]


class ServiceRow(Struct, frozen=True):
    """A service that posts metrics of itself; its batches go on for a while after its last post."""

    id: int
    name: str
    mark: Mark
    series: int
    heard: str
    heard_iso: str


class Overview(Struct, frozen=True):
    sum: Sum
    services: list[ServiceRow]
    problems: list[Problem]
    problems_left_out: int
    groups: list[Group]
    matching: int
    page: int
    pages: int
    labels: list[str]


def overview(
    latests: Sequence[Latest],
    incidents: Sequence[Incident],
    alerts: Sequence[Alert],
    question: Question,
    times: Times,
    line_of: Callable[[int], str] = lambda host: "",
) -> Overview:
    """Every host is counted; those that match are shown, a page of them. `line_of` draws a host's last hour."""
    by_host, acknowledged = alerts_by_host(alerts), acknowledged_of(incidents)
    everything = {latest.host.id: latest.host for latest in latests}
    services = [
        _service(latest, by_host.get(latest.host.id, ()), acknowledged, times)
        for latest in latests
        if latest.host.is_service
        and latest.host.arrived_at is not None
        and _matches(latest.host, question.text)
    ]
    latests = [latest for latest in latests if not latest.host.is_service]
    marks = {
        latest.host.id: mark_of(latest.host, by_host.get(latest.host.id, ()), acknowledged, times.now)
        for latest in latests
    }
    matching = [latest for latest in latests if _matches(latest.host, question.text)]
    if question.group:
        matching.sort(key=lambda latest: _group_order(latest.host, question.group))
    pages = max(1, -(-len(matching) // HOSTS_PER_PAGE))
    page = min(question.page, pages)
    shown = matching[(page - 1) * HOSTS_PER_PAGE : page * HOSTS_PER_PAGE]
    problems = _problems(incidents, alerts, everything, times)
    return Overview(
        _sum(incidents, marks),
        services,
        problems,
        len(incidents) - len(problems),
        _groups(shown, question.group, marks, by_host, line_of, times),
        len(matching),
        page,
        pages,
        _labels(latests),
    )


def _service(latest: Latest, alerts: Sequence[Alert], acknowledged: set[int], times: Times) -> ServiceRow:
    host, heard = latest.host, latest.host.arrived_at
    return ServiceRow(
        host.id,
        host.name.removeprefix(SERVICE),
        mark_of(host, alerts, acknowledged, times.now),
        sum(not name.partition("{")[0].endswith(ENDING) for name in latest.names),
        "never" if heard is None else times.ago(heard),
        "" if heard is None else iso(heard),
    )


def _sum(incidents: Sequence[Incident], marks: Mapping[int, Mark]) -> Sum:
    shapes = [mark.shape for mark in marks.values()]
    stopped = sum(mark.word == STOPPED for mark in marks.values())
    fine, unknown = shapes.count("up"), shapes.count("unknown") - stopped
    gravest = worst(*(incident.severity for incident in incidents))
    shape: Shape = SHAPES[gravest] if gravest else "unknown" if unknown or not fine else "up"
    return Sum(shape, len(incidents), len(marks), fine, unknown, stopped, shapes.count("warning"))


def _matches(host: Host, text: str) -> bool:
    if not text:
        return True
    about = f"{host.name} {' '.join(f'{key}={value}' for key, value in host.labels.items())}".lower()
    return all(word in about for word in text.lower().split())


def _labels(latests: Sequence[Latest]) -> list[str]:
    """The labels that hosts can be grouped by, the commonest first."""
    counts: dict[str, int] = {}
    for latest in latests:
        for label in latest.host.labels:
            counts[label] = counts.get(label, 0) + 1
    return sorted(counts, key=lambda label: (-counts[label], label))[:LABELS_OFFERED_MAX]


# --- problems ---------------------------------------------------------------------------------------------------------


def _problems(
    incidents: Sequence[Incident], alerts: Sequence[Alert], hosts: Mapping[int, Host], times: Times
) -> list[Problem]:
    """What is acknowledged sinks below what is not; then the gravest comes first, then the newest."""
    of_incident: dict[int, list[Alert]] = {}
    for alert in alerts:
        of_incident.setdefault(alert.incident, []).append(alert)
    ordered = sorted(
        incidents, key=lambda i: (i.acknowledged_at is not None, -RANK[i.severity], -i.opened_at)
    )
    return [_problem(each, of_incident.get(each.id, ()), hosts, times) for each in ordered[:PROBLEMS_MAX]]


def _problem(incident: Incident, alerts: Sequence[Alert], hosts: Mapping[int, Host], times: Times) -> Problem:
    own = host_of(incident.key, hosts)
    silent = own is not None and incident.key == own.subject and is_silent(own, times.now)
    touched = {alert.host for alert in alerts if alert.host in hosts} - {own.id if own else None}
    acknowledged = incident.acknowledged_at is not None
    since = min((alert.since for alert in alerts), default=incident.opened_at)
    return Problem(
        incident.id,
        Mark(
            "unknown" if silent else SHAPES[incident.severity],
            "silent" if silent else incident.severity,
            acknowledged,
        ),
        (own.id, own.name) if own else None,
        len(touched),
        bare_title(incident, own),
        times.clock(since),
        times.lasted(since),
        iso(since),
        f"acknowledged by {incident.acknowledged_by or 'somebody'}" if acknowledged else "",
    )


# --- hosts ------------------------------------------------------------------------------------------------------------


def _groups(
    shown: Sequence[Latest],
    label: str,
    marks: Mapping[int, Mark],
    by_host: Mapping[int, Sequence[Alert]],
    line_of: Callable[[int], str],
    times: Times,
) -> list[Group]:
    """In the order in which the hosts come."""
    found: dict[str | None, list[Latest]] = {}
    for latest in shown:
        value = latest.host.labels.get(label) if label else None
        if value not in found and len(found) >= GROUPS_MAX:
            value = next(reversed(found))  # further groups have no heading of their own
        found.setdefault(value, []).append(latest)
    return [
        Group(
            label if value is not None else f"no {label}" if label else "",
            value or "",
            _say_group([marks[latest.host.id].shape for latest in members]) if label else "",
            [
                _row(each, marks[each.host.id], by_host.get(each.host.id, ()), line_of(each.host.id), times)
                for each in members
            ],
        )
        for value, members in found.items()
    ]


def _group_order(host: Host, label: str) -> tuple[bool, str]:
    value = host.labels.get(label)
    return value is None, value or ""


def _say_group(shapes: Sequence[Shape]) -> str:
    kinds: tuple[Shape, ...] = ("critical", "warning", "unknown")
    parts = [f"{shapes.count(kind)}{NBSP}{kind}" for kind in kinds if kind in shapes]
    return " · ".join([say_count(len(shapes), "host"), *parts])


def _row(latest: Latest, mark: Mark, alerts: Sequence[Alert], line: str, times: Times) -> HostRow:
    host, values = latest.host, latest.values
    disks, checks = _series_to_look_at(tuple(latest.names))
    full, mount = _fullest(values, disks)
    load = values.get("load1")
    heard = host.arrived_at
    return HostRow(
        host.id,
        host.name,
        mark.shape == "unknown",
        mark.look,
        mark.word,
        _note(host, sum(values[check] != values[check] for check in checks)),
        *_cpu(values.get("cpu_used_pct"), alerts, line),
        *_meter(values.get("memory_used_pct"), alerts, "memory_"),
        *_meter(full, alerts, "disk_"),
        mount,
        NOTHING if load is None or load != load else f"{load:.2f}",
        "never" if heard is None else times.ago(heard),
        "" if heard is None else iso(heard),
    )


def _cpu(value: float | None, alerts: Sequence[Alert], line: str) -> tuple[str, str, str]:
    """Like any share, but for its last hour, where that is known, in the place of a bar."""
    look, said = _meter(value, alerts, "cpu_")
    return (look.rpartition(" p")[0] if line and " p" in look else look), said, line


def _meter(value: float | None, alerts: Sequence[Alert], metrics: str) -> tuple[str, str]:
    """How a share looks and reads; in the colour of the gravest alert about metrics that begin so."""
    look = "meter"
    if alerts:
        about = [alert.severity for alert in alerts if series_of(alert.subject).startswith(metrics)]
        look += f" {worst(*about) or ''}"
    if value is None or value != value:
        return look, NOTHING
    bar = BAR_STEP * max(1, round(value / BAR_STEP)) if value > 0 else 0  # a little is not nothing
    return f"{look} p{min(100, bar)}", say_share(value)


@lru_cache(LAYOUTS_KNOWN_MAX)
def _series_to_look_at(names: tuple[str, ...]) -> tuple[list[tuple[str, str]], list[str]]:
    """Of a host's series, those of its disks (with their mounts) and those of its checks.

    Most hosts have the same series as their neighbours, so this is rarely worked out.
    """
    disks = [(name, _mount(name)) for name in names if name.startswith("disk_used_pct{")]
    return disks, [name for name in names if name.startswith("check_state{")]


def _mount(name: str) -> str:
    try:
        return Series.parse(name).labels.get("mount", "")
    except ValueError:
        return ""


def _fullest(values: Mapping[str, float], disks: Sequence[tuple[str, str]]) -> tuple[float | None, str]:
    """How full the fullest mount is, and its name."""
    known = [(values[name], mount) for name, mount in disks if values[name] == values[name]]
    return max(known, default=(None, ""))


def _note(host: Host, unanswered: int) -> str:
    """What is odd about a host that is up all the same."""
    if not unanswered and not host.flags:
        return ""
    parts = [f"{say_count(unanswered, 'check')} without answer"] if unanswered else []
    if "clock" in host.flags:
        parts.append("clock is off")
    if "series" in host.flags:
        parts.append("too many series")
    if "churn" in host.flags:
        parts.append("its series change all the time")
    if "names" in host.flags:
        parts.append("names that are none")
    if "cloned" in host.flags:
        parts.append("two agents push as it")
    return ", ".join(parts)
