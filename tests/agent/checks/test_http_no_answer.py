"""Servers that refuse, hang, drip or talk nonsense: bad, in words, and within the limit."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from tests.agent.checks.asking_http import NO_ANSWER, asked, page, request_of, says, within
from tests.agent.checks.conftest import Serve


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
