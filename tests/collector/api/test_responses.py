"""MTTA and MTTR over the API."""

from __future__ import annotations

import pytest

import collector.api.responses as door
from tests.collector.api.house import House


async def test_without_incidents_there_are_no_times(house: House) -> None:
    said = await house.ask("/responses")
    assert said["overall"]["incidents"] == 0
    assert said["overall"]["to_acknowledge"] == {
        "count": 0,
        "mean_ms": None,
        "median_ms": None,
        "longest_ms": None,
    }
    assert (said["by_severity"], said["by_service"]) == ({}, {})


async def test_what_people_did_is_reckoned_by_severity_and_service(house: House) -> None:
    for title, services in (("slow", ["shop"]), ("down", ["shop", "mail"])):
        told = {"title": title, "severity": "critical", "services": services}
        made = await house.do("POST", "/incidents", told, status=201)
        await house.do("PATCH", f"/incidents/{made['id']}", {"state": "acknowledged"})
    await house.do("PATCH", f"/incidents/{made['id']}", {"state": "resolved"})
    said = await house.ask("/responses?range=1h")
    overall = said["overall"]
    assert [overall[name] for name in ("incidents", "still_open", "by_hand")] == [2, 1, 2]
    assert [overall[name]["count"] for name in ("to_acknowledge", "to_resolve")] == [2, 1]
    assert {name: part["incidents"] for name, part in said["by_service"].items()} == {"mail": 1, "shop": 2}
    assert list(said["by_severity"]) == ["critical"]


async def test_many_are_read_page_by_page_and_too_many_are_refused(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "PAGE", 2)
    for number in range(5):
        await house.do("POST", "/incidents", {"title": f"problem {number}"}, status=201)
    assert (await house.ask("/responses"))["overall"]["incidents"] == 5
    monkeypatch.setattr(door, "PAGES_MAX", 2)
    refused = await house.send("GET", "/api/monitoring/responses?range=29d", None)
    assert (refused.status, refused.json["code"]) == (422, "too_many")


@pytest.mark.parametrize("span", ["", "month", "500d", "-1h"])
async def test_a_range_that_is_none_is_refused(house: House, span: str) -> None:
    assert (await house.send("GET", f"/api/monitoring/responses?range={span}", None)).status in (400, 422)
