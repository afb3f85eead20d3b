"""Redirects: followed as far as is allowed, and to no place where a check may not go."""

from __future__ import annotations

import pytest

from agent.checks.http import Check, Options
from agent.net.dial import OutOfReach
from agent.net.reach import beyond_link
from tests.agent.checks.asking_http import NO_ANSWER, STATUS, asked, redirecting
from tests.agent.checks.conftest import Serve


@pytest.mark.parametrize(
    "status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"]
)
def test_redirects_are_followed(serve: Serve, status: str) -> None:
    port = serve(redirecting(status, {"/": "/here", "/here": "there?x=1", "/there?x=1": None}.get))
    found = asked(port, body_contains="all is well")
    assert (found.state, found.detail) == ("ok", "")
    assert found.samples[STATUS] == 200


def test_redirects_for_ever_end(serve: Serve) -> None:
    port = serve(redirecting("302 Found", lambda path: "/again"))
    found = asked(port)
    assert found.samples == NO_ANSWER
    assert found.state == "bad"
    assert found.detail == f"redirected more than 5 times, at last to http://127.0.0.1:{port}/again"


def test_a_redirect_does_not_lead_to_where_the_check_may_not_go(serve: Serve) -> None:
    port = serve(redirecting("302 Found", lambda path: "http://169.254.169.254/latest/"))
    check = Check(Options(id="shop", url=f"http://127.0.0.1:{port}/"))
    check.reach = beyond_link
    with pytest.raises(OutOfReach, match=r"169\.254\.169\.254:80 is link-local"):
        check.measure(0.0)


def test_with_none_to_follow_a_redirect_is_the_answer(serve: Serve) -> None:
    port = serve(redirecting("302 Found", lambda path: "/again"))
    found = asked(port, redirects_max=0, expect_status=302)
    assert (found.state, found.samples[STATUS]) == ("ok", 302)


def test_a_wrong_answer_after_redirects_says_so(serve: Serve) -> None:
    port = serve(redirecting("302 Found", {"/": "/login", "/login": None}.get))
    assert asked(port, expect_status=302).detail == "answered 200 OK after following 1 redirect, expected 302"


@pytest.mark.parametrize(
    "location", ["ftp://example.org/", "file:///etc/passwd", "https:///x", "http://[::1", "//a:x/"]
)
def test_a_redirect_to_what_is_no_web_address_is_bad(serve: Serve, location: str) -> None:
    port = serve(redirecting("302 Found", lambda path: location))
    found = asked(port)
    assert found.detail == f'127.0.0.1:{port} redirects to "{location}", which is no web address'


def test_a_redirect_to_a_dead_server_says_which(serve: Serve, free_port: int) -> None:
    port = serve(redirecting("302 Found", lambda path: f"http://127.0.0.1:{free_port}/"))
    assert asked(port).detail == f"connection refused by 127.0.0.1:{free_port}"
