"""The pages: which address shows what, read from the store, and what happens when it cannot be shown."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from aiohttp import web
from prometheus_client import CollectorRegistry

from collector.store import SERIES_AT_ONCE_MAX, Points, Steps, Store, StoreError
from collector.web.answers import Body, Missing, Shared, Unclear, answer
from collector.web.asked import View, id_of, number_of, text_of
from collector.web.catalog import SERIES_PER_CHART_MAX, plans
from collector.web.charts import draw
from collector.web.deeds import SPANS, offered
from collector.web.evidence import looks
from collector.web.fleet import Question, overview
from collector.web.frame import Frame
from collector.web.hosts import RANGE, RANGES, host_page, said_range
from collector.web.incidents import alert_rows, incident_row, notice_line, timeline
from collector.web.live import Feed
from collector.web.standing import acknowledged_of
from collector.web.thinning import step_ms_for, too_close
from collector.web.words import iso
from collector.who import ASKED_BY, FORM_TOKEN, NOBODY, Handler, Permission, needs
from rules.model import Host, Outcome
from rules.policy.saying import not_told

NAME_LETTERS_MAX = 512
INCIDENTS_MAX = NOTICES_MAX = 200
READS_AT_ONCE = 3


class Pages:
    """Everything a browser is shown. `channels` are the names of those that would tell somebody."""

    def __init__(
        self,
        store: Store,
        channels: Sequence[str],
        *,
        now_ms: Callable[[], int],
        registry: CollectorRegistry,
    ) -> None:
        self._store, self._channels, self._now_ms = store, list(channels), now_ms
        self.frame = Frame(told=bool(channels), now_ms=now_ms, registry=registry)
        self._feed = Feed(registry)
        self._shared = Shared()

    def routes(self) -> list[web.RouteDef]:
        """To be added last: the final one answers for every address that nothing else does, but for the API's."""

        def page(name: str, handler: Handler, needed: Permission | None = "monitoring.read") -> Handler:
            return needs(needed, self.frame.page(name, handler))

        return [
            web.get("/", page("overview", self._overview)),
            web.get("/hosts/{id}", page("host", self._host)),
            web.get("/hosts/{id}/series.csv", page("csv", self._csv)),
            web.get("/incidents", page("incidents", self._incidents)),
            web.get("/incidents/{id}", page("incident", self._incident)),
            web.get("/notices", page("notices", self._notices)),
            web.get("/api/monitoring/events", needs("monitoring.read", self._feed.stream), allow_head=False),
            web.get("/static/{name}", page("static", self.frame.assets.serve, None)),
            web.get("/{rest:(?!api/).*}", page("missing", _missing)),
        ]

    def publish(self, outcomes: Sequence[Outcome]) -> None:
        """These are on disk: pages that are open hear of it within a second."""
        self._feed.publish(outcomes)

    async def close(self) -> None:
        """End the live streams, so that the server need not wait for them."""
        self._feed.close()

    # --- pages ---

    async def _overview(self, request: web.Request) -> web.Response:
        question = Question(text_of(request, "q"), text_of(request, "group"), number_of(request, "page", 1))
        view = View.of(request)

        async def make() -> Body:
            times = view.times(self._now_ms())
            latests, incidents, alerts = await asyncio.gather(
                self._store.samples.overview(),
                self._store.incidents.open(),
                self._store.incidents.open_alerts(),
            )
            return await asyncio.to_thread(
                lambda: self.frame.render(
                    "overview.html",
                    view,
                    times,
                    it=overview(latests, incidents, alerts, question, times),
                    question=question,
                )
            )

        return answer(request, await self._shared.get((question, view), make))

    async def _host(self, request: web.Request) -> web.Response:
        number, span = id_of(request), _range(request)
        metric = text_of(request, "metric", NAME_LETTERS_MAX)
        view = View.of(request)
        times = view.times(self._now_ms())
        latest, checks, alerts, incidents = await asyncio.gather(
            self._store.samples.latest(number),
            self._store.samples.checks(number),
            self._store.incidents.open_alerts(),
            self._store.incidents.open(),
        )
        if latest is None:
            raise Missing(f"There is no host with the number {number}.")
        own = [alert for alert in alerts if alert.host == number]
        page = host_page(latest, checks, own, acknowledged_of(incidents), (span, metric), times)
        limits = _limits(span, times.now)
        chosen = plans(latest.values, metric)
        values = await self._values(latest.host, [name for plan in chosen for name, _ in plan.series], limits)

        def make() -> Body:
            charts = [draw(plan, values, limits, latest.host.every_ms, own, times) for plan in chosen]
            return self.frame.render(
                "host.html", view, times, it=page, charts=charts, span=span, said=said_range(span)
            )

        return answer(request, await asyncio.to_thread(make))

    async def _values(
        self, host: Host, names: Sequence[str], limits: tuple[int, int]
    ) -> Mapping[str, Points | Steps]:
        """What is to be drawn of each series: its samples, or steps where those lie too close to be told apart."""
        span_ms = limits[1] - limits[0]
        if not too_close(span_ms, host.every_ms):
            return await self._points(host.id, names, limits)
        found: dict[str, Steps] = {}
        for at in range(0, len(names), SERIES_AT_ONCE_MAX):
            some = names[at : at + SERIES_AT_ONCE_MAX]
            with _too_much_said():
                found |= await self._store.samples.series_step(host.id, some, *limits, step_ms_for(span_ms))
        return found

    async def _points(self, host: int, names: Sequence[str], limits: tuple[int, int]) -> dict[str, Points]:
        """Each series over the range. A few are read at once, so that one page never has all readers waiting."""
        turns = asyncio.Semaphore(READS_AT_ONCE)

        async def read(name: str) -> Points:
            async with turns:
                with _too_much_said():
                    return await self._store.samples.series(host, name, *limits)

        return dict(zip(names, await asyncio.gather(*map(read, names)), strict=True))

    async def _csv(self, request: web.Request) -> web.Response:
        number, span = id_of(request), _range(request)
        names = request.query.getall("name", [])
        if not names or len(names) > SERIES_PER_CHART_MAX or max(map(len, names)) > NAME_LETTERS_MAX:
            raise Unclear(f"Name the series: ?name=cpu_used_pct, at most {SERIES_PER_CHART_MAX} of them.")
        latest = await self._store.samples.latest(number)
        if latest is None:
            raise Missing(f"There is no host with the number {number}.")
        points = await self._points(number, names, _limits(span, self._now_ms()))
        body = await asyncio.to_thread(lambda: Body(_as_csv(points)))
        return answer(request, body, kind="text/csv", file_name=f"host-{number}-{span}.csv")

    async def _incidents(self, request: web.Request) -> web.Response:
        view = View.of(request)
        times = view.times(self._now_ms())
        incidents, hosts = await asyncio.gather(
            self._store.incidents.recent(INCIDENTS_MAX), self._hosts_by_id()
        )
        rows = [incident_row(incident, hosts, times) for incident in incidents]
        return answer(
            request, self.frame.render("incidents.html", view, times, rows=rows, rows_max=INCIDENTS_MAX)
        )

    async def _incident(self, request: web.Request) -> web.Response:
        return await self.incident(request, id_of(request))

    async def incident(self, request: web.Request, number: int) -> web.Response:
        """All that is known of one incident, whatever the address says. Missing."""
        view = View.of(request)
        times = view.times(self._now_ms())
        incident = await self._store.incidents.get(number)
        if incident is None:
            raise Missing(f"There is no incident with the number {number}.")
        alerts, transitions, notices, remarks, evidence, hosts = await asyncio.gather(
            self._store.incidents.alerts(number),
            self._store.incidents.transitions(number),
            self._store.notices.recent(NOTICES_MAX, number),
            self._store.incidents.remarks(number),
            self._store.incidents.evidence(number),
            self._hosts_by_id(),
        )
        body = self.frame.render(
            "incident.html",
            view,
            times,
            it=incident_row(incident, hosts, times),
            alerts=alert_rows(alerts, hosts, times),
            events=timeline(incident, alerts, transitions, notices, remarks, hosts, times),
            notices=[notice_line(row, times) for row in notices],
            incident=incident,
            withheld=[not_told(entry, times.clock) for entry in incident.withheld],
            looks=looks(evidence, hosts, times),
            deeds=offered(incident, request.get(ASKED_BY, NOBODY)),
            spans=list(SPANS),
            form_token=request.get(FORM_TOKEN, ""),
        )
        return answer(request, body)

    async def _notices(self, request: web.Request) -> web.Response:
        view = View.of(request)
        times = view.times(self._now_ms())
        rows, counts = await asyncio.gather(
            self._store.notices.recent(NOTICES_MAX), self._store.notices.counts()
        )
        body = self.frame.render(
            "notices.html",
            view,
            times,
            notices=[notice_line(row, times) for row in rows],
            rows_max=NOTICES_MAX,
            counts=counts,
            names=sorted({name for name, _ in counts} | set(self._channels)),
        )
        return answer(request, body)

    async def _hosts_by_id(self) -> dict[int, Host]:
        return {host.id: host for host in await self._store.hosts.all()}


# --- what an address asks for -----------------------------------------------------------------------------------------


async def _missing(request: web.Request) -> web.Response:
    raise Missing("The address may be old or mistyped.")


def _range(request: web.Request) -> str:
    span = request.query.get("range", RANGE)
    if span not in RANGES:
        raise Unclear(f"The range is one of {', '.join(RANGES)}.")
    return span


def _limits(span: str, now: int) -> tuple[int, int]:
    """From when on and until before when: what was sampled this very moment is in it."""
    return now + 1 - RANGES[span], now + 1


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
