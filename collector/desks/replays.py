"""Replays of rules: what may be asked of `collector.replays`, and what `watchkeeper rules replay` says to programs."""

from __future__ import annotations

from typing import Literal, Protocol

from msgspec import Struct

from collector.who import Who


class Step(Struct, frozen=True):
    """What long work is at, and which share of it is done; None where that cannot be known."""

    what: str
    share: float | None


class RuleReplayed(Struct, frozen=True):
    """How often a rule would have fired, about how many hosts, for how long in all and at most.

    `observe`: it is only being tried. `late` counts what was over already when it came, and `told` the messages that
    named it, by channel.
    """

    rule: str
    observe: bool
    fired: int
    late: int
    hosts: int
    lasted_ms: int
    longest_ms: int
    open_at_the_end: int
    told: dict[str, int]


class Messages(Struct, frozen=True):
    channel: str
    reason: str
    count: int


class Replayed(Struct, frozen=True):
    """What rules say of all that was sampled in a range; those that fired most come first."""

    start_ms: int
    end_ms: int
    hosts: int
    batches: int
    rules: list[RuleReplayed]
    messages: list[Messages]


class Replay(Struct):
    """One that was asked for. `share` is how much of it is done, None before that is known; `found` is what came of it,
    and `trouble` why nothing did."""

    rule: str
    days: int
    by: str
    began_at: int
    state: Literal["running", "done", "failed", "stopped"] = "running"
    share: float | None = None
    ended_at: int | None = None
    found: Replayed | None = None
    trouble: str = ""


class Replays(Protocol):
    @property
    def running(self) -> Replay | None: ...

    def of(self, rule: str) -> Replay | None:
        """The last one of a rule since the collector started."""
        ...

    async def begin(self, who: Who, rule: str, days: int) -> None:
        """Refusal while another is at work."""
        ...

    async def stop(self, who: Who, rule: str) -> None:
        """End the one of a rule, if it is at work."""
        ...
