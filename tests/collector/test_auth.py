"""Tokens: who is let in, how soon a change is seen, and what guessing costs."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import wire
from collector import auth
from collector.auth import Denied, Tokens, new_token
from collector.store import TokenRow
from tests.collector.door import NOW, MemoryHosts

FRESH_MS = 5_000


class House:
    """Tokens over hosts in memory, and a clock that stands until it is set."""

    def __init__(self, **settings: float) -> None:
        self.hosts = MemoryHosts()
        self.now = NOW
        self.tokens = Tokens(self.hosts, lambda: self.now, fresh_ms=FRESH_MS, **settings)

    async def ask(self, token: wire.Token | str) -> int | str:
        """The host's id, or the code of the refusal: asked as a push asks."""
        shown = f"Bearer {token}"
        answer = self.tokens.known(shown, self.now) or await self.tokens.host(shown)
        return answer.code if isinstance(answer, Denied) else answer

    async def rereading_is_done(self) -> None:
        assert self.tokens._rereading is not None
        await self.tokens._rereading


def test_a_new_token_has_the_shape_the_wire_asks_for_and_only_its_hash_is_to_be_kept() -> None:
    token, sha256 = new_token()
    assert wire.parse_token(str(token)) == token
    assert (len(token.id), len(token.secret)) == (12, 40)
    assert sha256 == hashlib.sha256(token.secret.encode()).digest()
    assert len({str(new_token()[0]) for _ in range(100)}) == 100


async def test_a_token_opens_the_door_for_its_own_host() -> None:
    house = House()
    first, second = await house.hosts.enrolled("web-1"), await house.hosts.enrolled("web-2")
    assert await house.ask(first) == 1
    assert await house.ask(second) == 2
    assert await house.tokens.host(f"bearer  {first} ") == 1


async def test_whoever_has_no_right_token_is_told_what_is_wrong_with_it() -> None:
    house = House()
    token = await house.hosts.enrolled("web-1")
    other, _ = new_token()
    assert await house.tokens.host(None) == auth.MISSING
    assert await house.tokens.host("Basic d2s6d2s=") == auth.MISSING
    assert await house.ask("wk_user_default_abcdefghijkl_" + "x" * 40) == "token_malformed"
    assert await house.ask(f"{token}x\x00") == "token_malformed"
    assert await house.ask(other) == "token_wrong"
    assert await house.ask(wire.Token("default", token.id, other.secret)) == "token_wrong"
    assert await house.ask(wire.Token("elsewhere", token.id, token.secret)) == "token_wrong"


async def test_only_who_holds_the_secret_learns_that_a_token_was_revoked() -> None:
    house = House()
    token = await house.hosts.enrolled("web-1")
    await house.hosts.revoke(token.id, NOW)
    answer = await house.tokens.host(f"Bearer {token}")
    assert isinstance(answer, Denied)
    assert (answer.status, answer.code) == (403, "token_revoked")
    assert await house.ask(wire.Token("default", token.id, new_token()[0].secret)) == "token_wrong"


async def test_the_store_is_asked_once_for_many_pushes() -> None:
    house = House()
    token = await house.hosts.enrolled("web-1")
    assert [await house.ask(token) for _ in range(50)] == [1] * 50
    assert house.hosts.asked == [token.id]


async def test_a_header_that_was_good_is_known_by_itself_and_no_other_is() -> None:
    house = House()
    token = await house.hosts.enrolled("web-1")
    assert house.tokens.known(f"Bearer {token}", house.now) is None
    await house.ask(token)
    assert house.tokens.known(f"Bearer {token}", house.now) == 1
    guess = wire.Token("default", token.id, new_token()[0].secret)
    for other in (None, "", f"Bearer {guess}", f"bearer {token}", f"Bearer {token} "):
        assert house.tokens.known(other, house.now) is None


async def test_however_a_token_is_written_one_way_of_it_is_kept() -> None:
    house = House()
    token = await house.hosts.enrolled("web-1")
    for spaces in range(1, 50):
        assert await house.tokens.host(f"Bearer{' ' * spaces}{token}") == 1
    assert len(house.tokens._shown) == 1
    house.tokens.forget(token.id)
    assert not house.tokens._shown


async def test_who_is_known_stays_known_when_the_store_says_the_same_again() -> None:
    house = House()
    token = await house.hosts.enrolled("web-1")
    await house.ask(token)
    house.now += FRESH_MS
    assert house.tokens.known(f"Bearer {token}", house.now) == 1
    await house.rereading_is_done()
    assert house.hosts.asked_together == [1]
    assert house.tokens.known(f"Bearer {token}", house.now) == 1


async def test_a_revocation_through_another_process_is_seen_without_any_push_waiting_for_it() -> None:
    house = House()
    token = await house.hosts.enrolled("web-1")
    await house.ask(token)
    await house.hosts.revoke(token.id, NOW)
    house.now += FRESH_MS - 1
    assert await house.ask(token) == 1
    house.now += 1
    assert await house.ask(token) == 1  # answered from memory, while the store is asked behind its back
    await house.rereading_is_done()
    assert await house.ask(token) == "token_revoked"


async def test_a_fleet_of_tokens_is_read_again_in_a_few_questions() -> None:
    house = House(reread_every_s=0.0)
    tokens = [await house.hosts.enrolled(f"web-{number}") for number in range(2_500)]
    for token in tokens:
        await house.ask(token)
    await house.hosts.revoke(tokens[-1].id, NOW)
    house.now += FRESH_MS
    assert [await house.ask(token) for token in tokens] == list(range(1, 2_501))
    await house.rereading_is_done()
    assert house.hosts.asked_together == [1_000, 1_000, 500]
    assert await house.ask(tokens[-1]) == "token_revoked"


async def test_a_revocation_in_this_process_is_seen_at_once() -> None:
    house = House()
    token = await house.hosts.enrolled("web-1")
    await house.ask(token)
    await house.hosts.revoke(token.id, NOW)
    house.tokens.forget(token.id)
    assert await house.ask(token) == "token_revoked"


async def test_a_token_that_was_nobodys_works_soon_after_it_is_enrolled() -> None:
    house = House()
    token, sha256 = new_token()
    assert await house.ask(token) == "token_wrong"
    await house.hosts.enrol("late", {}, token.id, sha256, NOW)
    assert await house.ask(token) == "token_wrong"
    assert house.hosts.asked == [token.id]
    house.now += FRESH_MS
    assert await house.ask(token) == 1


async def test_a_clock_set_back_makes_nothing_fresh_for_ever() -> None:
    house = House()
    token, sha256 = new_token()
    await house.ask(token)
    await house.hosts.enrol("late", {}, token.id, sha256, NOW)
    house.now -= 1_000_000
    assert await house.ask(token) == 1


async def test_guessing_neither_fills_memory_nor_pushes_out_who_is_known() -> None:
    house = House()
    token = await house.hosts.enrolled("web-1")
    await house.ask(token)
    for number in range(auth.UNKNOWN_MAX + 500):
        await house.ask(wire.Token("default", f"guess{number:08}", "x" * 40))
    assert len(house.tokens._unknown) == auth.UNKNOWN_MAX
    assert await house.ask(token) == 1
    assert house.hosts.asked.count(token.id) == 1


async def test_a_store_that_fails_puts_newcomers_off_and_leaves_known_hosts_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = House(reread_every_s=0.0)
    known, newcomer = await house.hosts.enrolled("web-1"), await house.hosts.enrolled("web-2")
    await house.ask(known)
    house.hosts.broken = "the disk is gone"
    answer = await house.tokens.host(f"Bearer {newcomer}")
    assert isinstance(answer, Denied)
    assert (answer.status, answer.code) == (503, "store")
    assert "the disk is gone" in answer.message
    house.now += FRESH_MS
    assert await house.ask(known) == 1
    while not caplog.records:
        await asyncio.sleep(0)
    assert "the disk is gone" in caplog.text
    assert await house.ask(known) == 1
    await house.tokens.close()


async def test_no_more_look_ups_wait_than_there_is_room_for() -> None:
    house = House()
    tokens = [await house.hosts.enrolled(f"web-{number}") for number in range(auth.LOOK_UPS_MAX + 10)]
    answers = await asyncio.gather(*(house.ask(token) for token in tokens))
    assert answers.count("busy") == 10
    assert [await house.ask(token) for token in tokens][-1] == len(tokens)


@given(st.text())
def test_no_header_whatever_opens_the_door_or_breaks_it(header: str) -> None:
    async def ask() -> None:
        house = House()
        await house.hosts.enrolled("web-1")
        for text in (header, f"Bearer {header}", f"Bearer wk_agent_default_{header}"):
            assert isinstance(await house.tokens.host(text), Denied)

    asyncio.run(ask())


async def test_a_token_takes_the_place_of_another_when_it_is_first_used() -> None:
    house = House()
    old = await house.hosts.enrolled("web-1")
    new, sha256 = new_token()
    house.hosts.rows[new.id] = TokenRow(new.id, 1, sha256, NOW, replaces=old.id)
    assert await house.ask(old) == 1
    assert await house.ask(new) == 1
    assert await house.ask(old) == "token_revoked"
    assert house.hosts.rows[new.id].replaces is None


async def test_while_the_store_is_away_a_new_token_is_good_and_so_is_the_one_before_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = House()
    old = await house.hosts.enrolled("web-1")
    new, sha256 = new_token()
    house.hosts.rows[new.id] = TokenRow(new.id, 1, sha256, NOW, replaces=old.id)
    assert await house.ask(old) == 1
    house.tokens._keep(new.id, house.hosts.rows[new.id])
    house.hosts.broken = "the disk is full"
    assert await house.ask(new) == 1
    assert "is revoked at the next push, not now: the disk is full" in caplog.text
    house.hosts.broken = None
    assert await house.ask(new) == 1
    assert await house.ask(old) == "token_revoked"
