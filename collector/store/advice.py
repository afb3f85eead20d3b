"""What was recommended, what really became of it, and what hooks did: a history to see how good the advice was.

One writer is meant, the collector. All lists are bounded by service; what is oldest goes first.
"""

from __future__ import annotations

from typing import Literal, Protocol

from msgspec import Struct

from rules.scaling.model import Change, Direction, Evidence

ADVISED_MAX = 5_000
"""Of how many recommendations of a service is known that they were made."""
CHANGES_MAX = 5_000
RUNS_MAX = 2_000

RunState = Literal["running", "done", "failed", "unsure"]


class Advised(Struct, frozen=True):
    """A recommendation as long as it was the same: from `since` to `until`, first and last said.

    `before` is how many instances there were when it was first said, `became` how many when it was last looked at.
    """

    service: str
    since: int
    until: int
    direction: Direction
    before: int
    wanted: int
    became: int
    confidence: float
    reason: str
    evidence: tuple[Evidence, ...] = ()


class HookRun(Struct, frozen=True):
    """A hook that was run for a service: `by` is who asked for it, `auto` when nobody did.

    `unsure`: nobody knows whether it did anything, for no answer came or we were stopped meanwhile.
    """

    id: int
    service: str
    began_at: int
    by: str
    before: int
    wanted: int
    dry_run: bool
    state: RunState = "running"
    answer: str = ""
    ended_at: int | None = None


class Switch(Struct, frozen=True):
    """Whether a service is scaled without asking, and who said so."""

    service: str
    on: bool
    changed_at: int
    changed_by: str


class Advice(Protocol):
    async def say(self, advised: Advised) -> None:
        """Made, or in the place of what was said of that service since then."""
        ...

    async def said(self, service: str | None, limit: int) -> list[Advised]:
        """Newest first."""
        ...

    async def changed(self, service: str, change: Change) -> None:
        """What really became of the number of instances. Saying it twice changes nothing."""
        ...

    async def changes(self, service: str, since: int) -> list[Change]:
        """Oldest first, and the one before `since`."""
        ...

    async def begin_run(self, run: HookRun) -> HookRun:
        """Noted before anything is run; with its id."""
        ...

    async def end_run(self, run: int, state: RunState, answer: str, now: int) -> None:
        """StoreError unless it is running."""
        ...

    async def runs(self, service: str | None, limit: int) -> list[HookRun]:
        """Newest first."""
        ...

    async def interrupted(self, now: int) -> int:
        """At a start: what was running then is `unsure` from now on. How many there were."""
        ...

    async def switches(self) -> list[Switch]:
        """In the order of services; one that was never switched is not there."""
        ...

    async def switch(self, switch: Switch) -> None: ...
