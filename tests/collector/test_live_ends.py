"""A live page of somebody who may see it no longer ends at once, by whichever door their right went."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from collector.app import now_ms
from collector.app.access import desk
from collector.config import load
from collector.stores.sqlite import open_store
from collector.who import LOCAL
from tests.collector.whole import Whole, whole_collector

EVENTS, API = "/api/monitoring/events", "/api/monitoring"
PASSWORD = "correct horse battery"
AT_ONCE_S = 1.5
"""Far less than a sign of life is apart from the next, on a machine with other things to do."""


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[Whole]:
    async with whole_collector(tmp_path) as whole:
        for name, role in (("ada", "owner"), ("bob", "admin")):
            await whole.parts.access.desk.add_user(LOCAL, name, role, PASSWORD)
        yield whole


@contextlib.asynccontextmanager
async def listening(whole: Whole, **headers: str) -> AsyncIterator[aiohttp.ClientResponse]:
    async with whole._client.get(EVENTS, headers=headers) as answer:
        assert answer.status == 200
        await answer.content.readuntil(b"\n\n")
        yield answer


async def ends(answer: aiohttp.ClientResponse) -> bool:
    try:
        async with asyncio.timeout(AT_ONCE_S):
            await answer.content.read()
    except TimeoutError:
        return False
    return True


async def cookie_of(whole: Whole, name: str) -> str:
    done = await whole.post("/login", {"name": name, "password": PASSWORD, "next": "/"})
    return done.headers["Set-Cookie"].partition(";")[0]


async def log_out(whole: Whole, cookie: str) -> None:
    page = await whole.ask("/account", Cookie=cookie)
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found is not None
    assert (await whole.post("/logout", {"csrf": found[1]}, Cookie=cookie)).status == 303


async def disable(whole: Whole, _cookie: str) -> None:
    await whole.parts.access.desk.disable(LOCAL, "bob")


async def another_password(whole: Whole, _cookie: str) -> None:
    await whole.parts.access.desk.set_password(LOCAL, "bob", "quite another word")


@pytest.mark.parametrize("how", [log_out, disable, another_password])
async def test_a_browser_that_is_logged_out_hears_nothing_more_and_the_others_do(
    whole: Whole, how: Callable[[Whole, str], Awaitable[None]]
) -> None:
    cookie = await cookie_of(whole, "bob")
    async with (
        listening(whole, Cookie=cookie) as theirs,
        listening(whole, Cookie=await cookie_of(whole, "ada")) as other,
    ):
        await how(whole, cookie)
        assert await ends(theirs)
        assert not await ends(other)


async def test_a_program_whose_token_is_revoked_hears_nothing_more(whole: Whole) -> None:
    text, token = await whole.parts.access.desk.add_api_token(LOCAL, "wall", ["monitoring.read"])
    async with listening(whole, Authorization=f"Bearer {text}") as stream:
        await whole.parts.access.desk.revoke_api_token(LOCAL, token.id)
        assert await ends(stream)


async def test_a_program_whose_grant_is_revoked_hears_nothing_more(whole: Whole) -> None:
    pair = (await whole.post_json(f"{API}/login", {"name": "bob", "password": PASSWORD})).json
    async with listening(whole, Authorization=f"Bearer {pair['access_token']}") as stream:
        await whole.post_json(f"{API}/login/revoke", {"token": pair["refresh_token"]})
        assert await ends(stream)


async def test_whoever_sat_at_this_machine_hears_nothing_more_once_there_is_a_user(tmp_path: Path) -> None:
    async with whole_collector(tmp_path) as whole, listening(whole) as stream:
        await whole.parts.access.desk.add_user(LOCAL, "ada", "owner", PASSWORD)
        assert await ends(stream)


async def test_a_user_disabled_by_a_command_hears_nothing_after_the_next_news(
    whole: Whole, tmp_path: Path
) -> None:
    async with listening(whole, Cookie=await cookie_of(whole, "bob")) as stream:
        beside = await open_store(whole.state, role="tool")
        try:
            here = desk(beside.people, load(tmp_path / "collector.yaml", {}), now_ms)
            await here.disable(LOCAL, "bob")
        finally:
            await beside.close()
        async with asyncio.timeout(10):
            while not stream.content.at_eof():
                await whole.post_json(
                    f"{API}/incidents", {"title": "x"}, Authorization=f"Bearer {whole.local_token}"
                )
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.5):
                        await stream.content.readany()
