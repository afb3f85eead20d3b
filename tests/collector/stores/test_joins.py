"""What lets hosts in: codes that are used once, keys that are used a few times, and tokens that replace others."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from collector.store import Store, StoreError
from collector.store.joins import JOINS_KEPT_MS, JOINS_MAX, Comer, Join
from rules.model import Host
from tests.collector.stores.builders import NOW, enrolled
from tests.collector.stores.conftest import Place

MINUTE = 60_000
CODE = Join("c" * 12, b"s" * 32, NOW, "ada", NOW + 30 * MINUTE, {"role": "web"})


def comer(name: str, **known: object) -> Comer:
    return Comer(name, f"token-of-{name}", b"t" * 32, **known)  # type: ignore[arg-type]


async def test_a_join_is_there_after_a_restart(place: Place) -> None:
    store = await place.open()
    await store.joins.add(CODE)
    store = await place.reopen()
    assert await store.joins.all() == [await store.joins.find(CODE.id)] == [CODE]
    assert await store.joins.find("d" * 12) is None


async def test_a_host_that_comes_by_a_code_is_enrolled_with_its_labels_and_its_token(store: Store) -> None:
    await store.joins.add(CODE)
    host = await store.joins.take_in(CODE.id, comer("web-1"), NOW + 1)
    assert host == Host(1, "web-1", {"role": "web"}, enrolled_at=NOW + 1)
    assert await store.hosts.all() == [host]
    token = await store.hosts.token("token-of-web-1")
    assert token is not None
    assert (token.host, token.secret_sha256, token.replaces) == (1, b"t" * 32, None)
    used = await store.joins.find(CODE.id)
    assert used == replace(CODE, uses=1, used_at=NOW + 1)
    assert used.over(NOW + 2) == "used"


@pytest.mark.parametrize(
    ("join", "at", "why"),
    [
        (CODE, NOW + 30 * MINUTE - 1, ""),
        (CODE, NOW + 30 * MINUTE, "expired"),
        (replace(CODE, uses_max=3, uses=3), NOW, "used"),
        (replace(CODE, uses_max=3, uses=2), NOW, ""),
        (replace(CODE, revoked_at=NOW), NOW + 1, "revoked"),
    ],
)
async def test_a_join_lets_hosts_in_for_as_long_as_it_holds(
    store: Store, join: Join, at: int, why: str
) -> None:
    await store.joins.add(join)
    assert join.over(at) == why
    host = await store.joins.take_in(join.id, comer("web-1"), at)
    assert (host is not None) == (why == "")
    assert len(await store.hosts.all()) == (1 if why == "" else 0)


@pytest.mark.parametrize("uses", [1, 3])
async def test_of_hosts_that_race_no_more_come_in_than_may(store: Store, uses: int) -> None:
    await store.joins.add(replace(CODE, uses_max=uses))
    comers = [store.joins.take_in(CODE.id, comer(f"web-{n}"), NOW) for n in range(10)]
    hosts = [host for host in await asyncio.gather(*comers) if host is not None]
    assert len(hosts) == uses
    assert sorted(await store.hosts.all(), key=lambda host: host.id) == hosts


async def test_a_name_that_is_taken_costs_no_use(store: Store) -> None:
    await enrolled(store, "web-1")
    await store.joins.add(CODE)
    with pytest.raises(StoreError, match="'web-1' is enrolled already"):
        await store.joins.take_in(CODE.id, comer("web-1"), NOW)
    assert (await store.joins.all())[0].uses == 0
    assert await store.joins.take_in(CODE.id, comer("web-2"), NOW) is not None


async def test_a_host_that_shows_its_token_stays_the_host_that_it_is(store: Store) -> None:
    before = await enrolled(store, "web-1")
    await store.joins.add(CODE)
    host = await store.joins.take_in(CODE.id, comer("x", host=before.id, token="token-of-web-1"), NOW)
    assert host is not None
    assert (host.id, host.name, host.labels) == (before.id, "web-1", {"role": "web"})
    token = await store.hosts.token("token-of-x")
    assert token is not None
    assert token.replaces == "token-of-web-1"


async def test_a_code_for_one_host_revokes_the_tokens_it_had(store: Store) -> None:
    before = await enrolled(store, "web-1")
    await store.joins.add(replace(CODE, host=before.id))
    host = await store.joins.take_in(CODE.id, comer("whatever"), NOW + 5)
    assert host is not None
    assert (host.id, host.name) == (before.id, "web-1")
    old, new = await store.hosts.tokens(["token-of-web-1", "token-of-whatever"])
    assert sorted([old.revoked_at is None, new.revoked_at is None]) == [False, True]


async def test_a_code_for_a_host_that_is_gone_lets_nobody_in(store: Store) -> None:
    before = await enrolled(store, "web-1")
    await store.joins.add(replace(CODE, host=before.id))
    await store.hosts.remove(before.id)
    with pytest.raises(StoreError, match="there is no host"):
        await store.joins.take_in(CODE.id, comer("web-1"), NOW)


async def test_what_is_revoked_is_revoked_once(store: Store) -> None:
    await store.joins.add(CODE)
    assert await store.joins.revoke(CODE.id, NOW)
    assert not await store.joins.revoke(CODE.id, NOW)
    assert not await store.joins.revoke("d" * 12, NOW)


async def test_joins_are_bounded_and_old_ones_are_let_go_of(store: Store) -> None:
    for number in range(JOINS_MAX):
        await store.joins.add(replace(CODE, id=f"{number:012}"))
    with pytest.raises(StoreError, match="hold already; revoke some"):
        await store.joins.add(CODE)
    later = replace(CODE, id="later", created_at=CODE.expires_at + JOINS_KEPT_MS + 1, expires_at=2**50)
    await store.joins.add(later)
    assert await store.joins.all() == [later]


async def test_a_token_holds_until_the_one_in_its_place_was_used(store: Store) -> None:
    await enrolled(store, "web-1")
    assert await store.hosts.replace_token("token-of-web-1", "lost", b"l" * 32, NOW)
    assert await store.hosts.replace_token("token-of-web-1", "new", b"n" * 32, NOW)
    assert await store.hosts.token("lost") is None
    old = await store.hosts.token("token-of-web-1")
    assert old is not None
    assert old.revoked_at is None
    await store.hosts.settle("new", NOW + 7)
    old, new = await store.hosts.token("token-of-web-1"), await store.hosts.token("new")
    assert old is not None
    assert new is not None
    assert (old.revoked_at, new.revoked_at, new.replaces) == (NOW + 7, None, None)
    assert not await store.hosts.replace_token("token-of-web-1", "other", b"o" * 32, NOW)
