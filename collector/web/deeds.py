"""What a reader of an incident's page may do to it: plain forms, and the way back to the page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, get_args

from aiohttp import web

from collector.desks.incidents import Acting
from collector.store import Incidents
from collector.web.answers import Missing, answer
from collector.web.asked import View, id_of
from collector.web.forms import Form, form_of, led_to
from collector.web.frame import Frame
from collector.web.incidents import when
from collector.web.words import HOUR_MS
from collector.who import ASKED_BY, FORM_TOKEN, Permission, Who, needs
from rules.judging.acts import (
    POSTMORTEM_CHARS_MAX,
    Acknowledge,
    Act,
    Assign,
    Edit,
    Note,
    Publish,
    Refused,
    Resolve,
    Snooze,
    Unacknowledge,
)
from rules.model import Incident, Severity

Deed = Literal[
    "acknowledge", "unacknowledge", "snooze", "resolve", "note", "publish", "assign", "edit", "postmortem"
]
NEEDS: dict[Deed, Permission] = {
    "acknowledge": "monitoring.alert.acknowledge",
    "unacknowledge": "monitoring.alert.acknowledge",
    "snooze": "monitoring.alert.acknowledge",
    "resolve": "monitoring.alert.resolve",
    "note": "monitoring.incident.update",
    "publish": "monitoring.incident.update",
    "assign": "monitoring.incident.update",
    "edit": "monitoring.incident.update",
    "postmortem": "monitoring.incident.update",
}
FORM_BYTES_MAX = 512 * 1024
"""A long post-mortem, in letters of which each takes several bytes."""
SPANS = {"an hour": HOUR_MS, "four hours": 4 * HOUR_MS, "a day": 24 * HOUR_MS}
"""For how long it may be put off."""


def offered(incident: Incident, who: Who) -> list[Deed]:
    """What makes sense as the incident stands, of what they may do."""
    makes_sense: dict[Deed, bool] = {
        "acknowledge": incident.resolved_at is None and incident.acknowledged_at is None,
        "unacknowledge": incident.resolved_at is None and incident.acknowledged_at is not None,
        "snooze": incident.resolved_at is None,
        "resolve": incident.resolved_at is None,
        "note": True,
        "publish": True,
        "assign": True,
        "edit": True,
        "postmortem": True,
    }
    return [deed for deed in get_args(Deed) if makes_sense[deed] and who.may(NEEDS[deed])]


class Deeds:
    """`act` does it (Refused), in the name of whoever the gate says it is."""

    def __init__(
        self,
        frame: Frame,
        incidents: Incidents,
        act: Acting,
        *,
        now_ms: Callable[[], int],
    ) -> None:
        self._frame, self._incidents, self._act, self._now_ms = frame, incidents, act, now_ms

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post(
                f"/incidents/{{id}}/{deed}", needs(permission, self._frame.page("deed", self._doing(deed)))
            )
            for deed, permission in NEEDS.items()
        ]

    def _doing(self, deed: Deed) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def do(request: web.Request) -> web.Response:
            number = id_of(request)
            form = await form_of(request, bytes_max=FORM_BYTES_MAX, letters_max=POSTMORTEM_CHARS_MAX)
            try:
                await self._act(act_of(deed, number, request[ASKED_BY].name, form, self._now_ms()))
            except Refused as refused:
                if refused.code == "unknown_incident":
                    raise Missing(refused.sentence) from None
                if refused.code == "changed_meanwhile":
                    return await self._both(request, number, form["text"])
                return self._frame.trouble(request, 409, "Nothing was changed", refused.sentence)
            return led_to(f"/incidents/{number}")

        return do

    async def _both(self, request: web.Request, number: int, text: str) -> web.Response:
        """Two people wrote a post-mortem at once: who came second sees both, and neither text is lost."""
        view = View.of(request)
        times = view.times(self._now_ms())
        incident = await self._incidents.get(number)
        if incident is None:
            raise Missing(f"There is no incident with the number {number} any more.")
        edits = [one for one in await self._incidents.remarks(number) if "the post-mortem" in one.text]
        body = self._frame.render(
            "postmortem.html",
            view,
            times,
            incident=incident,
            by=edits[-1].by if edits else "",
            at=when(edits[-1].at, times) if edits else None,
            text=text,
            postmortem_max=POSTMORTEM_CHARS_MAX,
            form_token=request.get(FORM_TOKEN, ""),
        )
        return answer(request, body, status=409)


def act_of(deed: Deed, incident: int, by: str, form: Form, now: int) -> Act:
    """What a form asks for. Refused where it is not one of ours."""
    text = form["text"]
    match deed:
        case "acknowledge":
            return Acknowledge(incident, by, text)
        case "unacknowledge":
            return Unacknowledge(incident, by, text)
        case "snooze":
            if form["for"] not in SPANS:
                raise Refused("invalid", f"It can be put off for {' or '.join(SPANS)}.")
            return Snooze(incident, by, now + SPANS[form["for"]])
        case "resolve":
            return Resolve(incident, by, text)
        case "note":
            return Note(incident, by, text)
        case "publish":
            return Publish(incident, by, text)
        case "assign":
            return Assign(incident, by, form["to"])
        case "edit":
            return _edit(incident, by, form)
        case "postmortem":
            return Edit(incident, by, postmortem=text.replace("\r\n", "\n"), upon=form["upon"] or None)


def _edit(incident: int, by: str, form: Form) -> Edit:
    """What was left as it stood on the page stays the judge's to change."""
    severity = next((one for one in get_args(Severity) if one == form["severity"]), None)
    if severity is None:
        raise Refused("invalid", f"The severity is one of {', '.join(get_args(Severity))}.")
    return Edit(
        incident,
        by,
        None if form["title"] == form["title_before"] else form["title"],
        None if severity == form["severity_before"] else severity,
        None if form["services"] == form["services_before"] else names_in(form["services"]),
    )


def names_in(text: str) -> tuple[str, ...]:
    """Those that somebody wrote with commas between them."""
    return tuple(dict.fromkeys(name for part in text.split(",") if (name := part.strip())))
