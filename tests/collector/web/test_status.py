"""The status page and its other forms, in the collector as it runs: for everybody, and with nothing that is not."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from xml.etree import ElementTree

import aiohttp
import pytest

from agent.wire import series_name
from collector.store import DAY_MS
from collector.web.bars import bars_of
from collector.web.public import public_day
from collector.who import LOCAL
from rules.judging.acts import Open, Publish, Resolve
from rules.policy import Planned
from rules.sla.model import Interval, Tally
from tests.collector.api.house import House

MARK = "zzmarkerzz"
CONFIG = f"""
  access: {{status_page: true}}
  url: https://watch.example.org
  status_page: {{title: "Status of Acme"}}
  services:
    - {{name: shop, title: "The <shop>", checks: [{{id: {MARK}-check}}]}}
    - {{name: site, title: Site, hosts: {{where: {{role: {MARK}-role}}}}}}
    - {{name: mail, title: Mail, checks: [{{id: {MARK}-none}}]}}
"""
FORMS = (
    "/status", "/status/feed.atom", "/status/summary.json", "/status/badge.svg", "/status/badge/shop.svg",
    "/status/badge/site.svg",
)  # fmt: skip
ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House(tmp_path, CONFIG) as house:
        yield house


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def lived_in(house: House) -> None:
    """A fleet in which every name, label, mount, address and word of an alert is marked, in trouble now; ninety days
    that are written down; an incident of which everybody was told, and work that is announced."""
    agent = await house.enrol(f"{MARK}-host", role=f"{MARK}-role", site=MARK)
    check = {
        "id": f"{MARK}-check",
        "kind": "http",
        "state": "bad",
        "detail": f"https://{MARK}.example.org: 500",
    }
    samples = {
        series_name("check_state", {"check": f"{MARK}-check", "kind": "http"}): 2.0,
        series_name("disk_used_pct", {"mount": f"/{MARK}"}): 99.0,
        "cpu_used_pct": 99.0,
    }
    for ago_s in (30, 20, 10, 0):
        await agent.push(samples, checks=[check], ago_s=ago_s)
    await house.parts.promised.round()
    act, store = house.parts.evaluator.act, house.parts.store
    opened = await act(Open(f"{MARK} is slow", "warning", "ada", MARK, ("shop", f"{MARK}-inner")))
    await act(Publish(opened.id, f"{MARK}-ada", "Orders are slow & late\nWe look into it."))
    await act(Publish(opened.id, f"{MARK}-ada", "We found it."))
    over = await act(Open(f"{MARK} was slow", "warning", "ada", MARK))
    await act(Publish(over.id, "ada", "Mail was late"))
    await act(Resolve(over.id, "ada", MARK))
    soon = time.strftime("%Y-%m-%d %H:%M", time.gmtime(time.time() + 3_600))
    later = time.strftime("%Y-%m-%d %H:%M", time.gmtime(time.time() + 7_200))
    work = Planned(
        name=f"{MARK} reboot", when=f"{soon} to {later}", services=("site",), by=MARK, comment=MARK
    )
    await store.policy.add_maintenance(work)


async def test_no_public_byte_carries_what_is_not_public(house: House) -> None:
    await lived_in(house)
    assert MARK in (await house.send("GET", "/")).body.decode()
    for path in FORMS:
        answer = await house.send("GET", path)
        assert answer.status == 200, path
        assert MARK not in answer.body.decode() + str(answer.headers), path
    for path in ("/status/badge/nothing.svg", f"/status/badge/{MARK}-role.svg"):
        assert (await house.send("GET", path)).status == 404


async def test_the_page_says_how_it_stands_and_what_a_person_told(house: House) -> None:
    await lived_in(house)
    page = (await house.send("GET", "/status")).body.decode()
    assert "<title>Some systems do not work · Status of Acme</title>" in page
    assert "The &lt;shop&gt;" in page
    assert "Orders are slow &amp; late" in page
    assert "We found it." in page
    assert page.index("Orders are slow") < page.index("Announced work") < page.index("Mail was late")
    assert "90 days ago" in page
    assert "<script" not in page
    assert "style=" not in page


async def test_programs_have_it_as_json(house: House) -> None:
    await lived_in(house)
    summary = json.loads((await house.send("GET", "/status/summary.json")).body)
    assert summary["page"]["name"] == "Status of Acme"
    assert summary["page"]["url"] == "https://watch.example.org/status"
    assert summary["status"] == {"indicator": "critical", "description": "Some systems do not work"}
    assert [(one["name"], one["status"]) for one in summary["components"]] == [
        ("Mail", "unknown"), ("The <shop>", "major_outage"), ("Site", "operational"),
    ]  # fmt: skip
    assert summary["components"][1]["uptime_90d"] == "0.000 %"
    [incident] = summary["incidents"]
    assert (incident["name"], incident["components"]) == ("Orders are slow & late", ["The <shop>"])
    [work] = summary["scheduled_maintenances"]
    assert (work["status"], work["components"]) == ("scheduled", ["Site"])


async def test_readers_have_it_as_a_feed(house: House) -> None:
    await lived_in(house)
    feed = ElementTree.fromstring((await house.send("GET", "/status/feed.atom")).body)
    entries = {entry.findtext(f"{ATOM}title"): entry for entry in feed.iter(f"{ATOM}entry")}
    assert set(entries) == {"Orders are slow & late", "Mail was late (over)", "Announced work: Site"}
    assert "We found it." in (entries["Orders are slow & late"].findtext(f"{ATOM}content") or "")
    again = ElementTree.fromstring((await house.send("GET", "/status/feed.atom")).body)
    assert [one.text for one in feed.iter(f"{ATOM}id")] == [one.text for one in again.iter(f"{ATOM}id")]


async def test_a_badge_says_how_one_service_stands(house: House) -> None:
    await lived_in(house)
    badge = await house.send("GET", "/status/badge/shop.svg")
    assert badge.headers["Content-Type"].startswith("image/svg+xml")
    assert badge.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    title = ElementTree.fromstring(badge.body).findtext("{http://www.w3.org/2000/svg}title")
    assert title == "The <shop>: does not work"


async def test_a_cache_may_keep_every_form_and_asks_whether_it_changed(house: House) -> None:
    await lived_in(house)
    for path in FORMS:
        answer = await house.send("GET", path)
        assert "public, max-age=30" in answer.headers["Cache-Control"]
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert "Set-Cookie" not in answer.headers
        again = await house.send("GET", path, headers={"If-None-Match": answer.headers["ETag"]})
        if again.status == 200:  # a minute ended in between
            again = await house.send("GET", path, headers={"If-None-Match": again.headers["ETag"]})
        assert (again.status, again.body) == (304, b"")


async def test_it_is_worked_out_once_for_all_who_ask(house: House) -> None:
    await lived_in(house)
    before = (await house.send("GET", "/status")).body
    await house.parts.evaluator.act(Open("more", "critical", "ada"))
    agent = await house.enrol("another")
    await agent.push({"cpu_used_pct": 1.0})
    after = (await house.send("GET", "/status")).body
    assert after == before


async def test_ninety_days_of_ten_services_weigh_less_than_60_kb(tmp_path: Path) -> None:
    services = "".join(f"    - {{name: s{n}, hosts: {{where: {{role: r{n}}}}}}}\n" for n in range(10))
    async with House(tmp_path, f"  access: {{status_page: true}}\n  services:\n{services}") as house:
        end = now_ms() // DAY_MS * DAY_MS
        for n in range(10):
            days = range(end - 90 * DAY_MS, end, DAY_MS)
            intervals = []
            for start in days:
                down = start + 600_000 * (1 + n)
                intervals += [Interval(start, down, "down"), Interval(down, start + DAY_MS, "up")]
            await house.parts.store.promises.write({f"s{n}": intervals})
        travelled = 0
        async with aiohttp.ClientSession(house.client._base_url, auto_decompress=False) as browser:
            for path in ("/status", house.parts.pages.frame.assets.url("look.css")):
                async with browser.get(path, headers={"Accept-Encoding": "gzip"}) as answer:
                    travelled += len(await answer.read())
        page = (await house.send("GET", "/status")).body
        assert page.count(b"<title>") >= 890
        assert travelled < 60_000


async def test_who_is_no_user_sees_it_only_where_it_is_switched_on(tmp_path: Path) -> None:
    for on, status in ((True, 200), (False, 303)):
        folder = tmp_path / str(on)
        folder.mkdir()
        async with House(folder, f"  access: {{status_page: {str(on).lower()}}}\n") as house:
            await house.parts.access.desk.add_user(LOCAL, "ada", "owner", "correct horse battery")
            for path in ("/status", "/status/feed.atom", "/status/summary.json", "/status/badge.svg"):
                async with house.client.get(path, allow_redirects=False) as answer:
                    assert answer.status == status, path


async def test_who_shows_it_to_users_only_has_no_cache_keep_it(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        answer = await house.send("GET", "/status")
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert "Nothing is watched yet" in answer.body.decode()


# --- the bars ---------------------------------------------------------------------------------------------------------


def test_days_with_something_to_tell_have_words_and_the_others_are_one_shape() -> None:
    days = [
        public_day(0, None),
        public_day(DAY_MS, Tally(up=DAY_MS)),
        public_day(2 * DAY_MS, Tally(up=DAY_MS - 720_000, down=720_000)),
        public_day(3 * DAY_MS, Tally(up=DAY_MS)),
    ]
    bars = bars_of(days)
    assert (bars.blank.count("M"), bars.good.count("M")) == (1, 2)
    [told] = bars.told
    assert told.text.replace("\N{NO-BREAK SPACE}", " ") == "3 Jan: down for 12 min"
    said = bars.summary.replace("\N{NO-BREAK SPACE}", " ")
    assert said == "The last 4 days: 1 day of 3 with something to tell, 1 not watched yet."


def test_the_table_behind_the_bars_holds_every_day_and_days_that_are_alike_are_one_row() -> None:
    tallies = [
        None,
        None,
        *[Tally(up=DAY_MS)] * 5,
        Tally(up=DAY_MS - 720_000, down=720_000),
        Tally(up=DAY_MS - 720_000, down=720_000),
        Tally(up=DAY_MS - 30_000, down=30_000),
        Tally(up=DAY_MS),
    ]
    rows = bars_of([public_day(n * DAY_MS, tally) for n, tally in enumerate(tallies)]).rows
    assert [
        tuple(text.replace("\N{NO-BREAK SPACE}", " ") for text in (r.dates, r.days, r.word, r.parts))
        for r in rows
    ] == [
        ("11 Jan", "", "works", ""),
        ("10 Jan", "", "works", "down for 30 s"),
        ("9 Jan", "", "does not work", "down for 12 min"),
        ("8 Jan", "", "does not work", "down for 12 min"),
        ("3 Jan to 7 Jan", "5 days", "works", ""),
        ("1 Jan to 2 Jan", "2 days", "not watched yet", ""),
    ]


def test_of_days_that_nobody_watched_nothing_is_said() -> None:
    assert bars_of([public_day(0, None)]).summary == "Nothing is written down yet of the last 1 days."
