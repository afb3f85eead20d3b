"""What a host's page says: what it is, how its checks stand, what is wrong with it, and which charts to draw.

Pure: rows of the store and the time in, words for the template out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import quote, urlencode

from msgspec import Struct

from agent.wire import series_name
from collector.store import Latest
from collector.web.incidents import AlertRow, When, alert_rows, when
from collector.web.standing import Mark, Shape, mark_of
from collector.web.stretch import RANGE_WORDS, Stretch
from collector.web.words import Times, say_count, say_duration, say_value, unit_of
from rules.fleet.state import is_silent
from rules.histograms import ENDING
from rules.model import Alert, CheckAnswer, Host

_CHECK_MARKS: dict[str, tuple[Shape, str]] = {
    "ok": ("up", "ok"),
    "warn": ("warning", "warning"),
    "bad": ("critical", "bad"),
    "unknown": ("unknown", "no answer"),
}
_TOLD_ELSEWHERE = {"hostname", "os", "kernel", "arch", "cores", "memory_bytes", "booted_at", "agent_version"}


class CheckRow(Struct, frozen=True):
    id: str
    kind: str
    mark: Mark
    detail: str
    took: str
    since: When
    lasted: str


class Choice(Struct, frozen=True):
    """A link among several of which one is chosen."""

    text: str
    url: str
    chosen: bool


class SeriesRow(Struct, frozen=True):
    name: str
    newest: str
    chart_url: str
    csv_url: str


class HostPage(Struct, frozen=True):
    id: int
    name: str
    mark: Mark
    stale: bool
    machine: list[str]
    watching: list[str]
    odd: list[str]
    labels: list[tuple[str, str]]
    checks: list[CheckRow]
    alerts: list[AlertRow]
    ranges: list[Choice]
    moves: list[Choice]
    metric: str
    series: list[SeriesRow]


def host_page(
    latest: Latest,
    checks: Sequence[CheckAnswer],
    alerts: Sequence[Alert],
    acknowledged: set[int],
    asked: tuple[Stretch, str],
    times: Times,
) -> HostPage:
    """`alerts` are the host's open ones; `asked` is when, and the one metric to draw, if any."""
    host = latest.host
    stretch, metric = asked
    return HostPage(
        host.id,
        host.name,
        mark_of(host, alerts, acknowledged, times.now),
        is_silent(host, times.now),
        ["a service that posts metrics"] if host.is_service else _machine(host.facts, times),
        _watching(host, times),
        _odd(host),
        sorted(host.labels.items()),
        [
            _check(check, times)
            for check in sorted(checks, key=lambda check: (_CHECK_ORDER[check.state], check.id))
            if _is_run(check, latest)
        ],
        alert_rows(alerts, {host.id: host}, times),
        [
            Choice(words, host_url(host.id, {"range": name}, metric), name == stretch.name)
            for name, words in RANGE_WORDS.items()
        ],
        _moves(host.id, stretch, metric, times.now),
        metric,
        [
            _series(host.id, name, value, stretch)
            for name, value in sorted(latest.values.items())
            if not (host.is_service and name.partition("{")[0].endswith(ENDING))
        ],
    )


_CHECK_ORDER = {"bad": 0, "warn": 1, "unknown": 2, "ok": 3}


def _is_run(check: CheckAnswer, latest: Latest) -> bool:
    """A check that was taken out, on the host or at the collector, leaves its last word behind; it is none any more."""
    return series_name("check_state", {"check": check.id, "kind": check.kind}) in latest.names


def _check(check: CheckAnswer, times: Times) -> CheckRow:
    shape, word = _CHECK_MARKS[check.state]
    return CheckRow(
        check.id,
        check.kind if check.kind != check.id else "",
        Mark(shape, word),
        check.detail,
        say_value("ms", check.ms) if check.ms is not None else "",
        when(check.at, times),
        say_duration(times.now - check.at),
    )


# --- two lines of facts -----------------------------------------------------------------------------------------------


def _machine(facts: Mapping[str, str], times: Times) -> list[str]:
    """What it is: the system, the kernel, cores and memory, then whatever else it told of itself."""
    parts = [facts.get("os", ""), " ".join(filter(None, (facts.get("kernel"), facts.get("arch"))))]
    if facts.get("cores", "").isdecimal():
        parts.append(say_count(int(facts["cores"][:9]), "core"))
    if facts.get("memory_bytes", "").isdecimal():
        parts.append(f"{say_value('B', float(facts['memory_bytes'][:18]))} of memory")
    booted_at = _moment(facts.get("booted_at", ""))
    if booted_at is not None:
        parts.append(f"booted {times.clock(booted_at)}")
    parts += [f"{key} {value}" for key, value in sorted(facts.items()) if key not in _TOLD_ELSEWHERE]
    return [part for part in parts if part]


def _moment(text: str) -> int | None:
    """RFC 3339 as milliseconds; None for what is not."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return round(at.timestamp() * 1000) if at.tzinfo else None


def _watching(host: Host, times: Times) -> list[str]:
    """How it is watched: when heard, how often, since when, by which agent."""
    heard = "never heard" if host.arrived_at is None else f"heard {times.ago(host.arrived_at)}"
    parts = [
        heard,
        f"every {say_value('ms', float(host.every_ms))}",
        f"enrolled {times.clock(host.enrolled_at)}",
    ]
    if host.facts.get("agent_version"):
        parts.append(f"agent {host.facts['agent_version']}")
    if host.facts.get("hostname", host.name) != host.name:
        parts.append(f"calls itself {host.facts['hostname']}")
    return parts


ODD = {
    "names": "Some of its series have names that are none; they are left out. The collector's log names one.",
    "churn": "The list of its series changes all the time; only those that stay are kept. Look which of its checks "
    "names what comes and goes, such as processes or requests, and leave that out in its agent.yaml.",
    "cloned": "Two agents push as this host in turn, as those of a cloned machine do: what is shown is a mixture of "
    "both. Let the copy join by a name of its own: watchkeeper join-command, with --name NAME behind it.",
}


def _odd(host: Host) -> list[str]:
    found = []
    if "clock" in host.flags:
        way = "ahead" if host.skew_ms < 0 else "behind"
        found.append(
            f"Its clock is {say_duration(abs(host.skew_ms))} {way} of the collector's. Its times are corrected here; "
            "set its clock right all the same."
        )
    if "series" in host.flags:
        found.append(
            "It sends more series than are kept; the excess is left out. Ask less of it in its agent.yaml."
        )
    found += [text for flag, text in ODD.items() if flag in host.flags]
    return found


# --- addresses --------------------------------------------------------------------------------------------------------


def host_url(host: int, asked: Mapping[str, str], metric: str = "") -> str:
    return f"/hosts/{host}?{urlencode({**asked} | ({'metric': metric} if metric else {}), safe=':')}"


def csv_url(host: int, names: Sequence[str], stretch: Stretch) -> str:
    asked = [("name", name) for name in names] + list(stretch.asked.items())
    return f"/hosts/{host}/series.csv?{urlencode(asked, quote_via=quote, safe=':')}"


def _moves(host: int, stretch: Stretch, metric: str, now: int) -> list[Choice]:
    """Ways through time; whatever lies ahead of now is no way."""
    ways = [
        ("Earlier", stretch.moved(-0.5)),
        ("Closer", stretch.wider(0.5)),
        ("Wider", stretch.wider(2)),
        ("Later", stretch.moved(0.5)),
    ]
    return [
        Choice(text, host_url(host, way.asked, metric), False)
        for text, way in ways
        if way.start < now and (text != "Later" or not stretch.name)
    ]


def _series(host: int, name: str, value: float, stretch: Stretch) -> SeriesRow:
    metric = name.partition("{")[0]
    return SeriesRow(
        name,
        say_value(unit_of(metric), value),
        host_url(host, stretch.asked, metric),
        csv_url(host, [name], stretch),
    )
