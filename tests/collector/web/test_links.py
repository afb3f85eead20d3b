"""Links in messages, followed: by a mail program that only looks, by a person who acts, by somebody who forged one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from collector.links import GOOD_FOR_S, KEY_BYTES, Links
from collector.messages import Deed
from collector.web.links import SNOOZE_MS, LinkPages
from rules.model import Host, Incident, Notice
from tests.collector.web.site import Site

FULL = {'disk_used_pct{mount="/"}': 97.0}
WELL = {'disk_used_pct{mount="/"}': 20.0}


def link_pages(site: Site) -> list[web.RouteDef]:
    return LinkPages(
        site.pages.frame,
        site.store,
        read=links(site).read,
        act=site.evaluator.act,
        show=site.incidents.show,
        now_ms=lambda: site.now,
    ).routes()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with Site(tmp_path, more=link_pages) as site:
        await say(site, await site.enrol("web-1"), FULL)
        yield site


async def say(site: Site, host: Host, values: dict[str, float]) -> None:
    """For ten minutes, which is enough for any rule."""
    for _ in range(60):
        site.now += 10_000
        await site.send(host, values)


def links(site: Site) -> Links:
    return Links(b"k" * KEY_BYTES, "", lambda: site.now)


async def incident(site: Site) -> Incident:
    (found,) = await site.store.incidents.open()
    return found


async def link(site: Site, deed: Deed) -> str:
    (row,) = await site.store.notices.recent(10)
    notice: Notice = row.notice
    acknowledge, snooze = links(site).actions(notice)
    whole = {"acknowledge": acknowledge.url, "snooze": snooze.url, "open": links(site).to_incident(notice)}
    return whole[deed]


async def test_looking_asks_and_changes_nothing(site: Site) -> None:
    page = await site.get(await link(site, "acknowledge"))
    assert page.status == 200
    assert "You have it?" in page.text
    assert page.all("form", method="post")
    assert (await incident(site)).acknowledged_at is None


async def test_pressing_the_button_acknowledges_and_names_the_channel(site: Site) -> None:
    url = await link(site, "acknowledge")
    async with site.client.post(url) as answer:
        assert answer.status == 200
        assert "Acknowledged." in await answer.text()
    assert (await incident(site)).acknowledged_by == "a link in mail"
    (remark,) = await site.store.incidents.remarks((await incident(site)).id)
    assert (remark.by, remark.kind) == ("a link in mail", "acknowledged")


async def test_a_second_reader_is_told_who_has_it(site: Site) -> None:
    url = await link(site, "acknowledge")
    await site.client.post(url)
    assert "a link in mail has had it since" in (await site.get(url)).text


async def test_not_again_for_an_hour_lasts_an_hour(site: Site) -> None:
    async with site.client.post(await link(site, "snooze")) as answer:
        assert "Quiet for an hour." in await answer.text()
    assert (await incident(site)).snoozed_until == site.now + SNOOZE_MS


async def test_the_incident_itself_can_be_read_by_its_link(site: Site) -> None:
    page = await site.get(await link(site, "open"))
    assert page.status == 200
    assert "What happened" in page.text
    assert "web-1" in page.text


async def test_a_link_to_acknowledge_does_nothing_else(site: Site) -> None:
    url = await link(site, "open")
    await site.client.post(url)
    assert (await incident(site)).acknowledged_at is None


@pytest.mark.parametrize("method", ["get", "post"])
async def test_a_forged_link_is_a_page_that_is_not_there(site: Site, method: str) -> None:
    async with site.client.request(method, "/links/acknowledge/1/99999999999/mail/x") as answer:
        assert answer.status == 404
        assert "not one of ours" in await answer.text()
    assert (await incident(site)).acknowledged_at is None


async def test_a_link_that_is_too_old_says_so_and_does_nothing(site: Site) -> None:
    url = await link(site, "acknowledge")
    site.now += GOOD_FOR_S * 1000 + 60_000
    async with site.client.post(url) as answer:
        assert answer.status == 404
        assert "no longer good" in await answer.text()


async def test_what_is_over_cannot_be_acknowledged(site: Site) -> None:
    url = await link(site, "acknowledge")
    number = (await incident(site)).id
    (host,) = await site.store.hosts.all()
    await say(site, host, WELL)
    found = await site.store.incidents.get(number)
    assert found is not None
    assert found.resolved_at is not None
    page = await site.get(url)
    assert "It is over since" in page.text
    assert not page.all("form")
    async with site.client.post(url) as answer:
        assert answer.status == 409
        assert "is over already" in await answer.text()
