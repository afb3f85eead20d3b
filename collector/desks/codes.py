"""Join codes: what may be asked of `collector.joining`, which makes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from collector.store.joins import Join
from collector.who import Who

USES_MAX = 100_000
"""How many hosts may join by one code."""


class Told(Struct, frozen=True):
    """How a code is used, in the words of a shell; `trouble` says why there is no command, `warning` why no other host
    will get far with it."""

    command: str | None
    by_hand: str
    trouble: str = ""
    warning: str = ""


class Codes(Protocol):
    async def make(
        self, who: Who, *, labels: Mapping[str, str], uses: int, for_ms: int, host: int | None
    ) -> tuple[str, Join]:
        """A code, which is shown this once, and what is kept of it."""
        ...

    async def tell(self, code: str = "") -> Told:
        """What to type on a host that is to join by it; without a code, for an upgrade of one that has joined."""
        ...

    async def all(self) -> list[Join]:
        """The newest first."""
        ...

    async def revoke(self, who: Who, number: str) -> None: ...
