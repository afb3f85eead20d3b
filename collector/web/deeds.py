"""What a reader of an incident's page may do to it: plain forms, and the way back to the page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, get_args

from aiohttp import web

from collector.web.answers import Missing
from collector.web.asked import id_of
from collector.web.frame import Frame
from collector.web.words import HOUR_MS
from collector.who import ASKED_BY, Permission, Who, needs
from rules.acts import Acknowledge, Act, Assign, Note, Publish, Refused, Resolve, Snooze, Unacknowledge
from rules.model import Incident

Deed = Literal["acknowledge", "unacknowledge", "snooze", "resolve", "note", "publish", "assign"]
NEEDS: dict[Deed, Permission] = {
    "acknowledge": "monitoring.alert.acknowledge",
    "unacknowledge": "monitoring.alert.acknowledge",
    "snooze": "monitoring.alert.acknowledge",
    "resolve": "monitoring.alert.resolve",
    "note": "monitoring.incident.update",
    "publish": "monitoring.incident.update",
    "assign": "monitoring.incident.update",
}
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
    }
    return [deed for deed in get_args(Deed) if makes_sense[deed] and who.may(NEEDS[deed])]


class Deeds:
    """`act` does it (Refused), in the name of whoever the gate says it is."""

    def __init__(
        self, frame: Frame, act: Callable[[Act], Awaitable[Incident]], *, now_ms: Callable[[], int]
    ) -> None:
        self._frame, self._act, self._now_ms = frame, act, now_ms

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post(
                f"/incidents/{{id}}/{deed}", needs(permission, self._frame.page("deed", self._doing(deed)))
            )
            for deed, permission in NEEDS.items()
        ]

    def _doing(self, deed: Deed) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def do(request: web.Request) -> web.Response:
            number, form = id_of(request), await request.post()
            said = {name: str(value).strip() for name, value in form.items()}
            try:
                await self._act(act_of(deed, number, request[ASKED_BY].name, said, self._now_ms()))
            except Refused as refused:
                if refused.code == "unknown_incident":
                    raise Missing(refused.sentence) from None
                return self._frame.trouble(request, 409, "Nothing was changed", refused.sentence)
            return web.Response(status=303, headers={"Location": f"/incidents/{number}"})

        return do


def act_of(deed: Deed, incident: int, by: str, said: Mapping[str, str], now: int) -> Act:
    """What a form asks for. Refused where it is not one of ours."""
    text = said.get("text", "")
    match deed:
        case "acknowledge":
            return Acknowledge(incident, by, text)
        case "unacknowledge":
            return Unacknowledge(incident, by, text)
        case "snooze":
            if said.get("for") not in SPANS:
                raise Refused("invalid", f"It can be put off for {' or '.join(SPANS)}.")
            return Snooze(incident, by, now + SPANS[said["for"]])
        case "resolve":
            return Resolve(incident, by, text)
        case "note":
            return Note(incident, by, text)
        case "publish":
            return Publish(incident, by, text)
        case "assign":
            return Assign(incident, by, said.get("to", ""))
