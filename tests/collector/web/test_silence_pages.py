"""Silences and maintenance on their page: said in plain forms, refused in words, and shown on a calendar."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from collector.config import CollectorConfig
from collector.web.charts import Work
from collector.web.silence_pages import SilencePages
from collector.web.silences import about, calendar, silence_rows
from collector.web.words import DAY_MS, HOUR_MS, Times, zone_named
from collector.who import Who
from rules.policy import Maintenance, Match, Silence
from tests.collector.desks.house import policies_of
from tests.collector.web.site import NOW, Page, Site, asked_by

READER = Who("eve", "user", frozenset({"monitoring.read"}))


def silence_pages(site: Site) -> list[web.RouteDef]:
    policies = policies_of(site.store, site.evaluator, lambda: site.now)
    policies.configure(
        CollectorConfig(maintenance=[Maintenance(name="Backups", when="daily 03:00 to 04:00")])
    )
    return SilencePages(site.pages.frame, site.known, policies, now_ms=lambda: site.now).routes()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with Site(tmp_path, more=silence_pages) as site:
        yield site


async def post(site: Site, path: str, **form: str) -> Page:
    async with site.client.post(path, data=form) as answer:
        return Page(answer.status, answer.headers, await answer.text())


async def test_a_silence_is_made_shown_and_ended(site: Site) -> None:
    given = {
        "rules": "disk-*",
        "host": "web-1, web-2",
        "labels": "role=web",
        "for": "2h",
        "comment": "new disks",
    }
    page = await post(site, "/silences", **given)
    assert page.status == 200
    assert "rule disk-*, on web-1, web-2, hosts with role=web" in page.text
    assert "new disks" in page.text
    (silence,) = await site.store.policy.silences()
    assert silence.where == {"host": ["web-1", "web-2"], "role": "web"}
    assert (silence.start, silence.end) == (NOW, NOW + 2 * HOUR_MS)
    page = await post(site, "/silences/1/end")
    assert "Nothing is silenced." in page.text
    assert "1 silence that ended" in page.text
    assert [row.what for row in await site.store.people.audit(9)] == ["silence.end", "silence.add"]


async def test_a_silence_may_end_at_a_time_of_the_readers_clock(site: Site) -> None:
    site.client.cookie_jar.update_cookies({"zone": "Europe/Berlin"})
    await post(site, "/silences", rules="load", until="2026-11-20T06:30")
    (silence,) = await site.store.policy.silences()
    assert silence.end == NOW + 3 * HOUR_MS + HOUR_MS // 2, "06:30 in Berlin is 05:30 UTC"


@pytest.mark.parametrize(
    ("form", "word"),
    [
        ({"for": "1h"}, "this would silence everything"),
        ({"rules": "x", "for": "long"}, "how long it lasts"),
        ({"rules": "x", "for": "400d"}, "a year at most"),
        ({"rules": "x", "until": "tomorrow"}, "is no time"),
        ({"rules": "x", "until": "0001-01-01T00:00"}, ""),
        ({"rules": "x", "until": "2026-11-19T00:00"}, "ends after it begins"),
        ({"labels": "role", "for": "1h"}, "is no label; write role=db"),
        ({"rules": "x", "for": "1h", "from_severity": "grave"}, "the severity is one of"),
    ],
)
async def test_a_silence_that_makes_no_sense_is_refused_in_words(
    site: Site, form: dict[str, str], word: str
) -> None:
    page = await post(site, "/silences", **form)
    assert page.status == 422
    assert word in page.text.lower()
    assert await site.store.policy.silences() == []


async def test_everything_is_silenced_only_if_one_says_so(site: Site) -> None:
    await post(site, "/silences", everything="1", **{"for": "1h"})
    (silence,) = await site.store.policy.silences()
    assert silence.is_about_all


async def test_maintenance_is_planned_shown_on_the_calendar_and_removed(site: Site) -> None:
    page = await post(
        site,
        "/maintenance",
        name="New racks",
        when="2026-11-21 22:00 to 2026-11-22 06:00\r\n\r\nMon 01:00 to 02:00",
    )
    assert page.status == 200
    (planned,) = await site.store.policy.maintenance()
    assert planned.when == ("2026-11-21 22:00 to 2026-11-22 06:00", "Mon 01:00 to 02:00")
    assert "22:00–24:00 New racks" in page.text
    assert "00:00–06:00 New racks" in page.text
    assert "Backups" in page.text
    assert "the config" in page.text
    assert [form["action"] for form in page.all("form") if "remove" in form["action"]] == [
        "/maintenance/1/remove"
    ]
    page = await post(site, "/maintenance/1/remove")
    assert "New racks" not in page.text
    assert [row.what for row in await site.store.people.audit(9)] == ["maintenance.remove", "maintenance.add"]


@pytest.mark.parametrize(
    "form", [{"name": "x", "when": "some day"}, {"name": " ", "when": "daily 01:00 to 02:00"}, {"name": "x"}]
)
async def test_maintenance_that_makes_no_sense_is_refused_in_words(site: Site, form: dict[str, str]) -> None:
    page = await post(site, "/maintenance", **form)
    assert page.status == 422
    assert "That was not done" in page.text


@pytest.mark.parametrize("path", ["/silences/7/end", "/silences/x/end", "/maintenance/7/remove"])
async def test_what_is_not_there_cannot_be_ended(site: Site, path: str) -> None:
    assert (await post(site, path)).status == 404


async def test_who_may_only_look_is_shown_no_form(tmp_path: Path) -> None:
    async with Site(tmp_path, more=silence_pages, middlewares=[asked_by(READER)]) as site:
        assert (await site.get("/silences")).all("form") == []


async def test_an_address_may_fill_the_form_in(site: Site) -> None:
    page = await site.get('/silences?rules=disk-full&host=web-1"><script>')
    (rules,) = page.all("input", id="rules")
    assert rules["value"] == "disk-full"
    assert [one["value"] for one in page.all("input", name="host")] == ['web-1"><script>'] * 2
    assert len(page.all("script")) == 1


@pytest.mark.parametrize(
    ("match", "words"),
    [
        (Match(), "everything"),
        (Match(from_severity="critical"), "from critical on"),
        (Match(rules=("a", "b")), "rule a, b"),
        (Match(where={"role": ["db", "web"], "host": "x"}), "on x, hosts with role=db or web"),
        (Match(services=("shop",), categories=("disk",)), "category disk, service shop"),
        (Match(rules=tuple("abcdefgh")), "rule a, b, c, d, e, f and 2 more"),
        (Match(subject="service:shop"), "service:shop"),
    ],
)
def test_what_is_meant_is_said_in_words(match: Match, words: str) -> None:
    assert about(match) == words


def test_what_holds_comes_first_then_what_is_to_come_then_what_is_over() -> None:
    def silence(number: int, start: int, end: int) -> Silence:
        return Silence(start=NOW + start, end=NOW + end, by="ada", id=number)

    times = Times(zone_named("UTC"), NOW)
    rows = silence_rows([silence(1, -9, -5), silence(2, 5, 9), silence(3, -5, 9), silence(4, -5, 5)], times)
    assert [(row.id, row.mark.word) for row in rows] == [
        (4, "active"),
        (3, "active"),
        (2, "to come"),
        (1, "over"),
    ]


def test_the_calendar_begins_on_monday_and_cuts_work_at_midnight_where_the_reader_is() -> None:
    times = Times(zone_named("America/New_York"), NOW)  # Thursday evening there
    weeks = calendar([Work(NOW, NOW + 2 * DAY_MS, "Racks")], times)
    assert [len(week) for week in weeks] == [7] * 5
    assert weeks[0][0].name == "Monday 16 November"
    assert [day.is_today for day in weeks[0]] == [False, False, False, True, False, False, False]
    assert [day.works for day in weeks[0][3:6]] == [
        [("21:00–24:00", "Racks")], [("all day", "Racks")], [("00:00–21:00", "Racks")],
    ]  # fmt: skip
