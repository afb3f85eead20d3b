"""Live events: every page that is open hears within a second that something was stored, and asks for itself anew.

What is sent says which hosts and whether incidents changed, no more: so an event costs the same however much there is
to show, and a page shows nothing that could not be asked for.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence

import msgspec
from aiohttp import web
from msgspec import Struct
from prometheus_client import CollectorRegistry, Counter, Gauge

from rules.model import Outcome

EVERY_S = 1.0
HEARTBEAT_S = 15.0
ASK_AGAIN_S = 2.0
"""Whether somebody may listen still is asked that often at most, unless we are told that somebody may no longer."""
LISTENERS_MAX = 200
HOSTS_NAMED_MAX = 100
RETRY_MS = 3_000
HERE = b"event: here\ndata: {}\n\n"
"""A sign of life that the page can see, unlike a comment: without one it says that it lost touch."""
WORK = b"event: work\ndata: {}\n\n"


class News(Struct):
    """What changed since the last event: these hosts (None: more than are named), and incidents or not. `work`: long
    work that somebody asked for came on."""

    hosts: set[int] | None = None
    incidents: bool = False
    work: bool = False

    def add(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            host = outcome.host.id if outcome.host else outcome.arrival.host if outcome.arrival else None
            if host is not None and self.hosts is not None:
                self.hosts.add(host)
            self.incidents = self.incidents or bool(outcome.incidents or outcome.alerts or outcome.notices)
        if self.hosts is not None and len(self.hosts) > HOSTS_NAMED_MAX:
            self.hosts = None

    def merge(self, other: News) -> None:
        self.hosts = None if self.hosts is None or other.hosts is None else self.hosts | other.hosts
        self.incidents = self.incidents or other.incidents
        self.work = self.work or other.work
        if self.hosts is not None and len(self.hosts) > HOSTS_NAMED_MAX:
            self.hosts = None

    def event(self) -> bytes:
        """What was stored, and the word of long work apart from it: that is news to the page of the work alone."""
        work = WORK if self.work else b""
        if self.hosts == set() and not self.incidents and self.work:
            return work
        hosts = None if self.hosts is None else sorted(self.hosts)
        data = msgspec.json.encode({"hosts": hosts, "incidents": self.incidents})
        return work + b"event: changed\ndata: " + data + b"\n\n"


class _Listener:
    """What one open page has not been told yet. A slow one gets one event for all that it missed."""

    def __init__(self) -> None:
        self._news: News | None = None
        self._woken = asyncio.Event()
        self.asked_at_s = -math.inf
        """When it was made sure last that it may listen."""

    def tell(self, news: News) -> None:
        if self._news is None:
            self._news = News(None if news.hosts is None else set(news.hosts), news.incidents, news.work)
        else:
            self._news.merge(news)
        self._woken.set()

    def wake(self) -> None:
        self._woken.set()

    async def next(self, timeout_s: float) -> News | None:
        """The news, or None when there were none for so long or it is woken without any."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._woken.wait()
        except TimeoutError:
            return None
        self._woken.clear()
        news, self._news = self._news, None
        return news


async def _everybody(_request: web.Request) -> bool:
    return True


class Feed:
    """Takes what was committed and tells the listeners: the first news at once, further ones a second later.

    `may_listen` says whether whoever asked once may listen still; it is asked again and again.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        may_listen: Callable[[web.Request], Awaitable[bool]] = _everybody,
        *,
        listeners_max: int = LISTENERS_MAX,
        every_s: float = EVERY_S,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._listeners: set[_Listener] = set()
        self._may_listen = may_listen
        self._listeners_max, self._every_s = listeners_max, every_s
        self._heartbeat_s = heartbeat_s
        self._news: News | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._closed = False
        gauge = Gauge("watchkeeper_live_listeners", "Pages that are open and listen", registry=registry)
        gauge.set_function(lambda: len(self._listeners))
        self._turned_away = Counter(
            "watchkeeper_live_turned_away", "Pages not let in to listen, as too many do", registry=registry
        )

    def publish(self, outcomes: Sequence[Outcome]) -> None:
        """Called after each commit: cheap, and nothing at all when nobody listens."""
        if self._listeners:
            self._gathered().add(outcomes)
            self._tell_soon()

    def publish_work(self) -> None:
        """Long work that somebody asked for came on."""
        if self._listeners:
            self._gathered().work = True
            self._tell_soon()

    def ask_again(self) -> None:
        """Somebody may do less than a moment ago: end the streams of those who may not listen any more."""
        for listener in self._listeners:
            listener.asked_at_s = -math.inf
            listener.wake()

    def close(self) -> None:
        """End every stream, and let nobody in any more."""
        self._closed = True
        if self._pause is not None:
            self._pause.cancel()
        for listener in self._listeners:
            listener.wake()

    def _gathered(self) -> News:
        if self._news is None:
            self._news = News(set())
        return self._news

    def _tell_soon(self) -> None:
        if self._pause is None:
            self._tell()

    def _tell(self) -> None:
        self._pause = None
        if self._news is None:
            return
        news, self._news = self._news, None
        for listener in self._listeners:
            listener.tell(news)
        self._pause = asyncio.get_running_loop().call_later(self._every_s, self._tell)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """The answer to GET /api/monitoring/events."""
        if self._closed or len(self._listeners) >= self._listeners_max:
            self._turned_away.inc()
            return web.Response(
                status=503,
                text="As many pages listen as are let in; this one asks from time to time instead.\n",
                headers={"Retry-After": "15", "Cache-Control": "no-store"},
            )
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream; charset=utf-8",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",  # a proxy that gathers answers would keep the events to itself
                "X-Content-Type-Options": "nosniff",
            }
        )
        listener = _Listener()
        self._listeners.add(listener)
        try:
            await response.prepare(request)
            said = b"retry: %d\n\n" % RETRY_MS
            while await self._is_for(listener, request):
                await response.write(said)
                news = await listener.next(self._heartbeat_s)
                said = news.event() if news else HERE
        except ConnectionError:
            pass  # the page was closed
        finally:
            self._listeners.discard(listener)
        return response

    async def _is_for(self, listener: _Listener, request: web.Request) -> bool:
        """Whether the stream goes on."""
        now_s = asyncio.get_running_loop().time()
        if not self._closed and now_s - listener.asked_at_s >= ASK_AGAIN_S:
            listener.asked_at_s = now_s
            if not await self._may_listen(request):
                return False
        return not self._closed
