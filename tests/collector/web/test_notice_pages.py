"""Notices on their page: filtered by channel and delivery, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from collector.web.notice_pages import PER_PAGE
from rules.model import Incident, Notice, Outcome
from tests.collector.web.site import NOW, Page, Site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with Site(tmp_path, channels=("mail", "slack")) as site:
        yield site


async def owe(site: Site, *names: str) -> None:
    """Notices that go to mail and slack in turn."""
    notices = [
        Notice(name, 1, ("mail", "slack")[at % 2], "first", "warning", "web-1", f"title {name}", "", NOW, NOW)
        for at, name in enumerate(names)
    ]
    await site.store.commit([Outcome(incidents=[Incident(1, "a", "a", "warning", NOW)], notices=notices)])


def listed(page: Page) -> list[str]:
    return [row["id"] for row in page.all("tr") if row.get("id", "").startswith("n-")]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["n-c", "n-b", "n-a"]),
        ("?channel=mail", ["n-c", "n-a"]),
        ("?delivery=failed", ["n-b"]),
        ("?channel=mail&before=c", ["n-a"]),
        ("?channel=nobody", []),
    ],
)
async def test_only_those_that_are_wanted_are_shown(site: Site, query: str, found: list[str]) -> None:
    await owe(site, "a", "b", "c")
    await site.store.notices.failed("b", NOW, "no answer")
    page = await site.get(f"/notices{query}")
    assert listed(page) == found
    assert ("No notice is like that." in page.text) == (not found)


async def test_older_ones_are_a_page_further(site: Site) -> None:
    await owe(site, *(f"{number:03}" for number in range(PER_PAGE + 1)))
    first = await site.get("/notices")
    assert len(listed(first)) == PER_PAGE
    (older,) = [link["href"] for link in first.all("a") if "before=" in link["href"]]
    assert listed(await site.get(older)) == ["n-000"]


async def test_a_delivery_that_is_none_is_refused_in_words(site: Site) -> None:
    page = await site.get("/notices?delivery=pigeon")
    assert page.status == 400
    assert "delivery is one of sent, waiting" in page.text
