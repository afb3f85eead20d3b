"""What the store itself is slow at, for whoever wants to know why an answer took long."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct


class SlowQuery(Struct, frozen=True):
    """Something that was read and took long, in the engine's own words: these are for people, and nothing is done by
    them. `plan` is how the engine goes about it."""

    statement: str
    times: int
    mean_ms: float
    worst_ms: float
    plan: list[str]


class Queries(Protocol):
    async def slowest(self, limit: int) -> list[SlowQuery]:
        """Since the start, those first that took the longest in all. Those that never took long are not among them."""
        ...
