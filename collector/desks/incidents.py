"""What people and programs do to incidents, noted in the trail: by pages, by the API and by links in messages alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from collector.desks.trail import Audit, Said
from rules.judging.acts import Act, Several
from rules.model import Incident

Acting = Callable[[Act], Awaitable[Incident]]
"""Does what somebody wants; the incident afterwards, once that is on disk. Refused, StoreError."""


class Noted:
    """`act` does it. How it was before stands in the incident's timeline, whose lines are kept as the trail's are."""

    def __init__(self, act: Acting, audit: Audit) -> None:
        self._act, self._audit = act, audit

    async def __call__(self, what: Act) -> Incident:
        """The incident afterwards. Raises what `act` does, and then nothing is noted; nor is what changes nothing."""
        acts = what.acts if isinstance(what, Several) else (what,)

        def rows(incident: Incident) -> list[Said]:
            return [_said(one, incident.id) for one in acts]

        return await self._audit.all_noted(self._act(what), rows)


def _said(what: Act, incident: int) -> Said:
    told = {key: value for key, value in msgspec.structs.asdict(what).items() if value not in (None, "")}
    by = told.pop("by")
    return by, f"incident.{what.__struct_config__.tag}", {**told, "incident": incident}
