"""What people and programs did to incidents: kept for as long as the incident, never altered."""

from __future__ import annotations

from typing import Protocol

from rules.model import Remark


class Remarks(Protocol):
    """They are written by `commit`, with the outcome that they belong to."""

    async def remarks(self, incident: int) -> list[Remark]:
        """Oldest first; of more than LIST_MAX, the newest."""
        ...

    async def published(self, limit: int) -> list[Remark]:
        """What everybody may read, of all incidents; newest first."""
        ...
