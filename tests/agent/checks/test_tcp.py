from __future__ import annotations

import socket
import threading
import time

import pytest

from agent.checks import Measured
from agent.checks.tcp import Check, Options
from tests.agent.checks.conftest import Serve

SERIES = 'tcp_connect_ms{check="ssh"}'


def asked(port: int, host: str = "127.0.0.1", expect: str = "", timeout_s: float = 3.0) -> Measured:
    options = Options(id="ssh", host=host, port=port, expect=expect, timeout_s=timeout_s)
    return Check(options).measure(0.0)


def test_a_port_that_takes_connections_is_ok_and_timed(serve: Serve) -> None:
    found = asked(serve(lambda sock: None))
    assert (found.state, found.detail) == ("ok", "")
    assert 0 < (found.samples[SERIES] or 0) < 1000


def test_a_name_is_tried_at_all_its_addresses(serve: Serve) -> None:
    # Where localhost is ::1 too, nobody listens there.
    assert asked(serve(lambda sock: None), host="localhost").state == "ok"


def test_a_refused_connection_says_by_whom(free_port: int) -> None:
    found = asked(free_port)
    assert found.samples == {SERIES: None}
    assert (found.state, found.detail) == ("bad", f"connection refused by 127.0.0.1:{free_port}")
    assert f"localhost:{free_port} (" in asked(free_port, host="localhost").detail


def test_a_name_that_does_not_resolve_says_so() -> None:
    found = asked(22, host="no-such-host.invalid")
    assert found.state == "bad"
    assert found.detail.startswith("the name no-such-host.invalid does not resolve (")
    assert asked(22, host="a..b").detail == "the name a..b does not resolve (it is not a possible name)"


def test_an_address_that_swallows_everything_ends_with_the_limit() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        # A full backlog: the kernel drops what comes on top, as a firewall would.
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
        began = time.monotonic()
        found = asked(port, timeout_s=0.4)
        assert 0.3 < time.monotonic() - began < 1.5
        assert (found.state, found.detail) == ("bad", f"no answer from 127.0.0.1:{port} within 0.4 s")
        for sock in waiting:
            sock.close()


def test_the_expected_banner_may_come_in_pieces(serve: Serve) -> None:
    def pieces(sock: socket.socket) -> None:
        for piece in (b"220 mail.exam", b"ple.org ESM", b"TP\r\n"):
            sock.sendall(piece)
            time.sleep(0.02)

    assert asked(serve(pieces), expect="example.org ESMTP").state == "ok"


@pytest.mark.parametrize(
    ("banner", "detail"),
    [
        (b"", 'did not say "220" before it closed the connection; it said nothing'),
        (
            b"SSH-2.0-OpenSSH_9.2\r\n",
            'did not say "220" before it closed the connection; it said "SSH-2.0-OpenSSH_9.2"',
        ),
    ],
)
def test_another_banner_is_quoted(serve: Serve, banner: bytes, detail: str) -> None:
    found = asked(serve(lambda sock: sock.sendall(banner)), expect="220")
    assert (found.state, found.detail) == ("bad", detail)
    assert found.samples[SERIES] is not None, "it did connect"


def test_a_banner_that_drips_ends_with_the_limit(serve: Serve) -> None:
    done = threading.Event()

    def drip(sock: socket.socket) -> None:
        while not done.wait(0.05):
            sock.sendall(b".")

    began = time.monotonic()
    found = asked(serve(drip), expect="220", timeout_s=0.5)
    done.set()
    assert 0.4 < time.monotonic() - began < 1.5
    assert found.detail.startswith('did not say "220" within 0.5 s; it said "....')


def test_a_flood_instead_of_a_banner_is_not_kept(serve: Serve) -> None:
    def flood(sock: socket.socket) -> None:
        while True:
            sock.sendall(bytes(65_536))

    assert asked(serve(flood), expect="220").state == "bad"
