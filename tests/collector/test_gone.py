"""Where hosts come and go by the thousand, nothing is remembered of those that are gone."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent import wire
from tests.collector.whole import Whole, whole_collector

CHECKS = "  checks: [{kind: tcp, id: shop, address: 'shop:443', from: {role: web}}]\n"
API = "/api/monitoring"


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[Whole]:
    async with whole_collector(tmp_path, CHECKS) as whole:
        yield whole


async def push(whole: Whole, token: str, name: str) -> None:
    now = time.time_ns() // 1_000_000
    batch = wire.Batch(
        0, now, now, 10_000, {"cpu_used_pct": 7.0, f"of_{name}": 1.0}, facts={"hostname": name}
    )
    body = wire.encode(wire.Push(1, "0" * 32, "boot", [batch], definitions=""))
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    async with whole._client.post(wire.PATH, data=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()


def remembered(whole: Whole) -> dict[str, list[Any]]:
    """The hosts that each part knows something of."""
    parts = whole.parts
    return {
        "judge": list(parts.evaluator.watch.hosts),
        "layouts": list(parts.ingest._layouts._of_host),
        "lately": list(parts.ingest._layouts._lately),
        "definitions": list(parts.definitions._known),
        "lines": list(parts.pages._recent._lines),
        "written": list(whole.store._written._said_of_hosts),  # type: ignore[attr-defined]
    }


async def test_whoever_is_removed_leaves_nothing_behind(whole: Whole) -> None:
    numbers = []
    for name in ("web-1", "web-2", "web-3"):
        made = (await whole.post_json(f"{API}/hosts", {"name": name, "labels": {"role": "web"}})).json
        await push(whole, made["token"], name)
        numbers.append(made["id"])
    for part, hosts in remembered(whole).items():
        assert set(numbers) <= set(hosts), part
    for number in numbers[:2]:
        assert (await whole.ask(f"{API}/hosts/{number}", "DELETE")).status == 204
    while await whole.store.forget(whole.parts.upkeep.keep, time.time_ns() // 1_000_000):
        pass
    for part, hosts in remembered(whole).items():
        assert set(hosts) & set(numbers) == {numbers[2]}, part
