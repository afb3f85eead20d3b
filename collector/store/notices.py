"""The outbox: what is owed to whom, and what became of it."""

from __future__ import annotations

from typing import Literal, Protocol

from msgspec import Struct

from rules.model import Notice

Delivery = Literal["waiting", "sending", "sent", "failed"]


class NoticeRow(Struct, frozen=True):
    """A notice and what became of it. `sending` found after a start means that a try may have got through.

    `tried_at` is when the latest try began, or ended in vain.
    """

    notice: Notice
    delivery: Delivery = "waiting"
    tries: int = 0
    next_try_at: int = 0
    tried_at: int | None = None
    sent_at: int | None = None
    answer: str = ""
    perhaps_again: bool = False


class Notices(Protocol):
    async def due(self, now: int, limit: int) -> list[NoticeRow]:
        """The next notice of each (channel, incident) that waits and whose time has come: a later one is not due
        before the earlier one is sent or failed. The channels take turns, each with its oldest first: however much
        one of them has, it leaves the others their share of `limit`."""
        ...

    async def next_due_at(self) -> int | None:
        """When the first of those that wait for nothing but their time is due; None when there is none."""
        ...

    async def is_over(self, notice: str) -> bool:
        """Whether behind it waits the word that what it tells of is over, for the same channel."""
        ...

    async def sending(self, notice: str, now: int) -> bool:
        """Mark it as on its way, on disk, before anything is sent, and count the try. False when it is not due: another
        worker has it, it is done, its time has not come, or an earlier one to that channel about that incident is not
        finished."""
        ...

    async def sent(self, notice: str, now: int, answer: str) -> None:
        """StoreError unless it is being sent. Saying again what was said changes nothing, here and below."""
        ...

    async def put_off(
        self, notice: str, now: int, answer: str, next_try_at: int, *, perhaps_again: bool = False
    ) -> None:
        """It waits until `next_try_at`, be it that the try was in vain or that none was made. StoreError when done.

        `perhaps_again`: nobody knows whether the try got through; once noted, it stays noted."""
        ...

    async def failed(self, notice: str, now: int, answer: str) -> None:
        """Given up, be it that the last try was in vain or that none is worth making. StoreError when it was sent."""
        ...

    async def interrupted(self) -> int:
        """At a start: every notice left in `sending` waits again, marked `perhaps_again`. How many there were.

        Those that wait for their next try are due at once: whoever starts us has perhaps put right what was wrong."""
        ...

    async def get(self, notice: str) -> NoticeRow | None: ...

    async def recent(self, limit: int, incident: int | None = None) -> list[NoticeRow]:
        """Newest first; of an incident also those about several problems, if it is one of them."""
        ...

    async def counts(self) -> dict[tuple[str, Delivery], int]:
        """How many notices of each channel stand where."""
        ...
