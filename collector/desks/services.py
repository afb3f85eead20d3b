"""Services that people and programs make, change and remove, where no file holds them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from msgspec import UNSET, UnsetType

from collector.desks.trail import Audit
from collector.who import Refusal, Who, missing
from rules import words
from rules.sla.model import ServiceOptions


class Kept(Protocol):
    """The services there are. `put` and `remove` may raise Refusal."""

    async def all(self) -> list[ServiceOptions]: ...
    def is_written(self, name: str) -> bool: ...
    async def put(self, service: ServiceOptions, by: str, now: int) -> None: ...
    async def remove(self, name: str) -> bool: ...


class Services:
    """Every method may raise StoreError; what is refused or failed changes nothing.

    One change at a time: each is held against all services there are, and two at once could make a circle of them."""

    def __init__(self, kept: Kept, audit: Audit, now_ms: Callable[[], int]) -> None:
        self._kept, self._audit, self._now_ms = kept, audit, now_ms
        self._changing = asyncio.Lock()

    async def all(self) -> list[ServiceOptions]:
        return await self._kept.all()

    async def find(self, name: str) -> ServiceOptions | None:
        return next((one for one in await self._kept.all() if one.name == name), None)

    def is_written(self, name: str) -> bool:
        """Whether it stands in the config, and so cannot be changed here."""
        return self._kept.is_written(name)

    async def put(
        self, who: Who, service: ServiceOptions, *, upon: ServiceOptions | UnsetType | None = UNSET
    ) -> None:
        """Make a service, or change one that was made here; with `upon` only where it still is that, None for none.
        Refusal."""
        if letter := words.unseen(service.title):
            raise Refusal(
                422, "invalid", f"title holds a letter that no screen shows ({letter}); leave it out"
            )
        below = service.depends_on.services if service.depends_on else []
        if twice := next((name for name in below if below.count(name) > 1), ""):
            raise Refusal(422, "invalid", f'"{service.name}" depends on "{twice}" twice; name it once')
        async with self._changing:
            before = await self.find(service.name)
            if upon is not UNSET and upon != before:
                raise Refusal(409, "changed_meanwhile", f"{service.name} was changed by somebody meanwhile")
            putting = self._kept.put(service, who.name, self._now_ms())
            await self._audit.noted(who, "service.put", putting, before=before, after=lambda _: service)

    async def remove(self, who: Who, name: str) -> None:
        """Nothing is reckoned of it any more; what it was stays written down. Refusal."""
        async with self._changing:
            before = await self.find(name)
            removing = self._kept.remove(name)
            if not await self._audit.noted(who, "service.remove", removing, before=before, when=bool):
                raise missing("service", name)
