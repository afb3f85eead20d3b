"""Settings that were changed while the collector ran: they lie between its defaults and its file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

SETTINGS_MAX = 1_000


class Setting(Struct, frozen=True):
    """A key as people write it, such as `thresholds.cpu_warning_pct`, and its value as JSON."""

    key: str
    value: str
    changed_at: int
    changed_by: str


class Settings(Protocol):
    async def all(self) -> list[Setting]:
        """In the order of their keys."""
        ...

    async def change(self, put: Sequence[Setting], drop: Sequence[str]) -> None:
        """All of it or nothing. What is dropped is as the defaults have it. StoreError when there would be more than
        SETTINGS_MAX."""
        ...
