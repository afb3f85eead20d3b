"""The pages of one host: its charts and checks, and its past."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from aiohttp import web

from collector.store import SERIES_AT_ONCE_MAX, EvidenceRow, Latest, Points, Steps, Store, StoreError
from collector.store.listing import AlertsWanted
from collector.web.ahead import drawn_ahead
from collector.web.answers import Body, Missing, Unclear, answer
from collector.web.around import Known, limits_of, works_on
from collector.web.asked import View, id_of, text_of
from collector.web.catalog import SERIES_PER_CHART_MAX, plans
from collector.web.charts import Around, draw
from collector.web.evidence import looks
from collector.web.frame import Frame
from collector.web.hosts import host_page
from collector.web.incidents import alert_rows
from collector.web.outlook import soonest
from collector.web.standing import acknowledged_of, mark_of
from collector.web.stretch import Stretch, stretch_of
from collector.web.thinning import step_ms_for, too_close
from collector.web.words import iso
from collector.who import Handler, needs
from rules.capacity.report import HostReport
from rules.model import Alert, Host

NAME_LETTERS_MAX = 512
READS_AT_ONCE = 3
ALERTS_MAX = 200
AHEAD_MAX = 4
"""Of what fills up on a host, the soonest are drawn."""
EVIDENCE_MAX = 10
"""Incidents of a host's past whose evidence is shown."""


class HostPages:
    """`capacity` is what was found out about a host's room, None before the first look."""

    def __init__(
        self,
        frame: Frame,
        store: Store,
        known: Known,
        capacity: Callable[[int], HostReport | None],
        *,
        now_ms: Callable[[], int],
    ) -> None:
        self._frame, self._store, self._known, self._now_ms = frame, store, known, now_ms
        self._capacity = capacity

    def routes(self) -> list[web.RouteDef]:
        def page(name: str, handler: Handler) -> Handler:
            return needs("monitoring.read", self._frame.page(name, handler))

        return [
            web.get("/hosts/{id}", page("host", self._host)),
            web.get("/hosts/{id}/alerts", page("host_alerts", self._past)),
            web.get("/hosts/{id}/series.csv", page("csv", self._csv)),
        ]

    async def _latest(self, number: int) -> Latest:
        latest = await self._store.samples.latest(number)
        if latest is None:
            raise Missing(f"There is no host with the number {number}.")
        return latest

    async def _alerts(self, host: int) -> list[Alert]:
        """Those that are open, and the newest of those that are over."""
        standing, over = (AlertsWanted(state=state, host=host) for state in ("open", "resolved"))
        listed = self._store.listing.alerts
        return [*await listed(standing, ALERTS_MAX), *await listed(over, ALERTS_MAX)]

    # --- charts and checks ---

    async def _host(self, request: web.Request) -> web.Response:
        number, view = id_of(request), View.of(request)
        times = view.times(self._now_ms())
        stretch = stretch_of(request, times.now)
        metric = text_of(request, "metric", NAME_LETTERS_MAX)
        latest, checks, alerts, incidents = await asyncio.gather(
            self._latest(number),
            self._store.samples.checks(number),
            self._alerts(number),
            self._store.incidents.open(),
        )
        standing = [alert for alert in alerts if alert.resolved_at is None]
        page = host_page(latest, checks, standing, acknowledged_of(incidents), (stretch, metric), times)
        chosen = plans(latest.values, metric)
        values = await self._values(
            latest.host, [name for plan in chosen for name, _ in plan.series], stretch
        )

        report = self._capacity(number)
        filling = soonest([report] if report else [])[:AHEAD_MAX]
        ahead = await drawn_ahead(self._store.samples, [] if metric else filling, times)

        def make() -> Body:
            around = self._around(latest.host, alerts, stretch)
            every_ms = latest.host.every_ms
            charts = [draw(plan, values, stretch.limits, every_ms, around, times) for plan in chosen]
            return self._frame.render(
                "host.html",
                view,
                times,
                it=page,
                charts=charts,
                ahead=ahead,
                stretch=stretch,
                said=stretch.said(times),
            )

        return answer(request, await asyncio.to_thread(make))

    def _around(self, host: Host, alerts: Sequence[Alert], stretch: Stretch) -> Around:
        works = works_on(self._known, host, *stretch.limits)
        return Around(alerts, limits_of(self._known, host.id), works)

    async def _values(
        self, host: Host, names: Sequence[str], stretch: Stretch
    ) -> Mapping[str, Points | Steps]:
        """What is to be drawn of each series: its samples, or steps where those lie too close to be told apart."""
        if not too_close(stretch.span_ms, host.every_ms):
            return await self._points(host.id, names, stretch)
        found: dict[str, Steps] = {}
        for at in range(0, len(names), SERIES_AT_ONCE_MAX):
            some = names[at : at + SERIES_AT_ONCE_MAX]
            step_ms = step_ms_for(stretch.span_ms)
            with _too_much_said():
                found |= await self._store.samples.series_step(host.id, some, *stretch.limits, step_ms)
        return found

    async def _points(self, host: int, names: Sequence[str], stretch: Stretch) -> dict[str, Points]:
        """Each series over the range. A few are read at once, so that one page never has all readers waiting."""
        turns = asyncio.Semaphore(READS_AT_ONCE)

        async def read(name: str) -> Points:
            async with turns:
                with _too_much_said():
                    return await self._store.samples.series(host, name, *stretch.limits)

        return dict(zip(names, await asyncio.gather(*map(read, names)), strict=True))

    async def _csv(self, request: web.Request) -> web.Response:
        number, stretch = id_of(request), stretch_of(request, self._now_ms())
        names = request.query.getall("name", [])
        if not names or len(names) > SERIES_PER_CHART_MAX or max(map(len, names)) > NAME_LETTERS_MAX:
            raise Unclear(f"Name the series: ?name=cpu_used_pct, at most {SERIES_PER_CHART_MAX} of them.")
        await self._latest(number)
        points = await self._points(number, names, stretch)
        body = await asyncio.to_thread(lambda: Body(_as_csv(points)))
        name = stretch.name or iso(stretch.start)[:10]
        return answer(request, body, kind="text/csv", file_name=f"host-{number}-{name}.csv")

    # --- the past ---

    async def _past(self, request: web.Request) -> web.Response:
        number, view = id_of(request), View.of(request)
        times = view.times(self._now_ms())
        latest, alerts, incidents = await asyncio.gather(
            self._latest(number),
            self._alerts(number),
            self._store.incidents.open(),
        )
        hosts = {number: latest.host}
        standing = [alert for alert in alerts if alert.resolved_at is None]
        body = self._frame.render(
            "host_past.html",
            view,
            times,
            host=latest.host,
            mark=mark_of(latest.host, standing, acknowledged_of(incidents), times.now),
            alerts=alert_rows(alerts, hosts, times),
            alerts_max=ALERTS_MAX,
            looks=looks(await self._evidence(number, alerts), hosts, times),
        )
        return answer(request, body)

    async def _evidence(self, host: int, alerts: Sequence[Alert]) -> list[EvidenceRow]:
        """The newest first."""
        incidents = list(dict.fromkeys(alert.incident for alert in alerts))[:EVIDENCE_MAX]
        found = await asyncio.gather(*map(self._store.incidents.evidence, incidents))
        rows = [row for rows in found for row in rows if row.host == host]
        return sorted(rows, key=lambda row: -row.arrived_at)[:EVIDENCE_MAX]


@contextmanager
def _too_much_said() -> Iterator[None]:
    """What the store will not read however often it is asked is too much to ask for."""
    try:
        yield
    except StoreError as error:
        if error.passing:
            raise
        raise Unclear(f"{error}.") from error


def _as_csv(points: dict[str, Points]) -> str:
    """A row for each time at which any of the series has a value; no answer is an empty field."""
    at = np.unique(np.concatenate([series.at for series in points.values()]))
    columns = []
    for series in points.values():
        column = np.full(len(at), np.nan)
        column[np.searchsorted(at, series.at)] = series.values
        columns.append(["" if value != value else repr(value) for value in column.tolist()])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["time", *points])
    writer.writerows(zip(map(iso, at.tolist()), *columns, strict=True))
    return text.getvalue()
