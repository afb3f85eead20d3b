"""What the audit trail is to say of a change, on its way into the very transaction that makes the change.

Who wants a change noted hangs a slip beside it; the next thing that the store writes for them takes it along. So there
is no change without its row, and no row without its change, whatever ends the collector in between.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Literal

from msgspec import Struct


class Entry(Struct, frozen=True):
    """A row of the trail before it has its number: see AuditRow."""

    at: int
    who: str
    what: str
    before: str = ""
    after: str = ""
    address: str = ""
    request_id: str = ""


class Slip:
    """`entry` makes the row of what the store answers to the change; None when that was nothing worth noting. It is
    asked in the midst of the transaction, so it must be quick and ask nobody."""

    def __init__(self, entry: Callable[[Any], Entry | None]) -> None:
        self.entry = entry
        self.state: Literal["waiting", "taken", "kept"] = "waiting"


BESIDE: ContextVar[Slip | None] = ContextVar("beside", default=None)
"""For the next write of whoever is at work."""
