"""One request to the collector whose answer is a token, and why there is none, in words."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec

from agent import wire
from agent.net.dial import NoAnswer
from agent.pusher.post import Answer, Post

REQUEST_S_MAX = 20.0
TRIES_MAX = 5
WAIT_S, WAIT_S_MAX = 3.0, 60.0
LATER = (429, 503)

T = TypeVar("T", wire.Joined, wire.Rotated)


class NotGiven(Exception):
    """Why there is no token."""


def ask(
    post: Post, body: bytes, decode: Callable[[bytes], T], sleep: Callable[[float], None] = time.sleep
) -> T:
    """What the collector answers; where it asks to wait, that is done a few times. NotGiven."""
    try:
        answer = _once(post, body)
        for _ in range(TRIES_MAX - 1):
            if answer.status not in LATER:
                break
            wait_s = min(answer.retry_after_s or WAIT_S, WAIT_S_MAX)
            print(f"{_words(answer)}; trying again in {wait_s:.0f} s", file=sys.stderr)
            sleep(wait_s)
            answer = _once(post, body)
    finally:
        post.close()
    if answer.status != 200:
        raise NotGiven(f"{post.place}: {_words(answer)}")
    try:
        given = decode(answer.body)
        wire.parse_token(given.token)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
        raise NotGiven(f"{post.place} answers, but not as a collector does") from None
    return given


def _once(post: Post, body: bytes) -> Answer:
    try:
        return post.post([body], REQUEST_S_MAX)
    except NoAnswer as error:
        raise NotGiven(str(error)) from None


def _words(answer: Answer) -> str:
    try:
        return f"{wire.decode_problem(answer.body).message:.500}"
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    if answer.location:
        return f"this address leads on to {answer.location}; give that one"
    if answer.status in (404, 405):
        return "there is no collector at this address, or one that is too old for this"
    return f"status {answer.status}, which a collector does not answer"
