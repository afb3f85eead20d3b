"""The status page and its other forms, for everybody: page, feed, JSON and badges, each the same for whoever asks.

What it says is worked out once for all who ask within some seconds, so it costs the collector no more to be read by
thousands; and it may be kept by caches in between.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice, takewhile
from typing import Protocol
from uuid import NAMESPACE_URL, uuid5

import msgspec
from aiohttp import web

from collector.config.status import StatusOptions
from collector.desks.promises import Accounts
from collector.store import DAY_MS, Store, StoreError
from collector.web.answers import HEADERS, Body, Missing, takes_gzip
from collector.web.asked import View
from collector.web.bars import bars_of
from collector.web.frame import Frame
from collector.web.public import (
    DAYS,
    WORDS,
    PublicService,
    PublicState,
    PublicStatus,
    PublicSystems,
    public_incidents,
    public_service,
    public_status,
    public_systems,
    public_works,
)
from collector.web.summary import summary_of
from collector.web.words import SECOND_MS, Times, zone_named
from collector.who import Permission, needs
from rules.sla.model import ServiceOptions
from rules.times.calendar import times

PATH = "/status"
KEPT_MS = 10 * SECOND_MS
CACHED_S, STALE_S = 30, 3_600
PUBLISHED_MAX = 500
AHEAD_MS = 14 * DAY_MS
SPANS_MAX = 3
"""Of what comes again and again, a service announces the next few."""
MARKS: dict[PublicState, str] = {
    "good": "up",
    "maintenance": "maintenance",
    "unknown": "unknown",
    "degraded": "warning",
    "bad": "critical",
}
COLOURS: dict[PublicState, str] = {
    "good": "#12705b",
    "maintenance": "#2f62b5",
    "unknown": "#5d666e",
    "degraded": "#8f5e00",
    "bad": "#b83418",
}
LETTER_PX = 7


class Planning(Protocol):
    def spans(self, service: str, start: int, end: int) -> dict[str, list[tuple[int, int]]]: ...


class Works(Protocol):
    """Maintenance that people have planned, by service."""

    async def all(self) -> Planning: ...


class Board:
    """What the public is told, and since when: worked out anew when it is KEPT_MS old and somebody asks."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        services: Callable[[], Awaitable[list[ServiceOptions]]],
        works: Works,
        options: Callable[[], StatusOptions],
        now_ms: Callable[[], int],
    ) -> None:
        self._store, self._accounts, self._services, self._works = store, accounts, services, works
        self._options, self._now_ms = options, now_ms
        self._turn = asyncio.Lock()
        self._shown: PublicStatus | None = None
        self._at = 0

    async def status(self) -> PublicStatus:
        """While the store cannot be read, what was said last: it says when. StoreError when there is none."""
        async with self._turn:
            now = self._now_ms()
            if self._shown is None or not 0 <= now - self._at < KEPT_MS:
                try:
                    self._shown = await self._worked_out(now)
                except StoreError:
                    if self._shown is None:
                        raise
                self._at = now
            return self._shown

    async def _worked_out(self, now: int) -> PublicStatus:
        services = _shown(await self._services(), self._options())
        titles = {service.name: service.called for service in services}
        published = await self._store.incidents.published(PUBLISHED_MAX)
        numbers = dict.fromkeys(remark.incident for remark in published)
        found = await asyncio.gather(*map(self._store.incidents.get, numbers))
        incidents = public_incidents([one for one in found if one is not None], published, titles, now)
        works = public_works(await self._spans(services, now), titles)
        systems = None if services else await self._systems(now)
        told = await self._told(services, now)
        return public_status(self._options().title, told, incidents, works, systems, now)

    async def _told(self, services: Sequence[ServiceOptions], now: int) -> list[PublicService]:
        if not services:
            return []
        states = {one.service: one.state for one in await self._accounts.summaries("24h", now)}
        days = await asyncio.gather(*(self._accounts.days(service.name, DAYS, now) for service in services))
        return [
            public_service(service, states.get(service.name, "unknown"), own, now)
            for service, own in zip(services, days, strict=True)
        ]

    async def _spans(self, services: Sequence[ServiceOptions], now: int) -> dict[str, list[tuple[int, int]]]:
        """When each is worked on from now on, what goes on now included."""
        planning, end = await self._works.all(), now + AHEAD_MS
        found = {}
        for service in services:
            spans = [span for some in planning.spans(service.name, now, end).values() for span in some]
            if service.maintenance:
                own = times(service.maintenance, service.zone).spans(now)
                spans += islice(takewhile(lambda span: span[0] < end, own), SPANS_MAX)
            found[service.name] = sorted(spans)[:SPANS_MAX]
        return found

    async def _systems(self, now: int) -> PublicSystems:
        latests, incidents, alerts = await asyncio.gather(
            self._store.samples.overview(), self._store.incidents.open(), self._store.incidents.open_alerts()
        )
        return public_systems(latests, incidents, alerts, now)


def _shown(services: Sequence[ServiceOptions], options: StatusOptions) -> list[ServiceOptions]:
    by_name = {service.name: service for service in services}
    names = options.services or sorted(by_name)
    return [by_name[name] for name in names if name in by_name]


class StatusPages:
    """`url` is where everybody reaches the pages, empty when nobody said; `is_public` shows them to everybody."""

    def __init__(self, frame: Frame, board: Board, *, is_public: bool, url: str, zone: str) -> None:
        self._frame, self._board, self._is_public = frame, board, is_public
        self._url, self._zone = url.rstrip("/") + PATH, zone
        self._made: dict[str, tuple[PublicStatus, Body, str]] = {}

    def routes(self) -> list[web.RouteDef]:
        needed: Permission | None = None if self._is_public else "monitoring.read"

        def route(path: str, name: str, kind: str, make: Callable[[PublicStatus], Body]) -> web.RouteDef:
            async def show(request: web.Request) -> web.Response:
                return await self._answer(request, name, kind, make)

            return web.get(f"{PATH}{path}", needs(needed, self._frame.page(name, show)))

        async def badge(request: web.Request) -> web.Response:
            wanted = request.match_info["service"]
            return await self._answer(
                request, f"badge {wanted}", "image/svg+xml", lambda status: self._badge(status, wanted)
            )

        return [
            route("", "status", "text/html", self._page),
            route("/feed.atom", "feed", "application/atom+xml", self._feed),
            route("/summary.json", "summary", "application/json", self._summary),
            route("/badge.svg", "badge", "image/svg+xml", self._badge_of_all),
            web.get(f"{PATH}/badge/{{service}}.svg", needs(needed, self._frame.page("badge", badge))),
        ]

    async def _answer(
        self, request: web.Request, name: str, kind: str, make: Callable[[PublicStatus], Body]
    ) -> web.Response:
        try:
            status = await self._board.status()
        except StoreError:  # what it says may name what is not for everybody
            return web.Response(
                status=503, text="How it stands cannot be told at the moment.", headers={"Retry-After": "30"}
            )
        body, etag = self._body(name, status, make)
        headers = {**HEADERS, **self._cached, "ETag": etag}
        if etag in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=headers)
        headers["Content-Type"] = f"{kind}; charset=utf-8"
        if body.zipped and takes_gzip(request):
            return web.Response(body=body.zipped, headers={**headers, "Content-Encoding": "gzip"})
        return web.Response(body=body.plain, headers=headers)

    @property
    def _cached(self) -> dict[str, str]:
        """What is the same for everybody may be kept by whoever stands between, and shown on other sites."""
        if not self._is_public:
            return {"Cache-Control": "private, no-cache"}
        return {
            "Access-Control-Allow-Origin": "*",
            "Cache-Control": f"public, max-age={CACHED_S}, stale-while-revalidate={CACHED_S}, stale-if-error={STALE_S}",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "Vary": "Accept-Encoding",
        }

    def _body(
        self, name: str, status: PublicStatus, make: Callable[[PublicStatus], Body]
    ) -> tuple[Body, str]:
        """Each form is made once of each status. Missing, for a badge of a service that is not there."""
        made = self._made.get(name)
        if made is None or made[0] is not status:
            body = make(status)
            digest = hashlib.blake2b(body.plain, digest_size=8).hexdigest()
            made = self._made[name] = status, body, f'W/"{digest}"'
        return made[1], made[2]

    # --- the forms ---

    def _page(self, status: PublicStatus) -> Body:
        return self._render(
            "status.html", status, bars={one.name: bars_of(one.days) for one in status.services}
        )

    def _feed(self, status: PublicStatus) -> Body:
        def name_of(thing: str) -> str:
            return f"urn:uuid:{uuid5(NAMESPACE_URL, f'{self._url}#{thing}')}"

        return self._render("feed.xml", status, url=self._url, name_of=name_of)

    def _summary(self, status: PublicStatus) -> Body:
        return Body(msgspec.json.encode(summary_of(status, self._url)).decode())

    def _badge_of_all(self, status: PublicStatus) -> Body:
        return self._drawn(status, status.title, status.state)

    def _badge(self, status: PublicStatus, wanted: str) -> Body:
        for service in status.services:
            if service.name == wanted:
                return self._drawn(status, service.title, service.state)
        raise Missing("There is no service of that name.")

    def _drawn(self, status: PublicStatus, label: str, state: PublicState) -> Body:
        left, right = (LETTER_PX * len(text) + 12 for text in (label, WORDS[state]))
        return self._render("badge.svg", status, label=label, state=state, left=left, right=right)

    def _render(self, template: str, status: PublicStatus, **given: object) -> Body:
        """Whoever asks, in one zone and from no account: so it is the same for all."""
        shown = Times(zone_named(self._zone), status.made_at)
        view = View(PATH, self._zone, fragment=False)
        return self._frame.render(
            template, view, shown, it=status, marks=MARKS, colours=COLOURS, words=WORDS, **given
        )
