"""Where hosts join and agents renew their tokens: the two doors of agents besides the one for their pushes.

A code is a secret of its own, so nobody is asked who they are; how often a network may try is counted instead.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter

from agent import wire
from collector.auth import Denied, Tokens, new_token
from collector.desks.trail import Audit
from collector.joining.codes import right, see_that_it_holds
from collector.store import Hosts, StoreError, TokenRow
from collector.store.joins import Comer, Join, Joins
from collector.who import ASKED_FROM, Refusal, request_id_of
from rules.model import Host

BODY_BYTES_MAX = 16 * 1024
RETRY_AFTER_S = 5

log = logging.getLogger(__name__)


class Standing(Protocol):
    """Whether a network may ask now, and how long it has to wait if not."""

    @property
    def allowed(self) -> bool: ...
    @property
    def wait_s(self) -> int: ...


class Doors:
    """`ask` counts the requests of each network; `follow` has the judge learn of labels that were given."""

    def __init__(
        self,
        joins: Joins,
        hosts: Hosts,
        tokens: Tokens,
        *,
        ask: Callable[[str], Standing],
        follow: Callable[[], Awaitable[None]],
        audit: Audit,
        now_ms: Callable[[], int],
        registry: CollectorRegistry,
    ) -> None:
        self._joins, self._hosts, self._tokens = joins, hosts, tokens
        self._ask, self._follow, self._audit, self._now_ms = ask, follow, audit, now_ms
        self._count = Counter(
            "watchkeeper_joins", "Requests to join or for a new token", ["outcome"], registry=registry
        ).labels

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post(wire.JOIN_PATH, self._answering(self._join)),
            web.post(wire.ROTATE_PATH, self._answering(self._rotate)),
        ]

    def _answering(
        self, work: Callable[[web.Request], Awaitable[wire.Joined | wire.Rotated]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            try:
                self._see_that_they_may_ask(request)
                said = await work(request)
            except StoreError as error:
                sentence = f"the store cannot do it now: {error}"
                return self._refuse(request, Refusal(503, "store", sentence, retry_after_s=RETRY_AFTER_S))
            except Refusal as refusal:
                return self._refuse(request, refusal)
            self._count("well").inc()
            return web.Response(
                body=wire.encode(said),
                content_type="application/json",
                headers={"Cache-Control": "no-store"},
            )

        return answer

    def _see_that_they_may_ask(self, request: web.Request) -> None:
        standing = self._ask(request[ASKED_FROM].network)
        if not standing.allowed:
            sentence = f"too many hosts want to join from there; try again in {standing.wait_s} s"
            raise Refusal(429, "too_often", sentence, retry_after_s=standing.wait_s)

    async def _join(self, request: web.Request) -> wire.Joined:
        try:
            asked = wire.decode_join(await _body(request))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Refusal(400, "shape", f"the body is not as it should be: {error}") from None
        join = await right(self._joins, asked.code)
        see_that_it_holds(join, self._now_ms())
        token, sha256 = new_token()
        comer = await self._comer(request, asked, token.id, sha256)
        now = self._now_ms()

        def about(host: Host) -> dict[str, object]:
            return {"id": host.id, "name": host.name, "labels": host.labels, "facts": asked.facts}

        taking = self._joins.take_in(join.id, comer, now)
        host = None
        try:
            host = await self._audit.noted(f"join:{join.id}", "host.join", taking, after=about, when=bool)
        except StoreError as error:
            raise error if error.passing else _cannot_be(join, comer, error) from None
        if host is None:  # another was faster
            see_that_it_holds(await self._joins.find(join.id) or join, now)
            raise StoreError("this join code was changed at this very moment")
        if host.enrolled_at != now:
            await self._follow()
        log.info("%s has joined, by the code %s that %s made.", host.name, join.id, join.created_by)
        return wire.Joined(str(token), host.id, host.name, host.labels)

    async def _comer(self, request: web.Request, asked: wire.Join, token_id: str, sha256: bytes) -> Comer:
        """Whoever shows a token that holds is the host that it is; one that holds no more says nothing."""
        name = asked.hostname
        shown = request.headers.get("Authorization")
        row = await self._tokens.row(shown) if shown is not None else None
        if isinstance(row, TokenRow) and (not asked.chosen or await self._is_called(row.host, name)):
            return Comer(name, token_id, sha256, row.host, row.id)
        if isinstance(row, Denied) and row.status == 503:
            raise Refusal(503, row.code, row.message, retry_after_s=RETRY_AFTER_S)
        return Comer(name, token_id, sha256)

    async def _is_called(self, number: int, name: str) -> bool:
        return any(host.id == number and host.name == name for host in await self._hosts.all())

    async def _rotate(self, request: web.Request) -> wire.Rotated:
        row = await self._tokens.row(request.headers.get("Authorization"))
        if isinstance(row, Denied):
            raise Refusal(row.status, row.code, row.message)
        token, sha256 = new_token()
        replacing = self._hosts.replace_token(row.id, token.id, sha256, self._now_ms())
        if not await self._audit.noted(f"host:{row.host}", "host.rotate", replacing, when=bool):
            raise Refusal(403, "token_revoked", "this token has been revoked meanwhile")
        return wire.Rotated(str(token))

    def _refuse(self, request: web.Request, refusal: Refusal) -> web.Response:
        self._count(refusal.code).inc()
        log.info("Refused (%s) at %s. request_id=%s", refusal.code, request.path, request_id_of(request))
        answer = web.Response(
            status=refusal.status,
            body=wire.encode(wire.Problem(refusal.code, str(refusal))),
            content_type="application/json",
        )
        if refusal.retry_after_s is not None:
            answer.headers["Retry-After"] = str(refusal.retry_after_s)
        if refusal.status == 401:
            answer.headers["WWW-Authenticate"] = "Bearer"
        if request.can_read_body:
            answer.force_close()
        return answer


def _cannot_be(join: Join, comer: Comer, error: StoreError) -> Refusal:
    if join.host is not None or comer.host is not None:
        return Refusal(409, "host_gone", f"{error}; it was removed, so let it join as a new one")
    return Refusal(
        409,
        "name_taken",
        f"a host named {comer.name} is known already. If it is this one, make a code for it: watchkeeper "
        f"join-command --host {comer.name}. If not, give this one another name: --name NAME",
    )


async def _body(request: web.Request) -> bytes:
    """Of which no more is held than may be sent."""
    if "Content-Encoding" in request.headers:
        raise Refusal(415, "encoding", "send JSON as it is")
    whole = bytearray()
    try:
        while len(whole) <= BODY_BYTES_MAX and (some := await request.content.readany()):
            whole += some
    except TimeoutError as error:
        raise Refusal(408, "too_slow", str(error)) from None
    except (web.RequestPayloadError, ConnectionError):
        raise Refusal(400, "not_http", "the body broke off") from None
    if len(whole) > BODY_BYTES_MAX:
        raise Refusal(413, "too_large", f"a body has at most {BODY_BYTES_MAX} bytes here")
    return bytes(whole)
