"""Pushes that are good and come at a bad moment: agents are told to come again, not all at once."""

from __future__ import annotations

import asyncio
import gzip

from collector.ingest import RETRY_AFTER_S
from collector.ingest.body import PUSHES_PER_HOST_MAX
from tests.collector.door import Door, open_door
from tests.waiting import until_it_is


async def test_a_store_that_fails_puts_the_push_off_and_is_seen_in_health(door: Door) -> None:
    assert door.ingest.health().state == "ok"
    door.trouble = "the disk is full"
    answer = await door.push(door.batch(), door.batch())
    assert (answer.status, answer.json["code"]) == (503, "store")
    assert "the disk is full" in answer.json["message"]
    assert RETRY_AFTER_S[0] <= int(answer.headers["retry-after"]) <= RETRY_AFTER_S[1]
    assert door.count("ingest_refused_total", why="store") == 1
    health = door.ingest.health()
    assert (health.state, "the disk is full" in health.detail) == ("degraded", True)
    door.trouble = None
    await door.still_serves()
    assert door.ingest.health().state == "ok"


async def test_agents_that_are_put_off_do_not_all_come_back_at_once(door: Door) -> None:
    door.trouble = "full"
    waits = {(await door.push()).headers["retry-after"] for _ in range(60)}
    assert len(waits) > 3


async def test_one_host_with_too_many_pushes_under_way_waits_and_the_others_do_not() -> None:
    async with open_door() as door:
        door.hold = asyncio.Event()
        under_way = [asyncio.create_task(door.push()) for _ in range(PUSHES_PER_HOST_MAX)]
        await until_it_is(lambda: door.ingest._room._pushes.get(1) == PUSHES_PER_HOST_MAX)
        answer = await door.push()
        assert (answer.status, answer.json["code"]) == (429, "host_busy")
        assert "retry-after" in answer.headers
        other = await door.hosts.enrolled("web-2")
        second = asyncio.create_task(door.post(door.push_of(), token=str(other)))
        door.hold.set()
        assert [(await task).status for task in [*under_way, second]] == [200] * (PUSHES_PER_HOST_MAX + 1)
        assert door.ingest._room._pushes == {}


async def test_what_all_pushes_together_keep_in_memory_is_bounded() -> None:
    async with open_door(bytes_at_work_max=100_000) as door:
        door.hold = asyncio.Event()
        body = door.push_of() + b" " * 40_000
        first = asyncio.create_task(door.post(gzip.compress(body), Content_Encoding="gzip"))
        await until_it_is(lambda: door.count("ingest_bytes_at_work") >= 40_000)
        answer = await door.post(body)
        assert (answer.status, answer.json["code"]) == (503, "busy")
        door.hold.set()
        assert (await first).status == 200
        assert door.count("ingest_bytes_at_work") == 0
        await door.still_serves()
