"""What can be set on pages, in the collector as it runs: thresholds, channels, users, tokens, join codes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from collector.who import LOCAL
from tests.collector.api.house import House
from tests.collector.web.reading import page, text_of

PASSWORD = "correct horse battery"
CONFIG = """
  thresholds: {memory_warning_pct: 71}
  channels:
    - {kind: log, name: log}
"""


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House(tmp_path, CONFIG) as house:
        yield house


async def send(house: House, path: str, fields: Any, status: int = 303) -> str:
    """A form, sent by who sits at the machine; what the page then says."""
    async with house.client.post(path, data=fields, allow_redirects=False) as answer:
        assert answer.status == status, await answer.text()
        if status != 303:
            return await answer.text()
        return await page(house, answer.headers["Location"])


def thresholds_of(source: str) -> dict[str, str]:
    """The fields that can be changed."""
    return {
        name: value
        for name, value, rest in re.findall(
            r'name="(thresholds\.\w+)" value="([^"]*)"[^>]*?( disabled)?>', source
        )
        if not rest
    }


# --- thresholds -------------------------------------------------------------------------------------------------------


async def test_a_threshold_that_is_changed_holds_at_once_and_the_trail_knows_who_did_it(house: House) -> None:
    agent = await house.enrol("web-1")
    fields = thresholds_of(await page(house, "/settings"))
    assert fields["thresholds.cpu_warning_pct"] == "80"
    words = text_of(await send(house, "/settings/thresholds", {**fields, "thresholds.cpu_warning_pct": "40"}))
    assert "That holds from now on." in words
    for ago_s in range(960, -10, -10):  # it takes a quarter of an hour
        await agent.push({"cpu_used_pct": 50.0}, ago_s=ago_s)
    [alert] = [row for row in await house.parts.store.incidents.open_alerts() if row.rule == "cpu-high"]
    assert alert.limit == 40
    assert [row.what for row in await house.parts.store.people.audit(5)] == ["config.update"]
    words = text_of(await page(house, "/settings"))
    assert "thresholds.cpu_warning_pct 40 run time" in words
    back = {**thresholds_of(await page(house, "/settings")), "thresholds.cpu_warning_pct": ""}
    await send(house, "/settings/thresholds", back)
    assert "thresholds.cpu_warning_pct 80 default" in text_of(await page(house, "/settings"))


async def test_what_a_file_holds_is_locked_and_its_line_is_named(house: House) -> None:
    source = await page(house, "/settings")
    assert "thresholds.memory_warning_pct" not in thresholds_of(source)
    assert "locked: collector.yaml:5" in text_of(source)
    words = text_of(await send(house, "/settings/thresholds", {"thresholds.memory_warning_pct": "10"}))
    assert "Nothing was to be changed." in words


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("cpu_warning_pct", "99", "has to lie below what is critical"),
        ("cpu_warning_pct", "many", "cpu_warning_pct"),
        ("cpu_warning_pct", "500", "cpu_warning_pct"),
        ("response_time_warning", "-1s", "response_time_warning"),
    ],
)
async def test_what_makes_no_sense_changes_nothing_and_stays_in_the_field(
    house: House, key: str, value: str, why: str
) -> None:
    fields = {**thresholds_of(await page(house, "/settings")), f"thresholds.{key}": value}
    source = await send(house, "/settings/thresholds", fields, 422)
    assert why in text_of(source)
    assert thresholds_of(source)[f"thresholds.{key}"] == value
    assert await house.parts.store.people.audit(5) == []


async def test_every_setting_stands_there_with_where_it_is_from_and_no_secret(tmp_path: Path) -> None:
    config = "  channels: [{kind: webhook, name: hook, url: 'https://example.org/SECRET-PATH'}]\n"
    async with House(tmp_path, config) as house:
        source = await page(house, "/settings")
        assert "SECRET-PATH" not in source
        words = text_of(source)
        assert "keep 14d default" in words
        assert "listen" in words
        some = text_of(await page(house, "/settings?q=keep_rollups"))
        assert "keep_rollups" in some
        assert "connections_max" not in some
        assert "No setting has that" in text_of(await page(house, "/settings?q=moon"))


# --- channels ---------------------------------------------------------------------------------------------------------


async def test_a_channel_is_tried_and_says_what_the_far_side_answered(tmp_path: Path) -> None:
    got: list[Any] = []

    async def hook(request: web.Request) -> web.Response:
        got.append(await request.json())
        return web.Response(status=204 if len(got) == 1 else 404)

    app = web.Application()
    app.router.add_post("/hook", hook)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    config = f"  channels: [{{kind: webhook, name: my hook, url: 'http://127.0.0.1:{port}/hook'}}]\n"
    async with House(tmp_path, config) as house:
        assert "not used yet" in await page(house, "/settings/channels")
        assert "my hook took the test" in await send(house, "/settings/channels/my%20hook/test", {}, 200)
        assert "Watchkeeper: a test" in str(got[0])
        assert "my hook did not take the test" in await send(
            house, "/settings/channels/my%20hook/test", {}, 200
        )
        assert await house.parts.store.notices.recent(5) == []
        await send(house, "/settings/channels/moon/test", {}, 404)
        assert [row.what for row in await house.parts.store.people.audit(5)] == ["channel.test"] * 2
    await runner.cleanup()


async def test_without_a_channel_it_says_that_nobody_will_be_told(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        assert "nobody will be told" in await page(house, "/settings/channels")


# --- users, tokens, join codes ----------------------------------------------------------------------------------------


async def test_a_user_is_added_changed_disabled_and_enabled(house: House) -> None:
    assert "No user yet." in await page(house, "/settings/users")
    ada = {"name": "ada", "role": "owner", "email": "", "password": PASSWORD, "again": PASSWORD}
    async with house.client.post("/settings/users", data=ada, allow_redirects=False) as answer:
        assert answer.status == 303
    people = house.parts.store.people
    assert [user.name for user in await people.users()] == ["ada"]
    headers = {"Authorization": f"Bearer {(house.folder / 'state' / 'local.token').read_text().strip()}"}

    async def post(path: str, **fields: str) -> tuple[int, str]:
        async with house.client.post(path, data=fields, headers=headers, allow_redirects=False) as answer:
            return answer.status, text_of(await answer.text())

    bob = {
        "name": "bob",
        "role": "viewer",
        "email": "bob@example.org",
        "password": PASSWORD,
        "again": PASSWORD,
    }
    assert (await post("/settings/users", **bob))[0] == 303
    status, words = await post("/settings/users", **{**bob, "name": "eve", "again": "another password"})
    assert (status, "The two passwords are not alike" in words) == (422, True)
    assert (await post("/settings/users", **bob))[0] == 409
    assert (await post("/settings/users/change", name="bob", do="role", role="member"))[0] == 303
    assert (await post("/settings/users/change", name="bob", do="disable"))[0] == 303
    disabled = {user.name: user for user in await people.users()}["bob"]
    assert (disabled.role, disabled.disabled_at is not None) == ("member", True)
    assert (await post("/settings/users/change", name="bob", do="enable"))[0] == 303
    assert (await post("/settings/users/change", name="bob", do="password", password="x"))[0] == 422
    assert (await post("/settings/users/change", name="bob", do="harm"))[0] == 422
    assert (await post("/settings/users/change", name="moon", do="disable"))[0] == 404


async def test_a_token_is_shown_once_works_and_is_revoked(house: House) -> None:
    fields = [("name", "ci"), ("for", "30 days"), ("permission", "monitoring.read")]
    source = await send(house, "/settings/tokens", fields, 200)
    [text] = re.findall(r"<pre[^>]*>(wk_\S+)</pre>", source)
    [token] = await house.parts.store.people.api_tokens()
    assert token.permissions == ("monitoring.read",)
    assert text not in await page(house, "/settings/tokens")
    await house.parts.access.desk.add_user(LOCAL, "ada", "owner", PASSWORD)
    headers = {"Authorization": f"Bearer {text}"}
    assert (await house.get("/hosts", headers=headers)).status == 200
    assert (await house.send("GET", "/settings/tokens", headers=headers)).status == 403
    assert (await house.send("GET", "/settings/users", headers=headers)).status == 403


async def test_a_token_without_rights_is_none(house: House) -> None:
    words = text_of(await send(house, "/settings/tokens", {"name": "ci", "for": "30 days"}, 422))
    assert "is of no use" in words
    words = text_of(
        await send(
            house, "/settings/tokens", {"name": "ci", "for": "a blink", "permission": "monitoring.read"}, 422
        )
    )
    assert "It can hold for 30 days or 90 days" in words
    assert await house.parts.store.people.api_tokens() == []


async def test_join_codes_are_listed_and_revoked(house: House) -> None:
    code, join = await house.parts.codes.make(LOCAL, labels={"role": "web"}, uses=3)
    listed = await page(house, "/settings/joins")
    assert "role=web" in listed
    assert "0 of 3" in text_of(listed)
    assert code not in listed
    await send(house, "/settings/joins/revoke", {"id": join.id})
    assert "revoked" in await page(house, "/settings/joins")
    await send(house, "/settings/joins/revoke", {"id": "moon"}, 404)


@pytest.mark.parametrize(
    "path",
    ["/settings", "/settings/channels", "/settings/users", "/settings/tokens", "/settings/joins"],
)
async def test_whoever_has_no_right_to_it_sees_nothing_of_it(house: House, path: str) -> None:
    await house.parts.access.desk.add_user(LOCAL, "ada", "owner", PASSWORD)
    text, _ = await house.parts.access.desk.add_api_token(LOCAL, "reader", ["monitoring.read"])
    headers = {"Authorization": f"Bearer {text}"}
    assert (await house.send("GET", path, headers=headers)).status == 403
    async with house.client.get(path, allow_redirects=False) as stranger:
        assert (stranger.status, stranger.headers["Location"]) == (
            303,
            f"/login?next={path.replace('/', '%2F')}",
        )
