"""The page of alerts: found by what they are like, and dealt with several at a time, without any JavaScript."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from collector.web.alert_pages import NEEDS, AlertPages, silences_for
from collector.who import LOCAL, Permission, Who
from rules.model import Alert, Host
from tests.collector.desks.house import policies_of
from tests.collector.web.site import NOW, Page, Site, asked_by

FULL = {'disk_used_pct{mount="/"}': 97.0, "cpu_used_pct": 12.0}
READER = Who("eve", "user", frozenset({"monitoring.read"}))


def alert_pages(site: Site) -> list[web.RouteDef]:
    return AlertPages(
        site.pages.frame,
        site.store,
        act=site.evaluator.act,
        policies=policies_of(site.store, site.evaluator, lambda: site.now),
        now_ms=lambda: site.now,
    ).routes()


async def fill(site: Site) -> None:
    """Two hosts whose disks are full for a while, and one that is well."""
    hosts = [
        await site.enrol("web-1", role="web"),
        await site.enrol("db-1", role="db"),
        await site.enrol("db-2", role="db"),
    ]
    for _ in range(30):
        site.now += 20_000
        well = site.send(hosts[2], {"cpu_used_pct": 1.0})
        await asyncio.gather(*(site.send(host, FULL) for host in hosts[:2]), well)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with Site(tmp_path, more=alert_pages) as site:
        await fill(site)
        yield site


async def post(site: Site, *alerts: int, **form: str) -> Page:
    data = [*form.items(), *(("alert", str(alert)) for alert in alerts)]
    async with site.client.post("/alerts", data=data) as answer:
        return Page(answer.status, answer.headers, await answer.text())


def numbers(page: Page) -> set[int]:
    return {int(box["value"]) for box in page.all("input", type="checkbox")}


async def test_all_open_alerts_are_there_each_with_a_box_to_tick(site: Site) -> None:
    page = await site.get("/alerts")
    standing = await site.store.incidents.open_alerts()
    assert len(standing) == 2
    assert numbers(page) == {alert.id for alert in standing}
    assert "2 open alerts" in page.text
    assert all(box["form"] == "bulk" for box in page.all("input", type="checkbox"))


@pytest.mark.parametrize(
    ("query", "hosts"),
    [
        ("q=web", {"web-1"}),
        ("q=disk", {"web-1", "db-1"}),
        ("severity=critical", {"web-1", "db-1"}),
        ("severity=warning", set()),
        ("label=role%3Ddb", {"db-1"}),
        ("label=role%3Dweb&q=db", set()),
        ("rule=no-such-rule", set()),
    ],
)
async def test_what_is_wanted_is_shown(site: Site, query: str, hosts: set[str]) -> None:
    page = await site.get(f"/alerts?{query}")
    linked = {link["href"] for link in page.all("a") if link["href"].startswith("/hosts/")}
    names = {f"/hosts/{host.id}": host.name for host in await site.store.hosts.all()}
    assert {names[url] for url in linked} == hosts


@pytest.mark.parametrize("query", ["severity=grave", "page=0", "page=x", f"q={'x' * 201}"])
async def test_a_question_that_makes_no_sense_is_a_sentence(site: Site, query: str) -> None:
    assert (await site.get(f"/alerts?{query}")).status == 400


async def test_several_are_acknowledged_at_once(site: Site) -> None:
    page = await post(site, 1, 2, deed="acknowledge", text="on it")
    assert "2 alerts acknowledged." in page.text
    assert {one.acknowledged_by for one in await site.store.incidents.open()} == {"local"}
    assert page.text.count("acknowledged by local") == 2


async def test_only_what_was_ticked_is_resolved(site: Site) -> None:
    page = await post(site, 1, deed="resolve", text="bought a disk")
    assert "1 alert resolved." in page.text
    assert [alert.id for alert in await site.store.incidents.open_alerts()] == [2]


async def test_several_are_silenced_and_that_is_noted(site: Site) -> None:
    page = await post(site, 1, 2, **{"deed": "silence", "for": "4 hours", "text": "new disks come"})
    assert "2 alerts silenced." in page.text
    (silence,) = await site.store.policy.silences()
    assert silence.where == {"host": ["db-1", "web-1"]}
    assert silence.end - silence.start == 4 * 3_600_000
    assert (silence.by, silence.comment) == ("local", "new disks come")
    assert [row.what for row in await site.store.people.audit(10)] == ["silence.add"]


@pytest.mark.parametrize(
    ("form", "word"),
    [
        ({"deed": "acknowledge"}, "tick at least one"),
        ({"deed": "dance", "alert": "1"}, "one of: acknowledge, resolve, silence"),
        ({"deed": "silence", "for": "ever", "alert": "1"}, "for 1 hour or 4 hours"),
        ({"deed": "resolve", "alert": "99"}, "no alert was chosen that still stands"),
        ({"deed": "resolve", "alert": "-1"}, "no alert was chosen that still stands"),
    ],
)
async def test_what_cannot_be_done_says_why_and_changes_nothing(
    site: Site, form: dict[str, str], word: str
) -> None:
    page = await post(site, **form)
    assert page.status == 422
    assert word in page.text.lower()
    assert len(await site.store.incidents.open_alerts()) == 2
    assert await site.store.policy.silences() == []


async def test_the_list_that_one_looked_at_is_the_one_that_one_comes_back_to(site: Site) -> None:
    async with site.client.post(
        "/alerts",
        data={"deed": "acknowledge", "alert": "1", "severity": "critical", "label": "role=db"},
        allow_redirects=False,
    ) as answer:
        assert answer.status == 303
        assert (
            answer.headers["Location"] == "/alerts?severity=critical&label=role%3Ddb&done=acknowledge&count=1"
        )


async def test_who_may_only_look_is_offered_nothing_and_refused(tmp_path: Path) -> None:
    async with Site(tmp_path, more=alert_pages, middlewares=[asked_by(READER)]) as site:
        await fill(site)
        page = await site.get("/alerts")
        assert page.all("form", method="post") == page.all("input", type="checkbox") == []
        for deed in NEEDS:
            assert (await post(site, 1, deed=deed, **{"for": "1 hour"})).status == 403


async def test_each_deed_needs_a_right_of_its_own(tmp_path: Path) -> None:
    rights: frozenset[Permission] = frozenset({"monitoring.read", "monitoring.alert.acknowledge"})
    who = Who("eve", "user", rights)
    async with Site(tmp_path, more=alert_pages, middlewares=[asked_by(who)]) as site:
        await fill(site)
        page = await site.get("/alerts")
        assert [button["value"] for button in page.all("button", name="deed")] == ["acknowledge"]
        assert (await post(site, 1, deed="resolve")).status == 403
        assert (await post(site, 1, deed="acknowledge")).status == 200


async def test_without_alerts_the_page_says_what_else_there_is(tmp_path: Path) -> None:
    async with Site(tmp_path, more=alert_pages) as site:
        page = await site.get("/alerts")
        assert "No alert is open." in page.text
        assert page.all("form", id="bulk") == []


def test_silences_are_one_for_each_rule_and_one_for_each_subject_without_a_host() -> None:
    def alert(number: int, rule: str, host: int, subject: str) -> Alert:
        return Alert(number, rule, subject, host, "warning", NOW, NOW, "bad", 1)

    hosts = {1: Host(1, "web-1"), 2: Host(2, "web-2")}
    alerts = [
        alert(1, "full", 1, 'host:1/series:disk_used_pct{mount="/"}'),
        alert(2, "full", 2, "host:2/series:x"),
        alert(3, "full", 1, 'host:1/series:disk_used_pct{mount="/var"}'),
        alert(4, "slow", 2, "host:2/series:y"),
        alert(5, "burn", 0, "service:shop"),
    ]
    found = silences_for(alerts, hosts, 0, 1, LOCAL.name, "")
    assert [(one.rules, one.where, one.subject) for one in found] == [
        (("burn",), {}, "service:shop"),
        (("full",), {"host": ["web-1", "web-2"]}, ""),
        (("slow",), {"host": ["web-2"]}, ""),
    ]
    assert not any(one.is_about_all for one in found)
