"""Users, their sessions and programs, API tokens, and the trail of what was changed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from collector.store import Store, StoreError
from collector.store.people import SESSIONS_PER_USER_MAX, ApiToken, Grant, Session, User
from collector.store.trail import Entry
from tests.collector.stores.builders import DAY, NOW
from tests.collector.stores.conftest import Place


async def user(store: Store, name: str = "ada", role: str = "owner", **more: Any) -> User:
    return await store.people.add_user(name, role, f"hash-of-{name}", NOW, **more)


def session(of: User, name: str = "s1", seen_at: int = NOW, expires_at: int = NOW + DAY) -> Session:
    return Session(name.encode(), of.id, f"csrf-{name}", NOW, seen_at, expires_at, "192.0.2.7", "Firefox")


def grant(of: User, name: str = "g1", expires_at: int = NOW + DAY) -> Grant:
    return Grant(name, of.id, NOW, expires_at)


def api_token(name: str = "t1", **more: Any) -> ApiToken:
    return ApiToken(name, "ci", b"s" * 32, ("monitoring.read",), NOW, "ada", **more)


# --- users -----------------------------------------------------------------------------------------------------------


async def test_a_user_is_there_after_a_restart(place: Place) -> None:
    store = await place.open()
    assert not await store.people.any_user()
    ada = await user(store, email="ada@example.org")
    assert ada == User(ada.id, "ada", "owner", "hash-of-ada", NOW, "ada@example.org")
    store = await place.reopen()
    assert await store.people.any_user()
    assert await store.people.users() == [ada]
    assert await store.people.user_by_id(ada.id) == ada
    assert await store.people.user_by_id(ada.id + 1) is None


async def test_a_name_is_found_however_its_capitals_are_written_and_is_not_given_twice(store: Store) -> None:
    ada = await user(store, "Ada")
    assert await store.people.user("aDA") == ada
    assert await store.people.user("adb") is None
    with pytest.raises(StoreError, match="a user named 'ADA' already") as refused:
        await user(store, "ADA")
    assert not refused.value.passing


async def test_of_two_who_want_to_be_the_first_one_is(place: Place) -> None:
    collector, tool = await place.open(), await place.open("tool")
    answers = await asyncio.gather(
        *(user(store, name, first=True) for store, name in ((collector, "ada"), (tool, "bob"))),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, User) for answer in answers) == 1
    assert [str(answer) for answer in answers if isinstance(answer, StoreError)] == [
        "there is a user already; log in, or have one of them add you"
    ]


async def test_role_and_address_are_changed(store: Store) -> None:
    await user(store)
    bob = await user(store, "bob", "viewer")
    assert (await store.people.set_role(bob.id, "admin")).role == "admin"
    changed = await store.people.set_email(bob.id, "bob@example.org")
    assert (changed.role, changed.email) == ("admin", "bob@example.org")
    assert await store.people.user("bob") == changed
    with pytest.raises(StoreError, match="there is no user 99"):
        await store.people.set_role(99, "admin")


async def test_the_last_owner_stays_one_and_can_log_in(store: Store) -> None:
    ada, bob = await user(store), await user(store, "bob", "owner")
    await store.people.disable(bob.id, NOW + 1)
    for attempt in (store.people.disable(ada.id, NOW + 2), store.people.set_role(ada.id, "viewer")):
        with pytest.raises(StoreError, match="ada is the last owner who can log in") as refused:
            await attempt
        assert not refused.value.passing
    assert await store.people.user("ada") == ada
    assert (await store.people.set_role(ada.id, "owner")).role == "owner"
    await store.people.enable(bob.id)
    assert (await store.people.disable(ada.id, NOW + 3)).disabled_at == NOW + 3


async def test_of_two_owners_who_remove_each_other_at_once_one_is_left(place: Place) -> None:
    collector, tool = await place.open(), await place.open("tool")
    ada, bob = await user(collector), await user(collector, "bob", "owner")
    await asyncio.gather(
        collector.people.disable(ada.id, NOW), tool.people.set_role(bob.id, "viewer"), return_exceptions=True
    )
    owners = [
        one for one in await collector.people.users() if one.role == "owner" and one.disabled_at is None
    ]
    assert len(owners) == 1


async def test_whoever_is_disabled_or_gets_a_new_password_is_logged_out_everywhere(store: Store) -> None:
    await user(store, "root")
    for name, end in (("ada", store.people.disable), ("bob", None)):
        one = await user(store, name)
        await store.people.begin_session(session(one, name))
        await store.people.begin_grant(grant(one, name))
        if end is not None:
            await end(one.id, NOW + 5)
        else:
            await store.people.set_password(one.id, "another", NOW + 5)
            changed = await store.people.user(name)
            assert changed is not None
            assert changed.password_hash == "another"
        assert await store.people.session(name.encode()) is None
        found = await store.people.grant(name)
        assert found is not None
        assert found.revoked_at == NOW + 5


async def test_a_password_is_hashed_anew_only_while_it_is_the_same(store: Store) -> None:
    ada = await user(store)
    await store.people.begin_session(session(ada))
    await store.people.rehash(ada.id, "another", "x")
    assert await store.people.user("ada") == ada
    await store.people.rehash(ada.id, "hash-of-ada", "better")
    found = await store.people.user("ada")
    assert found is not None
    assert found.password_hash == "better"
    assert await store.people.session(b"s1") is not None


# --- sessions --------------------------------------------------------------------------------------------------------


async def test_a_session_is_kept_seen_and_ended(store: Store) -> None:
    ada = await user(store)
    await store.people.begin_session(session(ada))
    assert await store.people.session(b"s1") == session(ada)
    assert await store.people.session(b"s2") is None
    await store.people.note_seen({b"s1": NOW + 7, b"gone": NOW}, {})
    assert await store.people.session(b"s1") == session(ada, seen_at=NOW + 7)
    assert await store.people.end_session(b"s1")
    assert not await store.people.end_session(b"s1")


async def test_all_sessions_of_a_user_are_ended_but_the_one_that_asks(store: Store) -> None:
    ada, bob = await user(store), await user(store, "bob")
    for of, name, seen_at in ((ada, "s1", NOW), (ada, "s2", NOW + 2), (ada, "s3", NOW + 1), (bob, "b1", NOW)):
        await store.people.begin_session(session(of, name, seen_at))
    assert [one.id_sha256 for one in await store.people.sessions(ada.id)] == [b"s2", b"s3", b"s1"]
    assert await store.people.end_sessions(ada.id, but=b"s3") == 2
    assert [one.id_sha256 for one in await store.people.sessions(ada.id)] == [b"s3"]
    assert len(await store.people.sessions(bob.id)) == 1


async def test_sessions_of_one_user_are_bounded(store: Store) -> None:
    ada = await user(store)
    for number in range(SESSIONS_PER_USER_MAX + 2):
        await store.people.begin_session(session(ada, f"s{number}", seen_at=NOW + number))
    kept = [one.id_sha256 for one in await store.people.sessions(ada.id)]
    assert len(kept) == SESSIONS_PER_USER_MAX
    assert b"s1" not in kept
    assert kept[0] == f"s{SESSIONS_PER_USER_MAX + 1}".encode()


# --- programs --------------------------------------------------------------------------------------------------------


async def test_of_two_who_refresh_by_the_same_token_one_may_and_then_neither(place: Place) -> None:
    collector, tool = await place.open(), await place.open("tool")
    ada = await user(collector)
    await collector.people.begin_grant(grant(ada))
    answers = await asyncio.gather(
        collector.people.refresh("g1", 0, NOW + 1), tool.people.refresh("g1", 0, NOW + 1)
    )
    assert sorted(answers) == [False, True]
    found = await collector.people.grant("g1")
    assert found == Grant("g1", ada.id, NOW, NOW + DAY, 1, NOW + 1, NOW + 1)
    assert not await collector.people.refresh("g1", 1, NOW + 2)


async def test_a_grant_is_refreshed_turn_by_turn_until_its_time_is_over(store: Store) -> None:
    await store.people.begin_grant(grant(await user(store)))
    assert [await store.people.refresh("g1", turn, NOW + turn) for turn in range(3)] == [True] * 3
    assert not await store.people.refresh("g1", 3, NOW + DAY)
    assert not await store.people.refresh("g2", 0, NOW)


async def test_a_grant_is_revoked_once(store: Store) -> None:
    await store.people.begin_grant(grant(await user(store)))
    assert await store.people.revoke_grant("g1", NOW + 1)
    assert not await store.people.revoke_grant("g1", NOW + 2)
    assert not await store.people.refresh("g1", 0, NOW + 3)


async def test_all_grants_of_a_user_are_listed_and_revoked(store: Store) -> None:
    ada, bob = await user(store), await user(store, "bob")
    for of, name, expires_at in (
        (ada, "g1", NOW + DAY),
        (ada, "g2", NOW + DAY),
        (ada, "old", NOW),
        (bob, "b1", NOW + DAY),
    ):
        await store.people.begin_grant(grant(of, name, expires_at))
    await store.people.revoke_grant("g2", NOW)
    assert [one.id for one in await store.people.grants(ada.id, NOW)] == ["g1"]
    await store.people.revoke_grants(ada.id, NOW + 1)
    assert await store.people.grants(ada.id, NOW) == []
    assert len(await store.people.grants(bob.id, NOW)) == 1


async def test_what_is_over_is_forgotten(store: Store) -> None:
    ada = await user(store)
    for name, expires_at in (("old", NOW), ("new", NOW + 1)):
        await store.people.begin_session(session(ada, name, expires_at=expires_at))
        await store.people.begin_grant(grant(ada, name, expires_at))
    await store.people.forget_ended(NOW)
    assert [one.id_sha256 for one in await store.people.sessions(ada.id)] == [b"new"]
    assert await store.people.grant("old") is None
    assert await store.people.grant("new") is not None


async def test_an_api_token_is_kept_used_and_revoked(store: Store) -> None:
    await store.people.add_api_token(api_token())
    await store.people.add_api_token(api_token("t2", expires_at=NOW + DAY))
    assert await store.people.api_token("t1") == api_token()
    assert {one.id for one in await store.people.api_tokens()} == {"t1", "t2"}
    await store.people.note_seen({}, {"t1": NOW + 5, "gone": NOW})
    assert await store.people.revoke_api_token("t1", NOW + 9)
    assert not await store.people.revoke_api_token("t1", NOW + 10)
    assert await store.people.api_token("t1") == api_token(used_at=NOW + 5, revoked_at=NOW + 9)
    assert await store.people.api_token("t3") is None


# --- the trail -------------------------------------------------------------------------------------------------------


async def test_the_trail_is_read_from_its_end_and_can_be_narrowed(store: Store) -> None:
    for number, (who, what) in enumerate([("ada", "user.add"), ("bob", "user.add"), ("ada", "config.put")]):
        entry = Entry(NOW + number, who, what, "", '{"a":1}', "192.0.2.7", "r1")
        row = await store.people.record(entry)
        assert (row.n, row.at, row.who, row.after, row.request_id) == (
            number + 1,
            NOW + number,
            who,
            '{"a":1}',
            "r1",
        )

    async def numbers(**narrowed: Any) -> list[int]:
        return [row.n for row in await store.people.audit(10, **narrowed)]

    assert await numbers() == [3, 2, 1]
    assert await numbers(below=3) == [2, 1]
    assert await numbers(who="ada") == [3, 1]
    assert await numbers(what="user.add") == [2, 1]
    assert await numbers(who="ada", what="user.add", below=3) == [1]
    assert [row.n for row in await store.people.audit(1)] == [3]
