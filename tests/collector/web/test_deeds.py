"""What a reader may do to an incident on its page, without any JavaScript, and what they may not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from collector.web.deeds import NEEDS, Deeds, act_of, offered
from collector.web.forms import Form
from collector.who import LOCAL, NOBODY, Permission, Who
from rules.judging.acts import Acknowledge, Edit, Open, Resolve
from rules.model import Incident
from tests.collector.web.site import Page, Site, asked_by

ADA = Who("ada", "user", frozenset(NEEDS.values()) | {"monitoring.read"})


def deeds(site: Site) -> list[web.RouteDef]:
    return Deeds(site.pages.frame, site.store.incidents, site.evaluator.act, now_ms=lambda: site.now).routes()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with Site(tmp_path, more=deeds, middlewares=[asked_by(ADA)]) as site:
        await site.evaluator.act(Open("The shop is slow", "critical", "bob"))
        yield site


async def post(site: Site, deed: str, number: int = 1, **form: str) -> Page:
    async with site.client.post(f"/incidents/{number}/{deed}", data=form) as answer:
        return Page(answer.status, answer.headers, await answer.text())


@pytest.mark.parametrize(
    ("deed", "form", "line"),
    [
        ("acknowledge", {"text": "on it"}, "ada has it. on it"),
        ("note", {"text": "it is the disk"}, "ada wrote a note. it is the disk"),
        ("publish", {"text": "Orders are slow"}, "ada told the public. Orders are slow"),
        ("assign", {"to": "eve"}, "ada gave it to eve."),
        ("snooze", {"for": "four hours"}, "ada put it off until 2026-11-20 06:00:00 UTC."),
        ("resolve", {"text": "bought another"}, "ada resolved it by hand. bought another"),
        ("edit", {"title": "Shop down", "severity": "info"}, "title: Shop down (was: The shop is slow)"),
        ("edit", {"severity": "critical", "services": "shop, till,"}, "services touched: shop, till"),
        ("postmortem", {"text": "The disk\r\nwas full."}, "The disk was full."),
    ],
)
async def test_a_form_does_it_and_leads_back_to_the_page(
    site: Site, deed: str, form: dict[str, str], line: str
) -> None:
    page = await post(site, deed, **form)
    assert page.status == 200
    assert line in page.text


async def test_an_acknowledgement_can_be_given_back(site: Site) -> None:
    await post(site, "acknowledge")
    page = await post(site, "unacknowledge", text="going home")
    assert "ada does not have it any more. going home" in page.text
    [incident] = await site.store.incidents.open()
    assert incident.acknowledged_at is None


async def test_what_is_refused_says_why_and_changes_nothing(site: Site) -> None:
    await post(site, "resolve")
    again = await post(site, "resolve")
    assert again.status == 409
    assert "Incident 1 is over already" in again.text
    assert (await post(site, "note", text=" ")).status == 409
    assert "for an hour or four hours or a day" in (await post(site, "snooze", **{"for": "ever"})).text
    assert (await post(site, "note", number=99, text="hm")).status == 404
    assert len(await site.store.incidents.remarks(1)) == 2


async def test_of_two_who_write_the_post_mortem_at_once_the_second_sees_both_and_loses_nothing(
    site: Site,
) -> None:
    [upon] = [one["value"] for one in (await site.get("/incidents/1")).all("input", name="upon")]
    await site.evaluator.act(Edit(1, "bob", postmortem="The <disk> was full."))
    page = await post(site, "postmortem", text="It was the network.", upon=upon)
    assert page.status == 409
    assert "Somebody saved another post-mortem meanwhile" in page.text
    assert "bob saved theirs at 02:00 , while you wrote." in page.text
    assert page.text.index("The <disk> was full.") < page.text.index("It was the network.")
    assert await kept(site) == "The <disk> was full."

    [newer] = [one["value"] for one in page.all("input", name="upon")]
    page = await post(site, "postmortem", text="The disk was full, by the network.", upon=newer)
    assert page.status == 200
    assert await kept(site) == "The disk was full, by the network."


async def test_the_same_post_mortem_sent_twice_is_no_quarrel(site: Site) -> None:
    [upon] = [one["value"] for one in (await site.get("/incidents/1")).all("input", name="upon")]
    for _ in range(2):
        assert (await post(site, "postmortem", text="The disk was full.", upon=upon)).status == 200


async def kept(site: Site) -> str:
    incident = await site.store.incidents.get(1)
    assert incident is not None
    return incident.postmortem


async def test_every_form_of_the_page_holds_the_sign_that_it_is_ours(site: Site) -> None:
    page = await site.get("/incidents/1")
    forms = page.all("form", method="post")
    quick = ("acknowledge", "snooze")
    others = ("acknowledge", "snooze", "resolve", "assign", "publish", "note", "edit", "postmortem")
    assert [form["action"] for form in forms] == [f"/incidents/1/{deed}" for deed in (*quick, *others)]
    assert len(page.all("input", name="csrf", value="token-of-the-session")) == len(forms)


async def test_what_is_replaced_while_the_page_is_open_has_nothing_to_type_in(site: Site) -> None:
    fragment = await site.get("/incidents/1?fragment=1")
    assert {one["action"] for one in fragment.all("form")} == {
        "/incidents/1/acknowledge",
        "/incidents/1/snooze",
    }
    assert {one["type"] for one in fragment.all("input")} == {"hidden"}
    assert fragment.all("select") == []


@pytest.mark.parametrize("who", [NOBODY, Who("eve", "user", frozenset({"monitoring.read"}))])
async def test_who_may_not_is_shown_no_form(tmp_path: Path, who: Who) -> None:
    async with Site(tmp_path, more=deeds, middlewares=[asked_by(who)]) as site:
        await site.evaluator.act(Open("The shop is slow", "critical", "bob"))
        page = await site.get("/incidents/1")
        assert page.all("form") == []
        assert "What to do" not in page.text


def test_each_deed_needs_a_right_of_its_own() -> None:
    only: Permission = "monitoring.alert.resolve"
    incident = Incident(1, "incident:1", "slow", "critical", 0)
    assert offered(incident, Who("eve", "user", frozenset({only}))) == ["resolve"]
    assert offered(incident, LOCAL) == [
        "acknowledge", "snooze", "resolve", "note", "publish", "assign", "edit", "postmortem",
    ]  # fmt: skip


def test_what_is_over_can_be_written_about_only() -> None:
    over = Incident(1, "incident:1", "slow", "critical", 0, resolved_at=1)
    assert offered(over, LOCAL) == ["note", "publish", "assign", "edit", "postmortem"]


def test_what_was_left_as_it_stood_stays_the_judges_to_change() -> None:
    fields = {
        "title": ["slow"], "title_before": ["slow"], "severity": ["info"], "severity_before": ["warning"],
    }  # fmt: skip
    assert act_of("edit", 7, "ada", Form(fields), 0) == Edit(7, "ada", None, "info", None)


def test_a_deed_is_done_in_the_name_of_whoever_asked() -> None:
    assert act_of("acknowledge", 7, "ada", Form({"text": ["on it"]}), 0) == Acknowledge(7, "ada", "on it")
    assert act_of("resolve", 7, "ada", Form({}), 0) == Resolve(7, "ada", "")
