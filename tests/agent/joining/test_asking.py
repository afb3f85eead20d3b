"""What is made of answers that are no token, over real HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from msgspec import Struct

from agent import wire
from agent.joining.asking import TRIES_MAX, WAIT_S_MAX, NotGiven, ask
from agent.pusher.post import Post

TOKEN = f"wk_agent_default_{'a' * 12}_{'b' * 40}"
WELL = wire.encode(wire.Joined(TOKEN, 1, "web-1"))


class Reply(Struct):
    status: int
    body: bytes = b""
    headers: dict[str, str] = {}


def problem(status: int, message: str = "later", **headers: str) -> Reply:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(status, wire.encode(wire.Problem("x", message)), named)


Answering = Callable[..., Post]


@pytest.fixture
def answering() -> Iterator[Answering]:
    """A server that gives these replies, one after the other, and the last for ever; a way to post to it."""
    replies: list[Reply] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            reply = replies.pop(0) if len(replies) > 1 else replies[0]
            self.send_response(reply.status)
            for name, text in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()

    def post(*given: Reply) -> Post:
        replies.extend(given)
        return Post(f"http://127.0.0.1:{server.server_address[1]}", "", "test", path=wire.JOIN_PATH)

    yield post
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_collector_that_asks_to_wait_is_asked_again(
    answering: Answering, capsys: pytest.CaptureFixture[str]
) -> None:
    slept: list[float] = []
    later = problem(429, Retry_After="7"), problem(503, Retry_After="100000"), problem(503)
    post = answering(*later, Reply(200, WELL))
    assert ask(post, b"{}", wire.decode_joined, slept.append).name == "web-1"
    assert slept == [7.0, WAIT_S_MAX, 3.0]
    assert "later; trying again in 7 s" in capsys.readouterr().err


def test_it_is_not_asked_for_ever(answering: Answering) -> None:
    slept: list[float] = []
    with pytest.raises(NotGiven, match="later"):
        ask(answering(problem(429)), b"{}", wire.decode_joined, slept.append)
    assert len(slept) == TRIES_MAX - 1


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(404, b"<html>"), "there is no collector at this address"),
        (Reply(301, b"", {"Location": "https://x/"}), "leads on to https://x/; give that one"),
        (Reply(500, b"oops"), "status 500"),
        (Reply(200, b"<html>"), "answers, but not as a collector does"),
        (Reply(200, WELL.replace(b"wk_agent", b"wk_other")), "answers, but not as a collector does"),
        (problem(403, "has been used already"), "has been used already"),
    ],
)
def test_what_is_no_token_is_said_in_words(answering: Answering, reply: Reply, words: str) -> None:
    with pytest.raises(NotGiven, match=words):
        ask(answering(reply), b"{}", wire.decode_joined)
