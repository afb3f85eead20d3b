"""The pages of rules: which there are, with their limits and where each is written, and what each says of a host."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from aiohttp import web
from msgspec import Struct

from collector.config import PACKS, WrittenRule
from collector.config.kinds import kind_of
from collector.store import Store
from collector.web.answers import Missing, answer
from collector.web.around import Known
from collector.web.asked import View, id_of, text_of
from collector.web.frame import Frame
from collector.web.standing import SHAPES, Mark, acknowledged_of, mark_of
from collector.web.words import NOTHING, Times, rule_url, say_duration, say_value, unit_of
from collector.who import Handler, needs
from rules.judging.applied import Applied, rules_of
from rules.judging.engine import Rule
from rules.labels import listed
from rules.model import Severity, State


class RuleRow(Struct, frozen=True):
    name: str
    url: str
    kind: str
    metric: str
    limits: str
    lasts: str
    where: str
    place: str
    full_place: str
    instead_of: str
    enabled: bool
    observed: bool
    standing: int
    runbook: str


class AppliedRow(Struct, frozen=True):
    rule: str
    url: str
    place: str
    full_place: str
    series: str
    limits: str
    lasts: str
    value: str
    mark: Mark
    since: str
    observed: bool


class RulePages:
    """`written` are the rules that hold."""

    def __init__(
        self,
        frame: Frame,
        store: Store,
        known: Known,
        *,
        written: Callable[[], Sequence[WrittenRule]],
        now_ms: Callable[[], int],
    ) -> None:
        self._frame, self._store, self._known = frame, store, known
        self._written, self._now_ms = written, now_ms

    def routes(self) -> list[web.RouteDef]:
        def page(name: str, handler: Handler) -> Handler:
            return needs("monitoring.read", self._frame.page(name, handler))

        return [
            web.get("/rules", page("rules", self._all)),
            web.get("/hosts/{id}/rules", page("host_rules", self._host)),
        ]

    async def _all(self, request: web.Request) -> web.Response:
        view, text = View.of(request), text_of(request, "q")
        times = view.times(self._now_ms())
        alerts = await self._store.incidents.open_alerts()
        standing: dict[str, int] = {}
        for alert in alerts:
            standing[alert.rule] = standing.get(alert.rule, 0) + 1
        rows = [rule_row(written, standing) for written in self._written()]
        body = self._frame.render(
            "rules.html",
            view,
            times,
            rows=[row for row in rows if _fits(row, text)],
            total=len(rows),
            text=text,
        )
        return answer(request, body)

    async def _host(self, request: web.Request) -> web.Response:
        number, view = id_of(request), View.of(request)
        times = view.times(self._now_ms())
        latest, alerts, incidents = await asyncio.gather(
            self._store.samples.latest(number),
            self._store.incidents.open_alerts(),
            self._store.incidents.open(),
        )
        watch = self._known()
        if latest is None or number not in watch.hosts:
            raise Missing(f"There is no host with the number {number}.")
        found = rules_of(watch, watch.hosts[number], latest.values)
        own = [alert for alert in alerts if alert.host == number]
        severities = {alert.id: alert.severity for alert in own}
        written = {one.rule.name: one for one in self._written()}
        rows = [
            _applied(one, written.get(one.rule), severities.get(one.alert or 0), times)
            for one in found.applied
        ]
        rows.sort(key=lambda row: (_ORDER[row.mark.shape], row.rule, row.series))
        body = self._frame.render(
            "host_rules.html",
            view,
            times,
            host=latest.host,
            mark=mark_of(latest.host, own, acknowledged_of(incidents), times.now),
            rows=rows,
            idle=sorted(found.idle),
        )
        return answer(request, body)


_MARKS: dict[State, Mark] = {
    "ok": Mark("up", "ok"),
    "pending": Mark("info", "beyond its limit, not for long enough yet"),
    "firing": Mark("warning", "bad"),
    "unknown": Mark("unknown", "no answer"),
}
_ORDER = {"critical": 0, "warning": 1, "info": 2, "unknown": 3, "up": 4}


def rule_row(written: WrittenRule, standing: Mapping[str, int]) -> RuleRow:
    """`standing` counts the open alerts by rule."""
    rule, options = written.rule, written.rule.options
    return RuleRow(
        rule.name,
        rule_url(rule.name),
        kind_of(options),
        str(getattr(options, "metric", "")),
        limits_said(rule),
        say_duration(options.for_ms) if options.for_ms else "at once",
        where_said(options.where),
        _short(written.file, written.line),
        written.place,
        _short(written.instead_of.file, written.instead_of.line) if written.instead_of else "",
        rule.enabled,
        options.observe,
        standing.get(rule.name, 0),
        options.runbook if options.runbook.startswith(("https://", "http://")) else "",
    )


def limits_said(rule: Rule) -> str:
    """`> 80 % warning, > 95 % critical`; of a rule without limits that are numbers of its series, its gravity."""
    if rule.cadence == "arrival":
        return f"silence {rule.severity}"
    said = [
        f"{getattr(rule, 'compares', '')} {rule.says(limit)} {severity}".strip()
        for severity in rule.severities
        if (limit := rule.limit(severity)) is not None
    ]
    what = "no answer " if kind_of(rule.options) == "unanswered" else ""
    return ", ".join(said) or what + ", ".join(rule.severities)


def where_said(where: Mapping[str, str | list[str]]) -> str:
    labels = (f"{name}={' or '.join(listed(wanted))}" for name, wanted in where.items())
    return ", ".join(labels) or "every host"


def _short(file: Path, line: int) -> str:
    """`pack hosts:12` for one of ours, else the file's own name."""
    return f"pack {file.stem}:{line}" if file.parent == PACKS else f"{file.name}:{line}"


def _fits(row: RuleRow, text: str) -> bool:
    said = f"{row.name} {row.kind} {row.metric} {row.where} {row.place}".lower()
    return all(word in said for word in text.lower().split())


def _applied(
    one: Applied, written: WrittenRule | None, severity: Severity | None, times: Times
) -> AppliedRow:
    """`severity` is that of the alert that it has open, if any."""
    return AppliedRow(
        one.rule,
        rule_url(one.rule),
        _short(written.file, written.line) if written else NOTHING,
        written.place if written else "",
        one.series,
        one.limits_said or (limits_said(written.rule) if written else ""),
        say_duration(one.for_s * 1000) if one.for_s else "at once",
        say_value(unit_of(one.series.partition("{")[0]), one.value) if one.series else "",
        _MARKS[one.state] if severity is None else Mark(SHAPES[severity], severity),
        "" if one.since is None else f"since {times.clock(one.since)}",
        written is not None and written.rule.options.observe,
    )
