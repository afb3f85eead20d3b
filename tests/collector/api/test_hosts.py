"""Hosts over the API: found, filtered, sorted, paged; what they sampled last and over time."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.collector.api.house import House


async def names(house: House, query: str) -> list[str]:
    return [host["name"] for host in (await house.ask(f"/hosts?{query}"))["items"]]


async def test_there_are_none_yet(house: House) -> None:
    assert await house.ask("/hosts") == {"items": [], "next": None, "total": 0}
    assert await house.ask("/series/latest?metric=cpu_used_pct") == {
        "metric": "cpu_used_pct", "total": 0, "values": [],
    }  # fmt: skip


@pytest.mark.parametrize("path", ["", "/latest", "/checks", "/names", "/series?name=load1"])
async def test_a_host_that_is_not_there_is_missing(house: House, path: str) -> None:
    said = await house.get(f"/hosts/7{path}")
    assert (said.status, said.json["code"]) == (404, "missing")
    assert said.json["request_id"] == said.headers["X-Request-Id"]


async def test_a_host_is_shown_with_what_it_told_of_itself(house: House) -> None:
    agent = await house.enrol("web-1", role="web")
    assert (await house.ask("/hosts/1"))["host"]["state"] == "never_heard"
    await agent.push({"cpu_used_pct": 5.0}, facts={"os": "Debian"}, labels={"rack": "r1"})
    shown = await house.ask("/hosts/1")
    assert shown["host"] | {"heard_at": 0, "sampled_at": 0, "enrolled_at": 0, "skew_ms": 0} == {
        "id": 1, "name": "web-1", "labels": {"role": "web", "rack": "r1"}, "state": "heard", "service": False,
        "heard_at": 0, "sampled_at": 0, "every_ms": 10_000, "skew_ms": 0, "flags": [], "enrolled_at": 0,
        "open_alerts": 0,
    }  # fmt: skip
    assert (shown["facts"], shown["own_labels"]) == ({"os": "Debian"}, ["rack"])


async def test_hosts_are_filtered_and_sorted(house: House) -> None:
    busy = await house.enrol("web-1", role="web", site="a")
    calm = await house.enrol("web-2", role="web", site="b")
    await house.enrol("db-1", role="db", site="a")
    await busy.push({"cpu_used_pct": 95.0})
    await calm.push({"cpu_used_pct": 1.0})
    assert await names(house, "") == ["db-1", "web-1", "web-2"]
    assert await names(house, "sort=-name") == ["web-2", "web-1", "db-1"]
    assert await names(house, "sort=-alerts&limit=1") == ["web-1"]
    assert await names(house, "label=role=web&label=site=a") == ["web-1"]
    assert await names(house, "state=never_heard") == ["db-1"]
    assert await names(house, "q=WEB") == ["web-1", "web-2"]
    assert await names(house, "service=true") == []


async def test_pages_neither_repeat_nor_leave_out_a_host(house: House) -> None:
    for number in range(7):
        await house.enrol(f"h{number}")
    found: list[str] = []
    cursor = ""
    while True:
        page = await house.ask(f"/hosts?limit=3&cursor={cursor}")
        found += [host["name"] for host in page["items"]]
        assert page["total"] == 7
        if page["next"] is None:
            break
        cursor = page["next"]
    assert found == [f"h{number}" for number in range(7)]


@pytest.mark.parametrize(
    "cursor", ["x", "AAAA", "bnVsbA", "WzEsMl0", "eyJhIjoxfQ", "W251bGxd", "%00", "../../etc", "W1sxXSwxXQ"]
)
@pytest.mark.parametrize("path", ["/hosts", "/incidents", "/alerts"])
async def test_a_cursor_that_nobody_gave_out_is_refused(house: House, path: str, cursor: str) -> None:
    await house.enrol("h1")
    said = await house.get(f"{path}?cursor={cursor}")
    assert (said.status, said.json["code"]) == (400, "cursor"), said


async def test_what_was_sampled_last_and_how_checks_stand(house: House) -> None:
    agent = await house.enrol("web-1")
    assert await house.ask("/hosts/1/latest") == {"host": 1, "at": None, "values": {}}
    assert await house.ask("/hosts/1/checks") == []
    check = {"id": "site", "kind": "http", "state": "bad", "ms": 12.0, "detail": "503"}
    await agent.push({"cpu_used_pct": 5.5, "temperature_c": None}, checks=[check])
    assert (await house.ask("/hosts/1/latest"))["values"] == {"cpu_used_pct": 5.5, "temperature_c": None}
    [shown] = await house.ask("/hosts/1/checks")
    assert shown | {"at": 0} == {**check, "at": 0}
    assert await house.ask("/hosts/1/names") == {"names": ["cpu_used_pct", "temperature_c"]}


async def points(house: House, query: str) -> Any:
    return await house.ask(f"/hosts/1/series?{query}")


async def test_a_series_is_given_as_samples_or_in_steps(house: House) -> None:
    agent = await house.enrol("web-1")
    for ago_s, value in ((120, 1.0), (110, 9.0), (0, 5.0)):
        await agent.push({"load1": value, "gone": None}, ago_s=ago_s)
    shown = await points(house, "name=load1&name=gone&name=never&step=raw")
    lines = {line["name"]: [point[1:] for point in line["points"]] for line in shown["series"]}
    assert lines["load1"] == [[1.0, 1.0, 1.0, 1], [9.0, 9.0, 9.0, 1], [5.0, 5.0, 5.0, 1]]
    assert lines["gone"] == [[None, None, None, 0]] * 3
    assert lines["never"] == []
    steps = await points(house, "name=load1&range=1h&step=1h")
    assert (steps["step_ms"], sum(point[4] for point in steps["series"][0]["points"])) == (3_600_000, 3)
    assert max(point[3] for point in steps["series"][0]["points"]) == 9.0
    assert (await points(house, "name=load1&range=1h"))["step_ms"] == 0
    assert (await points(house, "name=load1&range=30d"))["step_ms"] >= 30 * 86_400_000 / 500


async def test_a_range_may_have_a_beginning_and_an_end(house: House) -> None:
    agent = await house.enrol("web-1")
    await agent.push({"load1": 1.0}, ago_s=60)
    now = time.time()
    start, end = (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + more)) for more in (-90, -30))
    shown = await points(house, f"name=load1&start={start}&end={end}&step=raw")
    assert len(shown["series"][0]["points"]) == 1


@pytest.mark.parametrize(
    "query",
    [
        "", "name=load1&range=500d", "name=load1&range=soon", "name=load1&start=2026-02-30T00:00:00Z",
        "name=load1&start=2026-01-02T00:00:00Z&end=2026-01-01T00:00:00Z", "name=load1&nonsense=1",
        "name=load1&range=1h&range=2h", "name=" + "x" * 600, "&".join(["name=a"] * 21),
        "name=load1&step=0s", "name=load1&id=2",
    ],
)  # fmt: skip
async def test_a_question_about_series_that_makes_no_sense_is_refused(house: House, query: str) -> None:
    await house.enrol("web-1")
    assert (await house.get(f"/hosts/1/series?{query}")).status == 400


async def test_more_points_than_are_given_at_once_are_refused(house: House) -> None:
    await house.enrol("web-1")
    said = await house.get("/hosts/1/series?name=load1&range=400d&step=1s")
    assert (said.status, said.json["code"]) == (422, "too_much")


@pytest.mark.parametrize(
    "number", ["0", "x", "-1", "1e3", "99999999999999999999", "1%20OR%201=1", "%2e%2e", "١"]
)
async def test_what_is_no_number_of_a_host_is_missing(house: House, number: str) -> None:
    said = await house.get(f"/hosts/{number}/latest")
    assert said.status == 404
    assert said.headers["Content-Type"].startswith("application/json")


async def test_a_metric_over_the_fleet_is_the_highest_first(house: House) -> None:
    for name, value in (("a", 5.0), ("b", 50.0), ("c", None)):
        await (await house.enrol(name)).push({'disk_used_pct{mount="/"}': value})
    values = (await house.ask("/series/latest?metric=disk_used_pct"))["values"]
    assert [(one["host_name"], one["value"]) for one in values] == [("b", 50.0), ("a", 5.0), ("c", None)]
    assert len((await house.ask("/series/latest?metric=disk_used_pct&limit=2"))["values"]) == 2
    assert values[0]["series"] == 'disk_used_pct{mount="/"}'


async def test_an_answer_that_a_client_has_already_is_not_sent_again(house: House) -> None:
    agent = await house.enrol("web-1")
    await agent.push({"load1": 1.0})
    first = await house.get("/hosts/1/latest")
    again = await house.get("/hosts/1/latest", {"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    await agent.push({"load1": 2.0})
    assert (await house.get("/hosts/1/latest", {"If-None-Match": first.headers["ETag"]})).status == 200
