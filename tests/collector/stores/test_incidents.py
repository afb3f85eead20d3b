"""Incidents, their alerts and transitions, and what of them judging gets back after a start."""

from __future__ import annotations

from agent.wire import Evidence, Folder, Program
from collector.store import EvidenceRow, Store
from rules.model import REOPEN_MS, Outcome, Told, Withheld
from tests.collector.stores.builders import NOW, alert, enrolled, incident, transition
from tests.collector.stores.conftest import Place


async def test_a_new_version_of_an_incident_replaces_the_old_one(store: Store) -> None:
    await store.commit([Outcome(incidents=[incident(1)])])
    changed = incident(
        1,
        resolved_at=NOW + 1,
        told={"mail": Told("critical", NOW, NOW + 5, 2, 900_000, "cap")},
        withheld=(Withheld("pager", "silence", NOW + 9, "ada: new disks"),),
        came=(NOW, NOW + 1),
        round=2,
        acknowledged_by="bob",
        noted="warning",
    )
    await store.commit([Outcome(incidents=[changed])])
    assert await store.incidents.get(1) == changed
    assert await store.incidents.get(2) is None


async def test_open_incidents_come_before_resolved_ones_and_the_newest_first(store: Store) -> None:
    await store.commit(
        [
            Outcome(
                incidents=[
                    incident(1, NOW + 10),
                    incident(2, NOW + 40, NOW + 50),
                    incident(3, NOW + 20),
                    incident(4, NOW + 30, NOW + 60),
                    incident(5, NOW + 20),
                ]
            )
        ]
    )
    assert [one.id for one in await store.incidents.recent(10)] == [5, 3, 1, 2, 4]
    assert [one.id for one in await store.incidents.recent(4)] == [5, 3, 1, 2]
    assert [one.id for one in await store.incidents.recent(2)] == [5, 3]
    assert {one.id for one in await store.incidents.open()} == {1, 3, 5}


async def test_alerts_are_found_by_their_incident_and_by_being_open(store: Store) -> None:
    await store.commit(
        [
            Outcome(
                incidents=[incident(1), incident(2)],
                alerts=[alert(1, of=1), alert(2, of=2), alert(3, of=1, resolved_at=NOW)],
            )
        ]
    )
    assert [one.id for one in await store.incidents.alerts(1)] == [1, 3]
    assert [one.id for one in await store.incidents.open_alerts()] == [1, 2]


async def test_the_transitions_of_an_incident_are_those_of_its_alerts_oldest_first(store: Store) -> None:
    await enrolled(store)
    await store.commit(
        [Outcome(incidents=[incident(1), incident(2)], alerts=[alert(1, of=1), alert(2, of=2)])]
    )
    await store.commit(
        [Outcome(transitions=[transition(NOW + 20, of=1), transition(NOW, of=2), transition(NOW)])]
    )
    late = transition(NOW + 10, of=1, late=True, why="heard later", severity="warning", value=3.5)
    await store.commit([Outcome(transitions=[late])])
    assert await store.incidents.transitions(1) == [late, transition(NOW + 20, of=1)]
    assert await store.incidents.transitions(3) == []


async def test_judging_remembers_what_is_open_and_what_may_be_opened_again(place: Place) -> None:
    store = await place.open()
    long_ago, just_now = NOW - REOPEN_MS - 1, NOW - REOPEN_MS
    await store.commit(
        [
            Outcome(
                incidents=[incident(1), incident(2, resolved_at=long_ago), incident(3, resolved_at=just_now)],
                alerts=[
                    alert(1, of=1),
                    alert(2, of=1, resolved_at=NOW),
                    alert(3, of=2, resolved_at=long_ago),
                    alert(4, of=3, resolved_at=just_now),
                ],
            )
        ]
    )
    store = await place.reopen()
    kept = await store.remember(NOW)
    assert [one.id for one in kept.incidents] == [1, 3]
    assert [one.id for one in kept.alerts] == [1, 4, 2]
    assert (kept.next_incident, kept.next_alert) == (4, 5)


async def test_a_new_store_remembers_nothing_but_who_it_is(place: Place) -> None:
    store = await place.open()
    kept = await store.remember(NOW)
    assert (kept.hosts, kept.seen, kept.states, kept.alerts, kept.incidents) == ([], [], [], [], [])
    assert (kept.next_alert, kept.next_incident) == (1, 1)
    assert len(kept.instance) >= 16
    store = await place.reopen()
    assert (await store.remember(NOW)).instance == kept.instance


# --- evidence ---------------------------------------------------------------------------------------------------------


def evidence(alert: int, of: int, host: int = 1, arrived_at: int = NOW, seen: str = "") -> EvidenceRow:
    found = Evidence(
        alert,
        NOW - 5,
        2_000,
        by_cpu=[Program(7, "mysqld", "mysqld --x", 99.5, 2**40)],
        mount="/var",
        folders=[Folder("/var/log", 2**45)],
        failed_units=[],
        unseen=[seen],
    )
    return EvidenceRow(alert, of, host, arrived_at, found)


async def test_evidence_is_found_by_its_incident_in_the_order_of_its_arrival(store: Store) -> None:
    await store.commit([Outcome(incidents=[incident(1), incident(2)])])
    rows = [evidence(5, of=1, arrived_at=NOW + 9), evidence(3, of=2), evidence(9, of=1, host=2)]
    for row in rows:
        await store.incidents.add_evidence(row)
    assert await store.incidents.evidence(1) == [rows[2], rows[0]]
    assert await store.incidents.evidence(2) == [rows[1]]
    assert await store.incidents.evidence(3) == []


async def test_evidence_that_is_sent_again_changes_nothing(store: Store) -> None:
    await store.commit([Outcome(incidents=[incident(1)])])
    await store.incidents.add_evidence(evidence(5, of=1, seen="first"))
    await store.incidents.add_evidence(evidence(5, of=1, seen="again", arrived_at=NOW + 9))
    assert await store.incidents.evidence(1) == [evidence(5, of=1, seen="first")]


async def test_evidence_of_an_incident_that_is_not_there_is_not_kept(store: Store) -> None:
    await store.incidents.add_evidence(evidence(5, of=1))
    await store.commit([Outcome(incidents=[incident(1)])])
    assert await store.incidents.evidence(1) == []


async def test_evidence_outlives_a_restart(place: Place) -> None:
    store = await place.open()
    await store.commit([Outcome(incidents=[incident(1)])])
    await store.incidents.add_evidence(evidence(5, of=1))
    store = await place.reopen()
    assert await store.incidents.evidence(1) == [evidence(5, of=1)]
