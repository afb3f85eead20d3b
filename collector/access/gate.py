"""The gate: whoever asks for a page or for the API passes here first.

It finds out who asks and from where, keeps away who asks too often or what another site had a browser send, and lets
nobody through to a handler without the right that stands beside it. Agents do not come this way: each of their pushes
shows a token of its own, and what that costs is counted in microseconds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol
from urllib.parse import quote

import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware
from msgspec import Struct
from prometheus_client import CollectorRegistry, Counter

from agent.wire import Problem
from collector.access.callers import Caller, Callers
from collector.access.forgery import SAFE, see_that_no_other_site_sent_it, see_that_our_form_sent_it
from collector.access.headers import STANDING
from collector.access.limits import Buckets, Standing
from collector.access.setup import Setup
from collector.access.whence import Proxies
from collector.store import StoreError
from collector.who import (
    ANSWERED_TO,
    ASKED_BY,
    ASKED_FROM,
    BEING_ANSWERED,
    FORM_TOKEN,
    NOBODY,
    PERMISSIONS,
    Handler,
    Permission,
    Refusal,
    Whence,
    Who,
    is_declared,
    needed_by,
    request_id_of,
)

AGENTS_BELOW = "/api/agent/"
FOR_PROGRAMS = ("/api/", "/metrics", "/health", "/ready")
"""What is answered as JSON; whatever else there is, is a page."""
LOGIN = "/login"
NEXT_LETTERS_MAX = 500
RETRY_AFTER_S = 5

log = logging.getLogger(__name__)


class ShowTrouble(Protocol):
    """A page that says what is not well."""

    def __call__(self, request: web.Request, status: int, title: str, sentence: str, /) -> web.Response: ...


class Trouble(Problem, Struct, frozen=True):
    """What programs are told; `request_id` is what the log calls the request."""

    request_id: str


TITLES = {
    400: "That cannot be understood",
    401: "Who are you?",
    403: "You may not do this",
    413: "That is too much",
    429: "Not so fast",
    503: "Not now",
}


class Gate:
    """`busy` is asked at every request, so it must cost nothing: true while the judge has more waiting than it ought,
    and then pages and API have to wait, so that what agents send need not."""

    def __init__(
        self,
        callers: Callers,
        setup: Setup,
        proxies: Proxies,
        *,
        named: Buckets,
        strangers: Buckets,
        busy: Callable[[], bool],
        show_trouble: ShowTrouble,
        registry: CollectorRegistry,
    ) -> None:
        self._callers, self._setup, self._proxies = callers, setup, proxies
        self._named, self._strangers, self._busy = named, strangers, busy
        self._show_trouble = show_trouble
        refused = Counter("watchkeeper_refused", "Requests refused at the gate", ["code"], registry=registry)
        self._count = refused.labels

    @property
    def middleware(self) -> Middleware:
        @web.middleware
        async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
            whence = self._proxies.whence(request)
            before = BEING_ANSWERED.set(request_id_of(request)), ANSWERED_TO.set(whence.address)
            try:
                return await self._pass(request, handler, whence)
            finally:
                BEING_ANSWERED.reset(before[0])
                ANSWERED_TO.reset(before[1])

        return gate

    async def _pass(self, request: web.Request, handler: Handler, whence: Whence) -> web.StreamResponse:
        request[ASKED_BY], request[FORM_TOKEN], request[ASKED_FROM] = NOBODY, "", whence
        target = request.match_info.handler
        if _is_of_agents(request):
            return await handler(request)
        is_open = request.method in SAFE and is_declared(target) and needed_by(target) is None
        try:
            who = await self._who(request, whence, is_open=is_open)
            await self._see_that_they_may(request, who, target)
        except Refusal as refusal:
            return await self._refuse(request, refusal)
        except StoreError as error:
            sentence = f"who you are cannot be looked up: {error}"
            return await self._refuse(request, Refusal(503, "store", sentence, retry_after_s=RETRY_AFTER_S))
        return await handler(request)

    async def _who(self, request: web.Request, whence: Whence, *, is_open: bool) -> Who:
        """Who asks, once they may ask at all now. Whatever is open to everybody and changes nothing is never refused,
        whoever asks for it, and whatever is wrong with what they say of themselves."""
        if is_open:
            try:
                caller = await self._callers.find(request, whence)
            except (Refusal, StoreError):
                return NOBODY
        else:
            if self._busy():
                sentence = "the collector has more to do than it can; what agents send comes first"
                raise Refusal(503, "busy", sentence, retry_after_s=RETRY_AFTER_S)
            caller = await self._find_within_limits(request, whence)
            await self._see_that_it_is_meant(request, caller)
        request[ASKED_BY], request[FORM_TOKEN] = caller.who, caller.form_token
        return caller.who

    async def _find_within_limits(self, request: web.Request, whence: Whence) -> Caller:
        """Strangers, and those whose word does not hold, share what is allowed to the network that they come from; the
        store is not asked about them once that is used up."""
        if self._strangers.is_empty(whence.network) and not self._callers.is_known(request, whence):
            self._stand(request, self._strangers.take(whence.network))
        try:
            caller = await self._callers.find(request, whence)
        except Refusal:
            self._stand(request, self._strangers.take(whence.network))
            raise
        if caller.is_limited:
            standing = (
                self._named.take(caller.bucket) if caller.bucket else self._strangers.take(whence.network)
            )
            self._stand(request, standing)
        return caller

    def _stand(self, request: web.Request, standing: Standing) -> None:
        request[STANDING] = standing
        if not standing.allowed:
            sentence = f"you ask too often; try again in {standing.wait_s} s"
            raise Refusal(429, "too_often", sentence, retry_after_s=standing.wait_s)

    async def _see_that_it_is_meant(self, request: web.Request, caller: Caller) -> None:
        """What a browser may have been made to send proves that it was not; a token was sent by nobody's accident."""
        if request.method in SAFE or caller.by_token:
            return
        see_that_no_other_site_sent_it(request)
        if caller.form_token:
            await see_that_our_form_sent_it(request, caller.form_token)

    async def _see_that_they_may(self, request: web.Request, who: Who, target: object) -> None:
        if not is_declared(target):
            if request.match_info.http_exception is None and who.permissions != PERMISSIONS:
                raise self._not_allowed(who, None)
            return
        needed = needed_by(target)
        if who.may(needed):
            return
        if who.kind == "nobody" and not await self._setup.any_user():
            raise Refusal(
                403,
                "no_user",
                "there is no user yet, so this is refused to all other machines; the collector's log holds a link to "
                "make the first one, or run there: watchkeeper user add NAME --role owner",
            )
        raise self._not_allowed(who, needed)

    def _not_allowed(self, who: Who, needed: Permission | None) -> Refusal:
        if who.kind == "nobody":
            return Refusal(401, "who", "say who you are: log in, or send Authorization: Bearer TOKEN")
        right = f"the right {needed}" if needed else "every right there is"
        return Refusal(403, "right", f"{who.name} may not do this; it needs {right}")

    # --- refusing ---

    async def _refuse(self, request: web.Request, refusal: Refusal) -> web.StreamResponse:
        self._count(refusal.code).inc()
        if request.path.startswith(FOR_PROGRAMS):
            answer = _as_json(request, refusal)
        elif refusal.code == "who" and request.method in SAFE:
            answer = web.Response(status=303, headers={"Location": login_url(request)})
        else:
            title = TITLES.get(refusal.status, "That cannot be done")
            sentence = str(refusal)
            answer = self._show_trouble(
                request, refusal.status, title, f"{sentence[:1].upper()}{sentence[1:]}."
            )
        if refusal.retry_after_s is not None:
            answer.headers["Retry-After"] = str(refusal.retry_after_s)
        if request.can_read_body:
            answer.force_close()  # what they had to say was not listened to
        return answer


def _is_of_agents(request: web.Request) -> bool:
    """By the route that was found, not by what the address says: those two may be read in different ways."""
    resource = request.match_info.route.resource
    return resource is not None and resource.canonical.startswith(AGENTS_BELOW)


def _as_json(request: web.Request, refusal: Refusal) -> web.Response:
    trouble = Trouble(refusal.code, str(refusal), request_id_of(request))
    answer = web.Response(
        status=refusal.status, body=msgspec.json.encode(trouble), content_type="application/json"
    )
    if refusal.status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


# --- where to go after the log-in -------------------------------------------------------------------------------------


def login_url(request: web.Request) -> str:
    """The page to log in, which leads back to where this request wanted to go."""
    wanted = request.rel_url.without_query_params("fragment").raw_path_qs
    return f"{LOGIN}?next={quote(safe_next(wanted), safe='')}" if wanted != "/" else LOGIN


def safe_next(text: str) -> str:
    """A path of ours to go on to; whatever might lead to another host is replaced by the overview."""
    plain = text.isascii() and text.isprintable() and len(text) <= NEXT_LETTERS_MAX
    ours = text.startswith("/") and not text.startswith(("//", "/\\", LOGIN, "/logout", "/setup"))
    return text if plain and ours and "\\" not in text else "/"
