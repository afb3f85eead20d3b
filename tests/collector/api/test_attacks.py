"""What somebody might try at the doors themselves, and what it gets them. Who may come in is tried elsewhere."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import quote

import pytest

from collector.api.doors import Door
from tests.collector.api.house import House

NASTY = (
    "' OR '1'='1",
    "1; DROP TABLE hosts --",
    '" UNION SELECT secret_sha256 FROM tokens --',
    "../../../../etc/passwd",
    "%2e%2e%2f%2e%2e%2f",
    "{{7*7}}${7*7}",
    "<script>alert(1)</script>",
    "a\x00b",
    "\r\nX-Injected: 1",
    "💥" * 50,
    "A" * 5_000,
    "-1",
    "99999999999999999999999999",
    "NaN",
    "1e400",
)


def places(door: Door) -> list[str]:
    """The addresses of a door with a hole for something nasty in each of its names and keys."""
    fields = [field for field in door.query.__struct_fields__ if field not in door.names]
    whole = door.whole_path
    for name in door.names:
        whole = whole.replace(f"{{{name}}}", "1")
    found = [f"{whole}?{field}={{}}" for field in fields]
    if door.names:
        found.append(door.whole_path.replace(f"{{{door.names[0]}}}", "{}"))
    return found


@pytest.mark.slow
async def test_nothing_in_any_place_of_any_door_gets_past_it(house: House) -> None:
    agent = await house.enrol("web-1")
    await agent.push({"cpu_used_pct": 95.0}, ago_s=300)
    tables = sorted(tables_of(house.folder))
    for door in house.parts.api.doors:
        for place in places(door) if door.method == "GET" else ():
            for nasty in NASTY:
                said = await house.send("GET", place.format(quote(nasty, safe="")))
                assert said.status < 500, (door.path, nasty, said)
                assert "X-Injected" not in said.headers
                assert b"secret_sha256" not in said.body.replace(b"UNION SELECT secret_sha256", b"")
                kind = said.headers.get("Content-Type", "application/json")
                assert kind.startswith("application/json"), (door.path, nasty, kind)
    assert sorted(tables_of(house.folder)) == tables
    hosts = [host.name for host in await house.parts.store.hosts.all() if not host.is_service]
    assert len(hosts) == 1


def tables_of(folder: Path) -> list[str]:
    [file] = (folder / "state").glob("*.db")
    with sqlite3.connect(file) as connection:
        found = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema")]
    connection.close()
    return found


@pytest.mark.parametrize(
    "path",
    [
        "/api/monitoring/../../etc/passwd",
        "/api/monitoring/hosts/../../../etc/passwd",
        "/api/monitoring/hosts/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/api/monitoring/hosts//1",
        "/api/monitoring/HOSTS",
        "/api/monitoring/hosts/1/",
        "/api/monitoring/",
        "/api/",
    ],
)
async def test_a_path_that_leads_out_leads_nowhere(house: House, path: str) -> None:
    said = await house.send("GET", path)
    assert said.status == 404
    assert b"root:" not in said.body


async def test_what_was_written_into_an_incident_comes_back_as_text_and_never_as_a_page(house: House) -> None:
    evil = "<script>alert(1)</script>"
    await house.do("POST", "/incidents", {"title": evil, "text": evil}, 201)
    said = await house.get("/incidents/1")
    assert said.json["incident"]["title"] == evil
    assert said.headers["Content-Type"].startswith("application/json")
    assert said.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in said.headers["Content-Security-Policy"]


async def test_a_body_that_is_larger_than_it_says_or_may_be_is_not_held(house: House) -> None:
    for size, status in ((64 * 1024 + 1, 413), (1_000_000, 413)):
        body = b'{"title":"' + b"x" * size + b'"}'
        said = await house.send("POST", "/api/monitoring/incidents", body)
        assert (said.status, said.json["code"]) == (status, "too_large")
    assert (await house.ask("/incidents"))["items"] == []


async def test_numbers_that_json_knows_and_nobody_else_are_refused(house: House) -> None:
    for number in ("1e999", "-1e999", "NaN", "Infinity", "9" * 400):
        body = f'{{"cpu_up_pct": {number}}}'.encode()
        said = await house.send("PUT", "/api/monitoring/scalability/thresholds", body)
        assert said.status == 400, number
