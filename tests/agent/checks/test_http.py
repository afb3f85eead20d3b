from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import trustme

from agent.checks import Measured
from agent.checks.http import Check, Options, Target, status_ranges
from agent.net.dial import OutOfReach
from agent.net.reach import beyond_link
from tests.agent.checks.conftest import Handler, Serve

STATUS, TOTAL_MS = 'http_status{check="shop"}', 'http_total_ms{check="shop"}'
PHASES = {
    phase: f'http_phase_ms{{check="shop",phase="{phase}"}}'
    for phase in ("name", "connect", "tls", "first_byte", "transfer")
}
NO_ANSWER = dict.fromkeys([STATUS, TOTAL_MS, *(name for phase, name in PHASES.items() if phase != "tls")])
NO_SECURE_ANSWER = NO_ANSWER | {PHASES["tls"]: None}


def asked(port: int, path: str = "/", scheme: str = "http", host: str = "127.0.0.1", **more: Any) -> Measured:
    url = f"{scheme}://{host}:{port}{path}"
    return Check(Options(**{"id": "shop", "url": url, "timeout_s": 5.0} | more)).measure(0.0)


def request_of(sock: socket.socket) -> bytes:
    heard = b""
    while b"\r\n\r\n" not in heard and (more := sock.recv(4096)):
        heard += more
    return heard


def says(answer: bytes) -> Handler:
    """Wait for the request, then say this and hang up."""

    def handler(sock: socket.socket) -> None:
        request_of(sock)
        sock.sendall(answer)

    return handler


def page(status: str = "200 OK", body: bytes = b"all is well", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


@contextlib.contextmanager
def within(seconds: float) -> Any:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


# --- answers ----------------------------------------------------------------------------------------------------------


def test_a_good_page_is_ok_and_timed(serve: Serve) -> None:
    found = asked(serve(says(page())))
    assert (found.state, found.detail) == ("ok", "")
    assert found.samples[STATUS] == 200
    assert found.samples[TOTAL_MS] is not None
    assert 0 < found.samples[TOTAL_MS] < 2000


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


# --- redirects --------------------------------------------------------------------------------------------------------


def redirecting(status: str, location: Callable[[str], str | None]) -> Handler:
    """Redirect from a path to what `location` says for it; None is a page."""

    def handler(sock: socket.socket) -> None:
        to = location(request_of(sock).split(b" ")[1].decode())
        sock.sendall(page() if to is None else page(status, b"moved", f"Location: {to}\r\n"))

    return handler


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


# --- no answer --------------------------------------------------------------------------------------------------------


def test_a_refused_connection(free_port: int) -> None:
    found = asked(free_port)
    assert found.samples == NO_ANSWER
    assert (found.state, found.detail) == ("bad", f"connection refused by 127.0.0.1:{free_port}")


def test_a_name_that_does_not_resolve() -> None:
    found = asked(80, host="no-such-host.invalid")
    assert found.samples == NO_ANSWER
    assert found.state == "bad"
    assert found.detail.startswith("the name no-such-host.invalid does not resolve (")


def test_a_server_that_accepts_and_says_nothing(serve: Serve) -> None:
    done = threading.Event()
    with within(1.5):
        found = asked(serve(lambda sock: done.wait(10) and None), timeout_s=0.4)
    done.set()
    assert found.samples == NO_ANSWER
    assert (found.state, found.detail) == ("bad", "no complete answer within 0.4 s (got nothing)")


@pytest.mark.parametrize("beginning", [b"HTT", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\nbody "])
def test_a_server_that_drips_ends_with_the_limit_on_everything(serve: Serve, beginning: bytes) -> None:
    done = threading.Event()

    def drip(sock: socket.socket) -> None:
        request_of(sock)
        sock.sendall(beginning)
        while not done.wait(0.1):
            sock.sendall(b".")

    with within(1.5):
        found = asked(serve(drip), timeout_s=0.5)
    done.set()
    assert found.samples == NO_ANSWER
    assert found.state == "bad"
    words, _, got = found.detail.partition(" (got ")
    assert words == "no complete answer within 0.5 s"
    assert len(beginning) < int(got.removesuffix(" bytes)")) < len(beginning) + 10


def test_the_limit_is_on_all_redirects_together(serve: Serve) -> None:
    def slow(sock: socket.socket) -> None:
        request_of(sock)
        time.sleep(0.2)
        sock.sendall(page("302 Found", b"", "Location: /\r\n"))

    with within(1.5):
        assert "within 0.5 s" in asked(serve(slow), timeout_s=0.5).detail


def test_a_reset_connection(serve: Serve) -> None:
    def reset(sock: socket.socket) -> None:
        request_of(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    port = serve(reset)
    found = asked(port)
    assert found.samples == NO_ANSWER
    assert (found.state, found.detail) == ("bad", f"connection reset by 127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (b"", "closed the connection without an answer"),
        (b"SSH-2.0-OpenSSH\r\n", 'does not speak HTTP; it said "SSH-2.0-OpenSSH"'),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf",
            "closed the connection in the middle of its answer",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
            "closed the connection in the middle of its answer",
        ),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000, "answered with broken HTTP: got more than 65536 bytes"),
        (
            b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
            "answered with broken HTTP: got more than 100 headers",
        ),
    ],
)
def test_what_is_no_whole_answer_in_http(serve: Serve, answer: bytes, fault: str) -> None:
    port = serve(says(answer))
    found = asked(port)
    assert found.samples == NO_ANSWER
    assert found.state == "bad"
    assert found.detail.startswith(f"127.0.0.1:{port} {fault}")


# --- TLS --------------------------------------------------------------------------------------------------------------


def certified(authority: trustme.CA, *names: str, until: datetime | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, not_after=until).configure_cert(context)
    return context


def test_a_trusted_certificate_is_ok(serve: Serve, authority: trustme.CA, ca_file: str) -> None:
    port = serve(says(page()), certified(authority, "localhost"))
    found = asked(port, scheme="https", host="localhost", ca_file=ca_file)
    assert (found.state, found.detail, found.samples[STATUS]) == ("ok", "", 200)


def test_an_address_without_a_name_can_have_a_certificate(
    serve: Serve, authority: trustme.CA, ca_file: str
) -> None:
    port = serve(says(page()), certified(authority, "127.0.0.1"))
    assert asked(port, scheme="https", ca_file=ca_file).state == "ok"


def test_an_authority_nobody_here_knows(serve: Serve, authority: trustme.CA) -> None:
    found = asked(serve(says(page()), certified(authority, "localhost")), scheme="https", host="localhost")
    assert found.samples == NO_SECURE_ANSWER
    assert found.state == "bad"
    assert found.detail == "the certificate of localhost was issued by an authority that is not trusted here"


def test_a_certificate_for_another_name(serve: Serve, authority: trustme.CA, ca_file: str) -> None:
    port = serve(says(page()), certified(authority, "example.org"))
    found = asked(port, scheme="https", host="localhost", ca_file=ca_file)
    assert (found.state, found.detail) == ("bad", "the certificate is not for localhost")


def test_an_expired_certificate_says_since_when(serve: Serve, authority: trustme.CA, ca_file: str) -> None:
    until = datetime.now(UTC) - timedelta(days=3)
    port = serve(says(page()), certified(authority, "localhost", until=until))
    found = asked(port, scheme="https", host="localhost", ca_file=ca_file)
    assert found.state == "bad"
    assert found.detail == f"the certificate of localhost expired on {until:%Y-%m-%d}"


def test_a_self_signed_certificate(serve: Serve) -> None:
    alone = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with alone.cert_pem.tempfile() as certificate, alone.private_key_pem.tempfile() as key:
        context.load_cert_chain(certificate, key)
    found = asked(serve(says(page()), context), scheme="https", host="localhost")
    assert (found.state, found.detail) == (
        "bad",
        "the certificate of localhost is self-signed and not trusted here",
    )


def test_any_certificate_does_when_none_is_verified(serve: Serve, authority: trustme.CA) -> None:
    until = datetime.now(UTC) - timedelta(days=3)
    port = serve(says(page()), certified(authority, "example.org", until=until))
    assert asked(port, scheme="https", verify=False).state == "ok"


def test_a_server_that_speaks_no_tls(serve: Serve) -> None:
    port = serve(lambda sock: sock.sendall(b"220 mail.example.org ESMTP\r\n"))
    found = asked(port, scheme="https")
    assert found.detail == "no TLS connection to 127.0.0.1: the other side does not speak TLS"


def test_a_handshake_that_never_ends(serve: Serve) -> None:
    done = threading.Event()
    with within(1.5):
        found = asked(serve(lambda sock: done.wait(10) and None), scheme="https", timeout_s=0.4)
    done.set()
    assert found.detail == "127.0.0.1 did not complete the TLS handshake within 0.4 s"


def test_a_drip_by_tls_ends_with_the_limit_too(serve: Serve, authority: trustme.CA, ca_file: str) -> None:
    done = threading.Event()

    def drip(sock: socket.socket) -> None:
        request_of(sock)
        while not done.wait(0.1):
            sock.sendall(b"H")

    with within(1.5):
        found = asked(
            serve(drip, certified(authority, "127.0.0.1")), scheme="https", ca_file=ca_file, timeout_s=0.6
        )
    done.set()
    assert found.detail.startswith("no complete answer within 0.6 s (got ")


def test_a_missing_file_of_authorities_is_our_own_fault(free_port: int) -> None:
    with pytest.raises(OSError, match=r"ca_file: /no/such.pem cannot be used: No such file or directory"):
        asked(free_port, scheme="https", ca_file="/no/such.pem")


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
