"""Jobs that tell when they ran."""

from __future__ import annotations

from typing import Protocol

from rules.jobs import Job


class Jobs(Protocol):
    async def all(self) -> list[Job]:
        """In name order."""
        ...

    async def keep(self, job: Job) -> None:
        """In the place of what was known of the job of this name. StoreError."""
        ...

    async def forget(self, names: list[str]) -> None:
        """These are not asked about any more. StoreError."""
        ...
