"""Serves doors: who may come in, what they say by its declared type, and the answer or the reason why there is none.

The right is looked at before the body is read, and the size of a body before its meaning, so whoever may not come in
costs little.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from aiohttp import web
from msgspec import Struct
from prometheus_client import CollectorRegistry, Counter, Histogram

from agent.wire import Problem
from collector.api.doors import BASE, BODY_BYTES_MAX, Door, Query, Refusal, Reply, Text
from collector.api.kept import Kept, Made
from collector.store import StoreError
from collector.who import ASKED_BY, NOBODY, Handler, Who, needs, request_id_of

log = logging.getLogger(__name__)

LARGE_BODIES_AT_ONCE_MAX = 32
"""Being read at the same time; small ones are bounded by the connections there may be."""
RETRY_AFTER_S = 5
SENTENCE_CHARS_MAX = 500
HEADERS = {"Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}

encode = msgspec.json.Encoder().encode


class Trouble(Problem, Struct, frozen=True):
    """Why a request came to nothing; `request_id` stands in the collector's log as well, where the fault is its own."""

    request_id: str


class Router:
    """Every door as a route of aiohttp."""

    def __init__(self, doors: Iterable[Door], kept: Kept, *, registry: CollectorRegistry) -> None:
        self.doors = tuple(doors)
        self._kept = kept
        self._reading = 0
        self._seconds = Histogram(
            "watchkeeper_api_seconds",
            "Time from a request's head until its answer is made",
            ["method", "subject"],
            buckets=(0.01, 0.05, 0.2, 1.0, 5.0),
            registry=registry,
        )
        self._errors = Counter(
            "watchkeeper_api_errors", "Requests to the API that failed on our side", registry=registry
        )

    def routes(self) -> list[web.RouteDef]:
        doors = [
            web.route(door.method, door.whole_path, needs(door.needs, self._serving(door)))
            for door in self.doors
        ]
        return [*doors, web.get("/api/docs", needs(None, _to_the_docs))]

    def _serving(self, door: Door) -> Handler:
        """The handler of a door: whatever goes wrong within becomes an answer, and its time is taken."""
        seconds, lists = self._seconds.labels(door.method, door.subject), _lists_of(door.query)

        async def serve(request: web.Request) -> web.Response:
            began = time.perf_counter()
            try:
                return await self._answer(door, lists, request)
            except Refusal as refusal:
                return _refused(request, refusal)
            except StoreError as error:
                return _refused(request, _of_store(error))
            except web.HTTPException:
                raise
            except Exception:
                self._errors.inc()
                log.exception("%s %s failed. request_id=%s", door.method, door.path, request_id_of(request))
                sentence = "this failed on the collector's side; its log says why, under this request_id"
                return _refused(request, Refusal(500, "internal", sentence))
            finally:
                seconds.observe(time.perf_counter() - began)

        return serve

    async def _answer(self, door: Door, lists: frozenset[str], request: web.Request) -> web.Response:
        who = request.get(ASKED_BY, NOBODY)
        _let_in(who, door)
        query = read_query(door.query, lists, request)
        if door.kept is not None:
            key = f"{door.path} {encode(query).decode()}"
            made = await self._kept.get(key, door.kept(query), lambda: _make(door, who, query))
            return _whole(request, door.status, made)
        body = await self._body(door, request) if door.body is not None else None
        more = (request,) if door.with_request else ()
        answer = await door.handler(who, query, body, *more)
        match answer:
            case Reply(value, status, headers):
                return _json(status, encode(value), headers)
            case Text(text, kind, headers):
                return web.Response(
                    text=text, content_type=kind, charset="utf-8", headers={**HEADERS, **headers}
                )
            case None:
                return web.Response(status=204, headers=HEADERS)
            case _ if door.method == "GET":
                return _whole(request, door.status, Made.of(encode(answer)))
            case _:
                return _json(door.status, encode(answer))

    async def _body(self, door: Door, request: web.Request) -> Any:
        """JSON said to be JSON: without that, any page in a browser could have it sent."""
        if request.content_type != "application/json" or "Content-Encoding" in request.headers:
            raise Refusal(415, "encoding", "send JSON as it is, with Content-Type: application/json")
        if door.body_bytes_max <= BODY_BYTES_MAX:
            return decoded(door, await _read(request, door.body_bytes_max))
        if self._reading >= LARGE_BODIES_AT_ONCE_MAX:
            sentence = "too many requests are being read at this moment; try again shortly"
            raise Refusal(503, "busy", sentence, retry_after_s=RETRY_AFTER_S)
        self._reading += 1
        try:
            return decoded(door, await _read(request, door.body_bytes_max))
        finally:
            self._reading -= 1


async def _to_the_docs(request: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": f"{BASE}/docs"})


async def _make(door: Door, who: Who, query: Query) -> Made:
    return Made.of(encode(await door.handler(who, query, None)))


# --- who, and what they ask -------------------------------------------------------------------------------------------


def _let_in(who: Who, door: Door) -> None:
    if who.may(door.needs):
        return
    if who.kind == "nobody":
        raise Refusal(401, "who", "say who you are: sign in, or send Authorization: Bearer TOKEN")
    raise Refusal(403, "right", f"{who.name} may not do this; it needs the right {door.needs}")


def read_query(into: type[Query], lists: frozenset[str], request: web.Request) -> Any:
    """Names in the path and `?keys` as a door's query; those in `lists` may be given several times. Refusal for what
    it does not know, or knows otherwise."""
    given: dict[str, str | list[str]] = {}
    for key in request.query:
        values = request.query.getall(key)
        if key in request.match_info or (len(values) > 1 and key not in lists):
            raise Refusal(400, "query", f"{key[:100]}: given more than once")
        given[key] = values if key in lists else values[0]
    try:
        return msgspec.convert({**given, **request.match_info}, into, strict=False)
    except msgspec.ValidationError as error:
        where, sentence = _named(str(error))
        if where in request.match_info:
            raise Refusal(404, "missing", f"there is nothing at {request.path[:100]!r}: {sentence}") from None
        raise Refusal(400, "query", f"{where}: {sentence}" if where else sentence) from None


def decoded(door: Door, raw: bytes) -> Any:
    """A body as the door's. Refusal for what is none."""
    try:
        return msgspec.json.decode(raw, type=door.body)
    except msgspec.ValidationError as error:
        raise Refusal(400, "shape", f"the body is not as it should be: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(400, "not_json", f"the body is not JSON: {error}") from None


def _lists_of(query: type[Query]) -> frozenset[str]:
    """The keys that may be given several times."""
    types = msgspec.structs.fields(query)
    return frozenset(f.encode_name for f in types if "list[" in str(f.type) or "tuple[" in str(f.type))


def _named(error: str) -> tuple[str, str]:
    """What msgspec says, and of which key: 'Expected `int` <= 500 - at `$.limit`' is ('limit', 'expected …')."""
    sentence, _, place = error.partition(" - at `$")
    key = place.rstrip("`").lstrip(".").partition("[")[0]
    return key, sentence[:1].lower() + sentence[1:]


async def _read(request: web.Request, bytes_max: int) -> bytes:
    """The body, of which no more is held than may be sent."""
    whole = bytearray()
    try:
        while len(whole) <= bytes_max and (some := await request.content.readany()):
            whole += some
    except TimeoutError as error:
        raise Refusal(408, "too_slow", str(error)) from None
    except (web.RequestPayloadError, ConnectionError):
        raise Refusal(400, "not_http", "the body broke off") from None
    if len(whole) > bytes_max:
        raise Refusal(413, "too_large", f"a body has at most {bytes_max} bytes here")
    return bytes(whole)


# --- what goes out ----------------------------------------------------------------------------------------------------


def _whole(request: web.Request, status: int, made: Made) -> web.Response:
    """An answer with its tag, or word that the client has it already."""
    wanted = [tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(",")]
    if made.etag in wanted or wanted == ["*"]:
        return web.Response(status=304, headers={**HEADERS, "ETag": made.etag})
    return _json(status, made.body, {"ETag": made.etag})


def _of_store(error: StoreError) -> Refusal:
    if error.passing:
        return Refusal(503, "store", f"the store cannot do it now: {error}", retry_after_s=RETRY_AFTER_S)
    return Refusal(422, "store", f"the store does not take this: {error}")


def _refused(request: web.Request, refusal: Refusal) -> web.Response:
    trouble = Trouble(refusal.code, str(refusal)[:SENTENCE_CHARS_MAX], request_id_of(request))
    headers = {"X-Request-Id": trouble.request_id}
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if refusal.retry_after_s is not None:
        headers["Retry-After"] = str(refusal.retry_after_s)
    response = _json(refusal.status, encode(trouble), headers)
    if refusal.status in (408, 413):
        response.force_close()
    return response


def _json(status: int, body: bytes, headers: Mapping[str, str] = {}) -> web.Response:
    return web.Response(
        status=status, body=body, content_type="application/json", headers={**HEADERS, **headers}
    )
