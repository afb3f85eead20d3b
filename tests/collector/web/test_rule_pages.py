"""Rules on a page: what each is held against, where it is written, and how it stands about one host."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from collector.config import PACKS, WrittenRule
from collector.config.rulefiles import rules_in
from collector.web.rule_pages import RulePages, limits_said, where_said
from tests.collector.web.site import Site

OWN = """
rules:
  - name: cpu-busy
    metric: cpu_used_pct
    above: {warning: 80, critical: 95}
    where: {role: [db, web]}
    observe: true
    for: 5m
  - name: sleepy
    metric: load1
    below: 0.1
    enabled: false
"""


@pytest.fixture
def written(tmp_path: Path) -> list[WrittenRule]:
    file = tmp_path / "own.yaml"
    file.write_text(OWN)
    return [*rules_in(file), *rules_in(PACKS / "hosts.yaml")]


@pytest.fixture
async def site(tmp_path: Path, written: list[WrittenRule]) -> AsyncIterator[Site]:
    def rule_pages(site: Site) -> list[web.RouteDef]:
        return RulePages(
            site.pages.frame,
            site.store,
            site.known,
            written=lambda: written,
            now_ms=lambda: site.now,
        ).routes()

    enabled = [one.rule for one in written if one.rule.enabled]
    async with Site(tmp_path / "state", rules=enabled, more=rule_pages) as site:
        yield site


async def test_each_rule_is_there_with_its_limits_and_its_place(site: Site) -> None:
    page = await site.get("/rules")
    assert "cpu-busy only being tried" in page.text
    assert "> 80 % warning, > 95 % critical" in page.text
    assert "role=db or web" in page.text
    assert "own.yaml:3" in page.text
    assert "sleepy switched off" in page.text
    assert "pack hosts:" in page.text


async def test_rules_are_found_by_any_word_about_them(site: Site) -> None:
    page = await site.get("/rules?q=busy")
    assert "1 of" in page.text
    assert "sleepy" not in page.text
    assert "No rule is like that." in (await site.get("/rules?q=no+such+rule")).text


async def test_a_host_tells_which_rules_are_about_it_and_how_they_stand(site: Site) -> None:
    host = await site.enrol("web-1", role="web")
    for _ in range(2):
        site.now += 10_000
        await site.send(host, {"cpu_used_pct": 97.0, 'disk_used_pct{mount="/"}': 12.0})
    page = await site.get("/hosts/1/rules")
    assert "beyond its limit, not for long enough yet since 02:00" in page.text
    assert "97 %" in page.text
    assert 'disk_used_pct{mount="/"}' in page.text
    assert "whether it is heard" in page.text
    assert page.text.index("cpu-busy") < page.text.index("disk"), "what is bad comes first"
    assert (await site.get("/hosts/9/rules")).status == 404


async def test_an_unbound_rule_is_named_as_one_that_would_look(site: Site) -> None:
    host = await site.enrol("web-1", role="web")
    await site.send(host, {"load1": 1.0})
    assert "would look at series that this host does not have now" in (await site.get("/hosts/1/rules")).text


async def test_the_charts_of_a_host_show_the_limits_of_its_rules(site: Site) -> None:
    host = await site.enrol("web-1", role="web")
    for _ in range(3):
        site.now += 10_000
        await site.send(host, {"cpu_used_pct": 12.0})
    page = await site.get("/hosts/1")
    assert "limit 80 %" in page.text
    assert "limit 95 %" in page.text


def test_limits_and_hosts_are_said_in_words(written: list[WrittenRule]) -> None:
    said = {one.rule.name: limits_said(one.rule) for one in written}
    assert said["sleepy"] == "< 0.1 warning"
    assert said["host-absent"] == "silence critical"
    assert all(said.values())
    assert where_said({}) == "every host"
