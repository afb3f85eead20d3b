"""The audit trail on a page: who changed what, from where, and how it was before and after."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from aiohttp import web
from msgspec import Struct

from collector.desks.trail import Audit
from collector.store.people import AuditRow
from collector.web.answers import answer
from collector.web.asked import View, number_of, text_of
from collector.web.frame import Frame
from collector.web.incidents import When, when
from collector.web.words import Times
from collector.who import needs

ROWS_PER_PAGE = 100
JSON_LETTERS_MAX = 2_000


class Line(Struct, frozen=True):
    when: When
    who: str
    what: str
    before: str
    after: str
    address: str


class AuditPages:
    def __init__(self, frame: Frame, audit: Audit, *, now_ms: Callable[[], int]) -> None:
        self._frame, self._audit, self._now_ms = frame, audit, now_ms

    def routes(self) -> list[web.RouteDef]:
        page = self._frame.page("audit", self._all)
        return [web.get("/audit", needs("monitoring.audit.read", page))]

    async def _all(self, request: web.Request) -> web.Response:
        view = View.of(request)
        times = view.times(self._now_ms())
        who, what = text_of(request, "who"), text_of(request, "what")
        below = number_of(request, "below", 1) if "below" in request.query else None
        rows = await self._audit.rows(ROWS_PER_PAGE + 1, below=below, who=who, what=what)
        page = rows[:ROWS_PER_PAGE]
        older = ""
        if len(rows) > ROWS_PER_PAGE:
            asked = {"who": who, "what": what, "below": str(page[-1].n)}
            older = f"/audit?{urlencode({name: value for name, value in asked.items() if value})}"
        body = self._frame.render(
            "audit.html",
            view,
            times,
            lines=[_line(row, times) for row in page],
            who=who,
            what=what,
            older=older,
        )
        return answer(request, body)


def _line(row: AuditRow, times: Times) -> Line:
    return Line(
        when(row.at, times, seconds=True),
        row.who,
        row.what,
        _cut(row.before),
        _cut(row.after),
        row.address,
    )


def _cut(text: str) -> str:
    return text if len(text) <= JSON_LETTERS_MAX else f"{text[:JSON_LETTERS_MAX]}…"
