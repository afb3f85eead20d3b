"""The link in a message about several problems, followed in a collector that sent it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.collector.whole import Whole, whole_collector
from tests.waiting import found

INCIDENTS = "/api/monitoring/incidents"
GROUPED = """
  channels: [{kind: log, name: journal}]
  routes: [{channels: [journal], group_by: [site], group_wait: 1s}]
"""
TITLES = ("The shop is slow", "The mail is late", "The <b>bank</b> is shut")


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[Whole]:
    async with whole_collector(tmp_path, GROUPED) as whole:
        yield whole


async def link(whole: Whole) -> str:
    """Where the one link of a message about all of TITLES leads."""
    for title in TITLES:
        assert (await whole.post_json(INCIDENTS, {"title": title})).status == 201
    (row,) = await found(lambda: whole.store.notices.recent(5))
    assert row.notice.reason == "digest"
    (action,) = whole.parts.links.actions(row.notice)
    return "/links/" + action.url.partition("/links/")[2]


async def who_has(whole: Whole) -> list[str]:
    return [one["acknowledged_by"] for one in (await whole.ask(f"{INCIDENTS}?sort=oldest")).json["items"]]


async def test_it_asks_once_about_all_and_acknowledges_all(whole: Whole) -> None:
    url = await link(whole)
    page = await whole.ask(url)
    assert (page.status, "You have all of them?" in page.text) == (200, True)
    assert "The shop is slow" in page.text
    assert "The &lt;b&gt;bank&lt;/b&gt; is shut" in page.text
    assert await who_has(whole) == ["", "", ""], "looking changes nothing"
    done = await whole.post(url)
    assert (done.status, "Acknowledged." in done.text) == (200, True)
    assert await who_has(whole) == ["a link in journal"] * 3
    rows = await whole.parts.access.audit.rows(3)
    assert {(row.who, row.what) for row in rows} == {("a link in journal", "incident.acknowledge")}
    again = await whole.post(url)
    assert again.text.count("a link in journal has had it since") == 3


async def test_what_is_over_by_then_is_left_alone(whole: Whole) -> None:
    url = await link(whole)
    assert (await whole.post("/incidents/2/resolve", {"text": "well again"})).status == 303
    page = await whole.ask(url)
    assert page.text.count("It is over since") == 1
    assert (await whole.post(url)).status == 200
    assert await who_has(whole) == ["a link in journal", "", "a link in journal"]
    for number in (1, 3):
        assert (await whole.post(f"/incidents/{number}/resolve", {"text": ""})).status == 303
    assert "<button>" not in (await whole.ask(url)).text
    assert "All of it is over." in (await whole.post(url)).text


async def test_a_link_to_another_message_is_not_one_of_ours(whole: Whole) -> None:
    url = await link(whole)
    forged = url.replace("-digest-1-", "-digest-2-")
    assert forged != url
    assert (await whole.post(forged)).status == 404
    assert await who_has(whole) == ["", "", ""]
