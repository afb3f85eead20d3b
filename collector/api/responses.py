"""How soon people had what went wrong, and how soon it was over: MTTA and MTTR over a range."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from collector.api.doors import Door, Query, Refusal
from collector.api.kept import INCIDENTS
from collector.api.views import Span, moment, span_ms
from collector.store import Store
from collector.store.listing import IncidentsWanted
from collector.who import Who
from rules.model import Incident, Severity
from rules.responses import Responses, report

PAGE, PAGES_MAX = 500, 40
RANGE_S_MAX = 400 * 86_400


class ResponsesWanted(Query, frozen=True, kw_only=True):
    """Of which incidents.

    range: of those that were opened so far back from now
    """

    range: Span = "30d"


class ResponsesView(Struct, frozen=True):
    """`to_acknowledge.mean_ms` is the MTTA, `to_resolve.mean_ms` the MTTR."""

    start: datetime
    end: datetime
    overall: Responses
    by_severity: dict[Severity, Responses]
    by_service: dict[str, Responses]


class ResponseTimes:
    def __init__(self, store: Store, now_ms: Callable[[], int]) -> None:
        self._store, self._now_ms = store, now_ms

    def doors(self) -> list[Door]:
        return [
            Door(
                method="GET", path="/responses", handler=self.times, needs="monitoring.read",
                summary="How soon incidents were acknowledged and over: MTTA, MTTR", query=ResponsesWanted,
                answer=ResponsesView, kept=lambda query: [INCIDENTS],
            ),
        ]  # fmt: skip

    async def times(self, who: Who, asked: ResponsesWanted, body: None) -> ResponsesView:
        end = self._now_ms() + 1
        start = end - span_ms(asked.range, "range", most_s=RANGE_S_MAX)
        found = report(await self._opened_since(start), start, end)
        return ResponsesView(moment(start), moment(end), found.overall, found.by_severity, found.by_service)

    async def _opened_since(self, start: int) -> list[Incident]:
        """Page by page, until one lies before it as a whole: they are numbered as they came, not as they began."""
        found: list[Incident] = []
        below: int | None = None
        for _ in range(PAGES_MAX):
            page = await self._store.listing.incidents(IncidentsWanted(below=below), PAGE)
            found += page
            if len(page) < PAGE or all(incident.opened_at < start for incident in page):
                return found
            below = page[-1].id
        raise Refusal(422, "too_many", f"more than {PAGE * PAGES_MAX} incidents; ask for a shorter range")
