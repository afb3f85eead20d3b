"""Hosts and their tokens."""

from __future__ import annotations

import asyncio

import pytest

from collector.store import Keep, Store, StoreError, TokenRow
from rules.model import Host, Outcome
from tests.collector.stores.builders import (
    HOUR,
    NOW,
    TICK,
    alert,
    batch,
    enrolled,
    forgotten,
    incident,
    sealed,
)
from tests.collector.stores.conftest import Place


async def test_an_enrolled_host_is_there_after_a_restart_with_its_token(place: Place) -> None:
    store = await place.open()
    host = await store.hosts.enrol("alice", {"role": "db"}, "t1", b"\x00\xff" * 16, NOW)
    assert host == Host(host.id, "alice", {"role": "db"}, enrolled_at=NOW)
    store = await place.reopen()
    assert await store.hosts.all() == [host]
    assert await store.hosts.token("t1") == TokenRow("t1", host.id, b"\x00\xff" * 16, NOW)
    assert await store.hosts.token("t2") is None
    assert (await store.remember(NOW)).hosts == [host]


async def test_hosts_are_listed_by_name(store: Store) -> None:
    for name in ("charlie", "alice", "bob"):
        await enrolled(store, name)
    assert [host.name for host in await store.hosts.all()] == ["alice", "bob", "charlie"]


async def test_a_name_that_is_taken_is_refused_with_a_sentence_and_no_token_is_left(store: Store) -> None:
    await enrolled(store, "alice")
    with pytest.raises(StoreError, match="'alice' is enrolled already") as refused:
        await store.hosts.enrol("alice", {}, "another", b"x" * 32, NOW)
    assert not refused.value.passing
    assert await store.hosts.token("another") is None
    assert (await store.health()).state == "ok"


async def test_a_token_that_is_taken_enrols_nobody(store: Store) -> None:
    await store.hosts.enrol("alice", {}, "t1", b"x" * 32, NOW)
    with pytest.raises(StoreError):
        await store.hosts.enrol("bob", {}, "t1", b"y" * 32, NOW)
    assert [host.name for host in await store.hosts.all()] == ["alice"]


async def test_a_host_may_have_more_than_one_token(store: Store) -> None:
    host = await enrolled(store)
    await store.hosts.add_token(host.id, "second", b"z" * 32, NOW + 1)
    assert await store.hosts.token("second") == TokenRow("second", host.id, b"z" * 32, NOW + 1)
    with pytest.raises(StoreError, match="no host 77"):
        await store.hosts.add_token(77, "third", b"z" * 32, NOW)


async def test_a_token_is_revoked_once(store: Store) -> None:
    await store.hosts.enrol("alice", {}, "t1", b"x" * 32, NOW)
    assert await store.hosts.revoke("t1", NOW + 5)
    assert not await store.hosts.revoke("t1", NOW + 9)
    assert not await store.hosts.revoke("t2", NOW)
    token = await store.hosts.token("t1")
    assert token is not None
    assert token.revoked_at == NOW + 5


async def test_of_two_who_want_one_name_at_once_one_gets_it(place: Place) -> None:
    collector, tool = await place.open(), await place.open("tool")
    answers = await asyncio.gather(
        *(store.hosts.enrol("alice", {}, f"t{n}", b"x", NOW) for n, store in enumerate([collector, tool])),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, Host) for answer in answers) == 1
    assert sum(isinstance(answer, StoreError) for answer in answers) == 1


async def test_a_tool_enrols_a_host_beside_a_collector_at_work(place: Place) -> None:
    collector = await place.open()
    host = await enrolled(collector, "alice")

    async def work() -> None:
        for at in range(100):
            await collector.commit([batch(host.id, NOW + at)])

    working = asyncio.create_task(work())
    tool = await place.open("tool")
    bob = await enrolled(tool, "bob")
    await working
    await collector.commit([batch(bob.id, NOW)])
    assert [host.name for host in await collector.hosts.all()] == ["alice", "bob"]
    assert len(await tool.samples.overview()) == 2


async def test_a_host_that_was_enrolled_first_is_not_forgotten_by_a_collector_started_later(
    place: Place,
) -> None:
    tool = await place.open("tool")
    await enrolled(tool, "alice")
    await place.close()
    store = await place.open()
    assert [host.name for host in (await store.remember(NOW)).hosts] == ["alice"]


# --- changed by an admin ----------------------------------------------------------------------------------------------


async def test_tokens_are_read_many_at_once_and_those_that_are_not_there_are_left_out(store: Store) -> None:
    for name in ("alice", "bob"):
        await enrolled(store, name)
    found = await store.hosts.tokens(["token-of-bob", "nobody's", "token-of-alice"])
    assert {token.id for token in found} == {"token-of-alice", "token-of-bob"}
    assert await store.hosts.tokens([]) == []
    with pytest.raises(StoreError, match="no more than 1000 tokens"):
        await store.hosts.tokens(["x"] * 1_001)


async def test_all_tokens_of_a_host_are_revoked_and_no_other(store: Store) -> None:
    alice, _ = await enrolled(store, "alice"), await enrolled(store, "bob")
    await store.hosts.add_token(alice.id, "second", b"z" * 32, NOW)
    await store.hosts.revoke("second", NOW + 1)
    assert await store.hosts.revoke_all(alice.id, NOW + 5) == 1
    assert await store.hosts.revoke_all(alice.id, NOW + 9) == 0
    tokens = await store.hosts.tokens(["token-of-alice", "second", "token-of-bob"])
    revoked = {token.id: token.revoked_at for token in tokens}
    assert revoked == {"token-of-alice": NOW + 5, "second": NOW + 1, "token-of-bob": None}


async def test_a_host_is_renamed_unless_the_name_is_taken(place: Place) -> None:
    store = await place.open()
    alice, _ = await enrolled(store, "alice"), await enrolled(store, "bob")
    await store.commit([batch(alice.id, NOW)])
    assert (await store.hosts.change(alice.id, "carol", {})).name == "carol"
    with pytest.raises(StoreError, match="'bob' is enrolled already"):
        await store.hosts.change(alice.id, "bob", {})
    with pytest.raises(StoreError, match="no host 77"):
        await store.hosts.change(77, "dave", {})
    service = await store.hosts.add_service("shop", NOW)
    with pytest.raises(StoreError, match="called by its metrics"):
        await store.hosts.change(service.id, "dave", {})
    store = await place.reopen()
    latest = await store.samples.latest(alice.id)
    assert latest is not None
    assert (latest.host.name, latest.values) == ("carol", {"load1": 1.0})


async def test_what_an_admin_says_of_a_host_stands_over_what_the_judge_writes_afterwards(
    place: Place,
) -> None:
    store = await place.open()
    host = await store.hosts.enrol("alice", {"role": "web", "rack": "7"}, "t1", b"x" * 32, NOW)
    judged = Host(
        host.id,
        "alice",
        {"role": "web", "rack": "7", "site": "north", "os": "linux"},
        last_at=NOW,
        own_labels=("os", "site"),
    )
    labelled = await store.hosts.change(host.id, None, {"role": "db", "rack": None, "site": "south"})
    assert labelled.labels == {"role": "db", "site": "south"}
    outcome = batch(host.id, NOW)
    outcome.host = judged
    await store.commit([outcome])
    store = await place.reopen()
    [kept] = await store.hosts.all()
    assert kept.labels == {"role": "db", "site": "south", "os": "linux"}
    assert kept.own_labels == ("os",)
    back = await store.hosts.change(host.id, None, {"site": None})
    assert back.labels["site"] == "north", "nobody stands over the agent's own word any more"
    with pytest.raises(StoreError, match="no host 77"):
        await store.hosts.change(77, None, {})


async def test_that_something_was_changed_is_seen_by_a_number_that_grows(place: Place) -> None:
    collector, tool = await place.open(), await place.open("tool")
    alice, bob = await enrolled(tool, "alice"), await enrolled(tool, "bob")
    seen = [await collector.hosts.changes()]
    await tool.hosts.change(alice.id, "carol", {})
    seen.append(await collector.hosts.changes())
    await tool.hosts.change(alice.id, None, {"role": "db"})
    seen.append(await collector.hosts.changes())
    await tool.hosts.remove(bob.id)
    seen.append(await collector.hosts.changes())
    assert seen == sorted(set(seen))


async def test_facts_know_when_they_were_said_after_a_restart(place: Place) -> None:
    store = await place.open()
    host = await enrolled(store)
    outcome = batch(host.id, NOW)
    outcome.host = Host(host.id, "alice", last_at=NOW, facts={"os": "linux"}, facts_at=NOW - TICK)
    await store.commit([outcome])
    store = await place.reopen()
    [kept] = (await store.remember(NOW)).hosts
    assert kept.facts_at == NOW - TICK


# --- removed ----------------------------------------------------------------------------------------------------------


async def test_a_removed_host_is_in_no_list_opens_no_door_and_leaves_its_name_to_another(
    place: Place,
) -> None:
    store = await place.open()
    host = await enrolled(store, "alice")
    await store.commit([batch(host.id, NOW)])
    assert await store.hosts.remove(host.id)
    assert not await store.hosts.remove(host.id)
    assert not await store.hosts.remove(77)
    assert await store.hosts.all() == []
    assert await store.samples.overview() == []
    assert await store.samples.latest(host.id) is None
    assert await store.samples.latest_of("load1") == []
    assert await store.hosts.token("token-of-alice") is None
    again = await store.hosts.enrol("alice", {}, "t2", b"x" * 32, NOW)
    assert again.id != host.id
    with pytest.raises(StoreError, match="no host"):
        await store.hosts.add_token(host.id, "t3", b"x" * 32, NOW)


async def test_what_a_removed_host_brought_goes_in_pieces_and_nothing_of_the_others(store: Store) -> None:
    gone, stays = await enrolled(store, "alice"), await enrolled(store, "bob")
    for host in (gone, stays):
        for hour in range(30):
            ticks = [batch(host.id, NOW + hour * HOUR + n * TICK) for n in range(40)]
            await store.commit(ticks)
    await sealed(store, NOW + 29 * HOUR)
    await store.hosts.remove(gone.id)
    pieces = await forgotten(store, Keep(), NOW + 30 * HOUR)
    assert pieces > 2
    assert len((await store.samples.series(gone.id, "load1", 0, 2**62)).at) == 0
    assert len((await store.samples.series(stays.id, "load1", 0, 2**62)).at) == 1_200
    assert (await store.health()).batches == 1_200
    assert [host.name for host in (await store.remember(NOW)).hosts] == ["bob"]


async def test_what_was_on_its_way_when_its_host_was_removed_is_let_go_of(place: Place) -> None:
    collector, tool = await place.open(), await place.open("tool")
    gone, stays = await enrolled(collector, "alice"), await enrolled(collector, "bob")
    await tool.hosts.remove(gone.id)
    await collector.commit([batch(gone.id, NOW), batch(stays.id, NOW)])
    assert [latest.host.name for latest in await collector.samples.overview()] == ["bob"]
    assert (await collector.health()).batches == 1


async def test_a_removed_host_is_remembered_until_its_alerts_have_ended_and_they_stay_as_history(
    place: Place,
) -> None:
    store = await place.open()
    host = await enrolled(store)
    await store.commit([batch(host.id, NOW), Outcome(incidents=[incident(1)], alerts=[alert(1, 1, host.id)])])
    await store.hosts.remove(host.id)
    await forgotten(store, Keep(), NOW)
    store = await place.reopen()
    [kept] = (await store.remember(NOW)).hosts
    assert (kept.id, kept.name) == (host.id, f"alice (removed, {host.id})")
    ended = [alert(1, 1, host.id, resolved_at=NOW)]
    await store.commit([Outcome(incidents=[incident(1, resolved_at=NOW)], alerts=ended)])
    await forgotten(store, Keep(), NOW)
    assert (await store.remember(NOW)).hosts == []
    assert await store.incidents.alerts(1) == ended
