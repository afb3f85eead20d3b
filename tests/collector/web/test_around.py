"""What is known around a host's series: limits of rules, maintenance, services; and its past on a page of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from collector.store import StoreError
from collector.web.around import is_about, limits_of, services_touched, works_in, works_on
from collector.web.words import DAY_MS, HOUR_MS
from rules.memory.watch import Watch
from rules.model import Host, Incident
from rules.policy import Maintenance, Policy
from rules.times.calendar import times
from tests.collector.web.site import NOW, Site

WEB = Host(1, "web-1", {"role": "web"})
NIGHTLY = "daily 03:00 to 04:00"


def not_judging() -> Watch:
    raise StoreError("not judging now")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with Site(tmp_path) as site:
        yield site


@pytest.mark.parametrize(
    ("work", "meant"),
    [
        (Maintenance(name="all", when=NIGHTLY), True),
        (Maintenance(name="web", when=NIGHTLY, where={"role": "web"}), True),
        (Maintenance(name="db", when=NIGHTLY, where={"role": ["db", "mail"]}), False),
        (Maintenance(name="name", when=NIGHTLY, where={"host": "web-*"}), True),
        (Maintenance(name="a rule only", when=NIGHTLY, rules=("load",)), False),
        (Maintenance(name="a service only", when=NIGHTLY, services=("shop",)), False),
    ],
)
def test_maintenance_is_marked_on_the_hosts_that_it_is_about_whole(work: Maintenance, meant: bool) -> None:
    watch = Watch("x", [], [], Policy(maintenance=[work]))
    assert [one.name for one in works_on(lambda: watch, WEB, NOW, NOW + DAY_MS)] == [work.name] * meant
    assert is_about(work, {**WEB.labels, "host": WEB.name}) == meant


def test_all_times_of_a_stretch_are_found_in_their_order_and_none_beyond() -> None:
    works = [
        (Maintenance(name=name, when=when), times(when))
        for name, when in (("b", NIGHTLY), ("a", "daily 01:00 to 02:30"))
    ]
    found = works_in(works, NOW, NOW + DAY_MS)  # NOW is 02:00
    assert [(work.name, (work.start - NOW) // HOUR_MS) for work in found] == [("a", -1), ("b", 1), ("a", 23)]


def test_while_nothing_is_judged_pages_do_without() -> None:
    incident = Incident(1, "host:1", "slow", "info", NOW, services=("shop",))
    assert limits_of(not_judging, 1) == {}
    assert works_on(not_judging, WEB, NOW, NOW + DAY_MS) == []
    assert services_touched(not_judging, incident, []) == ["shop"]


async def test_a_hosts_past_says_what_stands_and_what_was(site: Site) -> None:
    host = await site.enrol("web-1", role="web")
    assert "Nothing was ever wrong with this host" in (await site.get("/hosts/1/alerts")).text
    for value in (97.0, 10.0):
        for _ in range(40):
            site.now += 10_000
            await site.send(host, {'disk_used_pct{mount="/"}': value})
    page = await site.get("/hosts/1/alerts")
    assert "over disk / 97 % > 95 %" in page.text
    assert page.all("a", href="/incidents/1")
    assert (await site.get("/hosts/7/alerts")).status == 404
