"""What is remembered of the store: a moment long, and never beyond a change."""

from __future__ import annotations

import asyncio

import pytest

from collector.access.known import FRESH_MS, Known


class Slow:
    """A store that answers when it is let."""

    def __init__(self) -> None:
        self.now = 0
        self.roles = {"ada": "admin"}
        self.answer = asyncio.Event()
        self.asked = 0
        self.known: Known[str, str] = Known(self._read, lambda: self.now)

    async def _read(self, name: str) -> str | None:
        self.asked += 1
        role = self.roles.get(name)
        await self.answer.wait()
        return role


@pytest.mark.parametrize("all_of_them", [False, True])
async def test_an_answer_that_a_change_overtook_is_not_remembered(all_of_them: bool) -> None:
    store = Slow()
    asking = asyncio.create_task(store.known.get("ada"))
    await asyncio.sleep(0)
    store.roles["ada"] = "member"
    if all_of_them:
        store.known.forget_all()
    else:
        store.known.forget("ada")
    store.answer.set()
    assert await asking == "admin"
    assert await store.known.get("ada") == "member"


async def test_the_store_is_asked_once_in_two_seconds_for_what_there_is_and_what_there_is_not() -> None:
    store = Slow()
    store.answer.set()
    for _ in range(3):
        assert await store.known.get("ada") == "admin"
        assert await store.known.get("eve") is None
    assert store.asked == 2
    store.now = FRESH_MS
    assert await store.known.get("ada") == "admin"
    assert store.asked == 3
