"""What a hook is told, and what became of telling it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field


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
