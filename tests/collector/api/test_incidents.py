"""Alerts and incidents over the API: listed, looked at, and what people do to them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from collector.api.incidents import NEEDS
from collector.web.deeds import NEEDS as PAGES_NEED
from collector.who import LOCAL, Permission
from tests.collector.api.house import House


async def in_trouble(house: House, name: str = "web-1", cpu: float = 95.0) -> int:
    """A host whose processor is busy; the number of the newest incident."""
    await (await house.enrol(name)).push({"cpu_used_pct": cpu})
    return int((await house.ask("/incidents"))["items"][0]["id"])


@pytest.mark.parametrize("path", ["/alerts", "/alerts?state=all", "/incidents", "/incidents?state=open"])
async def test_there_are_none_yet(house: House, path: str) -> None:
    assert await house.ask(path) == {"items": [], "next": None, "total": None}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/alerts/7", None),
        ("POST", "/alerts/7/acknowledge", {}),
        ("POST", "/alerts/7/resolve", {}),
        ("GET", "/incidents/7", None),
        ("PATCH", "/incidents/7", {"title": "x"}),
        ("POST", "/incidents/7/notes", {"text": "x"}),
        ("POST", "/incidents/7/updates", {"text": "x"}),
    ],
)
async def test_one_that_is_not_there_is_missing(house: House, method: str, path: str, body: Any) -> None:
    said = await house.send(method, f"/api/monitoring{path}", body)
    assert said.status == 404, said
    assert {"code", "message", "request_id"} == set(said.json)


async def test_an_alert_is_acknowledged_and_resolved_by_who_asks(house: House) -> None:
    await in_trouble(house)
    [alert] = (await house.ask("/alerts"))["items"]
    assert (alert["rule"], alert["host_name"], alert["value"], alert["limit"]) == (
        "cpu-now",
        "web-1",
        95.0,
        90.0,
    )
    assert alert["summary"].startswith("web-1 is busy")
    shown = await house.do("POST", "/alerts/1/acknowledge", {"note": "looking"})
    assert (shown["acknowledged_by"], shown["state"]) == ("local", "open")
    shown = await house.do("POST", "/alerts/1/resolve", {})
    assert shown["state"] == "resolved"
    assert (await house.ask("/alerts"))["items"] == []
    assert [one["id"] for one in (await house.ask("/alerts?state=resolved"))["items"]] == [1]
    said = await house.send("POST", "/api/monitoring/alerts/1/resolve", {})
    assert (said.status, said.json["code"]) == (409, "already_resolved")


async def test_alerts_are_filtered(house: House) -> None:
    await in_trouble(house, "web-1", 95.0)
    await in_trouble(house, "web-2", 99.5)

    async def found(query: str) -> list[int]:
        return [one["host"] for one in (await house.ask(f"/alerts?{query}"))["items"]]

    assert await found("") == [2, 1]
    assert await found("sort=oldest") == [1, 2]
    assert await found("severity=critical") == [2]
    assert await found("host=1") == [1]
    assert await found("rule=cpu-now&limit=1") == [2]
    assert await found("rule=cpu-now'%20OR%20'1'='1") == []


async def test_an_incident_tells_all_that_is_known_of_it(house: House) -> None:
    number = await in_trouble(house)
    await house.do("POST", f"/incidents/{number}/notes", {"text": "a <b>build</b> runs"}, 201)
    shown = await house.ask(f"/incidents/{number}")
    assert (shown["incident"]["state"], shown["incident"]["severity"]) == ("open", "warning")
    assert [alert["rule"] for alert in shown["alerts"]] == ["cpu-now"]
    kinds = [event["kind"] for event in shown["timeline"]]
    assert kinds[-1] == "note"
    assert "step" in kinds
    assert shown["timeline"][-1] | {"at": 0} == {
        "at": 0, "kind": "note", "by": "local", "text": "a <b>build</b> runs", "late": False,
    }  # fmt: skip
    assert shown["evidence"] == []


async def test_what_everybody_may_read_is_marked_as_such_in_the_timeline(house: House) -> None:
    number = await in_trouble(house)
    await house.do("POST", f"/incidents/{number}/updates", {"text": "Orders are slow"}, 201)
    event = (await house.ask(f"/incidents/{number}"))["timeline"][-1]
    assert (event["kind"], event["by"], event["text"]) == ("published", "local", "Orders are slow")
    assert [one.text for one in await house.collector.store.incidents.published(5)] == ["Orders are slow"]


async def test_an_incident_is_reported_changed_and_resolved(house: House) -> None:
    new = {
        "title": "The shop is slow",
        "severity": "critical",
        "text": "customers call",
        "services": ["shop"],
    }
    opened = await house.do("POST", "/incidents", new, 201)
    assert (opened["title"], opened["opened_by"], opened["services"]) == (
        "The shop is slow",
        "local",
        ["shop"],
    )
    path = f"/incidents/{opened['id']}"
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    change = {
        "title": "The shop was slow", "severity": "warning", "services": ["shop", "pay"], "assignee": "ada",
        "snoozed_until": until, "postmortem": "An index was missing.", "state": "acknowledged", "note": "mine",
    }  # fmt: skip
    changed = await house.do("PATCH", path, change)
    assert {key: changed[key] for key in change if key not in ("state", "note", "snoozed_until")} == {
        key: value for key, value in change.items() if key not in ("state", "note", "snoozed_until")
    }
    assert (changed["state"], changed["acknowledged_by"]) == ("acknowledged", "local")
    assert changed["snoozed_until"] is not None
    assert (await house.do("PATCH", path, {"state": "open"}))["state"] == "open"
    assert (await house.do("PATCH", path, {"state": "resolved"}))["resolved_by"] == "local"
    said = await house.send("PATCH", f"/api/monitoring{path}", {"state": "acknowledged"})
    assert said.status == 409
    assert (await house.do("PATCH", path, {"postmortem": "It was two indexes."}))["state"] == "resolved"


async def test_of_two_who_write_the_post_mortem_at_once_the_second_is_told(house: House) -> None:
    opened = await house.do("POST", "/incidents", {"title": "The shop is slow"}, 201)
    path, upon = f"/incidents/{opened['id']}", opened["postmortem_version"]
    kept = await house.do("PATCH", path, {"postmortem": "The disk.", "postmortem_upon": upon})
    assert kept["postmortem_version"] != upon
    said = await house.send(
        "PATCH", f"/api/monitoring{path}", {"postmortem": "The network.", "postmortem_upon": upon}
    )
    assert (said.status, said.json["code"]) == (409, "changed_meanwhile")
    assert (await house.ask(path))["incident"]["postmortem"] == "The disk."
    body = {"postmortem": "Both.", "postmortem_upon": kept["postmortem_version"]}
    assert (await house.do("PATCH", path, body))["postmortem"] == "Both."


async def test_a_change_of_which_one_part_is_refused_changes_nothing(house: House) -> None:
    """One refusal that is seen before, one that only the judge knows of."""
    await house.do("POST", "/incidents", {"title": "The shop is slow"}, 201)
    before = await house.ask("/incidents/1")
    too_long = (datetime.now(UTC) + timedelta(days=31)).isoformat()
    for change in (
        {"title": "Never", "assignee": "ada", "snoozed_until": too_long},
        {"title": "Never", "note": " "},
    ):
        assert (await house.send("PATCH", "/api/monitoring/incidents/1", change)).status == 422
        assert await house.ask("/incidents/1") == before
    await house.do("PATCH", "/incidents/1", {"state": "resolved"})
    before = await house.ask("/incidents/1")
    over = await house.send(
        "PATCH", "/api/monitoring/incidents/1", {"title": "Never", "state": "acknowledged"}
    )
    assert over.status == 409
    assert await house.ask("/incidents/1") == before


async def test_the_trail_has_a_row_for_each_part_of_a_change(house: House) -> None:
    await house.do("POST", "/incidents", {"title": "The shop is slow"}, 201)
    await house.do("PATCH", "/incidents/1", {"assignee": "ada", "state": "acknowledged", "note": "mine"})
    rows = (await house.ask("/audit"))["items"]
    assert [(row["what"], row["after"].get("to") or row["after"].get("note")) for row in rows[:2]] == [
        ("incident.acknowledge", "mine"),
        ("incident.assign", "ada"),
    ]


UPDATE: list[Permission] = ["monitoring.incident.update"]


@pytest.mark.parametrize(
    ("change", "lacking"),
    [
        ({"state": "acknowledged"}, "monitoring.alert.acknowledge"),
        ({"state": "open"}, "monitoring.alert.acknowledge"),
        ({"snoozed_until": "2100-01-01T00:00:00Z"}, "monitoring.alert.acknowledge"),
        ({"state": "resolved"}, "monitoring.alert.resolve"),
        ({"title": "another", "state": "resolved"}, "monitoring.alert.resolve"),
    ],
)
async def test_whoever_may_only_change_what_is_said_neither_acknowledges_nor_resolves(
    house: House, change: dict[str, str], lacking: str
) -> None:
    await house.do("POST", "/incidents", {"title": "The shop is slow"}, 201)
    token, _ = await house.parts.access.desk.add_api_token(LOCAL, "scribe", UPDATE)
    bearer = {"Authorization": f"Bearer {token}"}
    said = await house.send("PATCH", "/api/monitoring/incidents/1", change, bearer)
    assert (said.status, said.json["code"]) == (403, "right")
    assert lacking in said.json["message"]
    assert (await house.ask("/incidents"))["items"][0]["title"] == "The shop is slow"
    said = await house.send("PATCH", "/api/monitoring/incidents/1", {"title": "It is quick"}, bearer)
    assert said.status == 200


def test_pages_and_api_ask_the_same_right_for_the_same_act() -> None:
    pages = {deed.capitalize(): right for deed, right in PAGES_NEED.items()}
    assert {one.__name__: pages[one.__name__] for one in NEEDS} == {
        one.__name__: right for one, right in NEEDS.items()
    }
    others = {right for name, right in pages.items() if name not in {one.__name__ for one in NEEDS}}
    assert others == {*UPDATE}


async def test_incidents_are_listed_page_by_page_in_either_order(house: House) -> None:
    for number in range(5):
        await house.do("POST", "/incidents", {"title": f"problem {number}"}, 201)
    await house.do("PATCH", "/incidents/2", {"state": "resolved"})
    await house.do("PATCH", "/incidents/3", {"state": "acknowledged"})

    async def all_of(query: str) -> list[int]:
        found, cursor = [], ""
        while True:
            page = await house.ask(f"/incidents?limit=2&cursor={cursor}&{query}")
            found += [one["id"] for one in page["items"]]
            if page["next"] is None:
                return found
            cursor = page["next"]

    assert await all_of("") == [5, 4, 3, 2, 1]
    assert await all_of("sort=oldest") == [1, 2, 3, 4, 5]
    assert await all_of("state=open") == [5, 4, 3, 1]
    assert await all_of("state=resolved") == [2]
    assert await all_of("acknowledged=true") == [3]
    assert await all_of("severity=critical") == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/incidents", {}, 400),
        ("POST", "/incidents", {"title": ""}, 400),
        ("POST", "/incidents", {"title": "   "}, 422),
        ("POST", "/incidents", {"title": "x" * 201}, 400),
        ("POST", "/incidents", {"title": "x", "severity": "awful"}, 400),
        ("POST", "/incidents", {"title": "x", "by": "somebody else"}, 400),
        ("POST", "/incidents", {"title": "x", "services": ["s"] * 51}, 400),
        ("PATCH", "/incidents/1", {}, 422),
        ("PATCH", "/incidents/1", {"snoozed_until": "2001-01-01T00:00:00Z"}, 422),
        ("PATCH", "/incidents/1", {"snoozed_until": "2026-13-01T00:00:00Z"}, 400),
        ("POST", "/incidents/1/notes", {"text": ""}, 400),
        ("POST", "/incidents/1/notes", {"text": "x" * 10_001}, 400),
    ],
)
async def test_what_makes_no_sense_is_refused(
    house: House, method: str, path: str, body: Any, status: int
) -> None:
    await in_trouble(house)
    said = await house.send(method, f"/api/monitoring{path}", body)
    assert said.status == status, said
