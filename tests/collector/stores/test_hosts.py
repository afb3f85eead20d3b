"""Hosts and their tokens."""

from __future__ import annotations

import asyncio

import pytest

from collector.store import Store, StoreError, TokenRow
from rules.model import Host
from tests.collector.stores.builders import NOW, batch, enrolled
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
