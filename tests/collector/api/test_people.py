"""Users, tokens, the trail and the log-in of programs over the API; who they are is found out by the real gate."""

from __future__ import annotations

from typing import Any

import pytest

from tests.collector.api.house import House

PASSWORD = "correct horse battery staple"


async def first_user(house: House) -> dict[str, str]:
    """An owner's name and password, made while this machine may still do everything; and how they are sent."""
    await house.do("POST", "/users", {"name": "ada", "role": "owner", "password": PASSWORD}, 201)
    house.parts.access.setup._asked_at = 0  # which is a second ago, at the latest
    pair = await house.do("POST", "/login", {"name": "ada", "password": PASSWORD})
    return {"Authorization": f"Bearer {pair['access_token']}"}


async def test_while_there_is_no_user_this_machine_may_do_everything(house: House) -> None:
    me = await house.ask("/me")
    assert (me["name"], me["kind"]) == ("local", "local")
    assert (await house.ask("/users"))["items"] == []
    assert (await house.ask("/tokens"))["items"] == []
    assert (await house.ask("/audit"))["items"] == []
    roles = {role["name"]: role["permissions"] for role in await house.ask("/users/roles")}
    assert (roles["member"], "monitoring.read" in roles["admin"]) == ([], True)


async def test_with_a_user_whoever_does_not_say_who_they_are_is_refused(house: House) -> None:
    headers = await first_user(house)
    said = await house.get("/hosts")
    assert (said.status, said.json["code"]) == (401, "who")
    assert (await house.get("/hosts", headers)).status == 200
    assert (await house.get("/me")).json == {"name": "nobody", "kind": "nobody", "permissions": []}
    assert (await house.get("/me", headers)).json["name"] == "ada"


async def test_a_user_is_changed_and_disabled(house: House) -> None:
    headers = await first_user(house)

    async def change(body: Any, status: int = 200) -> Any:
        said = await house.send("PATCH", "/api/monitoring/users/bob", body, headers)
        assert said.status == status, said
        return said.json

    new = {"name": "bob", "role": "viewer", "password": PASSWORD, "email": "bob@example.org"}
    said = await house.send("POST", "/api/monitoring/users", new, headers)
    assert (said.status, said.json["role"]) == (201, "viewer")
    assert "password" not in said.body.decode()
    assert (await house.send("POST", "/api/monitoring/users", new, headers)).status == 409
    assert (await change({"role": "member", "email": ""}))["role"] == "member"
    assert (await change({"disabled": True}))["disabled_at"] is not None
    assert (await change({"disabled": False}))["disabled_at"] is None
    assert (await change({"role": "nonsense"}, 422))["code"] == "unfit"
    missing = await house.send("PATCH", "/api/monitoring/users/eve", {"role": "member"}, headers)
    assert missing.status == 404
    own = await house.send("PATCH", "/api/monitoring/users/ada", {"disabled": True}, headers)
    assert own.status == 409


async def test_a_token_opens_what_it_was_made_for_until_it_is_revoked(house: House) -> None:
    headers = await first_user(house)
    new = {"name": "ci", "permissions": ["monitoring.read"], "expires_at": "2030-01-01T00:00:00Z"}
    made = (await house.send("POST", "/api/monitoring/tokens", new, headers)).json
    token = {"Authorization": f"Bearer {made['token']}"}
    assert (await house.get("/hosts", token)).status == 200
    refused = await house.send("POST", "/api/monitoring/incidents", {"title": "x"}, token)
    assert (refused.status, refused.json["code"]) == (403, "right")
    shown = (await house.get("/tokens", headers)).json["items"]
    assert [one["name"] for one in shown] == ["ci"]
    assert made["token"] not in str(shown)
    number = made["about"]["id"]
    gone = await house.send("DELETE", f"/api/monitoring/tokens/{number}", None, headers)
    assert (gone.status, gone.body) == (204, b"")
    assert (await house.get("/hosts", token)).status == 401
    assert (await house.send("DELETE", "/api/monitoring/tokens/none", None, headers)).status == 404
    for wrong in ({"name": "x", "permissions": []}, {"name": "x", "permissions": ["root"]}):
        assert (await house.send("POST", "/api/monitoring/tokens", wrong, headers)).status in (400, 422)


async def test_a_pair_of_tokens_is_changed_once_and_ended(house: House) -> None:
    await first_user(house)
    login = {"name": "ada", "password": PASSWORD}
    pair = await house.do("POST", "/login", login)
    other = await house.do("POST", "/login/refresh", {"refresh_token": pair["refresh_token"]})
    assert other["access_token"] != pair["access_token"]
    again = await house.send(
        "POST", "/api/monitoring/login/refresh", {"refresh_token": pair["refresh_token"]}
    )
    assert again.status == 401
    third = await house.do("POST", "/login", login)
    await house.do("POST", "/login/revoke", {"token": third["refresh_token"]}, 204)
    headers = {"Authorization": f"Bearer {third['access_token']}"}
    assert (await house.get("/hosts", headers)).status == 401


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/login", {"name": "ada", "password": "wrong"}, 401),
        ("/login", {"name": "nobody", "password": PASSWORD}, 401),
        ("/login", {"name": "ada"}, 400),
        ("/login/refresh", {"refresh_token": "nonsense"}, 401),
        ("/login/refresh", {"refresh_token": "x" * 5_000}, 400),
    ],
)
async def test_whoever_knows_no_password_gets_no_tokens(
    house: House, path: str, body: Any, status: int
) -> None:
    await first_user(house)
    assert (await house.send("POST", f"/api/monitoring{path}", body)).status == status


async def test_every_change_is_in_the_trail_page_by_page(house: House) -> None:
    headers = await first_user(house)
    await house.send("PUT", "/api/monitoring/config", {"keep": "30d"}, headers)
    page = (await house.get("/audit?limit=1", headers)).json
    [newest] = page["items"]
    assert (newest["who"], newest["what"], newest["after"]) == ("ada", "config.update", {"keep": "30d"})
    assert newest["address"] == "127.0.0.1"
    rest = (await house.get(f"/audit?cursor={page['next']}", headers)).json["items"]
    assert [row["what"] for row in rest] == ["login.program", "user.add"]
    assert (await house.get("/audit?what=user.add&who=local", headers)).json["items"][0]["n"] == rest[-1]["n"]
    assert (await house.get("/audit?cursor=nonsense", headers)).status == 400
