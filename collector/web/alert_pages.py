"""The page of alerts: those that stand, filtered as one likes, and what is done to several of them at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, get_args
from urllib.parse import urlencode

from aiohttp import web
from msgspec import Struct

from collector.desks.incidents import Acting
from collector.desks.policies import Policies
from collector.store import Store
from collector.web.answers import answer
from collector.web.asked import View, choice_of, number_of, text_of
from collector.web.forms import Form, form_of, led_to
from collector.web.frame import Frame
from collector.web.incidents import AlertRow, alert_rows
from collector.web.words import HOUR_MS, say_count
from collector.who import ASKED_BY, FORM_TOKEN, NOBODY, Handler, Permission, Refusal, Who, needs
from rules.judging.acts import Acknowledge, Refused, Resolve
from rules.model import RANK, Alert, Host, Incident, Severity
from rules.policy import Silence

ALERTS_PER_PAGE = 200
CHOSEN_MAX = 500
FORM_BYTES_MAX = 64 * 1024
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
Deed = Literal["acknowledge", "resolve", "silence"]
NEEDS: dict[Deed, Permission] = {
    "acknowledge": "monitoring.alert.acknowledge",
    "resolve": "monitoring.alert.resolve",
    "silence": "monitoring.write",
}
SPANS = {"1 hour": HOUR_MS, "4 hours": 4 * HOUR_MS, "1 day": 24 * HOUR_MS, "7 days": 168 * HOUR_MS}
"""For how long alerts can be silenced."""


class Wanted(Struct, frozen=True):
    """Which alerts a reader wants to see: all that is given has to fit."""

    text: str = ""
    severity: Severity | None = None
    rule: str = ""
    label: str = ""
    page: int = 1

    @classmethod
    def of(cls, request: web.Request) -> Wanted:
        text, rule, label = (text_of(request, name) for name in ("q", "rule", "label"))
        severity = choice_of(request, "severity", SEVERITIES)
        return cls(text, severity, rule, label, number_of(request, "page", 1))

    def fits(self, alert: Alert, host: Host | None) -> bool:
        labels = [f"{name}={value}" for name, value in host.labels.items()] if host else []
        about = f"{host.name if host else ''} {alert.summary} {alert.rule}".lower()
        return (
            self.severity in (None, alert.severity)
            and self.rule in ("", alert.rule)
            and self.label in ("", *labels)
            and all(word in about for word in self.text.lower().split())
        )

    def url(self, **changed: str) -> str:
        asked = {"q": self.text, "severity": self.severity or "", "rule": self.rule, "label": self.label}
        asked = {name: value for name, value in {**asked, **changed}.items() if value}
        return f"/alerts?{urlencode(asked)}" if asked else "/alerts"


class Listed(Struct, frozen=True):
    """A row of the list, and who has its incident."""

    row: AlertRow
    number: int
    taken: str


class AlertPages:
    """`act` does what people want (Refused)."""

    def __init__(
        self,
        frame: Frame,
        store: Store,
        *,
        act: Acting,
        policies: Policies,
        now_ms: Callable[[], int],
    ) -> None:
        self._frame, self._store, self._act = frame, store, act
        self._policies, self._now_ms = policies, now_ms

    def routes(self) -> list[web.RouteDef]:
        def page(handler: Handler) -> Handler:
            return needs("monitoring.read", self._frame.page("alerts", handler))

        return [web.get("/alerts", page(self._list)), web.post("/alerts", page(self._do))]

    # --- the list ---

    async def _list(self, request: web.Request) -> web.Response:
        view, wanted = View.of(request), Wanted.of(request)
        times = view.times(self._now_ms())
        alerts, incidents, hosts = await self._standing()
        found = [alert for alert in alerts if wanted.fits(alert, hosts.get(alert.host))]
        found.sort(key=lambda a: (_taken(a, incidents) != "", -RANK[a.severity], a.since, a.id))
        pages = max(1, -(-len(found) // ALERTS_PER_PAGE))
        page = min(wanted.page, pages)
        shown = found[(page - 1) * ALERTS_PER_PAGE : page * ALERTS_PER_PAGE]
        who = request.get(ASKED_BY, NOBODY)
        body = self._frame.render(
            "alerts.html",
            view,
            times,
            rows=[
                Listed(alert_rows([alert], hosts, times)[0], alert.id, _taken(alert, incidents))
                for alert in shown
            ],
            total=len(alerts),
            matching=len(found),
            page=page,
            pages=pages,
            wanted=wanted,
            rules=sorted({alert.rule for alert in alerts}),
            labels=_labels(alerts, hosts),
            severities=SEVERITIES,
            spans=list(SPANS),
            deeds=[deed for deed, needed in NEEDS.items() if who.may(needed)],
            done=_said_done(request),
            form_token=request.get(FORM_TOKEN, ""),
        )
        return answer(request, body)

    async def _standing(self) -> tuple[list[Alert], dict[int, Incident], dict[int, Host]]:
        alerts, incidents, hosts = await asyncio.gather(
            self._store.incidents.open_alerts(), self._store.incidents.open(), self._store.hosts.all()
        )
        return (
            alerts, {incident.id: incident for incident in incidents}, {host.id: host for host in hosts},
        )  # fmt: skip

    # --- what is done to them ---

    async def _do(self, request: web.Request) -> web.StreamResponse:
        form, who = await form_of(request, bytes_max=FORM_BYTES_MAX), request[ASKED_BY]
        deed = next((deed for deed in NEEDS if deed == form["deed"]), None)
        if deed is None:
            raise Refusal(422, "invalid", f"alerts can be given one of: {', '.join(NEEDS)}")
        if not who.may(NEEDS[deed]):
            raise Refusal(403, "right", f"this needs {NEEDS[deed]}, which {who.name} does not have")
        alerts, _, hosts = await self._standing()
        chosen = _chosen(form, alerts)
        if deed == "silence":
            await self._silence(who, chosen, hosts, form)
        else:
            await self._tell(deed, who, chosen, form["text"])
        severity = next((one for one in SEVERITIES if one == form["severity"]), None)
        wanted = Wanted(form["q"], severity, form["rule"], form["label"])
        return led_to(wanted.url(done=deed, count=str(len(chosen))))

    async def _tell(
        self, deed: Literal["acknowledge", "resolve"], who: Who, chosen: Sequence[Alert], text: str
    ) -> None:
        """What is over by now is over: that is no reason to leave the others as they are."""
        kind = Acknowledge if deed == "acknowledge" else Resolve
        for incident in dict.fromkeys(alert.incident for alert in chosen):
            try:
                await self._act(kind(incident, who.name, text))
            except Refused as refused:
                if refused.code != "already_resolved":
                    raise Refusal(422, refused.code, refused.sentence) from None

    async def _silence(
        self, who: Who, chosen: Sequence[Alert], hosts: Mapping[int, Host], form: Form
    ) -> None:
        if form["for"] not in SPANS:
            raise Refusal(422, "invalid", f"alerts can be silenced for {' or '.join(SPANS)}")
        now = self._now_ms()
        for silence in silences_for(chosen, hosts, now, now + SPANS[form["for"]], who.name, form["text"]):
            await self._policies.add_silence(who, silence)


def silences_for(
    alerts: Iterable[Alert], hosts: Mapping[int, Host], start: int, end: int, by: str, comment: str
) -> list[Silence]:
    """One for each rule and the hosts at which it is bad; what is about no host has one by its subject."""
    names: dict[str, list[str]] = {}
    found = []
    for alert in alerts:
        if host := hosts.get(alert.host):
            names.setdefault(alert.rule, []).append(host.name)
        else:
            found.append(
                Silence(
                    rules=(alert.rule,), subject=alert.subject, start=start, end=end, by=by, comment=comment
                )
            )
    for rule, of in names.items():
        where: dict[str, str | list[str]] = {"host": sorted(set(of))}
        found.append(Silence(rules=(rule,), where=where, start=start, end=end, by=by, comment=comment))
    return found


def _chosen(form: Form, alerts: Sequence[Alert]) -> list[Alert]:
    """Those that were ticked and still stand. Refusal where there is none."""
    numbers = {int(text) for text in form.all("alert")[:CHOSEN_MAX] if text.isdecimal() and len(text) < 16}
    chosen = [alert for alert in alerts if alert.id in numbers]
    if not chosen:
        raise Refusal(422, "invalid", "no alert was chosen that still stands; tick at least one")
    return chosen


def _taken(alert: Alert, incidents: Mapping[int, Incident]) -> str:
    incident = incidents.get(alert.incident)
    if incident is None or incident.acknowledged_at is None:
        return ""
    return f"acknowledged by {incident.acknowledged_by or 'somebody'}"


LABELS_MAX = 200


def _labels(alerts: Iterable[Alert], hosts: Mapping[int, Host]) -> list[str]:
    """Those of the hosts that have alerts."""
    found = {
        f"{name}={value}"
        for alert in alerts
        if (host := hosts.get(alert.host))
        for name, value in host.labels.items()
    }
    return sorted(found)[:LABELS_MAX]


_DONE = {"acknowledge": "acknowledged", "resolve": "resolved", "silence": "silenced"}


def _said_done(request: web.Request) -> str:
    count, deed = request.query.get("count", ""), request.query.get("done", "")
    if deed not in _DONE or not count.isdecimal() or len(count) > 4:
        return ""
    return f"{say_count(int(count), 'alert')} {_DONE[deed]}."
