"""Logging in and out, the first user and one's own account, in the collector as it runs, without JavaScript."""

from __future__ import annotations

import html
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from collector.who import LOCAL
from tests.collector.whole import Answer, Whole, whole_collector

PASSWORD, ANOTHER = "correct horse battery", "staple and more of it"


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[Whole]:
    async with whole_collector(tmp_path) as whole:
        yield whole


async def with_ada(whole: Whole) -> None:
    await whole.parts.access.desk.add_user(LOCAL, "ada", "owner", PASSWORD)


def cookie_of(answer: Answer) -> str:
    return answer.headers["Set-Cookie"].partition(";")[0]


def form_of(answer: Answer) -> dict[str, str]:
    """The hidden fields of the page's forms."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', answer.text))


def words(answer: Answer) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", answer.text)))


async def logged_in(whole: Whole, password: str = PASSWORD, **headers: str) -> str:
    done = await whole.post("/login", {"name": "ada", "password": password, "next": "/notices"}, **headers)
    assert (done.status, done.headers["Location"]) == (303, "/notices")
    return cookie_of(done)


async def test_whoever_logs_in_is_led_to_where_they_wanted_to_go(whole: Whole) -> None:
    await with_ada(whole)
    led = await whole.ask("/hosts/7?range=1d")
    assert led.status == 303
    page = await whole.ask(led.headers["Location"])
    assert page.status == 200
    assert form_of(page)["next"] == "/hosts/7?range=1d"
    fields = {**form_of(page), "name": "ADA", "password": PASSWORD}
    done = await whole.post("/login", fields)
    assert (done.status, done.headers["Location"]) == (303, "/hosts/7?range=1d")
    overview = await whole.ask("/", Cookie=cookie_of(done))
    assert overview.status == 200
    assert '<a href="/account">Account</a>' in overview.text
    again = await whole.ask("/login?next=//evil.example.org", Cookie=cookie_of(done))
    assert (again.status, again.headers["Location"]) == (303, "/")


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("ada", "wrong"),
        ("eve", PASSWORD),
        ("", ""),
        ("<b>", "x"),
        ("ada' --", PASSWORD),
        ("ada", "' OR 1=1 --"),
    ],
)
async def test_a_wrong_password_keeps_the_name_and_tells_nothing_else(
    whole: Whole, name: str, password: str
) -> None:
    await with_ada(whole)
    page = await whole.post("/login", {"name": name, "password": password, "next": "/"})
    assert page.status == 401
    assert "Name and password do not fit together." in words(page)
    assert f'value="{html.escape(name).replace("&#x27;", "&#39;")}"' in page.text
    assert "Set-Cookie" not in page.headers


async def test_whoever_guesses_is_told_how_long_to_wait(whole: Whole) -> None:
    await with_ada(whole)
    for _ in range(5):
        assert (await whole.post("/login", {"name": "ada", "password": "wrong"})).status == 401
    page = await whole.post("/login", {"name": "ada", "password": PASSWORD})
    assert (page.status, page.headers["Retry-After"]) == (429, "1")
    assert "There were too many wrong passwords; try again in 1 s." in words(page)


@pytest.mark.parametrize(
    ("form", "headers", "status"),
    [
        ({"name": "ada", "password": PASSWORD}, {"Origin": "https://evil.example.org"}, 403),
        ({"name": "ada", "password": PASSWORD}, {"Sec_Fetch_Site": "cross-site"}, 403),
        ({"name": "ada", "password": "x" * 3_000}, {}, 413),
        ({"name": "ada", "password": "x" * 30_000}, {}, 413),
        ({"name": "ada", "password": PASSWORD}, {"Content_Type": "text/plain"}, 415),
    ],
)
async def test_a_log_in_that_no_form_of_ours_sends_is_refused(
    whole: Whole, form: dict[str, str], headers: dict[str, str], status: int
) -> None:
    await with_ada(whole)
    answer = await whole.post("/login", form, **headers)
    assert answer.status == status
    assert "Set-Cookie" not in answer.headers


async def test_whoever_logs_out_is_nobody_again(whole: Whole) -> None:
    await with_ada(whole)
    cookie = await logged_in(whole)
    token = form_of(await whole.ask("/account", Cookie=cookie))["csrf"]
    assert (await whole.post("/logout", {}, Cookie=cookie)).status == 403
    done = await whole.post("/logout", {"csrf": token}, Cookie=cookie)
    assert (done.status, done.headers["Location"]) == (303, "/login")
    assert "Max-Age=0" in done.headers["Set-Cookie"]
    assert (await whole.ask("/notices", Cookie=cookie)).status == 303


async def test_the_account_shows_where_one_is_logged_in_and_ends_it_there(whole: Whole) -> None:
    await with_ada(whole)
    phone = await logged_in(whole, User_Agent="Phone <script>")
    laptop = await logged_in(whole, User_Agent="Laptop")
    page = await whole.ask("/account", Cookie=laptop)
    assert page.status == 200
    assert "Phone &lt;script&gt;" in page.text
    assert words(page).count("this one") == 1
    fields = form_of(page)
    done = await whole.post(
        "/account/sessions", {"csrf": fields["csrf"], "session": "nonsense"}, Cookie=laptop
    )
    assert done.status == 303
    assert (await whole.ask("/notices", Cookie=phone)).status == 200
    await whole.post(
        "/account/sessions", {"csrf": fields["csrf"], "session": fields["session"]}, Cookie=laptop
    )
    assert (await whole.ask("/notices", Cookie=phone)).status == 303
    phone = await logged_in(whole, User_Agent="Phone")
    await whole.post("/account/sessions", {"csrf": fields["csrf"]}, Cookie=laptop)
    assert (await whole.ask("/notices", Cookie=phone)).status == 303
    assert (await whole.ask("/notices", Cookie=laptop)).status == 200


async def test_programs_that_act_for_one_are_counted_and_logged_out(whole: Whole) -> None:
    await with_ada(whole)
    cookie = await logged_in(whole)
    assert "Programs that act for you" not in words(await whole.ask("/account", Cookie=cookie))
    tokens = (await whole.post_json("/api/monitoring/login", {"name": "ada", "password": PASSWORD})).json
    acting = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert (await whole.ask("/notices", **acting)).status == 200
    page = await whole.ask("/account", Cookie=cookie)
    assert "1 program logged in by your password." in words(page).replace("\u00a0", " ")
    done = await whole.post("/account/programs", {"csrf": form_of(page)["csrf"]}, Cookie=cookie)
    assert (done.status, done.headers["Location"]) == (303, "/account?done=programs")
    assert (await whole.ask("/notices", **acting)).status == 401
    refreshed = await whole.post_json(
        "/api/monitoring/login/refresh", {"refresh_token": tokens["refresh_token"]}
    )
    assert refreshed.status == 401


async def test_a_new_password_logs_out_all_but_this_browser(whole: Whole) -> None:
    await with_ada(whole)
    phone, laptop = await logged_in(whole), await logged_in(whole)
    token = form_of(await whole.ask("/account", Cookie=laptop))["csrf"]

    async def change(old: str, new: str, again: str) -> Answer:
        fields = {"csrf": token, "old": old, "password": new, "again": again}
        return await whole.post("/account/password", fields, Cookie=laptop)

    for old, new, again, sentence in (
        ("wrong", ANOTHER, ANOTHER, "Name and password do not fit together."),
        (PASSWORD, ANOTHER, "other", "The two passwords are not alike; type the same one twice."),
        (PASSWORD, "short", "short", "A password has 10 letters at least."),
    ):
        assert sentence in words(await change(old, new, again))
    done = await change(PASSWORD, ANOTHER, ANOTHER)
    assert (done.status, done.headers["Location"]) == (303, "/account?done=password")
    fresh = cookie_of(done)
    assert "Your password is changed" in words(await whole.ask("/account?done=password", Cookie=fresh))
    assert (await whole.ask("/notices", Cookie=phone)).status == 303
    assert (await whole.ask("/notices", Cookie=laptop)).status == 303
    assert await logged_in(whole, ANOTHER)


async def test_the_first_user_is_made_once_by_the_link_that_the_start_says(
    whole: Whole, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        whole.parts.access.setup.tell("https://watch.example.org")
    link = re.search(r"https://watch\.example\.org(/setup\?code=[\w-]+)", caplog.text)
    assert link is not None
    elsewhere = {"Host": "watch.example.org"}
    assert (await whole.ask("/setup?code=wrong", **elsewhere)).status == 403
    page = await whole.ask(link[1], **elsewhere)
    assert page.status == 200
    fields = {**form_of(page), "name": "ada", "password": PASSWORD, "again": PASSWORD}
    unlike = await whole.post("/setup", {**fields, "again": "other"}, **elsewhere)
    assert unlike.status == 422
    assert "The two passwords are not alike" in words(unlike)
    assert "is no name of a user" in words(await whole.post("/setup", {**fields, "name": "a b"}, **elsewhere))
    done = await whole.post("/setup", fields, **elsewhere)
    assert (done.status, done.headers["Location"]) == (303, "/")
    assert (await whole.ask("/", Cookie=cookie_of(done), **elsewhere)).status == 200
    (ada,) = await whole.store.people.users()
    assert (ada.name, ada.role) == ("ada", "owner")
    assert (await whole.ask(link[1], **elsewhere)).status == 403
    assert (await whole.post("/setup", {**fields, "name": "eve"}, **elsewhere)).status == 403


async def test_where_there_is_no_user_nobody_needs_to_log_in_on_this_machine(whole: Whole) -> None:
    for path in ("/login", "/account"):
        answer = await whole.ask(path)
        assert (answer.status, answer.headers["Location"]) == (303, "/")
