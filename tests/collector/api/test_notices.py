"""Notices over the API: what was said to whom, and what became of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.collector.api.house import House


async def test_there_are_none_yet_and_nobody_would_be_told(house: House) -> None:
    assert await house.ask("/notices") == {"items": [], "channels": []}


async def test_a_notice_is_told_with_what_became_of_it(tmp_path: Path) -> None:
    async with House(tmp_path, "  channels: [{kind: log, name: journal}]\n") as house:
        await (await house.enrol("web-1")).push({"cpu_used_pct": 95.0})
        async with asyncio.timeout(10):
            while not (found := await house.ask("/notices?delivery=sent"))["items"]:
                await asyncio.sleep(0.02)
        [notice] = found["items"]
        assert (notice["channel"], notice["reason"], notice["incident"]) == ("journal", "first", 1)
        assert notice["sent_at"] is not None
        [channel] = found["channels"]
        assert (channel["channel"], channel["sent"]) == ("journal", 1)
        assert (await house.ask("/notices?channel=moon"))["items"] == []
        assert (await house.ask("/notices?incident=7"))["items"] == []
