"""What is promised of services, on pages of the collector as it runs."""

from __future__ import annotations

import csv
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from collector.store import DAY_MS
from rules.model import Incident, Outcome
from rules.sla.model import Interval
from tests.collector.api.house import House
from tests.collector.web.reading import page, text_of

CONFIG = """
  services:
    - {name: shop, title: "The <shop>", checks: [{id: site}], depends_on: {services: [front]}, objective_pct: 99.5}
    - {name: front, hosts: {where: {role: web}, need: any}, objective_pct: null}
"""


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House(tmp_path, CONFIG) as house:
        yield house


async def live(house: House, *states: str) -> None:
    agent = await house.enrol("web-1", role="web")
    await house.enrol("web-2", role="web")
    for place, state in enumerate(states):
        check = {"id": "site", "kind": "http", "state": state}
        series = {'check_state{check="site",kind="http"}': {"ok": 0.0, "bad": 2.0}[state]}
        await agent.push(series, checks=[check], ago_s=10 * (len(states) - 1 - place))
    await house.parts.promised.round()


async def test_while_there_is_none_it_says_how_to_name_one(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        said = await page(house, "/services")
        assert "No service yet." in said
        assert "services:\n  - name: shop" in said


async def test_each_service_stands_there_with_its_days_and_its_budget_in_words(house: House) -> None:
    await live(house, *["ok"] * 8, *["bad"] * 4)
    said = await page(house, "/services")
    assert said.count('<svg class="bars"') == 2
    words = text_of(said)
    assert "The <shop> down since" in words
    assert re.search(r"99.5 % promised: 3 h 3[56] min allowed", words), "a little less where some was unknown"
    assert "Now: site from web-1 is bad." in words


async def test_a_service_says_what_it_is_made_of_and_how_each_part_is(house: House) -> None:
    await live(house, *["bad"] * 8)
    words = text_of(await page(house, "/services/shop"))
    assert "Check site, asked from 1 host web-1 bad" in words
    assert "Stands on 1 service front up" in words
    words = text_of(await page(house, "/services/front"))
    assert "2 hosts; one of them must be well web-2 silent web-1 there" in words
    assert "nothing is promised of it" in words


async def test_an_outage_leads_to_the_incident_that_was_about_it(house: House) -> None:
    now = time.time_ns() // 1_000_000 - 60_000
    begin = now - 2 * DAY_MS
    known = Incident(1, "host:9", "The shop is down", "critical", begin + DAY_MS, services=("shop",))
    await house.parts.store.commit([Outcome(incidents=[known])])
    states = [
        Interval(begin, begin + DAY_MS, "up"),
        Interval(begin + DAY_MS, now, "down", "site is bad"),
    ]
    await house.parts.store.promises.write({"shop": states, "front": [Interval(begin, now, "up")]})
    source = await page(house, "/services/shop")
    assert 'href="/incidents/1"' in source
    words = text_of(source)
    assert "24 h" in words or "1 d" in words
    assert "How fast it is used" in words
    assert "last hour" in words


async def test_a_month_is_there_as_a_page_and_as_a_table(house: House) -> None:
    await live(house, *["ok"] * 8, *["bad"] * 4)
    source = await page(house, "/services/shop")
    month = time.strftime("%Y-%m", time.gmtime())
    assert f'href="/services/shop/report/{month}"' in source
    paper = await house.send("GET", f"/services/shop/report/{month}")
    assert "Every second" in paper.body.decode()
    assert "style-src 'sha256-" in paper.headers["Content-Security-Policy"]
    table = await house.send("GET", f"/services/shop/report/{month}.csv")
    assert table.headers["Content-Disposition"] == f'attachment; filename="shop-{month}.csv"'
    rows = list(csv.DictReader(table.body.decode().splitlines()))
    assert rows[-1]["class"] in ("up", "down", "unknown")


@pytest.mark.parametrize(
    "path",
    [
        "/services/moon",
        "/services/%3Cscript%3E",
        "/services/shop/report/1999-01",
        "/services/shop/report/never",
        "/services/shop/report/2026-11.exe",
        "/services/moon/report/2026-11",
    ],
)
async def test_what_is_not_there_is_answered_kindly(house: House, path: str) -> None:
    await live(house, "ok")
    assert "There is no such page" in await page(house, path, 404)
