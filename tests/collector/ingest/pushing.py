"""What tests of ingest say of a push: that all of it arrived, or that none of it did."""

from __future__ import annotations

from typing import Any

from rules.model import Arrival
from tests.collector.door import Answer, Door


async def arrived(door: Door, *batches: dict[str, Any], **fields: Any) -> Arrival:
    """The last of what arrives of a push that is taken whole."""
    answer = await door.push(*batches, **fields)
    assert answer.json == {"results": ["ok"] * max(1, len(batches))}, answer
    return door.arrivals[-1]


async def refused(door: Door, body: bytes, status: int, why: str, **headers: str) -> Answer:
    """The answer to a push that is refused and counted, and that changes nothing."""
    before, there = door.count("ingest_refused_total", why=why), len(door.arrivals)
    answer = await door.post(body, **headers)
    assert (answer.status, answer.json["code"]) == (status, why), answer
    assert door.count("ingest_refused_total", why=why) == before + 1
    assert len(door.arrivals) == there
    await door.still_serves()
    return answer
