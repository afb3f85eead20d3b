"""Silences and planned maintenance over the API: made, listed, ended; and the judge goes by them at once."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.collector.api.house import House


def in_an_hour() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))


@pytest.mark.parametrize("path", ["/silences", "/maintenance"])
async def test_there_are_none_yet(house: House, path: str) -> None:
    assert (await house.ask(path))["items"] == []


async def test_a_silence_is_made_and_ended(house: House) -> None:
    new = {"where": {"host": "web-*"}, "rules": ["cpu-now"], "for": "2h", "comment": "a build runs"}
    made = await house.do("POST", "/silences", new, 201)
    assert (made["state"], made["by"], made["comment"]) == ("active", "local", "a build runs")
    assert made["matching"]["where"] == {"host": "web-*"}
    assert [one["id"] for one in (await house.ask("/silences?state=active"))["items"]] == [made["id"]]
    assert len(house.parts.evaluator.watch.policy.silences) == 1
    ended = await house.do("DELETE", f"/silences/{made['id']}", None)
    assert ended["state"] == "over"
    assert [one["id"] for one in (await house.ask("/silences?state=over"))["items"]] == [made["id"]]
    assert (await house.send("DELETE", f"/api/monitoring/silences/{made['id']}")).status == 404
    trail = [row.what for row in await house.parts.store.people.audit(10)]
    assert trail == ["silence.end", "silence.add"]


async def test_maintenance_is_planned_and_taken_back(house: House) -> None:
    new = {"name": "window", "when": "Saturday 22:00 to Sunday 06:00", "where": {"role": ["db", "web"]}}
    made = await house.do("POST", "/maintenance", new, 201)
    assert (made["name"], made["when"], made["by"]) == ("window", new["when"], "local")
    assert [one["name"] for one in (await house.ask("/maintenance"))["items"]] == ["window"]
    assert len(house.parts.evaluator.watch.policy.maintenance) == 1
    await house.do("DELETE", f"/maintenance/{made['id']}", None)
    assert (await house.ask("/maintenance"))["items"] == []
    assert (await house.send("DELETE", "/api/monitoring/maintenance/7")).status == 404


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/silences", {}, 422),
        ("/silences", {"for": "2h"}, 422),
        ("/silences", {"rules": ["x"]}, 422),
        ("/silences", {"rules": ["x"], "for": "2h", "end": in_an_hour()}, 422),
        ("/silences", {"rules": ["x"], "end": "2001-01-01T00:00:00Z"}, 422),
        ("/silences", {"rules": ["x"], "for": "500d"}, 400),
        ("/silences", {"rules": ["x"], "for": "1h", "by": "somebody"}, 400),
        ("/silences", {"rules": [""], "for": "1h"}, 400),
        ("/maintenance", {"name": "x"}, 400),
        ("/maintenance", {"name": "x", "when": "whenever"}, 422),
        ("/maintenance", {"name": " ", "when": "Saturday 22:00 to Sunday 06:00"}, 422),
    ],
)
async def test_what_makes_no_sense_is_refused(house: House, path: str, body: Any, status: int) -> None:
    said = await house.send("POST", f"/api/monitoring{path}", body)
    assert said.status == status, said
    assert (await house.ask(path))["items"] == []


async def test_everything_is_silenced_only_where_that_is_said(house: House) -> None:
    made = await house.do("POST", "/silences", {"everything": True, "end": in_an_hour()}, 201)
    assert made["matching"] == {
        "where": {}, "from_severity": "info", "rules": [], "categories": [], "services": [], "subject": "",
    }  # fmt: skip
