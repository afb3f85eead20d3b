"""What is done to incidents stands in the audit trail, by whichever door it came."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.collector.whole import Whole, whole_collector

INCIDENTS = "/api/monitoring/incidents"
CHANNELS = "  channels: [{kind: log, name: journal}]\n"


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[Whole]:
    async with whole_collector(tmp_path, CHANNELS) as whole:
        yield whole


async def trail(whole: Whole) -> list[tuple[str, str, Any]]:
    """Who did what, the first first; each from this machine, under the name of its request."""
    rows = list(reversed(await whole.parts.access.audit.rows(50)))
    assert {row.address for row in rows} == {"127.0.0.1"}
    assert len({row.request_id for row in rows} - {""}) == len(rows)
    return [(row.who, row.what, msgspec.json.decode(row.after)) for row in rows]


async def test_acts_over_the_api_are_in_the_trail(whole: Whole) -> None:
    await whole.post_json(INCIDENTS, {"title": "The shop is slow", "severity": "critical"})
    await whole.post_json(f"{INCIDENTS}/1/notes", {"text": "I look"})
    opened = {"title": "The shop is slow", "severity": "critical", "services": [], "incident": 1}
    assert await trail(whole) == [
        ("local", "incident.open", opened),
        ("local", "incident.note", {"incident": 1, "text": "I look"}),
    ]


async def test_acts_on_pages_and_by_links_are_in_the_trail(whole: Whole) -> None:
    await whole.post_json(INCIDENTS, {"title": "The shop is slow", "severity": "critical"})
    (row,) = await whole.store.notices.recent(5)
    acknowledge, _ = whole.parts.links.actions(row.notice)
    assert (await whole.post("/links/" + acknowledge.url.partition("/links/")[2])).status == 200
    assert (await whole.post("/incidents/1/resolve", {"text": "well again"})).status == 303
    assert (await trail(whole))[1:] == [
        ("a link in journal", "incident.acknowledge", {"incident": 1}),
        ("local", "incident.resolve", {"incident": 1, "note": "well again"}),
    ]


async def test_what_is_refused_is_not_in_the_trail(whole: Whole) -> None:
    assert (await whole.post_json(f"{INCIDENTS}/7/notes", {"text": "nobody"})).status == 404
    assert await whole.parts.access.audit.rows(5) == []
