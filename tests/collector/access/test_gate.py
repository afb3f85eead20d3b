"""Who may what, over real HTTP: a row for each kind of caller, a column for each kind of lock."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.access import Terms
from collector.access.gate import safe_next
from collector.who import LOCAL
from tests.collector.access.house import HERE, NOW, PASSWORD, House, open_house

# Who asks: GET of what is open, of a page, of the API, of the trail, of a handler that says nothing.
#           303 leads to the log-in.
TABLE = {
    "nobody, while there is no user, from this machine": (200, 200, 200, 200, 200),
    "nobody, while there is no user, by a foreign name": (200, 403, 403, 403, 401),
    "nobody, while there is no user, through a proxy": (200, 403, 403, 403, 401),
    "nobody, while there is no user, by HTTP/1.0": (200, 403, 403, 403, 401),
    "nobody, once there is a user, from this machine": (200, 303, 401, 401, 401),
    "an owner's session": (200, 200, 200, 200, 200),
    "an admin's session": (200, 200, 200, 403, 403),
    "an analyst's session, a role of the config": (200, 200, 200, 200, 403),
    "a viewer's session, to whom the config gives reading": (200, 200, 200, 403, 403),
    "a member's session, to whom nobody gave anything": (200, 403, 403, 403, 403),
    "the session of a role that is not in the config any more": (200, 403, 403, 403, 403),
    "a disabled user's session": (200, 303, 401, 401, 401),
    "an owner's program": (200, 200, 200, 200, 200),
    "a viewer's program": (200, 200, 200, 403, 403),
    "an API token that may read": (200, 200, 200, 403, 403),
    "an API token that has expired": (200, 401, 401, 401, 401),
    "an API token that was revoked": (200, 401, 401, 401, 401),
    "the token of programs on this machine": (200, 200, 200, 200, 200),
    "an agent's token": (200, 401, 401, 401, 401),
    "a name and a password in the header": (200, 401, 401, 401, 401),
}
PATHS = ("/open", "/page", "/api/thing", "/api/audit", "/api/undeclared")


async def headers_of(house: House, who: str) -> dict[str, str]:
    """The headers that this caller sends; whoever it takes is there then."""
    match who.partition(", while there is no user, "):
        case ("nobody", _, "by a foreign name"):
            return {"Host": "evil.example.org"}
        case ("nobody", _, "through a proxy"):
            return {"X_Forwarded_For": "192.0.2.7"}
        case ("nobody", _, _) if "no user" in who:
            return {}
    ada = await house.user()
    match who.split(","):
        case ["nobody", *_]:
            return {}
        case ["an owner's session"]:
            return {"Cookie": await house.cookie(ada)}
        case ["the session of a role that is not in the config any more"]:
            return {"Cookie": await house.cookie(await house.user("bob", "gone"))}
        case ["a disabled user's session"]:
            bob = await house.user("bob", "owner")
            cookie = await house.cookie(bob)
            await house.store.people.disable(bob.id, NOW)
            return {"Cookie": cookie}
        case ["an owner's program"]:
            return {"Authorization": await house.bearer(ada)}
        case ["a viewer's program"]:
            return {"Authorization": await house.bearer(await house.user("bob", "viewer"))}
        case ["an API token that may read"]:
            return {"Authorization": await house.api_token("monitoring.read")}
        case ["an API token that has expired"]:
            header = await house.api_token("monitoring.read", expires_at=NOW + 1)
            house.clock += 1
            return {"Authorization": header}
        case ["an API token that was revoked"]:
            header = await house.api_token("monitoring.read")
            await house.store.people.revoke_api_token(header.split("_")[2], NOW)
            return {"Authorization": header}
        case ["the token of programs on this machine"]:
            return {"Authorization": f"Bearer {house.access.local_token}"}
        case ["an agent's token"]:
            return {"Authorization": f"Bearer wk_agent_default_{'a' * 12}_{'b' * 40}"}
        case ["a name and a password in the header"]:
            return {"Authorization": "Basic YWRhOmFkYQ=="}
        case [session, *_]:
            role = session.split()[1].removesuffix("'s")
            return {"Cookie": await house.cookie(await house.user("bob", role))}
    raise AssertionError(who)


@pytest.mark.parametrize("who", [who for who in TABLE if "HTTP/1.0" not in who])
async def test_who_may_see_what(house: House, who: str) -> None:
    headers = await headers_of(house, who)
    assert tuple([(await house.ask(path, **headers)).status for path in PATHS]) == TABLE[who]


async def test_whoever_asks_as_in_the_days_of_old_is_a_proxy_for_somebody_else(house: House) -> None:
    wanted = TABLE["nobody, while there is no user, by HTTP/1.0"]
    assert tuple([await house.status_by_http_1_0(path) for path in PATHS]) == wanted


async def test_what_changes_something_takes_another_right_than_what_shows_it(house: House) -> None:
    await house.user()
    reader, writer = await house.api_token("monitoring.read"), await house.api_token("monitoring.write")
    assert (await house.post("/api/thing", Authorization=reader)).status == 403
    assert (await house.post("/api/thing", Authorization=writer)).status == 200
    assert (await house.ask("/api/thing", Authorization=writer)).status == 403
    assert (await house.post("/api/thing")).status == 401


async def test_programs_are_told_why_in_json_with_the_id_that_our_log_has(house: House) -> None:
    await house.user()
    told = await house.ask("/api/thing", X_Request_Id="abc-1")
    assert told.json == {
        "code": "who",
        "message": "say who you are: log in, or send Authorization: Bearer TOKEN",
        "request_id": "abc-1",
    }
    assert told.headers["WWW-Authenticate"] == "Bearer"
    assert told.headers["X-Request-Id"] == "abc-1"
    told = await house.ask("/api/audit", Authorization=await house.api_token("monitoring.read"))
    assert told.json["message"] == "token:ci may not do this; it needs the right monitoring.audit.read"
    assert told.headers["X-Request-Id"] == told.json["request_id"] != ""


async def test_people_are_led_to_the_log_in_and_back_to_where_they_wanted_to_go(house: House) -> None:
    await house.user()
    told = await house.ask("/page?q=a+b&fragment=1")
    assert (told.status, told.headers["Location"]) == (303, "/login?next=%2Fpage%3Fq%3Da%2Bb")
    told = await house.post("/page")
    assert told.status == 401
    assert told.text == "Who are you?: Say who you are: log in, or send Authorization: Bearer TOKEN."


async def test_while_there_is_no_user_whoever_comes_from_elsewhere_reads_what_to_do(house: House) -> None:
    told = await house.ask("/page", Host="watch.example.org")
    assert told.status == 403
    assert "the collector's log holds a link to make the first one" in told.text
    assert "watchkeeper user add NAME --role owner" in told.text
    assert (await house.ask("/api/thing", Host="watch.example.org")).json["code"] == "no_user"


async def test_a_user_who_was_added_beside_the_collector_is_noticed_within_seconds(house: House) -> None:
    assert (await house.ask("/api/thing")).status == 200
    await house.user()
    assert (await house.ask("/api/thing")).status == 200
    house.clock += 1_000
    assert (await house.ask("/api/thing")).status == 401


async def test_from_the_first_user_on_this_machine_may_do_nothing_by_itself(house: House) -> None:
    assert (await house.ask("/api/thing")).text == "local local"
    await house.access.desk.add_user(LOCAL, "ada", "owner", PASSWORD)
    assert (await house.ask("/api/thing")).status == 401


async def test_a_role_that_was_changed_beside_the_collector_is_noticed_within_seconds(house: House) -> None:
    await house.user()
    bob = await house.user("bob", "viewer")
    cookie = await house.cookie(bob)
    assert (await house.ask("/page", Cookie=cookie)).status == 200
    await house.store.people.set_role(bob.id, "member")
    house.clock += 2_000
    assert (await house.ask("/page", Cookie=cookie)).status == 403


async def test_agents_pass_by_the_gate(house: House) -> None:
    await house.user()
    house.busy = True
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Origin": "https://evil.example.org"}):
        assert (await house.post("/api/agent/v1/batches", **headers)).text == "nobody nobody"


async def test_a_path_that_is_not_there_is_not_there_for_anybody(house: House) -> None:
    await house.user()
    assert (await house.ask("/api/nothing")).status == 404
    assert (await house.ask("/open", "DELETE")).status == 405


# --- how often -------------------------------------------------------------------------------------------------------


async def test_whoever_asks_too_often_has_to_wait_and_is_told_how_long(tmp_path: Path) -> None:
    async with open_house(tmp_path, terms=Terms(requests_per_s=2, requests_burst=3)) as house:
        await house.user()
        token = await house.api_token("monitoring.read")
        told = [await house.ask("/api/thing", Authorization=token) for _ in range(4)]
        assert [one.status for one in told] == [200, 200, 200, 429]
        assert [one.headers["X-RateLimit-Remaining"] for one in told] == ["2", "1", "0", "0"]
        assert {one.headers["X-RateLimit-Limit"] for one in told} == {"3"}
        assert told[3].headers["X-RateLimit-Reset"] == "2"
        assert told[3].headers["Retry-After"] == "1"
        assert told[3].json["code"] == "too_often"
        other = await house.api_token("monitoring.read", name="other")
        assert (await house.ask("/api/thing", Authorization=other)).status == 200
        house.clock += 500
        assert (await house.ask("/api/thing", Authorization=token)).status == 200


async def test_strangers_share_what_their_network_may_ask_and_keep_nobody_out_who_is_known(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, terms=Terms(requests_per_s=2, requests_burst=4)) as house:
        cookie = await house.cookie(await house.user())
        assert (await house.ask("/page", Cookie=cookie)).status == 200
        assert [(await house.ask("/api/thing")).status for _ in range(3)] == [401, 401, 429]
        wrong = await house.ask("/api/thing", Authorization="Bearer wk_api_" + "a" * 12 + "_" + "b" * 40)
        assert wrong.status == 429
        assert (await house.ask("/open")).status == 200
        assert (await house.ask("/page", Cookie=cookie)).status == 200


async def test_wrong_tokens_are_counted_like_strangers(tmp_path: Path) -> None:
    async with open_house(tmp_path, terms=Terms(requests_per_s=2, requests_burst=4)) as house:
        await house.user()
        headers = [f"Bearer wk_api_{number:012}_{'b' * 40}" for number in range(4)]
        told = [(await house.ask("/api/thing", Authorization=header)).status for header in headers]
        assert told == [401, 401, 429, 429]


async def test_while_the_judge_has_too_much_to_do_pages_and_api_have_to_wait(house: House) -> None:
    cookie = await house.cookie(await house.user())
    house.busy = True
    told = await house.ask("/api/thing", Cookie=cookie)
    assert (told.status, told.headers["Retry-After"], told.json["code"]) == (503, "5", "busy")
    assert (await house.ask("/page", Cookie=cookie)).text == (
        "Not now: The collector has more to do than it can; what agents send comes first."
    )
    assert (await house.ask("/open")).status == 200


async def test_what_is_open_is_open_also_while_the_store_cannot_be_asked(house: House) -> None:
    await house.store.close()
    assert (await house.ask("/open", Cookie="watchkeeper=" + "a" * 43)).status == 200
    told = await house.ask("/api/thing", Cookie="watchkeeper=" + "a" * 43)
    assert (told.status, told.json["code"], told.headers["Retry-After"]) == (503, "store", "5")


# --- what every answer says ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/open", "/page", "/api/nothing"])
async def test_every_answer_says_what_a_browser_may_do_with_it(house: House, path: str) -> None:
    await house.user()
    headers = (await house.ask(path)).headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert len(headers["X-Request-Id"]) == 16
    assert "Strict-Transport-Security" not in headers


@pytest.mark.parametrize(
    ("wanted", "led_to"),
    [
        ("/hosts/7?range=1d", "/hosts/7?range=1d"),
        ("//evil.example.org", "/"),
        ("/\\evil.example.org", "/"),
        ("/a\\..\\evil", "/"),
        ("https://evil.example.org/", "/"),
        ("javascript:alert(1)", "/"),
        ("/a\r\nSet-Cookie: x=1", "/"),
        ("/login?next=/", "/"),
        ("/" + "a" * 600, "/"),
        ("", "/"),
    ],
)
def test_nobody_is_led_to_another_host(wanted: str, led_to: str) -> None:
    assert safe_next(wanted) == led_to


async def test_local_is_this_machine_by_a_name_of_its_own(house: House) -> None:
    for name in ("localhost", "127.0.0.1", "[::1]", "LocalHost:8420"):
        assert (await house.ask("/page", Host=name)).text == "local local"
    assert HERE.is_local


async def test_what_is_logged_on_the_way_can_name_the_request(house: House) -> None:
    for request_id in ("abc-1", "abc-2"):
        assert (await house.ask("/id", X_Request_Id=request_id)).text == request_id
