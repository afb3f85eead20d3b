"""The agents' door: a push over HTTP becomes Arrivals, and what became of each of them goes back.

Who it is comes before what it says, and how much before what: nothing a peer sends, be it broken or meant to hurt, may
cost more than the wire allows. Whatever is not taken is answered with a reason, and counted.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol

from aiohttp import web
from prometheus_client import CollectorRegistry

from agent import wire
from collector.auth import Tokens
from collector.health import Component
from collector.ingest.answer import Answers
from collector.ingest.arrivals import NotStored, arrival, check_time, evidence
from collector.ingest.body import BYTES_AT_WORK_MAX, NotTaken, Room, Share, decode, read, unpack
from collector.ingest.layouts import Layout, Layouts
from collector.ingest.tallies import Tallies
from collector.store import StoreError
from rules.model import Arrival

__all__ = ["Ingest"]

LATE_MS_MAX = 7 * 86_400_000
RETRY_AFTER_S = (2, 10)
UNWELL_FOR_MS = 60_000

WHYS = (
    *("token_missing", "token_malformed", "token_wrong", "token_revoked"),
    *("host_busy", "busy", "store", "too_large", "too_slow", "gone", "not_http"),
    *("encoding", "gzip", "not_json", "shape", "version", "time"),
)
"""Every reason there is, so that each is in /metrics before it is first given."""

Take = Callable[[list[Arrival]], Awaitable[list[wire.Result]]]


Heard = Callable[[int, Sequence[wire.Looked]], None]
"""Where it goes what a host's agent saw of others."""
Defined = Callable[[int, str | None], Sequence[wire.Ask]]
"""What a host's agent is to be asked, given the hash of the definitions that it has."""


class Inquiries(Protocol):
    """What agents are to be asked, and where their answers go."""

    def asks(self, host: int, /) -> Sequence[wire.Ask]: ...

    async def answered(self, host: int, found: wire.Evidence, arrived_at: int, /) -> None:
        """StoreError when it cannot be kept now."""
        ...


class Ingest:
    """Takes pushes. `take` keeps arrivals and says what became of each, or raises StoreError: then all are put off.

    The server must hand over bodies as they came (`auto_decompress` off), and end those that do not.
    """

    def __init__(
        self,
        tokens: Tokens,
        take: Take,
        *,
        now_ms: Callable[[], int],
        registry: CollectorRegistry,
        inquiries: Inquiries | None = None,
        defined: Defined = lambda host, has: (),
        looked: Heard = lambda host, looked: None,
        late_ms_max: int = LATE_MS_MAX,
        bytes_at_work_max: int = BYTES_AT_WORK_MAX,
    ) -> None:
        self._tokens = tokens
        self._take = take
        self._now_ms = now_ms
        self._inquiries = inquiries
        self._defined = defined
        self._looked = looked
        self._late_ms_max = late_ms_max
        self._room = Room(bytes_at_work_max)
        self._layouts = Layouts()
        self._answers = Answers()
        self._tallies = Tallies(WHYS, lambda: self._room.bytes)
        registry.register(self._tallies)
        self._taken_at: int | None = None
        self._put_off: tuple[int, str] | None = None

    def routes(self) -> list[web.RouteDef]:
        return [web.post(wire.PATH, self._push)]

    def forget(self, hosts: Iterable[int]) -> None:
        """These are no more."""
        self._layouts.forget(hosts)

    def health(self) -> Component:
        if self._put_off is not None and self._now_ms() - self._put_off[0] < UNWELL_FOR_MS:
            return Component("ingest", "degraded", f"Pushes are put off: {self._put_off[1]}.")
        if self._taken_at is None:
            return Component("ingest", "ok", "No agent has pushed yet.")
        ago_s = max(0, self._now_ms() - self._taken_at) // 1000
        return Component("ingest", "ok", f"The last push was taken {ago_s} s ago.")

    # --- one push ---

    async def _push(self, request: web.Request) -> web.StreamResponse:
        begun = time.perf_counter()
        arrived_at = self._now_ms()
        try:
            shown = request.headers.get("Authorization")
            host = self._tokens.known(shown, arrived_at) or await self._host(shown)
            share = self._room.enter(host)
            try:
                arrivals, refused, has = await self._arrivals(host, request, share, arrived_at)
                taken = await self._take(arrivals) if arrivals else []
            finally:
                share.end()
        except NotTaken as refusal:
            return self._refuse(refusal)
        except StoreError as error:
            return self._refuse(self._not_stored(error, arrived_at))
        if arrivals:
            self._note_taken(arrivals, arrived_at)
        self._tallies.took(time.perf_counter() - begun)
        results = _in_the_order_sent(taken, refused) if refused else taken
        asks = self._inquiries.asks(host) if self._inquiries is not None else ()
        asks = (*asks, *self._defined(host, has))
        return self._answers.answer(wire.answer(results, asks), arrived_at)

    async def _host(self, shown: str | None) -> int:
        host = await self._tokens.host(shown)
        if isinstance(host, int):
            return host
        raise NotTaken(host.status, host.code, host.message)

    async def _arrivals(
        self, host: int, request: web.Request, share: Share, arrived_at: int
    ) -> tuple[list[Arrival], dict[int, wire.Refused], str | None]:
        """The batches to be stored; why others are refused, by their place in the push; which definitions it has.

        The push itself is let go of at once rather than when it is stored: memory that is used again while the
        processor still has it at hand is a good part of what a push costs.
        """
        body = await read(request, share)
        text = unpack(body, request.headers.get("Content-Encoding", ""))
        share.hold(len(text))
        push = decode(text)
        self._tallies.pushes += 1
        self._tallies.bytes += len(body)
        if push.evidence is not None and self._inquiries is not None:
            await self._inquiries.answered(host, evidence(push.evidence), arrived_at)
        if push.looked:
            self._looked(host, push.looked)
        # A floor above what comes with it would give up that very batch.
        floor = min(push.floor, min([batch.seq for batch in push.batches]))
        arrivals: list[Arrival] = []
        refused: dict[int, wire.Refused] = {}
        for place, batch in enumerate(push.batches):
            sent = tuple(batch.samples)
            try:
                check_time(batch, self._late_ms_max)
                layout = self._layouts.known(host, sent, arrived_at)
                if layout is None:
                    layout = await self._learn(host, sent, arrived_at)
                if layout.flags:
                    self._tallies.leave_out(layout.flags, len(sent) - len(layout.kept))
            except NotStored as why:
                self._tallies.refuse(why.code)
                refused[place] = wire.Refused(str(why))
            else:
                arrivals.append(arrival(host, push, batch, layout, floor, arrived_at))
        return arrivals, refused, push.definitions

    async def _learn(self, host: int, sent: tuple[str, ...], now: int) -> Layout:
        # Hundreds of new lists in one push take a while: others have their turn in between.
        await asyncio.sleep(0)
        return self._layouts.learn(host, sent, now)

    def _note_taken(self, arrivals: Sequence[Arrival], arrived_at: int) -> None:
        self._put_off = None
        self._taken_at = arrived_at
        self._tallies.batches += len(arrivals)
        self._tallies.samples += sum([len(one.layout) for one in arrivals])

    def _not_stored(self, error: StoreError, arrived_at: int) -> NotTaken:
        self._put_off = (arrived_at, str(error))
        return NotTaken(503, "store", f"this cannot be stored now: {error}")

    def _refuse(self, refusal: NotTaken) -> web.Response:
        self._tallies.refuse(refusal.why)
        response = web.Response(
            status=refusal.status,
            body=wire.encode(wire.Problem(refusal.why, refusal.message)),
            content_type="application/json",
        )
        match refusal.status:
            case 401:
                response.headers["WWW-Authenticate"] = "Bearer"
            case 415:
                response.headers["Accept-Encoding"] = "gzip"
            case 429 | 503:
                least, most = RETRY_AFTER_S
                response.headers["Retry-After"] = str(least + secrets.randbelow(most - least + 1))
        if refusal.close:
            response.force_close()
        return response


def _in_the_order_sent(taken: list[wire.Result], refused: dict[int, wire.Refused]) -> list[wire.Result]:
    others = iter(taken)
    places = range(len(taken) + len(refused))
    return [refused[place] if place in refused else next(others) for place in places]
