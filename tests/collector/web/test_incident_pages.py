"""The list of incidents, and reporting one by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from collector.web.incident_pages import OVER_PER_PAGE
from collector.web.pace import PACE_MS, pace
from collector.who import Who
from rules.judging.acts import Acknowledge, Open, Resolve
from rules.model import Incident, Severity
from tests.collector.web.site import NOW, Page, Site, asked_by

READER = Who("eve", "user", frozenset({"monitoring.read"}))


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with Site(tmp_path) as site:
        yield site


async def opened(site: Site, title: str, severity: Severity = "warning", *, over: bool = False) -> int:
    incident = await site.evaluator.act(Open(title, severity, "bob"))
    if over:
        site.now += 60_000
        await site.evaluator.act(Resolve(incident.id, "bob"))
    return incident.id


def listed(page: Page) -> list[str]:
    return [row["id"] for row in page.all("tr") if row.get("id", "").startswith("i")]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["i3", "i1", "i4", "i2"]),
        ("?severity=critical", ["i3", "i4"]),
        ("?taken=somebody", ["i3"]),
        ("?taken=nobody", ["i1", "i4", "i2"]),
        ("?q=shop", ["i3", "i2"]),
        ("?q=nothing+like+it", []),
        ("?below=4", ["i2"]),
    ],
)
async def test_open_ones_come_first_and_only_those_that_are_wanted(
    site: Site, query: str, found: list[str]
) -> None:
    await opened(site, "Slow mail")
    await opened(site, "Shop slow", over=True)
    shop = await opened(site, "Shop down", "critical")
    await opened(site, "Power", "critical", over=True)
    await site.evaluator.act(Acknowledge(shop, "ada"))
    page = await site.get(f"/incidents{query}")
    assert listed(page) == found
    assert ("No incident is like that." in page.text) == (not found)


async def test_what_is_over_comes_page_by_page(site: Site) -> None:
    for number in range(OVER_PER_PAGE + 2):
        await opened(site, f"Trouble {number}", over=True)
    first = await site.get("/incidents")
    assert len(listed(first)) == OVER_PER_PAGE
    (older,) = [link["href"] for link in first.all("a") if "below=" in link["href"]]
    assert listed(await site.get(older)) == ["i2", "i1"]


async def test_the_head_says_how_quickly_problems_are_taken_up_and_ended(site: Site) -> None:
    number = await opened(site, "Slow mail")
    site.now += 120_000
    await site.evaluator.act(Acknowledge(number, "ada"))
    site.now += 480_000
    await site.evaluator.act(Resolve(number, "ada"))
    page = await site.get("/incidents")
    assert "1 incident in the last 30 days" in page.text
    assert "acknowledged after 2 min on average" in page.text
    assert "over after 10 min on average" in page.text


async def test_one_is_reported_by_hand_and_its_page_follows(site: Site) -> None:
    form = {"title": "Smoke", "severity": "critical", "text": "in room 2\r\nagain", "services": "shop, mail"}
    async with site.client.post("/incidents/new", data=form) as answer:
        assert str(answer.url).endswith("/incidents/1")
        page = Page(answer.status, answer.headers, await answer.text())
    assert "touches mail, shop" in page.text
    incident = await site.store.incidents.get(1)
    assert incident is not None
    assert (incident.title, incident.severity, incident.opened_by) == ("Smoke", "critical", "local")


@pytest.mark.parametrize(
    ("form", "word"),
    [
        ({"title": "x", "severity": "grave"}, "The severity"),
        ({"title": " ", "severity": "info"}, "The title is empty"),
    ],
)
async def test_a_report_that_says_nothing_is_refused(site: Site, form: dict[str, str], word: str) -> None:
    async with site.client.post("/incidents/new", data=form) as answer:
        assert answer.status == 422
        assert word in await answer.text()
    assert await site.store.incidents.open() == []


async def test_who_may_not_report_is_not_led_there(tmp_path: Path) -> None:
    async with Site(tmp_path, middlewares=[asked_by(READER)]) as site:
        assert "/incidents/new" not in (await site.get("/incidents")).source


def test_a_pace_is_of_the_last_thirty_days_and_of_what_there_is_to_tell_by() -> None:
    incidents = [
        Incident(1, "a", "old", "info", NOW - PACE_MS - 1, resolved_at=NOW, acknowledged_at=NOW),
        Incident(2, "b", "open", "info", NOW - 600_000),
        Incident(3, "c", "over", "info", NOW - 600_000, resolved_at=NOW - 300_000),
    ]
    found = pace(incidents, NOW)
    assert (found.incidents, found.acknowledged_ms, found.resolved_ms) == (2, None, 300_000)
    assert pace([], NOW).said == ["No incident in the last 30 days"]
