"""Where the links in messages lead: what is wrong, and a button that asks once. Looking changes nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from collector.desks.incidents import Acting
from collector.messages import Grant, NoGrant
from collector.store import Store
from collector.web.answers import Missing, answer
from collector.web.asked import View
from collector.web.frame import Frame
from collector.web.words import HOUR_MS
from collector.who import FORM_TOKEN, needs
from rules.judging.acts import Acknowledge, Refused, Snooze
from rules.model import Incident

PATH = "/links/{deed}/{about}/{until_s}/{channel}/{seal}"
AT_ONCE = 50
SNOOZE_MS = HOUR_MS
QUESTIONS = {
    "acknowledge": ("You have it?", "Acknowledge", "Nobody is reminded of it again, unless it gets worse."),
    "acknowledge_all": (
        "You have all of them?",
        "Acknowledge all",
        "Nobody is reminded again, unless one gets worse.",
    ),
    "snooze": ("Not again for an hour?", "Not for an hour", "Then it is said again, if it is still so."),
}


class LinkPages:
    """`read` says what a link allows, given the parts of PATH (NoGrant); `act` does it (Refused); `show` is the page
    of an incident."""

    def __init__(
        self,
        frame: Frame,
        store: Store,
        *,
        read: Callable[..., Grant],
        act: Acting,
        show: Callable[[web.Request, int], Awaitable[web.Response]],
        now_ms: Callable[[], int],
    ) -> None:
        self._frame, self._store, self._now_ms = frame, store, now_ms
        self._read, self._act, self._show = read, act, show

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(PATH, needs(None, self._frame.page("link", self._look)), allow_head=False),
            web.post(PATH, needs(None, self._frame.page("link", self._do))),
        ]

    async def _look(self, request: web.Request) -> web.Response:
        grant = self._granted(request)
        if grant.deed == "open":
            return await self._show(request, grant.incident)
        incidents = await self._all_of(grant) if grant.notice else [await self._incident(grant)]
        question, button, then = QUESTIONS[grant.deed]
        return self._page(request, incidents, question, then, button=button)

    async def _do(self, request: web.Request) -> web.Response:
        grant = self._granted(request)
        by = f"a link in {grant.channel}"
        match grant.deed:
            case "acknowledge":
                return await self._done(request, Acknowledge(grant.incident, by), "Acknowledged.")
            case "snooze":
                until = self._now_ms() + SNOOZE_MS
                return await self._done(request, Snooze(grant.incident, by, until), "Quiet for an hour.")
            case "acknowledge_all":
                return await self._all_done(request, grant, by)
            case "open":
                return await self._show(request, grant.incident)

    async def _all_done(self, request: web.Request, grant: Grant, by: str) -> web.Response:
        """Whatever is over by now, or the next moment, is none of those that somebody has to have. Should it fail in
        the middle, the same link does the rest."""
        going_on = [one.id for one in await self._all_of(grant) if one.resolved_at is None]
        for begin in range(0, len(going_on), AT_ONCE):
            await asyncio.gather(
                *(self._acknowledge(number, by) for number in going_on[begin : begin + AT_ONCE])
            )
        said = "Acknowledged." if going_on else "All of it is over."
        return self._page(
            request, await self._all_of(grant), said, "It stands in the timeline of each incident."
        )

    async def _acknowledge(self, incident: int, by: str) -> None:
        with contextlib.suppress(Refused):
            await self._act(Acknowledge(incident, by))

    async def _done(self, request: web.Request, act: Acknowledge | Snooze, said: str) -> web.Response:
        try:
            incident = await self._act(act)
        except Refused as refused:
            return self._frame.trouble(request, 409, "Nothing was changed", refused.sentence)
        return self._page(request, [incident], said, "It stands in the incident's timeline.")

    def _granted(self, request: web.Request) -> Grant:
        try:
            return self._read(*request.match_info.values())
        except NoGrant as no:
            raise Missing(str(no)) from None

    async def _all_of(self, grant: Grant) -> list[Incident]:
        """The incidents of which the message said that they go on, as they are now."""
        row = await self._store.notices.get(grant.notice)
        lines = row.notice.about if row is not None else []
        said = [line.incident for line in lines if line.reason != "resolved"]
        found = [await self._store.incidents.get(number) for number in said]
        if not any(found):
            raise Missing("What this message was about is not kept any more.")
        return [incident for incident in found if incident is not None]

    async def _incident(self, grant: Grant) -> Incident:
        incident = await self._store.incidents.get(grant.incident)
        if incident is None:
            raise Missing(f"Incident {grant.incident} is not kept any more.")
        return incident

    def _page(
        self,
        request: web.Request,
        incidents: Sequence[Incident],
        headline: str,
        sentence: str,
        *,
        button: str = "",
    ) -> web.Response:
        view = View.of(request)
        body = self._frame.render(
            "link.html",
            view,
            self._frame.times(view),
            incidents=incidents,
            headline=headline,
            sentence=sentence,
            button=button if any(one.resolved_at is None for one in incidents) else "",
            form_token=request.get(FORM_TOKEN, ""),
        )
        return answer(request, body)
