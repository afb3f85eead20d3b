"""The overview; and what all pages stand on: the frame, live events, the assets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence

from aiohttp import web
from prometheus_client import CollectorRegistry

from collector.store import Store
from collector.web.answers import Body, Missing, Shared, answer
from collector.web.asked import View, number_of, text_of
from collector.web.fleet import Question, overview
from collector.web.frame import Frame
from collector.web.live import Feed
from collector.web.recent import Recent
from collector.who import Handler, Permission, needs
from rules.model import Outcome

LISTENS: Permission = "monitoring.read"


class Pages:
    """`channels` are the names of those that would tell somebody, `promised` asks for the services there are,
    `may_still` whether whoever sent a request has a right still."""

    def __init__(
        self,
        store: Store,
        channels: Sequence[str],
        *,
        promised: Callable[[], Awaitable[Collection[object]]],
        may_still: Callable[[web.Request, Permission], Awaitable[bool]],
        now_ms: Callable[[], int],
        registry: CollectorRegistry,
    ) -> None:
        self._store, self._now_ms = store, now_ms
        self.frame = Frame(told=bool(channels), now_ms=now_ms, registry=registry)
        self._feed = Feed(registry, lambda request: may_still(request, LISTENS))
        self._shared = Shared()
        self._promised, self._recent = promised, Recent()

    def routes(self) -> list[web.RouteDef]:
        """To be added last: the final one answers for every address that nothing else does, but for the API's."""

        def page(name: str, handler: Handler, needed: Permission | None = "monitoring.read") -> Handler:
            return needs(needed, self.frame.page(name, handler))

        return [
            web.get("/", page("overview", self._overview)),
            web.get("/api/monitoring/events", needs(LISTENS, self._feed.stream), allow_head=False),
            web.get("/static/{name}", page("static", self.frame.assets.serve, None)),
            web.get("/{rest:(?!api/).*}", page("missing", _missing)),
        ]

    def publish(self, outcomes: Sequence[Outcome]) -> None:
        """These are on disk: pages that are open hear of it within a second."""
        self._recent.note(outcomes)
        self._feed.publish(outcomes)

    def forget(self, hosts: Iterable[int]) -> None:
        """These are no more."""
        self._recent.forget(hosts)

    def publish_work(self) -> None:
        """Long work came on: the page of it hears of it within a second."""
        self._feed.publish_work()

    def ask_again(self) -> None:
        """Somebody may do less than a moment ago: the live streams of those who may not listen any more are over."""
        self._feed.ask_again()

    async def close(self) -> None:
        """End the live streams, so that the server need not wait for them."""
        self._feed.close()

    # --- pages ---

    async def _overview(self, request: web.Request) -> web.Response:
        question = Question(text_of(request, "q"), text_of(request, "group"), number_of(request, "page", 1))
        view = View.of(request)

        async def make() -> Body:
            times = view.times(self._now_ms())

            def line_of(host: int) -> str:
                return self._recent.path(host, times.now)

            latests, incidents, alerts, promised = await asyncio.gather(
                self._store.samples.overview(),
                self._store.incidents.open(),
                self._store.incidents.open_alerts(),
                self._promised(),
            )
            return await asyncio.to_thread(
                lambda: self.frame.render(
                    "overview.html",
                    view,
                    times,
                    it=overview(latests, incidents, alerts, question, times, line_of),
                    question=question,
                    promised=bool(promised),
                )
            )

        return answer(request, await self._shared.get((question, view), make))


async def _missing(request: web.Request) -> web.Response:
    raise Missing("The address may be old or mistyped.")
