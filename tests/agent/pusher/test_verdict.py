"""What each answer means for the batches that were sent."""

from __future__ import annotations

import pytest

from agent import wire
from agent.pusher.post import Answer
from agent.pusher.verdict import judge


@pytest.mark.parametrize(
    ("status", "body", "kind", "because"),
    [
        (200, b'{"results":["ok","again"]}', "taken", "each batch has its answer"),
        (200, b'{"results":["ok"]}', "away", "one answer is missing"),
        (200, b'{"results":["ok","fine"]}', "away", "no such answer"),
        (200, b"<html>Welcome to the hotel</html>", "away", "somebody else answers"),
        (200, b"", "away", "somebody else answers"),
        (204, b"", "away", "no collector answers so"),
        (301, b"", "misled", "a token is sent nowhere but to the address that was given"),
        (308, b"", "misled", "a token is sent nowhere but to the address that was given"),
        (400, b'{"code":"shape","message":"no"}', "too much", "one of them may be bad"),
        (400, b"<html>Bad Request</html>", "away", "a proxy says so, and not about the batches"),
        (400, b'{"code":"version","message":"speak 2"}', "misled", "an upgrade of either will make it good"),
        (401, b"", "denied", "the token is not known"),
        (403, b"", "denied", "the token is not allowed"),
        (404, b"", "misled", "this is no collector"),
        (405, b"", "misled", "this is no collector"),
        (408, b"", "away", "later"),
        (413, b"<html>nginx</html>", "too much", "a proxy may well take fewer"),
        (422, b'{"code":"shape","message":"no"}', "too much", "one of them may be bad"),
        (429, b"", "away", "later"),
        (500, b"", "away", "later"),
        (502, b"", "away", "later"),
        (503, b'{"code":"busy","message":"starting"}', "away", "later"),
    ],
)
def test_what_an_answer_to_two_batches_means(status: int, body: bytes, kind: str, because: str) -> None:
    assert judge(Answer(status, body, 1.0), 2).kind == kind, because


def test_the_words_are_the_collectors_own_where_it_has_some() -> None:
    body = wire.encode(wire.Problem("revoked", "this token was revoked on Monday"))
    assert "this token was revoked on Monday" in judge(Answer(401, body, 1.0), 1).words
    assert "status 502" in judge(Answer(502, b"<html>", 1.0), 1).words
    assert "redirected to https://x/" in judge(Answer(302, b"", 1.0, None, "https://x/"), 1).words
