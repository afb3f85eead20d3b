"""How pages leave: zipped when that pays, rendered once for all who wait."""

from __future__ import annotations

import asyncio
import gzip

import pytest
from aiohttp.test_utils import make_mocked_request

from collector.web.answers import ZIPPED_FROM_BYTES, Body, Shared, answer, takes_gzip

LARGE = Body("a line of a large page\n" * ZIPPED_FROM_BYTES)


@pytest.mark.parametrize(
    ("offer", "taken"),
    [
        ("gzip, deflate, br", True),
        ("br;q=1.0, GZIP;q=0.8", True),
        ("gzip;q=0", False),
        ("gzip; q=0.0", False),
        ("identity", False),
        ("", False),
    ],
)
def test_a_large_page_is_zipped_for_whoever_takes_it(offer: str, taken: bool) -> None:
    request = make_mocked_request("GET", "/", headers={"Accept-Encoding": offer})
    assert takes_gzip(request) is taken
    response = answer(request, LARGE)
    assert ("Content-Encoding" in response.headers) is taken
    body = response.body
    assert isinstance(body, bytes)
    assert (gzip.decompress(body) if taken else body) == LARGE.plain


def test_a_small_page_is_left_alone() -> None:
    request = make_mocked_request("GET", "/", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in answer(request, Body("small")).headers


def test_letters_that_are_none_do_not_break_a_page() -> None:
    assert Body("a\ud800b").plain == b"a?b"


class Kitchen:
    """Makes pages that can be held up, and counts them."""

    def __init__(self) -> None:
        self.begun = 0
        self.may_go_on = asyncio.Event()

    async def make(self) -> Body:
        self.begun += 1
        number = self.begun
        await self.may_go_on.wait()
        return Body(f"page {number}")


async def test_all_who_ask_before_it_begins_get_the_same_page() -> None:
    shared, kitchen = Shared(), Kitchen()
    asking = [asyncio.create_task(shared.get("/", kitchen.make)) for _ in range(50)]
    await asyncio.sleep(0)
    kitchen.may_go_on.set()
    assert {body.plain for body in await asyncio.gather(*asking)} == {b"page 1"}


async def test_who_asks_after_it_began_gets_a_newer_one() -> None:
    shared, kitchen = Shared(), Kitchen()
    first = asyncio.create_task(shared.get("/", kitchen.make))
    while not kitchen.begun:
        await asyncio.sleep(0)
    second = asyncio.create_task(shared.get("/", kitchen.make))
    await asyncio.sleep(0)
    kitchen.may_go_on.set()
    assert ((await first).plain, (await second).plain) == (b"page 1", b"page 2")


async def test_different_questions_are_different_pages() -> None:
    shared, kitchen = Shared(), Kitchen()
    kitchen.may_go_on.set()
    one, other = await asyncio.gather(shared.get("/?q=a", kitchen.make), shared.get("/?q=b", kitchen.make))
    assert one.plain != other.plain


async def test_a_page_that_fails_fails_for_all_who_wait_and_is_tried_anew_for_the_next() -> None:
    shared, kitchen = Shared(), Kitchen()

    async def fail() -> Body:
        raise ValueError("no")

    results = await asyncio.gather(*(shared.get("/", fail) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [ValueError] * 3
    kitchen.may_go_on.set()
    assert (await shared.get("/", kitchen.make)).plain == b"page 1"


async def test_a_reader_who_leaves_takes_the_page_from_nobody() -> None:
    shared, kitchen = Shared(), Kitchen()
    leaves, stays = (asyncio.create_task(shared.get("/", kitchen.make)) for _ in range(2))
    while not kitchen.begun:
        await asyncio.sleep(0)
    leaves.cancel()
    kitchen.may_go_on.set()
    assert (await stays).plain == b"page 1"
