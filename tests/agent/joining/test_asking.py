"""What is made of answers that are no token."""

from __future__ import annotations

from contextlib import closing

import pytest

from agent import wire
from agent.joining.asking import TRIES_MAX, WAIT_S_MAX, NotGiven, ask
from agent.pusher.post import Answer, Post

TOKEN = f"wk_agent_default_{'a' * 12}_{'b' * 40}"
WELL = wire.encode(wire.Joined(TOKEN, 1, "web-1"))


class Scripted(Post):
    """Answers what it was told to, one after the other."""

    def __init__(self, *answers: Answer) -> None:
        super().__init__("http://127.0.0.1:8420", "", "test")
        self.answers = list(answers)

    def post(self, parts: object, limit_s: float) -> Answer:
        return self.answers.pop(0)


def problem(status: int, message: str = "later", **more: object) -> Answer:
    return Answer(status, wire.encode(wire.Problem("x", message)), 1.0, **more)  # type: ignore[arg-type]


def test_a_collector_that_asks_to_wait_is_asked_again(capsys: pytest.CaptureFixture[str]) -> None:
    slept: list[float] = []
    answers = problem(429, retry_after_s=7.0), problem(503, retry_after_s=1e6), problem(503)
    with closing(Scripted(*answers, Answer(200, WELL, 1.0))) as post:
        assert ask(post, b"{}", wire.decode_joined, slept.append).name == "web-1"
    assert slept == [7.0, WAIT_S_MAX, 3.0]
    assert "later; trying again in 7 s" in capsys.readouterr().err


def test_it_is_not_asked_for_ever() -> None:
    post = Scripted(*[problem(429) for _ in range(TRIES_MAX)])
    with pytest.raises(NotGiven, match="later"):
        ask(post, b"{}", wire.decode_joined, lambda seconds: None)
    assert post.answers == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(404, b"<html>", 1.0), "there is no collector at this address"),
        (Answer(301, b"", 1.0, location="https://x/"), "leads on to https://x/; give that one"),
        (Answer(500, b"oops", 1.0), "status 500"),
        (Answer(200, b"<html>", 1.0), "answers, but not as a collector does"),
        (Answer(200, WELL.replace(b"wk_agent", b"wk_other"), 1.0), "answers, but not as a collector does"),
        (problem(403, "has been used already"), "has been used already"),
    ],
)
def test_what_is_no_token_is_said_in_words(answer: Answer, words: str) -> None:
    with pytest.raises(NotGiven, match=words):
        ask(Scripted(answer), b"{}", wire.decode_joined)
