"""Lists that may be long, of incidents, alerts and notices: those of some kind, from some place on."""

from __future__ import annotations

from typing import Literal, Protocol

from msgspec import Struct

from collector.store.notices import Delivery, NoticeRow
from rules.model import Alert, Incident, Severity

Which = Literal["open", "resolved", "all"]


class IncidentsWanted(Struct, frozen=True, kw_only=True):
    """What is None does not matter. `below` and `above` are numbers of incidents, neither included."""

    state: Which = "all"
    severity: Severity | None = None
    acknowledged: bool | None = None
    below: int | None = None
    above: int | None = None
    oldest_first: bool = False


class AlertsWanted(Struct, frozen=True, kw_only=True):
    """What is None does not matter. `below` and `above` are numbers of alerts, neither included."""

    state: Which = "all"
    severity: Severity | None = None
    host: int | None = None
    rule: str | None = None
    incident: int | None = None
    below: int | None = None
    above: int | None = None
    oldest_first: bool = False


class NoticesWanted(Struct, frozen=True, kw_only=True):
    """What is None does not matter. `before` is the id of a notice: only those that were owed before it."""

    channel: str | None = None
    delivery: Delivery | None = None
    before: str | None = None


class Listing(Protocol):
    async def incidents(self, wanted: IncidentsWanted, limit: int) -> list[Incident]:
        """In the order of their numbers, the newest first unless it is to be the other way round."""
        ...

    async def alerts(self, wanted: AlertsWanted, limit: int) -> list[Alert]:
        """In the order of their numbers, the newest first unless it is to be the other way round."""
        ...

    async def alert(self, alert: int) -> Alert | None: ...

    async def notices(self, wanted: NoticesWanted, limit: int) -> list[NoticeRow]:
        """The newest first; none before a notice that is not there."""
        ...
