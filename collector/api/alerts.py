"""Alerts: which rules are bad about what, and a person's word about it, which goes to the incident they belong to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Literal

from msgspec import Meta

from collector.api.doors import Body, Door, Id, Query, Refusal, missing
from collector.api.kept import INCIDENTS
from collector.api.paging import Page, Paged, number_in, page_by_number
from collector.api.views import AlertView, alert_view
from collector.desks.incidents import Acting
from collector.store import Store
from collector.store.listing import AlertsWanted, Which
from collector.who import Who
from rules.judging.acts import Acknowledge, Act, Refused, Resolve
from rules.model import Alert, Incident, Severity

NoteText = Annotated[str, Meta(max_length=10_000)]

STATUS_OF = {"unknown_incident": 404, "already_resolved": 409, "changed_meanwhile": 409, "invalid": 422}


class AlertsAsked(Paged, frozen=True, kw_only=True):
    """Which alerts.

    state: open, resolved, or all
    severity: only those that are as grave as that now
    host: only those about the host of that number
    rule: only those of the rule of that name
    sort: newest or oldest first
    """

    state: Which = "open"
    severity: Severity | None = None
    host: Id | None = None
    rule: Annotated[str, Meta(max_length=200)] | None = None
    sort: Literal["newest", "oldest"] = "newest"


class OneAlert(Query, frozen=True, kw_only=True):
    """Which alert.

    id: the number of the alert
    """

    id: Id


class Word(Body, frozen=True, kw_only=True):
    """What a person wants to have remembered with it; may be empty."""

    note: NoteText = ""


async def done(act: Acting, what: Act) -> Incident:
    """The incident after an act. Refusal says why it cannot be."""
    try:
        return await act(what)
    except Refused as refused:
        raise Refusal(STATUS_OF.get(refused.code, 422), refused.code, refused.sentence) from None


class Alerts:
    """`act` does to incidents what people want, and returns when that is on disk."""

    def __init__(self, store: Store, act: Acting) -> None:
        self._store, self._act = store, act

    def doors(self) -> list[Door]:
        return [
            Door(
                method="GET", path="/alerts", handler=self.search, needs="monitoring.read",
                summary="The alerts, newest first: those that are open, unless others are asked for",
                query=AlertsAsked, answer=Page[AlertView], kept=lambda query: [INCIDENTS],
            ),
            Door(
                method="GET", path="/alerts/{id}", handler=self.get, needs="monitoring.read",
                summary="One alert", query=OneAlert, answer=AlertView, kept=lambda query: [INCIDENTS],
            ),
            Door(
                method="POST", path="/alerts/{id}/acknowledge", handler=self.acknowledge,
                needs="monitoring.alert.acknowledge", summary="Say that you have it: nobody is reminded of it then",
                query=OneAlert, body=Word, answer=AlertView, refusals=(409,),
            ),
            Door(
                method="POST", path="/alerts/{id}/resolve", handler=self.resolve,
                needs="monitoring.alert.resolve", summary="Say that its incident is over",
                query=OneAlert, body=Word, answer=AlertView, refusals=(409,),
            ),
        ]  # fmt: skip

    async def search(self, who: Who, asked: AlertsAsked, body: None) -> Page[AlertView]:
        behind, oldest = number_in(asked.cursor), asked.sort == "oldest"
        wanted = AlertsWanted(
            state=asked.state,
            severity=asked.severity,
            host=asked.host,
            rule=asked.rule,
            below=None if oldest else behind,
            above=behind if oldest else None,
            oldest_first=oldest,
        )
        found = await self._store.listing.alerts(wanted, asked.limit + 1)
        show = await self._shower(found)
        return page_by_number(found, asked, lambda alert: alert.id, show)

    async def get(self, who: Who, asked: OneAlert, body: None) -> AlertView:
        alert = await self._alert(asked.id)
        return (await self._shower([alert]))(alert)

    async def acknowledge(self, who: Who, asked: OneAlert, word: Word) -> AlertView:
        alert = await self._alert(asked.id)
        await done(self._act, Acknowledge(alert.incident, who.name, word.note))
        return await self.get(who, asked, None)

    async def resolve(self, who: Who, asked: OneAlert, word: Word) -> AlertView:
        alert = await self._alert(asked.id)
        await done(self._act, Resolve(alert.incident, who.name, word.note))
        return await self.get(who, asked, None)

    async def _alert(self, number: int) -> Alert:
        alert = await self._store.listing.alert(number)
        if alert is None:
            raise missing("alert", number)
        return alert

    async def _shower(self, alerts: list[Alert]) -> Callable[[Alert], AlertView]:
        """How alerts are shown: with the names of their hosts, and who has their incidents."""
        hosts = {host.id: host.name for host in await self._store.hosts.all()}
        numbers = sorted({alert.incident for alert in alerts})
        found = await asyncio.gather(*map(self._store.incidents.get, numbers))
        incidents = dict(zip(numbers, found, strict=True))
        return lambda alert: alert_view(alert, hosts, incidents[alert.incident])
