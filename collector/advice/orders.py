"""What a hook is told, and what became of telling it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct, field

ANSWER_LETTERS_MAX = 300
SECRET_LETTERS_MIN = 4


class Order(Struct, frozen=True):
    """So many instances are wanted of a service, and why. `run` is the same on no two runs; `by` is `auto` when nobody
    asked for it."""

    run: int
    service: str
    current: int = field(name="from")
    wanted: int = field(name="to")
    direction: Literal["up", "down", "hold"]
    reason: str
    by: str
    at: int


class Ran(Struct, frozen=True):
    """`unsure`: nobody knows whether it did anything. `answer` is one line, without secrets."""

    state: Literal["done", "failed", "unsure"]
    answer: str


def direction(current: int, wanted: int) -> Literal["up", "down", "hold"]:
    return "up" if wanted > current else "down" if wanted < current else "hold"


def shown(text: str, secrets: Iterable[str] = ()) -> str:
    """What the far side said as it may be kept: one short line, without the secrets it may repeat."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SECRET_LETTERS_MIN:
            text = text.replace(secret, "****")
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= ANSWER_LETTERS_MAX else line[: ANSWER_LETTERS_MAX - 1] + "…"
