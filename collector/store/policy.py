"""What people say at run time about who is told: silences and maintenance windows."""

from __future__ import annotations

from typing import Protocol

from rules.policy import Planned, Silence

SILENCES_MAX = 1_000
"""That are not over yet. Of those that are, as many are kept at most."""
MAINTENANCE_MAX = 1_000
SILENCES_KEPT_MS = 30 * 86_400_000
"""How long a silence can still be read after its end."""


class PolicyKept(Protocol):
    async def silences(self) -> list[Silence]:
        """All that are kept, over or not, the newest first."""
        ...

    async def add_silence(self, silence: Silence, now: int) -> Silence:
        """The same with an id. StoreError when there are SILENCES_MAX already. Those that have long been over go, and
        of too many those that have been for longest."""
        ...

    async def end_silence(self, silence: int, now: int) -> Silence | None:
        """It ends now, or never begins. The silence as it is then; None when there is none of that id, or it is over
        already."""
        ...

    async def maintenance(self) -> list[Planned]:
        """All windows, the newest first."""
        ...

    async def add_maintenance(self, maintenance: Planned) -> Planned:
        """The same with an id. StoreError when there are MAINTENANCE_MAX already."""
        ...

    async def remove_maintenance(self, maintenance: int) -> Planned | None:
        """What was removed; None when there is none of that id."""
        ...
