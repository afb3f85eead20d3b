"""The check http: what a good and a bad page are, what takes how long, and what may be written in its options."""

from __future__ import annotations

import socket
import time
from typing import Any

import msgspec
import pytest
import trustme

from agent.checks.http import Options, Target, status_ranges
from tests.agent.checks.asking_http import (
    NO_ANSWER,
    PHASES,
    STATUS,
    TOTAL_MS,
    asked,
    certified,
    page,
    request_of,
    says,
    within,
)
from tests.agent.checks.conftest import Serve

# --- answers ----------------------------------------------------------------------------------------------------------


def test_a_good_page_is_ok_and_timed(serve: Serve) -> None:
    found = asked(serve(says(page())))
    assert (found.state, found.detail) == ("ok", "")
    assert found.samples[STATUS] == 200
    assert 0 < (found.samples[TOTAL_MS] or 0) < 2000


def test_what_is_sent_is_a_plain_request(serve: Serve) -> None:
    requests = []

    def remember(sock: socket.socket) -> None:
        requests.append(request_of(sock))
        sock.sendall(page())

    port = serve(remember)
    assert asked(port, "/straße?q=a b".replace(" ", "%20"), method="HEAD").state == "ok"
    lines = requests[0].decode().split("\r\n")
    assert lines[0] == "HEAD /stra%C3%9Fe?q=a%20b HTTP/1.1"
    assert f"Host: 127.0.0.1:{port}" in lines
    assert "User-Agent: watchkeeper-agent" in lines
    assert "Accept-Encoding: identity" in lines, "a compressed body could not be searched"


def test_an_error_page_is_bad_and_still_timed(serve: Serve) -> None:
    found = asked(serve(says(page("500 Internal Server Error"))))
    assert (found.state, found.detail) == ("bad", "answered 500 Internal Server Error, expected 200-399")
    assert found.samples[STATUS] == 500
    assert found.samples[TOTAL_MS] is not None


def test_an_error_page_can_be_what_is_expected(serve: Serve) -> None:
    port = serve(says(page("401 Unauthorized")))
    assert asked(port, expect_status=401).state == "ok"
    assert asked(port, expect_status="200-299, 401").state == "ok"
    assert asked(port, expect_status=200).detail == "answered 401 Unauthorized, expected 200"


def test_the_body_is_searched(serve: Serve) -> None:
    port = serve(says(page(body="Alles läuft".encode())))
    assert asked(port, body_contains="läuft").state == "ok"
    found = asked(port, body_contains="broken")
    assert (found.state, found.detail) == ("bad", 'the body does not contain "broken"')


def test_a_body_in_chunks_is_searched_as_a_whole(serve: Serve) -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nall \r\n7\r\nis well\r\n0\r\n\r\n"
    assert asked(serve(says(answer)), body_contains="all is well").state == "ok"


def test_of_a_body_without_end_only_the_allowed_part_is_read(serve: Serve) -> None:
    def endless(sock: socket.socket) -> None:
        request_of(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            sock.sendall(b"x" * 65_536)

    with within(4):
        assert asked(serve(endless)).state == "ok"
    found = asked(serve(endless), body_contains="y")
    assert found.detail == 'the part of the body that is read does not contain "y"'


def test_a_slow_answer_is_a_warning_in_words_that_stay_the_same(serve: Serve) -> None:
    def slow(sock: socket.socket) -> None:
        request_of(sock)
        time.sleep(0.1)
        sock.sendall(page())

    found = asked(serve(slow), slow_ms=50)
    assert (found.state, found.detail) == ("warn", "slower than 50 ms")
    assert asked(serve(slow), slow_ms=4_000).state == "ok"


def test_the_body_is_read_as_json(serve: Serve) -> None:
    port = serve(
        says(page(body=b'{"status": "up", "ok": true, "nodes": [{"lag": 3}, {"lag": 4.5}], "none": null}'))
    )
    assert asked(port, json_path="status", json_equals="up").state == "ok"
    assert asked(port, json_path="nodes.1.lag", json_equals=4.5).state == "ok"
    assert asked(port, json_path="ok", json_equals=True).state == "ok"
    assert asked(port, json_path="none").state == "ok", "it is there"
    for path, wanted, fault in [
        ("status", "down", 'status is "up", expected "down"'),
        ("nodes.0.lag", "3", 'nodes.0.lag is 3, expected "3"'),
        ("ok", 1, "ok is true, expected 1"),
        ("none", False, "none is null, expected false"),
        ("nodes", 3, 'nodes is [{"lag":3},{"lag":4.5}], expected 3'),
        ("nodes.2.lag", None, 'the JSON has no nodes.2.lag: there is no "2" in nodes'),
        ("nodes.first", None, 'the JSON has no nodes.first: there is no "first" in nodes'),
        ("status.up", None, 'the JSON has no status.up: there is no "up" in status'),
        ("health", None, 'the JSON has no health: there is no "health" at its top'),
    ]:
        found = asked(port, json_path=path, json_equals=wanted)
        assert (found.state, found.detail) == ("bad", fault)
        assert found.samples[STATUS] == 200


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"<html>oops</html>", 'the body is no JSON; it begins with "<html>oops</html>"'),
        (b'{"a": 1', 'the body is no JSON; it begins with "{"a": 1"'),
        (b"\xff\xfe", 'the body is no JSON; it begins with "\ufffd\ufffd"'),
        (b"", "the body is empty"),
        (b'{"a": "\\ud800"}', 'the body is no JSON; it begins with "{"a": "\\ud800"}"'),
        (b"[" * 5_000, 'the body is no JSON; it begins with "' + "[" * 60 + '"'),
        (b'{"a": "' + b"x" * 500 + b'"}', 'a is "' + "x" * 99 + "\u2026, expected 1"),
        (
            b'{"a": 1, "b": "' + b"x" * 10_000,
            "the body is larger than 8KiB and was not read as JSON; see body_max",
        ),
    ],
)
def test_a_body_that_is_not_the_json_that_was_expected(serve: Serve, body: bytes, fault: str) -> None:
    found = asked(serve(says(page(body=body))), json_path="a", json_equals=1, body_bytes_max=8192)
    assert (found.state, found.detail) == ("bad", fault)


# --- phases -----------------------------------------------------------------------------------------------------------


def test_each_phase_is_timed_and_they_add_up(serve: Serve, authority: trustme.CA, ca_file: str) -> None:
    def slow(sock: socket.socket) -> None:
        request_of(sock)
        time.sleep(0.2)
        sock.sendall(page(body=b"x" * 20)[:-10])
        time.sleep(0.4)
        sock.sendall(b"x" * 10)

    found = asked(
        serve(slow, certified(authority, "localhost")), scheme="https", host="localhost", ca_file=ca_file
    )
    ms = {phase: found.samples[name] or 0 for phase, name in PHASES.items()}
    assert ms["first_byte"] > 199
    assert ms["transfer"] > 350, "of 400, less what passed before the first byte was seen"
    assert all(ms[phase] > 0 for phase in ("name", "connect", "tls"))
    assert sum(ms.values()) == pytest.approx(found.samples[TOTAL_MS])


def test_a_slow_handshake_is_the_tls_phase(serve: Serve, authority: trustme.CA, ca_file: str) -> None:
    context = certified(authority, "127.0.0.1")

    def late(sock: socket.socket) -> None:
        time.sleep(0.3)
        with context.wrap_socket(sock, server_side=True) as secure:
            says(page())(secure)

    found = asked(serve(late), scheme="https", ca_file=ca_file)
    assert found.state == "ok"
    assert (found.samples[PHASES["tls"]] or 0) > 299


def test_without_tls_there_is_no_such_phase(serve: Serve) -> None:
    found = asked(serve(says(page())))
    assert list(found.samples) == list(NO_ANSWER)


def test_the_phases_of_redirects_add_up(serve: Serve) -> None:
    def slow(sock: socket.socket) -> None:
        path = request_of(sock).split(b" ")[1]
        time.sleep(0.15)
        sock.sendall(page("302 Found", b"", "Location: /there\r\n") if path == b"/" else page())

    found = asked(serve(slow))
    assert (found.samples[PHASES["first_byte"]] or 0) > 299


# --- options ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "example.org",
        "ftp://example.org/",
        "http://",
        "http://:80/",
        "http://a:99999/",
        "http://a/ b",
        "http://a\n/",
        "//x",
    ],
)
def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="is not a web address"):
        msgspec.convert({"url": url}, Options)


def test_a_password_in_an_address_is_refused_without_repeating_it() -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert({"url": "http://me:hunter2@example.org/"}, Options)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"method": "HEAD", "body_contains": "x"}, "body_contains: an answer to HEAD has no body"),
        ({"method": "HEAD", "json_path": "x"}, "json_path: an answer to HEAD has no body"),
        ({"json_equals": 1}, "json_equals: say with json_path which value is meant"),
    ],
)
def test_what_cannot_be_found_in_a_body_is_refused(options: dict[str, Any], why: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=why):
        msgspec.convert({"url": "http://example.org/"} | options, Options)


@pytest.mark.parametrize("text", ["2xx", "", "20", "299-200", "600", "200;201", -1])
def test_what_is_no_status_is_refused(text: int | str) -> None:
    with pytest.raises(msgspec.ValidationError, match='is no status; write 200, 200-299 or "200-299, 404"'):
        msgspec.convert({"url": "http://example.org/", "expect_status": text}, Options)


def test_ranges_of_status() -> None:
    assert status_ranges(200) == [range(200, 201)]
    assert status_ranges(" 200 - 299,404 ") == [range(200, 300), range(404, 405)]


def test_an_address_taken_apart() -> None:
    assert Target.of("https://example.org").path == "/"
    assert Target.of("https://example.org:443/x").name == "example.org"
    assert Target.of("http://[::1]:8080/").name == "[::1]:8080"
    assert Target.of("http://bücher.example/").name == "xn--bcher-kva.example"
    assert Target.of("http://a/%7Euser/a%20b?x=%C3%A4&y=1#part").path == "/%7Euser/a%20b?x=%C3%A4&y=1"
