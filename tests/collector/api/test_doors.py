"""What holds of every door: the right it needs, the document that describes it, and what it makes of nonsense."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any, get_args, get_type_hints

import aiohttp
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from collector.api.described import Described
from collector.api.doors import Door, Query, Text
from collector.api.kept import Kept
from collector.api.router import Router
from collector.who import ASKED_BY, LOCAL, NOBODY, PERMISSIONS, Handler, Who
from tests.collector.api.house import House, Said

BROKEN = "a handler was reached"


class Guarded:
    """The doors of a house, asked by whoever a test says; the handlers behind them are not reached for real."""

    def __init__(self, doors: tuple[Door, ...]) -> None:
        self.doors, self.who = doors, NOBODY

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        request[ASKED_BY] = self.who
        return await handler(request)

    async def ask(self, door: Door) -> Said:
        path = door.whole_path
        for name in door.names:
            path = path.replace(f"{{{name}}}", "1")
        body = None if door.body is None else b"{}"
        kind = {"Content-Type": "application/json"} if body else {}
        async with self.client.request(door.method, path, data=body, headers=kind) as answer:
            return Said(answer.status, answer.headers, await answer.read())


@pytest.fixture
async def guarded(house: House) -> AsyncGenerator[Guarded, None]:
    guarded = Guarded(house.parts.api.doors)
    app = web.Application(middlewares=[guarded.middleware])
    app.add_routes(Router(guarded.doors, Kept(lambda: 0.0), registry=CollectorRegistry()).routes())
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as guarded.client:
        yield guarded
    await runner.cleanup()


async def test_every_door_refuses_whoever_lacks_its_right_and_answers_whoever_has_just_that(
    guarded: Guarded,
) -> None:
    assert len(guarded.doors) > 20
    for door in guarded.doors:
        guarded.who = NOBODY
        stranger = await guarded.ask(door)
        if door.needs is None:
            assert stranger.status in (200, 400), door.path
            continue
        assert (stranger.status, stranger.json["code"]) == (401, "who"), door.path
        assert stranger.headers["WWW-Authenticate"] == "Bearer"
        guarded.who = Who("eve", "user", PERMISSIONS - {door.needs})
        other = await guarded.ask(door)
        assert (other.status, other.json["code"]) == (403, "right"), door.path
        assert door.needs in other.json["message"]
        guarded.who = Who("ada", "user", frozenset((door.needs,)))
        assert (await guarded.ask(door)).status not in (401, 403, 500), door.path


async def test_what_a_handler_takes_and_answers_is_what_its_door_declares(house: House) -> None:
    for door in house.parts.api.doors:
        hints = get_type_hints(door.handler, include_extras=True)
        answered = hints.pop("return")
        who, query, body, *request = hints.values()
        assert who is Who, door.path
        assert issubclass(door.query, query), door.path
        assert body == (type(None) if door.body is None else door.body), door.path
        assert request == [web.Request] * door.with_request, door.path
        kinds = {Text if isinstance(door.answer, str) else door.answer or type(None)}
        if door.answer != dict[str, Any]:  # the document itself, which is made once
            assert kinds & {answered, *get_args(answered)}, (door.path, answered)


async def test_who_may_update_but_not_resolve_does_not_resolve(guarded: Guarded, house: House) -> None:
    await house.do("POST", "/incidents", {"title": "x"}, 201)
    guarded.who = Who("ada", "user", frozenset(("monitoring.incident.update",)))
    path = "/api/monitoring/incidents/1"
    async with guarded.client.patch(path, json={"state": "resolved"}) as answer:
        assert answer.status == 403
    async with guarded.client.patch(path, json={"title": "y"}) as answer:
        assert (await answer.json())["title"] == "y"


# --- the document -----------------------------------------------------------------------------------------------------


async def test_the_document_describes_every_door_with_its_right(house: House) -> None:
    whole = await house.ask("/openapi.json")
    assert whole["openapi"].startswith("3.1")
    described = {
        (method.upper(), path, operation["x-permission"])
        for path, operations in whole["paths"].items()
        for method, operation in operations.items()
    }
    events = ("GET", "/api/monitoring/events", "monitoring.read")
    assert described - {events} == {
        (door.method, door.whole_path, door.needs) for door in house.parts.api.doors
    }


async def test_every_reference_in_the_document_leads_somewhere_and_every_key_is_explained(
    house: House,
) -> None:
    whole = await house.ask("/openapi.json")
    text = json.dumps(whole)
    names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= set(whole["components"]["schemas"])
    ids = [op["operationId"] for ops in whole["paths"].values() for op in ops.values()]
    assert len(ids) == len(set(ids))
    silent = [
        (path, one["name"])
        for path, operations in whole["paths"].items()
        for operation in operations.values()
        for one in operation["parameters"]
        if not one.get("description")
    ]
    assert silent == []


async def test_the_page_to_read_names_every_path_and_runs_nothing(house: House) -> None:
    said = await house.send("GET", "/api/docs")
    page = said.body.decode()
    assert said.headers["Content-Type"].startswith("text/html")
    assert "script" not in page
    assert "default-src 'none'" in said.headers["Content-Security-Policy"]
    assert [door.path for door in house.parts.api.doors if f"{door.whole_path}</code>" not in page] == []


# --- nonsense ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"{", {}, 400, "not_json"),
        (b'{"title":' + b"[" * 50_000, {}, 400, "shape"),
        (b'{"title": "\xff"}', {}, 400, "not_json"),
        (b'{"title": "\\ud800"}', {}, 400, "not_json"),
        (b"[]", {}, 400, "shape"),
        (b'{"title": 5}', {}, 400, "shape"),
        (b" " * 70_000, {}, 413, "too_large"),
        (b'{"title": "x"}', {"Content-Type": "text/plain"}, 415, "encoding"),
        (b'{"title": "x"}', {"Content-Type": "application/x-www-form-urlencoded"}, 415, "encoding"),
        (b'{"title": "x"}', {"Content-Encoding": "gzip"}, 415, "encoding"),
    ],
)
async def test_a_body_that_is_none_is_refused_with_a_reason(
    house: House, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    said = await house.send("POST", "/api/monitoring/incidents", body, headers)
    assert (said.status, said.json["code"]) == (status, code)
    assert (await house.ask("/incidents"))["items"] == []


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("limit=0", "limit"), ("limit=501", "limit"), ("limit=1.5", "limit"), ("limit=", "limit"),
        ("state=gone", "state"), ("nonsense=1", "nonsense"), ("state=open&state=all", "state"),
        ("acknowledged=perhaps", "acknowledged"), ("cursor=" + "x" * 2000, "cursor"),
    ],
)  # fmt: skip
async def test_a_key_that_is_wrong_is_named(house: House, query: str, word: str) -> None:
    said = await house.get(f"/incidents?{query}")
    assert (said.status, said.json["code"]) == (400, "query")
    assert word in said.json["message"]


async def test_the_id_that_a_proxy_gave_a_request_is_in_the_answer(house: House) -> None:
    said = await house.get("/incidents/7", {"X-Request-Id": "from-the-proxy"})
    assert said.json["request_id"] == said.headers["X-Request-Id"] == "from-the-proxy"
    forged = await house.get("/incidents/7", {"X-Request-Id": "<script>"})
    assert forged.json["request_id"] != "<script>"


async def test_a_method_that_a_path_does_not_know_is_said_so(house: House) -> None:
    said = await house.send("DELETE", "/api/monitoring/incidents")
    assert (said.status, said.json["code"]) == (405, "method_not_allowed")


async def test_a_fault_of_ours_is_told_under_the_id_that_the_log_has(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*given: Any) -> Any:
        raise RuntimeError(BROKEN)

    monkeypatch.setattr(house.parts.store.listing, "alert", broken)
    said = await house.get("/alerts/1")
    assert (said.status, said.json["code"]) == (500, "internal")
    assert BROKEN not in said.body.decode()
    assert said.json["request_id"] in caplog.text


async def test_pushes_do_not_wait_while_the_description_is_made(house: House) -> None:
    described = Described(
        [door for door in house.parts.api.doors if door.path not in ("/openapi.json", "/docs")]
    )
    making = [
        asyncio.create_task(described.docs(LOCAL, Query(), None)),
        asyncio.create_task(described.openapi(LOCAL, Query(), None)),
    ]
    turns = 0
    while not all(task.done() for task in making):
        await asyncio.sleep(0)
        turns += 1
    assert turns > 20
    page, whole = making[0].result(), json.loads(bytes(making[1].result()))
    assert whole == await house.ask("/openapi.json")
    assert page.text.encode() == (await house.get("/docs")).body
