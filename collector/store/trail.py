"""What the audit trail is to say of a change, on its way into the very transaction that makes the change.

Who wants a change noted hangs a slip beside it; the next thing that the store writes for them takes it along. So there
is no change without its row, and no row without its change, whatever ends the collector in between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, Literal

from msgspec import Struct

from rules.model import Outcome


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
    """`entries` makes the rows of what is answered to the change; none when that was nothing worth noting. It is asked
    in the midst of the transaction, so it must be quick and ask nobody."""

    def __init__(self, entries: Callable[[Any], Sequence[Entry]]) -> None:
        self.entries = entries
        self.state: Literal["waiting", "taken", "kept"] = "waiting"


BESIDE: ContextVar[Slip | None] = ContextVar("beside", default=None)
"""For the next write of whoever is at work."""


class Deed(Outcome, gc=False):
    """What follows from something that somebody did, and what the trail is to say of it: both are kept or neither."""

    entries: tuple[Entry, ...] = ()


def beside(outcome: Outcome, answer: object) -> Outcome:
    """`outcome` of a change that is answered with `answer`, and with it what the slip that hangs here says of that."""
    slip = BESIDE.get()
    if slip is None or slip.state != "waiting":
        return outcome
    slip.state = "taken"
    fields = {name: getattr(outcome, name) for name in Outcome.__struct_fields__}
    return Deed(**fields, entries=tuple(slip.entries(answer)))
