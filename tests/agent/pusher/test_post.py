"""One request over a real connection: what comes back, what is said when nothing does, and how long it may take."""

from __future__ import annotations

import socket
import threading
import time
import zlib
from collections.abc import Callable
from contextlib import closing
from email.message import Message

import pytest

from agent import wire
from agent.net.dial import NoAnswer
from agent.pusher.post import pack, retry_after_s
from tests.agent.pusher.posting import (
    BODY,
    GOOD,
    LONG_BODY,
    answering,
    ask,
    drip,
    post_to,
    raw_server,
    say_nothing,
)
from tests.agent.receiver import TOKEN, Receiver, Reply, problem


def test_a_push_and_its_answer(receiver: Receiver) -> None:
    answer = ask(receiver.url)
    assert (answer.status, wire.decode_results(answer.body).results) == (200, ["ok"])
    assert 0 < answer.took_ms < 5_000
    (got,) = receiver.got
    assert got.path == "/api/agent/v1/batches"
    assert got.headers["Authorization"] == f"Bearer {TOKEN}"
    assert got.headers["Content-Type"] == "application/json"
    assert "Content-Encoding" not in got.headers


def test_what_is_above_a_kilobyte_goes_packed(receiver: Receiver) -> None:
    ask(receiver.url, LONG_BODY)
    (got,) = receiver.got
    assert got.headers["Content-Encoding"] == "gzip"
    assert int(got.headers["Content-Length"]) < len(LONG_BODY) / 10
    assert len(got.push.batches) == 150


@pytest.mark.parametrize(
    ("parts", "packed"),
    [
        ([b"x" * 1024], False),
        ([b"x" * 1025], True),
        ([b"x"] * 1024, False),
        ([b"x"] * 1025, True),
        ([b"x" * 100_000] * 20, True),
        ([], False),
    ],
)
def test_a_body_in_parts_is_the_same_body(parts: list[bytes], packed: bool) -> None:
    body, was_packed = pack(iter(parts))
    assert was_packed is packed
    assert (zlib.decompress(body, 31) if packed else body) == b"".join(parts)


def test_a_path_in_the_address_is_kept(receiver: Receiver) -> None:
    ask(f"{receiver.url}/watch/")
    assert receiver.got[0].path == "/watch/api/agent/v1/batches"


def test_one_connection_serves_many_requests(receiver: Receiver) -> None:
    with closing(post_to(receiver.url)) as post:
        for _ in range(10):
            post.post([BODY], 5)
    assert (len(receiver.got), receiver.connections) == (10, 1)


def test_a_connection_that_the_collector_forgot_is_made_anew() -> None:
    hang_up_after_one = answering(GOOD)
    with raw_server(hang_up_after_one, hang_up_after_one) as url, closing(post_to(url)) as post:
        assert post.post([BODY], 5).body == b"hi"
        assert post.post([BODY], 5).body == b"hi"


def test_an_answer_that_ends_with_the_connection_is_read_whole() -> None:
    old = answering(b"HTTP/1.0 200 OK\r\n\r\nall of it")
    with raw_server(old, old) as url, closing(post_to(url)) as post:
        assert post.post([BODY], 5).body == b"all of it"
        assert post.post([BODY], 5).body == b"all of it"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_an_answer_and_is_not_followed(receiver: Receiver, status: int) -> None:
    receiver.answer = lambda push: Reply(status, headers={"Location": "https://elsewhere.example/"})
    answer = ask(receiver.url)
    assert (answer.status, answer.location) == (status, "https://elsewhere.example/")
    assert len(receiver.got) == 1


def test_what_the_collector_asks_to_wait_is_read(receiver: Receiver) -> None:
    receiver.answer = lambda push: problem(503, Retry_After="17")
    answer = ask(receiver.url)
    assert (answer.status, answer.retry_after_s) == (503, 17.0)


@pytest.mark.parametrize(
    ("headers", "expected_s"),
    [
        ({}, None),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": " 120 "}, 120),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "²"}, None),
        ({"Retry-After": "9" * 50}, 999_999_999),
        ({"Retry-After": "Wed, 21 Oct 2026 07:30:00 GMT"}, None),
        ({"Retry-After": "Wed, 21 Oct 2026 07:30:00 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 120),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT", "Date": "Wed, 21 Oct 2026 07:30:00 GMT"}, 0),
    ],
)
def test_retry_after_as_it_may_be_written(headers: dict[str, str], expected_s: float | None) -> None:
    message = Message()
    for name, value in headers.items():
        message[name] = value
    assert retry_after_s(message) == expected_s


@pytest.mark.parametrize("script", [drip, say_nothing])
def test_the_time_of_a_request_is_limited_as_a_whole(script: Callable[[socket.socket], None]) -> None:
    with raw_server(script) as url, closing(post_to(url)) as post:
        began_s = time.monotonic()
        with pytest.raises(NoAnswer, match=r"no answer from 127\.0\.0\.1:\d+ within 0\.3 s"):
            post.post([BODY], 0.3)
        assert time.monotonic() - began_s < 1.5


def test_a_collector_that_reads_nothing_holds_nobody_up() -> None:
    held = threading.Event()
    noise = wire.push_body("0" * 32, "b", 0, [(n, 0, 0, b"%d" % hash(str(n))) for n in range(400_000)])
    with raw_server(lambda connection: held.wait(5)) as url, closing(post_to(url)) as post:
        began_s = time.monotonic()
        with pytest.raises(NoAnswer, match=r"within 1 s|longer than 1 s"):
            post.post([noise], 1.0)
        assert time.monotonic() - began_s < 3
        held.set()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "closed the connection without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 two hundred\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000, "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "does not speak HTTP"),
    ],
)
def test_what_is_no_answer_is_told_in_words(answer: bytes, words: str) -> None:
    with raw_server(answering(answer)) as url, pytest.raises(NoAnswer, match=words):
        ask(url)


def test_of_an_endless_answer_only_so_much_is_read() -> None:
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n" + b"y" * 3_000_000
    with raw_server(answering(endless), answering(GOOD)) as url, closing(post_to(url)) as post:
        assert len(post.post([BODY], 5).body) == 1024 * 1024
        assert post.post([BODY], 5).body == b"hi"  # over a new connection


def test_a_closed_port_is_told_in_words() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    with pytest.raises(NoAnswer, match=rf"connection refused by 127\.0\.0\.1:{port}"):
        ask(f"http://127.0.0.1:{port}")
