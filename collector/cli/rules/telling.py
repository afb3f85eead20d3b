"""A story as it is told to the rules, and what became of it held against what was expected."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from msgspec import Struct

from collector.store import Row
from collector.store.pasts import NEAR_MS
from rules import words
from rules.capacity.forecast import Past
from rules.fleet.shared import SharedCheck
from rules.judging.engine import Rule
from rules.judging.play import Player, checks_in
from rules.memory.watch import NO_HOST
from rules.model import Alert, ChannelView, Host, Notice, Outcome, Reason, Severity
from rules.policy import Policy

TICK_MS = 1_000

Wanted = TypeVar("Wanted")
There = TypeVar("There")


class WantedAlert(Struct, kw_only=True, frozen=True):
    """An alert that must be open; what is left out may be anything."""

    rule: str
    host: str
    series: str = ""
    severity: Severity | None = None
    since_s: float | None = None


class WantedNotice(Struct, kw_only=True, frozen=True):
    """A notice that must be owed; what is left out may be anything, and `title` may be a part of it."""

    reason: Reason
    channel: str = ""
    host: str = ""
    severity: Severity | None = None
    title: str = ""


class PlayedBatch(Struct, frozen=True):
    """A batch of a story; `host` is its number."""

    arrived_at: int
    at: int
    host: int
    every_ms: int
    values: dict[str, float]


class Teller:
    """Plays one story. Hosts have the numbers from 1 on, in the order in which they are given."""

    def __init__(
        self,
        rules: Sequence[Rule],
        channels: Mapping[str, Severity],
        hosts: Sequence[tuple[str, dict[str, str]]],
        start: int,
        policy: Policy,
        shared: Sequence[SharedCheck] = (),
    ) -> None:
        self._start = start
        self._rows: dict[int, list[Row]] = {}
        self._notices: list[Notice] = []
        self._player = Player(
            rules,
            [ChannelView(name, severity) for name, severity in channels.items()],
            [Host(number, name, labels) for number, (name, labels) in enumerate(hosts, 1)],
            start=start,
            tick_ms=TICK_MS,
            told=self._take,
            policy=policy,
            shared=shared,
        )

    def _take(self, outcome: Outcome) -> None:
        self._notices += outcome.notices

    def batch(self, batch: PlayedBatch) -> None:
        layout = tuple(batch.values)
        values = np.array(list(batch.values.values()), dtype=np.float64)
        row = Row(batch.at, batch.arrived_at, batch.every_ms, layout, values)
        self._rows.setdefault(batch.host, []).append(row)
        checks = checks_in(layout, values, batch.at)
        self._player.batch(
            batch.host, row.at, row.every_ms, layout, values, checks, arrived_at=row.arrived_at
        )
        self._repair()
        self._look()

    def _repair(self) -> None:
        for host, since in self._player.repairs_due():
            rows = [row for row in self._rows[host] if row.at >= since]
            self._player.repair(host, sorted(rows, key=lambda row: row.at))

    def _look(self) -> None:
        for host in self._player.looks_due():
            rows = sorted(self._rows[host], key=lambda row: row.at)
            newest = dict(zip(rows[-1].layout, rows[-1].values.tolist(), strict=True))
            pasts = {name: _past(rows, name) for name in self._player.wants(host, newest)}
            self._player.look(host, newest, pasts)

    def compare(
        self,
        until: int,
        at_s: float,
        alerts: Sequence[WantedAlert] | None,
        notices: Sequence[WantedNotice] | None,
    ) -> list[str]:
        """Let time pass until then; what is not as wanted, a line for each."""
        self._player.until(until)
        self._repair()
        owed, self._notices = self._notices, []
        at = words.duration(at_s * 1000)
        faults = []
        if alerts is not None:
            standing = [alert for alert in self._player.watch.alerts.values() if alert.resolved_at is None]
            faults += _differences(f"at {at}: alert", alerts, standing, self._is_alert, _say, self._say_alert)
        if notices is not None:
            faults += _differences(f"at {at}: notice", notices, owed, _is_notice, _say, _say_notice)
        return faults

    def _is_alert(self, wanted: WantedAlert, alert: Alert) -> bool:
        series = alert.subject.partition("/series:")[2]
        return (
            (wanted.rule, wanted.host) == (alert.rule, self._name(alert))
            and wanted.series in ("", series)
            and wanted.severity in (None, alert.severity)
            and (wanted.since_s is None or self._start + round(wanted.since_s * 1000) == alert.since)
        )

    def _name(self, alert: Alert) -> str:
        """The host's name; what many hosts have in common is called by its subject: `collector`, `site:berlin`."""
        if alert.host == NO_HOST:
            return alert.subject
        return self._player.watch.hosts[alert.host].host.name

    def _say_alert(self, alert: Alert) -> str:
        series = alert.subject.partition("/series:")[2]
        since = words.duration(alert.since - self._start)
        what = f", series {series}" if series else ""
        return f"rule {alert.rule}, host {self._name(alert)}{what}, severity {alert.severity}, since {since}"


def _past(rows: Sequence[Row], name: str) -> Past:
    """All that a story has told of a series, and its newest hours."""
    known = [(row.at, row.values[row.layout.index(name)]) for row in rows if name in row.layout]
    at = np.array([moment for moment, _ in known], dtype=np.int64)
    values = np.array([value for _, value in known], dtype=np.float64)
    near = at >= at[-1] - NEAR_MS
    return Past((at, values), (at[near], values[near]))


def _is_notice(wanted: WantedNotice, notice: Notice) -> bool:
    return (
        wanted.reason == notice.reason
        and wanted.channel in ("", notice.channel)
        and wanted.host in ("", notice.host)
        and wanted.severity in (None, notice.severity)
        and wanted.title in notice.title
    )


def _say_notice(notice: Notice) -> str:
    return (
        f"reason {notice.reason}, channel {notice.channel}, host {notice.host}, severity {notice.severity}, "
        f'title "{notice.title}"'
    )


def _say(wanted: WantedAlert | WantedNotice) -> str:
    given = ((field, getattr(wanted, field)) for field in wanted.__struct_fields__)
    return ", ".join(
        f"since {words.duration(value * 1000)}" if field == "since_s" else f"{field} {value}"
        for field, value in given
        if value not in ("", None)
    )


def _differences(
    what: str,
    wanted: Sequence[Wanted],
    there: Sequence[There],
    matches: Callable[[Wanted, There], bool],
    say_wanted: Callable[[Wanted], str],
    say_there: Callable[[There], str],
) -> list[str]:
    """Each of those wanted needs one of its own; what is told most exactly chooses first."""
    left = list(there)
    lines = []
    for one in sorted(wanted, key=lambda one: len(say_wanted(one)), reverse=True):
        found = next((other for other in left if matches(one, other)), None)
        if found is None:
            lines.append(f"{what} expected, but not there: {say_wanted(one)}")
        else:
            left.remove(found)
    return [*lines, *(f"{what} there, but not expected: {say_there(other)}" for other in left)]
