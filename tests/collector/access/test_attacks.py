"""Attacks on the gate, and what each of them got. docs/security.md names these tests."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from typing import Any

import jwt
import pytest

from collector.access.guessing import Try
from collector.access.passwords import AT_ONCE, BYTES_MAX
from collector.who import LOCAL, Refusal, Whence, Who
from tests.collector.access.house import DAY, HERE, KEY, NOW, PASSWORD, House, open_house

ELSEWHERE = Whence("192.0.2.7", "192.0.2.7")
MINUTE = 60_000
EVIL = "https://evil.example.org"


def claims(user: int, **more: Any) -> dict[str, Any]:
    """What an access token of ours says."""
    return {
        "iss": "watchkeeper",
        "aud": "access",
        "sub": str(user),
        "grant": "g" * 24,
        "turn": 0,
        "iat": NOW // 1000,
        "exp": NOW // 1000 + 600,
    } | more


def unsigned(payload: dict[str, Any], algorithm: str) -> str:
    parts = [{"alg": algorithm, "typ": "JWT"}, payload]
    return (
        ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
        + "."
    )


# --- tokens of programs ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "HS256"])
async def test_a_token_that_nobody_signed_is_refused(house: House, algorithm: str) -> None:
    ada = await house.user()
    token = unsigned(claims(ada.id), algorithm)
    told = await house.ask("/api/thing", Authorization=f"Bearer {token}")
    assert (told.status, told.json["code"]) == (401, "token_wrong")


@pytest.mark.parametrize("key", [b"another key that is long enough to be one", b"0" * 32])
async def test_a_token_signed_by_another_key_is_refused(house: House, key: bytes) -> None:
    ada = await house.user()
    token = jwt.encode(claims(ada.id), key, algorithm="HS256")
    assert (await house.ask("/api/thing", Authorization=f"Bearer {token}")).status == 401


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
async def test_a_token_of_another_algorithm_is_refused_though_our_key_signed_it(
    house: House, algorithm: str
) -> None:
    ada = await house.user()
    token = jwt.encode(claims(ada.id), KEY * 2, algorithm=algorithm)
    assert (await house.ask("/api/thing", Authorization=f"Bearer {token}")).status == 401


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "refresh"},
        {"aud": ["other"]},
        {"iss": "somebody"},
        {"exp": NOW // 1000},
        {"exp": "soon"},
        {"sub": "1 or 1=1"},
        {"grant": "0" * 24},
        {"sub": "99"},
    ],
)
async def test_a_token_that_says_something_else_is_refused_though_our_key_signed_it(
    house: House, changed: dict[str, Any]
) -> None:
    ada = await house.user()
    pair = await house.access.grants.begin(ada)
    ours = jwt.decode(pair.access_token, options={"verify_signature": False})
    good = jwt.encode(ours, KEY, algorithm="HS256")
    assert (await house.ask("/api/thing", Authorization=f"Bearer {good}")).status == 200
    token = jwt.encode(ours | changed, KEY, algorithm="HS256")
    assert (await house.ask("/api/thing", Authorization=f"Bearer {token}")).status == 401


async def test_an_access_token_expires_and_its_refresh_token_is_none(house: House) -> None:
    pair = await house.access.grants.begin(await house.user())
    assert pair.access_expires_at == NOW + 30 * MINUTE
    assert (await house.ask("/page", Authorization=f"Bearer {pair.refresh_token}")).status == 401
    house.clock = NOW + 30 * MINUTE - 1_000
    assert (await house.ask("/page", Authorization=f"Bearer {pair.access_token}")).status == 200
    house.clock += 1_000
    told = await house.ask("/api/thing", Authorization=f"Bearer {pair.access_token}")
    assert (told.status, told.json["message"]) == (
        401,
        "this token does not hold: it has expired; log in again",
    )


async def test_a_refresh_token_that_was_copied_ends_the_grant_for_both_who_hold_it(house: House) -> None:
    grants = house.access.grants
    first = await grants.begin(await house.user())
    _, second = await grants.refresh(first.refresh_token)
    assert (await house.ask("/page", Authorization=f"Bearer {second.access_token}")).status == 200
    for stolen in (first, second):
        with pytest.raises(Refusal, match="used already, or its grant is over"):
            await grants.refresh(stolen.refresh_token)
    assert (await house.ask("/page", Authorization=f"Bearer {second.access_token}")).status == 401


async def test_an_access_token_does_not_refresh_itself(house: House) -> None:
    pair = await house.access.grants.begin(await house.user())
    with pytest.raises(Refusal, match="none of ours"):
        await house.access.grants.refresh(pair.access_token)


async def test_a_revoked_grant_is_over_at_once(house: House) -> None:
    grants = house.access.grants
    for which in ("access_token", "refresh_token"):
        pair = await grants.begin((await house.store.people.user("ada")) or await house.user())
        assert (await house.ask("/page", Authorization=f"Bearer {pair.access_token}")).status == 200
        await grants.revoke(getattr(pair, which))
        assert (await house.ask("/page", Authorization=f"Bearer {pair.access_token}")).status == 401
        with pytest.raises(Refusal):
            await grants.refresh(pair.refresh_token)


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "bearer \xff\xfe",
        "Bearer " + "a." * 1_000,
        "Bearer " + "a" * 7_000,
        "Bearer ..",
        "Bearer e30.e30.e30",
        "Bearer wk_api__",
        "Bearer wk_api_" + "a" * 12 + "_" + "b" * 41,
        "Digest username=ada",
        "Bearer " + "[" * 3_000,
    ],
)
async def test_garbage_in_the_header_is_refused_and_never_a_fault_of_ours(house: House, header: str) -> None:
    await house.user()
    told = await house.ask("/api/thing", Authorization=header)
    assert told.status == 401


async def test_a_wrong_token_is_not_taken_for_nothing_where_nothing_would_do(house: House) -> None:
    assert (await house.ask("/page")).text == "local local"
    assert (await house.ask("/page", Authorization="Bearer nonsense")).status == 401


# --- sessions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cookie",
    [
        "watchkeeper=",
        "watchkeeper=" + "a" * 43,
        "watchkeeper=' OR 1=1 --",
        "watchkeeper=\xff\xfe; watchkeeper=\xa0",
        "watchkeeper=" + "a" * 6_000,
        "; ".join(f"c{number}=x" for number in range(1_000)),
        "__Host-watchkeeper=" + "a" * 43,
        "watchkeeper",
        '$Version=1; watchkeeper="',
    ],
)
async def test_garbage_in_the_cookie_is_nobody(house: House, cookie: str) -> None:
    await house.user()
    assert (await house.ask("/open", Cookie=cookie)).text == "nobody nobody"
    assert (await house.ask("/page", Cookie=cookie)).status == 303


async def test_an_id_that_was_there_before_the_log_in_is_worth_nothing_after_it(house: House) -> None:
    """Session fixation."""
    planted = "watchkeeper=" + "x" * 43
    await house.user()
    told = await house.log_in("ada", PASSWORD, Cookie=planted)
    assert told.status == 200
    fresh = told.headers["Set-Cookie"].partition(";")[0]
    assert fresh != planted
    assert (await house.ask("/page", Cookie=planted)).status == 303
    assert (await house.ask("/page", Cookie=fresh)).text == "user ada"
    token = await house.form_token(fresh)
    told = await house.log_in("ada", PASSWORD, Cookie=fresh, X_CSRF_Token=token)
    again = told.headers["Set-Cookie"].partition(";")[0]
    assert again != fresh
    assert (await house.ask("/page", Cookie=fresh)).status == 303


async def test_no_script_and_no_other_site_gets_at_the_cookie(house: House) -> None:
    await house.user()
    cookie = (await house.log_in("ada", PASSWORD)).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    assert "Secure" not in cookie


async def test_under_tls_the_cookie_goes_by_tls_alone_and_no_other_host_can_set_it(tmp_path: Any) -> None:
    async with open_house(tmp_path, proxies=("127.0.0.1",)) as house:
        await house.user()
        behind = {"X_Forwarded_Proto": "https", "X_Forwarded_For": "192.0.2.7"}
        told = await house.log_in("ada", PASSWORD, **behind)
        cookie = told.headers["Set-Cookie"]
        assert cookie.startswith("__Host-watchkeeper=")
        assert "Secure" in cookie
        assert told.headers["Strict-Transport-Security"] == "max-age=31536000"
        session = cookie.partition(";")[0]
        assert (await house.ask("/page", Cookie=session, **behind)).text == "user ada"
        assert (await house.ask("/page", Cookie=session)).status == 303


async def test_a_session_is_over_when_nothing_came_for_long_and_at_the_latest_after_a_week(
    house: House,
) -> None:
    cookie = await house.cookie(await house.user())
    for _ in range(14):
        house.clock += DAY // 2 - 1
        assert (await house.ask("/page", Cookie=cookie)).status == 200
    house.clock += DAY // 2 - 1
    assert (await house.ask("/page", Cookie=cookie)).status == 303
    cookie = await house.cookie((await house.store.people.users())[0])
    house.clock += DAY // 2
    assert (await house.ask("/page", Cookie=cookie)).status == 303


# --- forged requests -------------------------------------------------------------------------------------------------

# What comes with a POST of somebody who is logged in, and what becomes of it. OURS stands for the right token.
FORGED: dict[str, tuple[dict[str, str], int]] = {
    "our form": ({"body": "csrf=OURS"}, 200),
    "our script": ({"X_CSRF_Token": "OURS"}, 200),
    "our form, as a browser sends it": (
        {"body": "csrf=OURS", "Origin": "HERE", "Sec_Fetch_Site": "same-origin"},
        200,
    ),
    "no token": ({"body": "a=1"}, 403),
    "a wrong token": ({"body": "csrf=wrong"}, 403),
    "an empty token": ({"body": "csrf="}, 403),
    "letters that are none": ({"X_CSRF_Token": "\xff"}, 403),
    "another site with our token": ({"body": "csrf=OURS", "Origin": EVIL}, 403),
    "a page of another kind of place": ({"body": "csrf=OURS", "Origin": "null"}, 403),
    "another port here": ({"body": "csrf=OURS", "Origin": "http://127.0.0.1:1"}, 403),
    "another site, says the browser": ({"body": "csrf=OURS", "Sec_Fetch_Site": "cross-site"}, 403),
    "a sister site": ({"body": "csrf=OURS", "Sec_Fetch_Site": "same-site"}, 403),
    "JSON without the header": ({"body": '{"csrf":"OURS"}', "Content_Type": "application/json"}, 403),
    "a form that is too large": ({"body": "csrf=OURS&a=" + "x" * 70_000}, 413),
    "a part that is a file": (
        {
            "body": '--b\r\nContent-Disposition: form-data; name="csrf"; filename="x"\r\n\r\nOURS\r\n--b--\r\n',
            "Content_Type": "multipart/form-data; boundary=b",
        },
        403,
    ),
}


@pytest.mark.parametrize("what", FORGED)
async def test_what_another_site_had_a_browser_send_is_refused(house: House, what: str) -> None:
    cookie = await house.cookie(await house.user())
    token = await house.form_token(cookie)
    headers, status = FORGED[what]
    given = {name: value.replace("OURS", token).replace("HERE", house.url) for name, value in headers.items()}
    assert (await house.post("/page", Cookie=cookie, **given)).status == status


async def test_the_token_of_one_session_is_none_in_another(house: House) -> None:
    ada = await house.user()
    cookie, other = await house.cookie(ada), await house.cookie(ada)
    token = await house.form_token(other)
    assert (await house.post("/page", Cookie=cookie, X_CSRF_Token=token)).status == 403


@pytest.mark.parametrize("headers", [{"Origin": EVIL}, {"Sec_Fetch_Site": "cross-site"}])
async def test_while_there_is_no_user_another_site_cannot_have_this_machine_change_anything(
    house: House, headers: dict[str, str]
) -> None:
    assert (await house.post("/api/thing")).status == 200
    assert (await house.post("/api/thing", **headers)).status == 403
    assert (await house.post("/open", **headers)).status == 403


async def test_a_name_that_was_made_to_mean_this_machine_opens_nothing(house: House) -> None:
    """DNS rebinding."""
    assert (await house.ask("/page", Host="rebound.example.org:8420")).status == 403


async def test_who_a_stranger_says_to_speak_for_is_not_heard(house: House) -> None:
    told = await house.ask("/open", X_Forwarded_For="10.0.0.1", X_Forwarded_Proto="https")
    assert told.headers["Whence"] == "127.0.0.1 False"


# --- guessing --------------------------------------------------------------------------------------------------------


async def test_ten_thousand_wrong_passwords_cost_little_and_keep_the_owner_out_for_moments_only(
    house: House,
) -> None:
    ada = await house.user()
    began, cpu = time.monotonic(), time.process_time()
    looked_at = 0
    for number in range(10_000):
        house.clock += 100  # ten a second, for a quarter of an hour
        name = "ada" if number % 2 else f"user{number}"
        try:
            await house.access.logins.user(name, f"wrong {number}", ELSEWHERE)
        except Refusal as refusal:
            looked_at += refusal.status == 401
    assert looked_at < 50, "so many passwords were compared, where ten thousand were tried"
    assert time.process_time() - cpu < 20
    assert time.monotonic() - began < 60
    assert len(house.access.logins.guessing) < 200
    house.clock += 30_000
    assert await house.access.logins.user("ada", PASSWORD, HERE) == ada
    rows = await house.access.audit.rows(100, what="login.guessing")
    assert 1 <= len(rows) <= 5


async def test_guesses_from_ten_thousand_places_are_bounded_in_memory(house: House) -> None:
    guessing = house.access.logins.guessing
    for number in range(30_000):
        place = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        guessing.was_wrong(Try(f"user{number}", place), 1.0)
    assert len(guessing) <= 30_000


async def test_an_owner_gets_in_by_a_browser_of_theirs_however_many_guess_in_their_name(house: House) -> None:
    await house.user()
    await house.user("bob")
    told = await house.log_in("ada", PASSWORD)
    device = next(cookie for cookie in told.headers.getall("Set-Cookie") if "-device" in cookie)
    assert "HttpOnly" in device
    assert "SameSite=Strict" in device
    device = device.partition(";")[0]
    for number in range(200):
        for place in ("loopback", f"10.0.0.{number}"):
            house.access.logins.guessing.was_wrong(Try("ada", place), house.clock / 1000)
    assert (await house.log_in("ada", PASSWORD, Cookie=device)).status == 200
    assert (await house.log_in("ada", PASSWORD)).status == 429
    with pytest.raises(Refusal, match="too many wrong passwords; try again in 30 s"):
        await house.access.logins.user("ada", PASSWORD, ELSEWHERE)
    # It is that of its user alone, counts by itself, and opens nothing.
    for forged in (device + "x", device.replace("=", "=x"), "watchkeeper-device=" + "a." * 900):
        assert (await house.log_in("ada", PASSWORD, Cookie=forged)).status == 429
    assert (await house.ask("/page", Cookie=device)).status == 303
    assert (await house.log_in("bob", PASSWORD, Cookie=device)).status == 429
    tries = [(await house.log_in("ada", "wrong", Cookie=device)).status for _ in range(7)]
    assert tries == [401] * 5 + [429] * 2
    house.clock += 400 * DAY
    assert (await house.log_in("ada", "wrong", Cookie=device)).status == 401


async def test_a_name_that_is_nobodys_is_refused_like_a_wrong_password_and_takes_as_long(
    house: House,
) -> None:
    await house.user()
    bob = await house.user("bob")
    await house.store.people.disable(bob.id, NOW)
    await house.access.passwords.fits("warm", None)
    took: dict[str, list[float]] = {"ada": [], "nobody-of-that-name": [], "bob": []}
    said = set()
    for turn in range(4):
        for name, times in took.items():
            began = time.perf_counter()
            with pytest.raises(Refusal) as refused:
                await house.access.logins.user(
                    name, f"wrong {turn}", Whence(f"10.0.0.{turn}", f"10.0.0.{turn}")
                )
            times.append(time.perf_counter() - began)
            said.add((refused.value.status, refused.value.code, str(refused.value)))
    assert said == {(401, "wrong", "name and password do not fit together")}
    least = [min(times) for times in took.values()]
    assert max(least) < 3 * min(least)


async def test_few_passwords_are_compared_at_once_and_few_wait(house: House) -> None:
    ada = await house.user()
    tries = [house.access.passwords.fits("wrong", ada.password_hash) for _ in range(60)]
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert (
        sum(isinstance(answer, Refusal) and answer.status == 503 for answer in answers) == 60 - AT_ONCE - 20
    )
    assert sum(answer is False for answer in answers) == AT_ONCE + 20


async def test_a_password_of_megabytes_is_not_hashed(house: House) -> None:
    ada = await house.user()
    assert not await house.access.passwords.fits("x" * (BYTES_MAX + 1), ada.password_hash)
    with pytest.raises(Refusal, match="at most"):
        await house.access.desk.add_user(LOCAL, "bob", "viewer", "abcd" * BYTES_MAX)


# --- more than one may give ------------------------------------------------------------------------------------------


async def test_an_admin_makes_nobody_an_owner_and_takes_no_owners_place(house: House) -> None:
    ada = await house.user()
    await house.user("bob", "admin")
    admin = Who("bob", "user", house.access.roles.permissions("admin"))
    desk = house.access.desk
    for attempt in (
        desk.add_user(admin, "eve", "owner", PASSWORD),
        desk.set_role(admin, "bob", "owner"),
        desk.set_password(admin, "ada", PASSWORD),
        desk.disable(admin, "ada"),
        desk.add_api_token(admin, "more", ["monitoring.audit.read"]),
    ):
        with pytest.raises(Refusal, match="holds rights that bob lacks: monitoring\\.audit") as refused:
            await attempt
        assert refused.value.status == 403
    assert await house.store.people.users() == [ada, await house.store.people.user("bob")]
