"""What services should have and what becomes of hosts, on pages of the collector as it runs."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from collector.web.outlook import outlook
from collector.web.plays import RANGES, SHAPES, Wanted
from collector.web.words import Times, zone_named
from collector.who import LOCAL
from rules.capacity.bottlenecks import bottlenecks
from rules.capacity.report import HostReport
from rules.capacity.sizing import Prices, Size, Sizing, Use, right_size
from tests.collector.api.house import House
from tests.collector.web.reading import page, text_of

SCALING = f"""  scaling:
    - {{service: web, where: {{role: web}}, min: 1, max: 4, targets: {{cpu_used_pct: 50}}, look_ahead: null}}
    - service: jobs
      current: 3
      hook: {{command: [{sys.executable}, "-c", "pass"], dry_run: true}}
"""
TIMES = Times(zone_named("UTC"), 0)
RIGHT = Sizing("right", Size(4, 8), Size(4, 8), 0.0, "EUR", "it fits")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House(tmp_path, SCALING) as house:
        yield house


async def busy(house: House, *used: float) -> None:
    for number, cpu in enumerate(used):
        agent = await house.enrol(f"web-{number}", ago_s=3_600, role="web")
        await agent.push({"cpu_used_pct": cpu, "memory_used_pct": 97.0})
    await house.parts.advisor.round()
    await house.parts.capacity.round()


# --- scaling ----------------------------------------------------------------------------------------------------------


async def test_without_a_policy_it_says_how_to_write_one(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        said = await page(house, "/advice")
        assert "No policy yet." in said
        assert "scaling:\n  - service: shop" in said


async def test_it_says_what_each_service_should_have_and_what_holds_hosts_back(house: House) -> None:
    assert "not looked at yet" in await page(house, "/advice")
    await busy(house, 95.0, 97.0)
    words = text_of(await page(house, "/advice"))
    assert "web more 2 → 4" in words
    assert "97 % of the memory is used" in words
    words = text_of(await page(house, "/advice/web"))
    assert "web: more (2 → 4)" in words
    assert "cpu_used_pct 96 % 50 % 4 2" in words
    assert "What was said, and what became of it" in words
    assert "2 → 4 2 ≠" in words


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_load_is_played_and_drawn_beside_other_ways_of_scaling(house: House, shape: str) -> None:
    source = await page(house, f"/advice/web?load={shape}&peak=3&start=1&min=&max=8&target=60")
    words = text_of(source)
    assert "reactive HPA" in words
    assert "nothing" in words
    assert source.count('<path class="line s') == 3
    assert f'<option value="{shape}" selected>' in source


async def test_a_past_that_is_not_there_is_said_and_no_fault(house: House) -> None:
    words = text_of(await page(house, "/advice/web?load=24h"))
    assert "No host of web that was heard within the hour says its cpu_used_pct." in words


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/advice/moon", 404),
        ("/advice/web?load=magic", 400),
        ("/advice/web?load=day&peak=-1", 400),
        ("/advice/web?load=day&peak=nan", 400),
        ("/advice/web?load=day&max=1.5", 400),
        ("/advice/web?load=day&target=101", 400),
        ("/advice/web?load=day&min=9&max=2", 200),
    ],
)
async def test_what_makes_no_sense_is_answered_kindly(house: House, path: str, status: int) -> None:
    words = text_of(await page(house, path, status))
    assert status != 200 or "min must not be greater than max" in words.lower()


async def test_a_hook_runs_by_itself_once_somebody_says_that_they_know_it(house: House) -> None:
    async def switch(service: str, **fields: str) -> int:
        async with house.client.post(f"/advice/{service}/auto", data=fields, allow_redirects=False) as answer:
            return answer.status

    assert await switch("jobs", on="yes") == 422
    standing = house.parts.advisor.standing("jobs")
    assert standing is not None
    assert not standing.auto
    assert await switch("jobs", on="yes", sure="yes") == 303
    assert "Its hook runs without asking, since local said so." in text_of(await page(house, "/advice/jobs"))
    assert await switch("jobs", on="no") == 303
    assert await switch("web", on="yes", sure="yes") == 409
    assert await switch("moon", on="no") == 404
    assert [row.what for row in await house.parts.store.people.audit(5)] == ["scaling.auto"] * 2


async def test_who_may_only_read_is_offered_no_switch(tmp_path: Path) -> None:
    config = SCALING + "  access: {roles: {viewer: [monitoring.read]}}\n"
    async with House(tmp_path, config) as house:
        await house.parts.access.desk.add_user(LOCAL, "eve", "viewer", "correct horse battery")
        _, token = "", await house.parts.access.desk.add_api_token(LOCAL, "reader", ["monitoring.read"])
        headers = {"Authorization": f"Bearer {token[0]}"}
        answer = await house.send("GET", "/advice/jobs", headers=headers)
        assert answer.status == 200
        assert "<button>Let it run" not in answer.body.decode()
        async with house.client.post("/advice/jobs/auto", data={"on": "no"}, headers=headers) as refused:
            assert refused.status == 403


def test_every_load_has_as_many_steps_as_are_played() -> None:
    for source in (*SHAPES, *RANGES):
        wanted = Wanted(source, 5.0, None, None, None, None)
        assert (wanted.past_ms is not None) == (not wanted.load)
        assert all(0 < part <= 5.0 for part in wanted.load)


# --- room and size ----------------------------------------------------------------------------------------------------


def test_what_is_of_the_wrong_size_comes_with_money_and_the_sum_of_it() -> None:
    use = Use(0.05, 0.1, 0.1, 0.1, 14)
    small = right_size(use, Size(8, 32), Prices(core=10, gib=2))
    tight = right_size(Use(0.9, 0.99, 0.5, 0.6, 14), Size(4, 8), Prices(core=10, gib=2))
    it = outlook(
        [HostReport(n, f"h{n}", 0, (), sizing, ()) for n, sizing in ((1, small), (2, tight), (3, RIGHT))],
        TIMES,
    )
    assert [row.name for row in it.sizes] == ["h2", "h1"]
    assert it.sizes[1].money.startswith("−")
    assert it.money.startswith("−")


def test_bottlenecks_come_the_worst_first() -> None:
    signs = bottlenecks({"memory_used_pct": 99.0, "cpu_steal_pct": 80.0})
    it = outlook([HostReport(1, "h1", 0, (), RIGHT, tuple(signs))], TIMES)
    assert [row.resource for row in it.needs] == ["cpu", "memory"]
