from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from agent.net.dial import Address, Deadline, Line, NoAnswer, beginning, connect, resolve


@pytest.fixture
def black_hole() -> Iterator[Address]:
    """An address that swallows everything: its queue is full, and the kernel drops what comes on top."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        place = listener.getsockname()
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(place)
        yield Address(socket.AF_INET, place, "nowhere:1")


def test_one_address_that_swallows_everything_leaves_time_for_the_others(black_hole: Address) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        good = Address(socket.AF_INET, server.getsockname(), "here:1")
        began = time.monotonic()
        with connect([black_hole, good], Deadline(1.0)) as sock:
            assert sock.getpeername() == server.getsockname()
        assert 0.4 < time.monotonic() - began < 1


def test_of_many_that_fail_the_last_one_is_quoted_and_the_limit_is_kept(black_hole: Address) -> None:
    began = time.monotonic()
    with pytest.raises(NoAnswer, match=r"no answer from nowhere:1 within 0\.4 s"):
        connect([black_hole, black_hole], Deadline(0.4))
    assert time.monotonic() - began < 1


def test_time_that_the_name_took_is_gone() -> None:
    with pytest.raises(NoAnswer, match="the name localhost took longer than 0 s to resolve"):
        resolve("localhost", 80, Deadline(0.0))


def test_an_address_is_shown_with_its_name_and_port() -> None:
    assert [address.shown for address in resolve("127.0.0.1", 80, Deadline(5))] == ["127.0.0.1:80"]
    assert [address.shown for address in resolve("::1", 80, Deadline(5))] == ["[::1]:80"]
    assert "localhost:80 (127.0.0.1)" in [address.shown for address in resolve("localhost", 80, Deadline(5))]


def test_a_line_counts_what_came_and_stops_at_its_deadline() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        line = Line(ours, Deadline(0.2))
        theirs.sendall(b"hello")
        assert line.makefile("rb").read(5) == b"hello"
        assert line.received_bytes == 5
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            line.recv_into(bytearray(1))
        assert time.monotonic() - began < 1
        with pytest.raises(TimeoutError):
            line.sendall(b"too late")


def test_what_nobody_expected_is_quoted_so_that_it_can_be_shown() -> None:
    assert beginning(b"220 \x1b[2Jmail\r\n") == "220  [2Jmail"
    assert beginning(b"\xff\xfe" + b"x" * 100) == "��" + "x" * 58
