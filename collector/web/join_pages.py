"""Adding a host: the one command that installs an agent there and lets it join, with a code made for it."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from collector.desks.codes import USES_MAX, Codes, Told
from collector.web.answers import answer
from collector.web.asked import View
from collector.web.deeds import names_in
from collector.web.forms import Form, form_of
from collector.web.frame import Frame
from collector.web.words import DAY_MS, HOUR_MS, MINUTE_MS
from collector.who import ASKED_BY, FORM_TOKEN, Refusal, Who, needs

SPANS = {"30 minutes": 30 * MINUTE_MS, "8 hours": 8 * HOUR_MS, "7 days": 7 * DAY_MS}


class JoinPages:
    def __init__(self, frame: Frame, codes: Codes) -> None:
        self._frame, self._codes = frame, codes

    def routes(self) -> list[web.RouteDef]:
        page = needs("monitoring.tokens.manage", self._frame.page("join", self._ask))
        made = needs("monitoring.tokens.manage", self._frame.page("join", self._make))
        return [web.get("/hosts/new", page), web.post("/hosts/new", made)]

    async def _ask(self, request: web.Request) -> web.Response:
        return self._page(request)

    async def _make(self, request: web.Request) -> web.Response:
        """The code is shown on this very answer, and kept nowhere."""
        form, who = await form_of(request), request[ASKED_BY]
        told = await self._codes.tell(await self._code(request, who, form))
        return self._page(request, told, form["for"])

    async def _code(self, request: web.Request, who: Who, form: Form) -> str:
        uses = form["uses"] or "1"
        if not (uses.isdecimal() and uses.isascii() and 0 < int(uses[:9]) <= USES_MAX):
            raise Refusal(422, "invalid", f"a code lets in 1 to {USES_MAX} hosts")
        if form["for"] not in SPANS:
            raise Refusal(422, "invalid", f"a code holds for {' or '.join(SPANS)}")
        code, _ = await self._codes.make(
            who,
            labels=labels_in(form["labels"]),
            uses=int(uses),
            for_ms=SPANS[form["for"]],
            host=None,
        )
        return code

    def _page(self, request: web.Request, made: Told | None = None, holds: str = "") -> web.Response:
        view = View.of(request)
        body = self._frame.render(
            "join.html",
            view,
            self._frame.times(view),
            made=made,
            holds=holds,
            spans=list(SPANS),
            form_token=request.get(FORM_TOKEN, ""),
        )
        return answer(request, body)


def labels_in(text: str) -> Mapping[str, str]:
    """role=db, site=ams. Refusal for what is written otherwise."""
    found = {}
    for pair in names_in(text):
        name, sign, value = (part.strip() for part in pair.partition("="))
        if not (name and sign and value):
            raise Refusal(422, "invalid", f"{pair[:80]!r} is no label; write role=db, site=ams")
        found[name] = value
    return found
