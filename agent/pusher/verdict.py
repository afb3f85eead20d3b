"""What the collector's answer to a push means for all that was sent with it."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from agent import wire
from agent.pusher.post import Answer


class Verdict(Struct, frozen=True):
    """What an answer means for all that was sent with it, in words for people."""

    kind: Literal["taken", "too much", "away", "denied", "misled"]
    words: str = ""
    results: list[wire.Result] = []
    asks: list[wire.Ask] = []


def judge(answer: Answer, sent: int) -> Verdict:
    """What the answer to a push of `sent` batches means."""
    match answer.status:
        case 200:
            return _taken(answer, sent)
        case 401 | 403:
            return Verdict("denied", f"the collector does not accept the token: {_words(answer)}")
        case 413:
            return Verdict("too much", f"413 {_words(answer)}")
        case 400 | 422 if problem := _problem(answer):  # else it is some proxy's, and not about the batches
            if problem.code == wire.OTHER_VERSION:  # once one of the two is upgraded, every batch will do
                return Verdict("misled", f"agent and collector do not fit: {_words(answer)}")
            return Verdict("too much", f"{answer.status} {_words(answer)}")
        case 404 | 405:
            return Verdict("misled", f"there is no collector at this address: {_words(answer)}")
        case status if 300 <= status < 400:
            to = f" to {answer.location}" if answer.location else ""
            return Verdict(
                "misled", f"redirected{to}; the token is not sent there, put the address in collector:"
            )
        case _:
            return Verdict("away", f"the collector says: {_words(answer)}")


def _taken(answer: Answer, sent: int) -> Verdict:
    try:
        said = wire.decode_results(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Verdict("away", "the answer is not one of a collector")
    if len(said.results) != sent:
        return Verdict("away", f"the answer is about {len(said.results)} batches, sent were {sent}")
    return Verdict("taken", results=said.results, asks=wire.known_asks(said))


def _problem(answer: Answer) -> wire.Problem | None:
    try:
        return wire.decode_problem(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _words(answer: Answer) -> str:
    problem = _problem(answer)
    return f"{problem.message:.200}" if problem else f"status {answer.status}"
