"""The audit trail on its page, for those who may read it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from collector.desks.trail import Audit
from collector.web.audit_pages import ROWS_PER_PAGE, AuditPages
from collector.who import needed_by
from tests.collector.web.site import Site


def audit_pages(site: Site) -> list[web.RouteDef]:
    audit = Audit(site.store.people, lambda: site.now)
    return AuditPages(site.pages.frame, audit, now_ms=lambda: site.now).routes()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with Site(tmp_path, more=audit_pages) as site:
        yield site


async def test_a_line_says_who_what_and_how_it_was_and_is(site: Site) -> None:
    audit = Audit(site.store.people, lambda: site.now)
    await audit.record("ada", "host.label", {"role": "db"}, {"role": "<b>web"})
    page = await site.get("/audit")
    assert 'host.label before: {"role":"db"} after: {"role":"<b>web"}' in page.text
    assert page.all("b") == []


async def test_the_newest_comes_first_and_the_rest_page_by_page(site: Site) -> None:
    audit = Audit(site.store.people, lambda: site.now)
    for number in range(ROWS_PER_PAGE + 5):
        await audit.record("ada" if number else "bob", f"change.n{number}")
    first = await site.get("/audit")
    assert f"change.n{ROWS_PER_PAGE + 4}" in first.text
    assert "change.n4 " not in first.text
    (older,) = [link["href"] for link in first.all("a") if "below=" in link["href"]]
    assert "change.n4 " in (await site.get(older)).text
    assert "change.n0 " in (await site.get("/audit?who=bob")).text
    assert "Nothing was changed like that." in (await site.get("/audit?what=nothing")).text


async def test_without_a_change_the_page_says_so(site: Site) -> None:
    assert "Nobody has changed anything yet." in (await site.get("/audit")).text


async def test_it_takes_a_right_of_its_own(site: Site) -> None:
    routes = {route.path: route.handler for route in audit_pages(site) if isinstance(route, web.RouteDef)}
    assert needed_by(routes["/audit"]) == "monitoring.audit.read"
