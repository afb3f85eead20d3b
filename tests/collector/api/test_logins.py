"""Programs that act for a user, over the API of a whole collector."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from collector.who import LOCAL
from tests.collector.whole import Answer, Whole, whole_collector

PASSWORD = "correct horse battery"


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[Whole]:
    roles = "  access: {roles: {viewer: [monitoring.read]}}\n"
    async with whole_collector(tmp_path, roles) as whole:
        desk = whole.parts.access.desk
        await desk.add_user(LOCAL, "root", "owner", PASSWORD)
        await desk.add_user(LOCAL, "ada", "viewer", PASSWORD)
        yield whole


async def say(whole: Whole, path: str, **body: Any) -> Answer:
    return await whole.post_json(f"/api/monitoring{path}", body)


async def test_a_program_logs_in_acts_for_its_user_and_refreshes(whole: Whole) -> None:
    given = await say(whole, "/login", name="ada", password=PASSWORD)
    assert given.status == 200
    assert given.headers["Cache-Control"] == "no-store"
    tokens = given.json
    acting = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert (await whole.ask("/api/monitoring/hosts", **acting)).status == 200
    refused = await whole.post_json("/api/monitoring/incidents", {"title": "x"}, **acting)
    assert "ada may not do this" in refused.json["message"]
    second = await say(whole, "/login/refresh", refresh_token=tokens["refresh_token"])
    assert second.status == 200
    assert second.json["refresh_expires_at"] == tokens["refresh_expires_at"]
    again = await say(whole, "/login/refresh", refresh_token=tokens["refresh_token"])
    assert (again.status, again.json["code"]) == (401, "token_wrong")
    assert (await say(whole, "/login/refresh", refresh_token=second.json["refresh_token"])).status == 401
    assert (await whole.ask("/api/monitoring/hosts", **acting)).status == 401


async def test_a_program_logs_out(whole: Whole) -> None:
    tokens = (await say(whole, "/login", name="ada", password=PASSWORD)).json
    assert (await say(whole, "/login/revoke", token=tokens["refresh_token"])).status == 204
    answer = await whole.ask("/api/monitoring/hosts", Authorization=f"Bearer {tokens['access_token']}")
    assert (answer.status, answer.json["code"]) == (401, "token_wrong")
    assert (await say(whole, "/login/revoke", token="nonsense")).status == 401


async def test_wrong_passwords_are_refused_and_then_have_to_wait(whole: Whole) -> None:
    for _ in range(5):
        wrong = await say(whole, "/login", name="ada", password="wrong")
        assert (wrong.status, wrong.json["code"]) == (401, "wrong")
    wait = await say(whole, "/login", name="ada", password=PASSWORD)
    assert (wait.status, wait.json["code"], wait.headers["Retry-After"]) == (429, "wait", "1")


async def test_whoever_is_disabled_refreshes_no_more(whole: Whole) -> None:
    tokens = (await say(whole, "/login", name="ada", password=PASSWORD)).json
    await whole.parts.access.desk.disable(LOCAL, "ada")
    assert (await say(whole, "/login/refresh", refresh_token=tokens["refresh_token"])).status == 401
    assert (await say(whole, "/login", name="ada", password=PASSWORD)).status == 401
