"""A service made, changed and removed on a page, by plain forms, in the collector as it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from collector.web.service_fields import BLANK, CheckRow, Fields, fields_of, read, where_in, where_text
from rules.sla.model import (
    SERVICES_MAX,
    CheckPart,
    HostPart,
    LatencyOptions,
    ServiceOptions,
    ServicePart,
)
from tests.collector.api.house import House
from tests.collector.web.site import Page

CONFIG = """
  services:
    - {name: front, title: The front, hosts: {where: {role: web}}}
"""
SHOP: dict[str, Any] = {
    **BLANK.values,
    "name": "shop",
    "title": "The shop",
    "check_id": ["site", "", ""],
    "check_where": ["site=lyon, site=oslo", "", ""],
    "check_need": ["any", "all", "all"],
    "depends": ["front"],
}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House(tmp_path, CONFIG) as house:
        yield house


async def post(house: House, path: str, form: dict[str, Any]) -> Page:
    fields = [
        (name, one) for name, value in form.items() for one in (value if isinstance(value, list) else [value])
    ]
    async with house.client.post(path, data=fields) as answer:
        return Page(answer.status, answer.headers, await answer.text())


async def get(house: House, path: str) -> Page:
    said = await house.send("GET", path)
    return Page(said.status, said.headers, said.body.decode())


async def kept(house: House, name: str) -> dict[str, Any]:
    return next(one for one in await house.ask("/services") if one["options"]["name"] == name)


def typed(page: Page) -> dict[str, str]:
    return {one["name"]: one.get("value", "") for one in page.all("input") if "name" in one}


async def test_a_service_is_made_changed_and_removed_without_a_file(house: House) -> None:
    made = await post(house, "/services/_new", SHOP)
    assert made.status == 200
    assert "The shop" in made.text
    assert (await kept(house, "shop"))["options"] == {
        "name": "shop", "title": "The shop", "hosts": None,
        "checks": [{"id": "site", "from": {"site": ["lyon", "oslo"]}, "need": "any"}],
        "depends_on": {"services": ["front"], "need": "all"}, "objective_pct": 99.9, "latency": None,
        "window": "30d", "hours": [], "maintenance": [], "zone": "UTC", "unknown": "excluded",
    }  # fmt: skip

    form = await get(house, "/services/shop/edit")
    assert (typed(form)["title"], typed(form)["check_id"]) == ("The shop", "")
    changed = {**SHOP, "upon": typed(form)["upon"], "title": "Our shop", "objective": "", "limit": "300"}
    assert "Our shop" in (await post(house, "/services/shop/edit", changed)).text
    options = (await kept(house, "shop"))["options"]
    assert options["objective_pct"] is None
    assert options["latency"] == {"limit_ms": 300.0, "share_pct": 99.0, "metric": "http_total_ms"}

    await post(house, "/services/shop/remove", {})
    assert [one["options"]["name"] for one in await house.ask("/services")] == ["front"]
    rows = (await house.ask("/audit"))["items"]
    assert [row["what"] for row in rows] == ["service.remove", "service.put", "service.put"]
    assert rows[1]["before"]["title"] == "The shop"


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("name", "the shop", '"the shop" cannot be the name of a service'),
        ("name", "front", "There is a service called front already"),
        ("objective", "100", '"100" is not a number above 0 and below 100; write one such as 99.9'),
        ("objective", "much", '"much" is not a number'),
        ("limit", "-1", '"-1" is not a number above 0'),
        ("hosts", "web", "'web' is no label; write role=db, site=ams"),
        ("depends_need", "3", "3 of 1 services can never be well"),
        ("hours", "always", "always"),
        ("zone", "Moon/Sea", '"Moon/Sea" is no time zone that is known here'),
        ("window", "fortnight", "It is promised over one of 24h"),
        ("check_need", ["some", "", ""], '"some" is not how many; write all, any, or a number'),
    ],
)
async def test_what_is_wrong_is_said_beside_its_field_and_what_was_typed_stays(
    house: House, field: str, value: str | list[str], sentence: str
) -> None:
    page = await post(house, "/services/_new", {**SHOP, field: value})
    assert page.status == 422
    name = "check0" if isinstance(value, list) else field
    [said] = page.all("p", id=f"{name}-wrong")
    assert sentence in page.text
    wrong = [one for one in (*page.all("input"), *page.all("select"), *page.all("textarea"))
             if one.get("aria-describedby") == said["id"]]  # fmt: skip
    assert [one["aria-invalid"] for one in wrong] == ["true"]
    assert typed(page)["title"] == "The shop"
    assert [one["options"]["name"] for one in await house.ask("/services")] == ["front"]


async def test_a_service_of_nothing_is_none(house: House) -> None:
    page = await post(
        house,
        "/services/_new",
        {**SHOP, "check_id": ["", "", ""], "check_where": ["", "", ""], "depends": []},
    )
    assert (page.status, "Say what it is made of" in page.text) == (422, True)


async def test_services_that_would_stand_on_each_other_are_refused_where_they_are_ticked(
    house: House,
) -> None:
    await post(house, "/services/_new", SHOP)
    till = {**SHOP, "name": "till", "title": "", "depends": ["shop"]}
    assert (await post(house, "/services/_new", till)).status == 200
    form = await get(house, "/services/shop/edit")
    page = await post(
        house, "/services/shop/edit", {**SHOP, "upon": typed(form)["upon"], "depends": ["till"]}
    )
    assert page.status == 409
    assert "in a circle: " in page.text
    assert page.all("p", id="depends-wrong")
    page = await post(house, "/services/shop/remove", {})
    assert (page.status, '"till" depends on "shop"; change that first.' in page.text) == (409, True)


@pytest.mark.parametrize(
    ("field", "given", "sentence"),
    [
        ("title", "The \x1bshop", "Title holds a letter that no screen shows (U+001B); leave it out."),
        ("depends", ["front", "front"], '"shop" depends on "front" twice; name it once.'),
    ],
)
async def test_what_pages_cannot_show_and_what_is_named_twice_is_said_beside_its_field(
    house: House, field: str, given: object, sentence: str
) -> None:
    page = await post(house, "/services/_new", {**SHOP, field: given})
    assert (page.status, len(page.all("p", id=f"{field}-wrong")), sentence in page.text) == (422, 1, True)
    assert [one["options"]["name"] for one in await house.ask("/services")] == ["front"]


async def test_of_two_who_change_it_at_once_the_second_is_told_and_keeps_what_they_typed(
    house: House,
) -> None:
    await post(house, "/services/_new", SHOP)
    upon = typed(await get(house, "/services/shop/edit"))["upon"]
    await post(house, "/services/shop/edit", {**SHOP, "upon": upon, "title": "Hers"})
    page = await post(house, "/services/shop/edit", {**SHOP, "upon": upon, "title": "His"})
    assert (page.status, "Somebody changed this service while you did." in page.text) == (409, True)
    assert typed(page)["title"] == "His"
    assert (await kept(house, "shop"))["title"] == "Hers"
    await post(house, "/services/shop/edit", {**SHOP, "upon": typed(page)["upon"], "title": "His"})
    assert (await kept(house, "shop"))["title"] == "His"


async def test_of_two_who_send_it_in_the_same_moment_one_is_told_too(house: House) -> None:
    made = await asyncio.gather(*(post(house, "/services/_new", SHOP) for _ in range(2)))
    assert sorted(page.status for page in made) == [200, 422]
    upon = typed(await get(house, "/services/shop/edit"))["upon"]
    changed = await asyncio.gather(
        *(
            post(house, "/services/shop/edit", {**SHOP, "upon": upon, "title": title})
            for title in ("His", "Hers")
        )
    )
    assert sorted(page.status for page in changed) == [200, 409]


async def test_what_stands_in_the_config_is_changed_there(house: House) -> None:
    assert "It stands in the collector's config" in (await get(house, "/services/front")).text
    page = await get(house, "/services/front/edit")
    assert (page.status, "stands in the config of the collector" in page.text) == (409, True)
    assert (await post(house, "/services/front/remove", {})).status == 409
    assert (await get(house, "/services/moon/edit")).status == 404


async def test_the_empty_page_leads_to_the_form(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        [link] = (await get(house, "/services")).all("a", href="/services/_new")
        form = await get(house, link["href"])
        assert typed(form)["objective"] == "99.9"
        assert form.all("form")[0]["action"] == "/services/_new"


async def test_checks_that_hosts_have_can_be_chosen(house: House) -> None:
    agent = await house.enrol("web-1")
    series = {'check_state{check="site",kind="http"}': 0.0}
    await agent.push(series, checks=[{"id": "site", "kind": "http", "state": "ok"}])
    assert (await get(house, "/services/_new")).all("option", value="site")


# --- there and back ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "service",
    [
        ServiceOptions(name="a", hosts=HostPart(where={"host": "db-*", "role": ["db", "cache"]}, need=2)),
        ServiceOptions(
            name="b.c-d",
            title="All of it",
            checks=[CheckPart(id="x", where={}, need="any"), CheckPart(id="y", where={"site": "ams"})],
            depends_on=ServicePart(services=["a", "z"], need=1),
            objective_pct=None,
            latency=LatencyOptions(limit_ms=0.25, share_pct=99.95, metric="tcp_connect_ms"),
            window="quarter",
            hours=["Mon-Fri 08:00 to 18:00", "Saturday 10:00 to 12:00"],
            maintenance=["Sunday 02:00 to 04:00"],
            zone="Europe/Paris",
            unknown="down",
        ),
    ],
)
def test_a_service_comes_back_from_the_form_as_it_was(service: ServiceOptions) -> None:
    assert read(fields_of(service)) == (service, {})


async def test_more_services_than_may_be_made_are_refused_with_all_that_was_typed(house: House) -> None:
    for number in range(SERVICES_MAX):
        name = f"s{number}"
        await house.do("PUT", f"/services/{name}", {"name": name, "checks": [{"id": name}]})
    shown = await post(house, "/services/_new", SHOP)
    assert shown.status == 422
    assert f"{SERVICES_MAX}" in shown.text
    assert shown.all("input", name="title", value="The shop")


def test_labels_are_written_as_they_are_read() -> None:
    where = {"role": "web", "site": ["ams", "oslo"]}
    assert where_in(where_text(where)) == where
    assert where_in("") == {}


def test_more_than_the_api_would_take_is_not_kept_either() -> None:
    many = Fields({**BLANK.values, "name": "shop"}, [CheckRow(f"c{number}") for number in range(101)], [])
    service, wrong = read(many)
    assert service is None
    assert "made_of" in wrong
