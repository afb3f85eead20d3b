"""The pages of incidents: the list of them, one with all that is known of it, and reporting one by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, get_args
from urllib.parse import urlencode

from aiohttp import web
from msgspec import Struct

from collector.desks.incidents import Acting
from collector.store import Store
from collector.store.listing import IncidentsWanted
from collector.web.answers import Missing, answer
from collector.web.around import Known, services_touched
from collector.web.asked import View, choice_of, id_of, number_of, text_of
from collector.web.deeds import SPANS, names_in, offered
from collector.web.evidence import looks
from collector.web.forms import form_of, led_to
from collector.web.frame import Frame
from collector.web.incidents import alert_rows, incident_row, notice_line, timeline
from collector.web.pace import pace
from collector.web.words import Times
from collector.who import ASKED_BY, FORM_TOKEN, NOBODY, Handler, Permission, Refusal, needs
from rules.judging.acts import POSTMORTEM_CHARS_MAX, TITLE_CHARS_MAX, Open, Refused
from rules.model import Alert, Host, Incident, Severity
from rules.policy.saying import not_told

OPEN_MAX = 500
OVER_PER_PAGE = 50
PACE_OF_MAX = 1_000
NOTICES_MAX = 200
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
Taken = Literal["nobody", "somebody"]
TAKEN: tuple[Taken, ...] = get_args(Taken)


class Wanted(Struct, frozen=True):
    """Which incidents a reader wants to see: by how grave they are, who has them, and words of their titles."""

    severity: Severity | None = None
    taken: Taken | None = None
    text: str = ""
    below: int | None = None

    @classmethod
    def of(cls, request: web.Request) -> Wanted:
        severity, taken = choice_of(request, "severity", SEVERITIES), choice_of(request, "taken", TAKEN)
        below = number_of(request, "below", 1) if "below" in request.query else None
        return cls(severity, taken, text_of(request, "q"), below)

    def listed(self, state: Literal["open", "resolved"]) -> IncidentsWanted:
        acknowledged = {"nobody": False, "somebody": True, None: None}[self.taken]
        below = self.below if state == "resolved" else None
        return IncidentsWanted(state=state, severity=self.severity, acknowledged=acknowledged, below=below)

    def fits(self, incident: Incident) -> bool:
        about = f"{incident.title} {incident.assignee} {' '.join(incident.services)}".lower()
        return all(word in about for word in self.text.lower().split())

    def older(self, below: int) -> str:
        """The address of those that are older."""
        asked = {
            "q": self.text,
            "severity": self.severity or "",
            "taken": self.taken or "",
            "below": str(below),
        }
        return f"/incidents?{urlencode({name: value for name, value in asked.items() if value})}"


class IncidentPages:
    """`act` does what people want (Refused)."""

    def __init__(
        self, frame: Frame, store: Store, known: Known, act: Acting, *, now_ms: Callable[[], int]
    ) -> None:
        self._frame, self._store, self._known, self._act = frame, store, known, act
        self._now_ms = now_ms

    def routes(self) -> list[web.RouteDef]:
        def page(name: str, handler: Handler, needed: Permission = "monitoring.read") -> Handler:
            return needs(needed, self._frame.page(name, handler))

        return [
            web.get("/incidents", page("incidents", self._list)),
            web.get("/incidents/new", page("new_incident", self._ask, "monitoring.incident.create")),
            web.post("/incidents/new", page("new_incident", self._open, "monitoring.incident.create")),
            web.get("/incidents/{id}", page("incident", self._one)),
        ]

    # --- the list ---

    async def _list(self, request: web.Request) -> web.Response:
        view, wanted = View.of(request), Wanted.of(request)
        times = view.times(self._now_ms())
        listed = self._store.listing.incidents
        standing, over, late, hosts = await asyncio.gather(
            listed(wanted.listed("open"), OPEN_MAX),
            listed(wanted.listed("resolved"), OVER_PER_PAGE + 1),
            listed(IncidentsWanted(), PACE_OF_MAX),
            self._hosts(),
        )
        page = over[:OVER_PER_PAGE]
        body = self._frame.render(
            "incidents.html",
            view,
            times,
            standing=_rows(standing, wanted, hosts, times),
            over=_rows(page, wanted, hosts, times),
            older=wanted.older(page[-1].id) if len(over) > OVER_PER_PAGE else "",
            any=bool(late),
            pace=pace(late, times.now),
            wanted=wanted,
            severities=SEVERITIES,
        )
        return answer(request, body)

    # --- one ---

    async def _one(self, request: web.Request) -> web.Response:
        return await self.show(request, id_of(request))

    async def show(self, request: web.Request, number: int) -> web.Response:
        """All that is known of one incident, whatever the address says. Missing."""
        view = View.of(request)
        times = view.times(self._now_ms())
        incident = await self._store.incidents.get(number)
        if incident is None:
            raise Missing(
                f"There is no incident with the number {number}.", ("/incidents", "To the incidents")
            )
        alerts, transitions, notices, remarks, evidence, hosts = await asyncio.gather(
            self._store.incidents.alerts(number),
            self._store.incidents.transitions(number),
            self._store.notices.recent(NOTICES_MAX, number),
            self._store.incidents.remarks(number),
            self._store.incidents.evidence(number),
            self._hosts(),
        )
        body = self._frame.render(
            "incident.html",
            view,
            times,
            it=incident_row(incident, hosts, times),
            alerts=alert_rows(alerts, hosts, times),
            events=timeline(incident, alerts, transitions, notices, remarks, hosts, times),
            notices=[notice_line(row, times) for row in notices],
            incident=incident,
            services=services_touched(self._known, incident, alerts),
            withheld=[not_told(entry, times.clock) for entry in incident.withheld],
            looks=looks(evidence, hosts, times),
            deeds=offered(incident, request.get(ASKED_BY, NOBODY)),
            silence_url=_silence_url(alerts, hosts),
            spans=list(SPANS),
            severities=SEVERITIES,
            postmortem_max=POSTMORTEM_CHARS_MAX,
            form_token=request.get(FORM_TOKEN, ""),
        )
        return answer(request, body)

    # --- reporting one ---

    async def _ask(self, request: web.Request) -> web.Response:
        view = View.of(request)
        body = self._frame.render(
            "new_incident.html",
            view,
            self._frame.times(view),
            severities=SEVERITIES,
            title_max=TITLE_CHARS_MAX,
            form_token=request.get(FORM_TOKEN, ""),
        )
        return answer(request, body)

    async def _open(self, request: web.Request) -> web.Response:
        form = await form_of(request, bytes_max=64 * 1024, letters_max=10_000)
        severity = next((one for one in SEVERITIES if one == form["severity"]), None)
        if severity is None:
            raise Refusal(422, "invalid", f"the severity is one of {', '.join(SEVERITIES)}")
        what = Open(form["title"], severity, request[ASKED_BY].name, form["text"], names_in(form["services"]))
        try:
            incident = await self._act(what)
        except Refused as refused:
            return self._frame.trouble(request, 422, "Nothing was opened", refused.sentence)
        return led_to(f"/incidents/{incident.id}")

    async def _hosts(self) -> dict[int, Host]:
        return {host.id: host for host in await self._store.hosts.all()}


def _rows(incidents: list[Incident], wanted: Wanted, hosts: dict[int, Host], times: Times) -> list[object]:
    return [incident_row(incident, hosts, times) for incident in incidents if wanted.fits(incident)]


def _silence_url(alerts: list[Alert], hosts: dict[int, Host]) -> str:
    """Where to ask that nobody hears of these any more for a while, filled in as far as it is known."""
    standing = [alert for alert in alerts if alert.resolved_at is None]
    rules = {alert.rule for alert in standing}
    names = {hosts[alert.host].name for alert in standing if alert.host in hosts}
    if not standing or len(rules) > 5 or len(names) != 1:
        return ""
    return f"/silences?{urlencode({'rules': ', '.join(sorted(rules)), 'host': names.pop()})}#new"
