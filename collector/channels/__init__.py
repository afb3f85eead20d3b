"""How a notice leaves the house: one file per kind, and here what every kind has in common.

A kind is a module with a docstring whose first line says where it tells, an `Options` struct and a `Channel` class. No
list elsewhere names it. A channel sends one message when asked and says truly what became of it; waiting, retrying and
remembering belong to the notifier.
"""

from __future__ import annotations

from typing import Any, Protocol

from msgspec import Struct

from rules.model import Notice, Severity


class ChannelOptions(Struct, kw_only=True, frozen=True):
    """What every channel can be told. It hears of incidents from `from_severity` on."""

    name: str
    from_severity: Severity = "warning"
    timeout_s: float = 15.0


class Message(Struct, frozen=True):
    """A notice on its way out. `link` leads to the incident's page; `perhaps_again` warns that an earlier try may
    have got through before we could write it down."""

    notice: Notice
    link: str
    perhaps_again: bool = False


class Sent(Struct, frozen=True):
    """The far side took it; `answer` is what it said."""

    answer: str


class Failed(Struct, frozen=True):
    """It was not taken. `permanent`: trying again is of no use. `retry_after_s`: what the far side asked for."""

    answer: str
    permanent: bool = False
    retry_after_s: float | None = None


class Channel(Protocol):
    def __init__(self, options: Any) -> None: ...

    async def send(self, message: Message) -> Sent | Failed:
        """One try. May raise anything: the notifier counts that as a failure that may pass."""
        ...

    async def close(self) -> None: ...
