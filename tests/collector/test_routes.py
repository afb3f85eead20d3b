"""Every path there is, in the collector as it runs: what it takes to come in is said of each, and holds."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from collector.access.gate import AGENTS_BELOW
from collector.who import LOCAL, PERMISSIONS, is_declared, needed_by
from tests.collector.whole import Whole, whole_collector

OPEN = {
    "/account",
    "/account/password",
    "/account/programs",
    "/account/sessions",
    "/api/docs",
    "/api/monitoring/docs",
    "/api/monitoring/login",
    "/api/monitoring/login/refresh",
    "/api/monitoring/login/revoke",
    "/api/monitoring/me",
    "/api/monitoring/openapi.json",
    "/health",
    "/install",
    "/install/bundle/{name}.tar",
    "/links/{deed}/{about}/{until_s}/{channel}/{seal}",
    "/login",
    "/logout",
    "/ping/{token}",
    "/ping/{token}/{how}",
    "/ready",
    "/setup",
    "/static/{name}",
}
"""What everybody may come to; all else takes a right. Whoever adds to it says why, in docs/security.md."""
PASSWORD = "correct horse battery"


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[Whole]:
    async with whole_collector(tmp_path, "  access: {requests_burst: 100000}\n") as whole:
        yield whole


def routes(app: web.Application) -> list[web.AbstractRoute]:
    """All but those of agents, whose pushes have tokens of their own."""
    return [
        route
        for route in app.router.routes()
        if route.resource is not None and not route.resource.canonical.startswith(AGENTS_BELOW)
    ]


def path_of(route: web.AbstractRoute) -> str:
    assert route.resource is not None
    return route.resource.canonical


async def test_of_every_path_it_is_said_what_it_takes_to_come_in(whole: Whole) -> None:
    assert [path_of(route) for route in routes(whole.app) if not is_declared(route.handler)] == []
    assert {path_of(route) for route in routes(whole.app) if needed_by(route.handler) is None} == OPEN
    assert {needed_by(route.handler) for route in routes(whole.app)} <= PERMISSIONS | {None}


async def test_every_path_refuses_whoever_lacks_its_right(whole: Whole) -> None:
    """Nobody, and a token that has every right but the one that it takes."""
    await whole.parts.access.desk.add_user(LOCAL, "ada", "owner", PASSWORD)
    tokens = {}
    for needed in sorted(PERMISSIONS):
        text, _ = await whole.parts.access.desk.add_api_token(LOCAL, "all-but-one", PERMISSIONS - {needed})
        tokens[needed] = f"Bearer {text}"
    tried = 0
    for route in routes(whole.app):
        needed = needed_by(route.handler)
        if needed is None:
            continue
        path = re.sub(r"\{[^}]*\}", "1", path_of(route))
        nobody = await whole.ask(path, route.method)
        is_page = not path.startswith(("/api/", "/metrics", "/health"))
        assert nobody.status == (303 if is_page and route.method in ("GET", "HEAD") else 401), path
        assert (await whole.ask(path, route.method, Authorization=tokens[needed])).status == 403, path
        tried += 1
    assert tried > 20


async def test_the_public_status_page_is_public_only_where_it_was_switched_on(tmp_path: Path) -> None:
    for folder, config, status in (("off", "", 303), ("on", "  access: {status_page: true}\n", 200)):
        (tmp_path / folder).mkdir()
        async with whole_collector(tmp_path / folder, config) as whole:
            await whole.parts.access.desk.add_user(LOCAL, "ada", "owner", PASSWORD)
            assert (await whole.ask("/status")).status == status
            assert (await whole.ask("/incidents")).status == 303


async def test_programs_on_this_machine_find_a_token_that_may_do_everything(whole: Whole) -> None:
    file = whole.state / "local.token"
    assert file.stat().st_mode & 0o077 == 0
    await whole.parts.access.desk.add_user(LOCAL, "ada", "owner", PASSWORD)
    assert (await whole.ask("/metrics")).status == 401
    assert (await whole.ask("/metrics", Authorization=f"Bearer {whole.local_token}")).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/api/agent/../monitoring/hosts",
        "/api/agent/%2e%2e/monitoring/hosts",
        "/api/agent/v1/../../../metrics",
        "/health/../metrics",
        "//metrics",
        "/metrics/",
        "/%6detrics",
        "/metrics;/health",
        "http://localhost/metrics",
        "/static/../metrics",
        "/static/%2e%2e%2fpages.py",
    ],
)
async def test_no_way_of_writing_a_path_leads_around_the_gate(whole: Whole, path: str) -> None:
    await whole.parts.access.desk.add_user(LOCAL, "ada", "owner", PASSWORD)
    answer = await whole.ask_as_it_stands(path)
    assert int(answer.split()[1]) in (303, 400, 401, 403, 404)
    assert "watchkeeper_" not in answer
