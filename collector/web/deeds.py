"""What a reader of an incident's page may do to it: plain forms, and the way back to the page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, get_args

from aiohttp import web

from collector.web.answers import Missing
from collector.web.asked import id_of
from collector.web.frame import Frame
from collector.who import ASKED_BY, Permission, Who, needs
from rules.acts import Acknowledge, Act, Assign, Note, Refused, Resolve, Unacknowledge
from rules.model import Incident

Deed = Literal["acknowledge", "unacknowledge", "resolve", "note", "assign"]
NEEDS: dict[Deed, Permission] = {
    "acknowledge": "monitoring.alert.acknowledge",
    "unacknowledge": "monitoring.alert.acknowledge",
    "resolve": "monitoring.alert.resolve",
    "note": "monitoring.incident.update",
    "assign": "monitoring.incident.update",
}


def offered(incident: Incident, who: Who) -> list[Deed]:
    """What makes sense as the incident stands, of what they may do."""
    makes_sense: dict[Deed, bool] = {
        "acknowledge": incident.resolved_at is None and incident.acknowledged_at is None,
        "unacknowledge": incident.resolved_at is None and incident.acknowledged_at is not None,
        "resolve": incident.resolved_at is None,
        "note": True,
        "assign": True,
    }
    return [deed for deed in get_args(Deed) if makes_sense[deed] and who.may(NEEDS[deed])]


class Deeds:
    """`act` does it (Refused), in the name of whoever the gate says it is."""

    def __init__(self, frame: Frame, act: Callable[[Act], Awaitable[Incident]]) -> None:
        self._frame, self._act = frame, act

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
            text, to = (str(form.get(name, "")).strip() for name in ("text", "to"))
            try:
                await self._act(act_of(deed, number, request[ASKED_BY].name, text, to))
            except Refused as refused:
                if refused.code == "unknown_incident":
                    raise Missing(refused.sentence) from None
                return self._frame.trouble(request, 409, "Nothing was changed", refused.sentence)
            return web.Response(status=303, headers={"Location": f"/incidents/{number}"})

        return do


def act_of(deed: Deed, incident: int, by: str, text: str, to: str) -> Act:
    match deed:
        case "acknowledge":
            return Acknowledge(incident, by, text)
        case "unacknowledge":
            return Unacknowledge(incident, by, text)
        case "resolve":
            return Resolve(incident, by, text)
        case "note":
            return Note(incident, by, text)
        case "assign":
            return Assign(incident, by, to)
