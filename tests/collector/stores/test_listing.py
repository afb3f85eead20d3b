"""Incidents and alerts as long lists: of some kind, from some place on, in either order."""

from __future__ import annotations

import pytest

from collector.store import Store
from collector.store.listing import AlertsWanted, IncidentsWanted, NoticesWanted
from rules.model import Outcome
from tests.collector.stores.builders import NOW, alert, incident, notice


async def fill(store: Store) -> None:
    incidents = [
        incident(1),
        incident(2, resolved_at=NOW + 1),
        incident(3, acknowledged_at=NOW + 2, acknowledged_by="ada"),
        incident(4, NOW - 5),
    ]
    alerts = [
        alert(1, of=1, host=1),
        alert(2, of=2, host=2, resolved_at=NOW + 1),
        alert(3, of=3, host=2),
        alert(4, of=3, host=1),
    ]
    await store.commit([Outcome(incidents=incidents, alerts=alerts)])


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (IncidentsWanted(), [4, 3, 2, 1]),
        (IncidentsWanted(oldest_first=True), [1, 2, 3, 4]),
        (IncidentsWanted(state="open"), [4, 3, 1]),
        (IncidentsWanted(state="resolved"), [2]),
        (IncidentsWanted(acknowledged=True), [3]),
        (IncidentsWanted(state="open", acknowledged=False), [4, 1]),
        (IncidentsWanted(severity="critical"), []),
        (IncidentsWanted(severity="warning", below=3), [2, 1]),
        (IncidentsWanted(above=2, oldest_first=True), [3, 4]),
    ],
)
async def test_incidents_are_those_that_are_wanted_in_the_order_of_their_numbers(
    store: Store, wanted: IncidentsWanted, found: list[int]
) -> None:
    await fill(store)
    assert [one.id for one in await store.listing.incidents(wanted, 10)] == found


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (AlertsWanted(), [4, 3, 2, 1]),
        (AlertsWanted(state="open", host=2), [3]),
        (AlertsWanted(incident=3), [4, 3]),
        (AlertsWanted(rule="load", below=2), [1]),
        (AlertsWanted(rule="load' OR 1=1 --"), []),
    ],
)
async def test_alerts_are_those_that_are_wanted(store: Store, wanted: AlertsWanted, found: list[int]) -> None:
    await fill(store)
    assert [one.id for one in await store.listing.alerts(wanted, 10)] == found


async def test_no_more_are_read_than_are_asked_for(store: Store) -> None:
    await fill(store)
    assert [one.id for one in await store.listing.incidents(IncidentsWanted(), 2)] == [4, 3]


async def test_an_alert_is_found_by_its_number(store: Store) -> None:
    await fill(store)
    assert await store.listing.alert(3) == alert(3, of=3, host=2)
    assert await store.listing.alert(9) is None


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (NoticesWanted(), ["n4", "n3", "n2", "n1"]),
        (NoticesWanted(channel="mail"), ["n3", "n1"]),
        (NoticesWanted(channel="mail", before="n3"), ["n1"]),
        (NoticesWanted(delivery="failed"), ["n2"]),
        (NoticesWanted(delivery="waiting", before="n4"), ["n3", "n1"]),
        (NoticesWanted(before="never sent"), []),
        (NoticesWanted(channel="' OR 1=1 --"), []),
    ],
)
async def test_notices_are_those_that_are_wanted_the_newest_first(
    store: Store, wanted: NoticesWanted, found: list[str]
) -> None:
    await fill(store)
    channels = ("mail", "slack", "mail", "slack")
    notices = [notice(f"n{at}", channel=channel) for at, channel in enumerate(channels, start=1)]
    await store.commit([Outcome(notices=notices)])
    await store.notices.failed("n2", NOW, "nobody answers")
    assert [row.notice.id for row in await store.listing.notices(wanted, 10)] == found
    assert len(await store.listing.notices(NoticesWanted(), 2)) == 2
