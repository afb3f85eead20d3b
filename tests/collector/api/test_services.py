"""Services and what was promised of them over the API."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from tests.collector.api.house import House

SHOP = {"name": "shop", "title": "The shop", "checks": [{"id": "site"}], "objective_pct": 99.5}


async def live(house: House, *states: str) -> None:
    """A host whose check stands so from tick to tick, up to now, and what the service was written down."""
    agent = await house.enrol("web-1")
    for place, state in enumerate(states):
        check = {"id": "site", "kind": "http", "state": state}
        series = {'check_state{check="site",kind="http"}': {"ok": 0.0, "bad": 2.0}[state]}
        await agent.push(series, checks=[check], ago_s=10 * (len(states) - 1 - place))
    await house.parts.promised.round()


async def test_there_are_none_yet_and_it_says_what_to_do(house: House) -> None:
    assert await house.ask("/services") == []
    sla = await house.ask("/sla")
    assert (sla["uptime_target_pct"], sla["response_time_target_ms"], sla["services"]) == (99.99, 100, [])
    assert "services:" in sla["why"]


async def test_a_service_is_made_changed_and_removed(house: House) -> None:
    made = await house.do("PUT", "/services/shop", SHOP)
    assert (made["title"], made["in_config"], made["options"]["objective_pct"]) == ("The shop", False, 99.5)
    await house.do("PUT", "/services/shop", {**SHOP, "objective_pct": 99.0})
    [shown] = await house.ask("/services")
    assert shown["options"]["objective_pct"] == 99.0
    above = {"name": "all", "depends_on": {"services": ["shop"]}}
    await house.do("PUT", "/services/all", above)
    said = await house.send("DELETE", "/api/monitoring/services/shop")
    assert (said.status, said.json["code"]) == (409, "refused")
    await house.do("DELETE", "/services/all", None, 204)
    await house.do("DELETE", "/services/shop", None, 204)
    assert await house.ask("/services") == []
    assert (await house.send("DELETE", "/api/monitoring/services/shop")).status == 404
    assert [row.what for row in await house.parts.store.people.audit(2)] == ["service.remove"] * 2


async def test_what_a_file_holds_is_changed_there(tmp_path: Path) -> None:
    services = "  services: [{name: shop, checks: [{id: site}]}]\n"
    async with House(tmp_path, services) as house:
        assert [one["in_config"] for one in await house.ask("/services")] == [True]
        said = await house.send("PUT", "/api/monitoring/services/shop", SHOP)
        assert (said.status, said.json["code"]) == (409, "refused")
        assert (await house.send("DELETE", "/api/monitoring/services/shop")).status == 409


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("shop", {}, 400),
        ("other", SHOP, 422),
        ("shop", {**SHOP, "objective_pct": 100}, 400),
        ("shop", {**SHOP, "hours": ["whenever"]}, 400),
        ("shop", {"name": "shop", "depends_on": {"services": ["moon"]}}, 409),
        ("shop", {"name": "shop", "depends_on": {"services": ["shop"]}}, 409),
        ("shop", {"name": "shop", "depends_on": {"services": ["moon", "moon"]}}, 422),
        ("shop", {**SHOP, "title": "a\x1b[2Jb"}, 422),
        ("a b", {**SHOP, "name": "a b"}, 400),
        ("..%2f..%2fetc", SHOP, 422),
    ],
)
async def test_a_service_that_makes_no_sense_is_refused(
    house: House, name: str, body: Any, status: int
) -> None:
    said = await house.send("PUT", f"/api/monitoring/services/{name}", body)
    assert said.status == status, said
    assert await house.ask("/services") == []


async def test_how_a_service_stands_is_told_against_objective_and_target(tmp_path: Path) -> None:
    async with House(tmp_path, "  services: [{name: shop, checks: [{id: site}]}]\n") as house:
        await live(house, *["ok"] * 8, *["bad"] * 2)
        sla = await house.ask("/sla?window=24h")
        [shop] = sla["services"]
        assert (shop["service"], shop["state"], shop["objective_pct"]) == ("shop", "down", 99.9)
        assert shop["tally"]["up"] > 0
        assert shop["tally"]["down"] > 0
        assert (shop["meets_objective"], shop["meets_target"]) == (False, False)
        assert shop["budget"]["objective_pct"] == 99.9
        assert (await house.ask("/sla?service=shop"))["services"][0]["window"] == "30d"
        shown = await house.ask("/services/shop/timeline?range=1h")
        assert [one["state"] for one in shown["intervals"]][-2:] == ["up", "down"]
        [day, *_] = await house.ask("/services/shop/days?days=1")
        assert day["tally"]["up"] > 0
        month = time.strftime("%Y-%m", time.gmtime())
        report = await house.ask(f"/services/shop/report?month={month}")
        assert report["intervals"][-1]["state"] == "down"
        assert "whole window" in report["accounts"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/sla?service=moon", 404),
        ("/sla?window=1y", 400),
        ("/services/moon/timeline", 404),
        ("/services/moon/days", 404),
        ("/services/moon/days?days=500", 400),
        ("/services/moon/report?month=2026-10", 404),
        ("/services/moon/report?month=2026-13", 400),
        ("/services/moon/report", 400),
    ],
)
async def test_what_nobody_knows_is_missing(house: House, path: str, status: int) -> None:
    assert (await house.get(path)).status == status


async def test_how_services_stand_is_reckoned_once_for_all_who_ask_at_once(house: House) -> None:
    await house.do("PUT", "/services/shop", SHOP)
    await live(house, "ok", "ok")
    house.parts.kept.clear()
    house.parts.kept.fleet_age_s = 1.0
    before = await house.ask("/performance/cache/stats")
    answers = await asyncio.gather(*(house.get("/sla") for _ in range(20)))
    after = await house.ask("/performance/cache/stats")
    assert len({answer.body for answer in answers}) == 1
    assert (after["misses"] - before["misses"], after["hits"] - before["hits"]) == (1, 19)
    await house.do("DELETE", "/services/shop", None, 204)
    assert (await house.ask("/sla"))["services"] == []
