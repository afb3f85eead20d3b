"""What strangers read, of everything that answers them: every way there is, found in the collector as it runs, and none
of them tells the name of a thing. Each kind of thing has a marker of its own, so that a leak says of what it is."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from agent.wire import series_name
from collector.who import LOCAL, is_declared, needed_by
from rules.judging.acts import Assign, Note, Open, Publish, Resolve
from rules.policy import Planned
from tests.collector.api.house import Agent, House, Said

PASSWORD = "correct horse battery"
ADDRESS, ADDRESS_6 = "203.0.113.77", "2001:db8:77::7"
TOLD = "Orders are slow"
THINGS = (
    "hostname", "labelname", "labelvalue", "mount", "series", "facts", "checkid", "checktext", "target", "rule",
    "summary", "runbook", "channel", "url", "route", "user", "member", "token", "note", "title", "text", "postmortem",
    "assignee", "command", "folder", "unit", "kernel", "unseen", "silence", "maintenance", "comment", "job", "service",
    "servicetitle", "inner", "state", "scaling", "join", "posted",
)  # fmt: skip
NOT_SHOWN_HERE = {"state", "url", "runbook", "route", "channel", "posted"}
"""What the operator's doors, as they are asked here, do not show: all others are seen there, and so could leak. What is
posted is gathered for ten seconds first."""


def mark(thing: str) -> str:
    assert thing in THINGS
    return f"zz{thing}zz"


RULES = f"""
rules:
  - {{name: {mark("rule")}, metric: disk_used_pct, above: {{critical: 90}}, summary: "{{{{host}}}} {mark("summary")}",
     runbook: "https://{mark("runbook")}.example.org/"}}
"""
CONFIG = f"""
  access:
    status_page: true
    requests_burst: 1000000
    trusted_proxies: [127.0.0.1]
  url: https://watch.example.org
  status_page: {{title: Status of Acme, services: [shop]}}
  channels:
    - {{kind: log, name: {mark("channel")}}}
    - {{kind: webhook, name: hook, url: "http://127.0.0.1:9/{mark("url")}"}}
  routes:
    - {{name: {mark("route")}, where: {{{mark("labelname")}: {mark("labelvalue")}}}, channels: [{mark("channel")}]}}
  jobs: [{{name: {mark("job")}, token: 00112233445566778899, every: 1d}}]
  checks:
    - {{kind: http, id: {mark("checkid")}, url: "https://{mark("target")}.example.org/", from: {{}}, about: shop}}
    - {{kind: tcp, id: ssh, address: "{ADDRESS}:22", from: {{}}}}
  services:
    - name: shop
      title: Web shop
      checks: [{{id: {mark("checkid")}, from: {{{mark("labelname")}: {mark("labelvalue")}}}}}]
      depends_on: {{services: [{mark("service")}]}}
    - {{name: {mark("service")}, title: {mark("servicetitle")}, hosts: {{where: {{host: {mark("hostname")}}}}}}}
  scaling: [{{service: {mark("scaling")}, where: {{{mark("labelname")}: {mark("labelvalue")}}}}}]
"""
FILLED = {"service": "shop", "name": "shop", "channel": "hook"}
BESIDES = (
    "/robots.txt", "/sitemap.xml", "/favicon.ico", "/.well-known/security.txt", "/status/", "/status/nothing",
    "/status/badge/nothing.svg", "/status?group=role&q=x", "/static/nothing.js", "/install/bundle/nothing.tar",
    "/ping/00112233445566778899", "/nothing/at/all", "/%00", "/hosts/1/..%2f..", "/login?next=/hosts/1",
)  # fmt: skip
WAYS: tuple[dict[str, str], ...] = (
    {},
    {"Accept": "application/json"},
    {"Accept-Encoding": "gzip"},
    {"X-Fragment": "1", "X-Requested-With": "fetch"},
    {"Authorization": "Bearer wk_api_nothing"},
    {"Cookie": "watchkeeper=nothing"},
    {"If-None-Match": "*", "If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
    {"Range": "bytes=0-10", "Accept-Language": "de"},
)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    folder = tmp_path / mark("state")  # what a failing store says may hold its path
    folder.mkdir()
    (folder / "rules.d").mkdir()
    house = House(folder, CONFIG)
    (folder / "rules.d" / "own.yaml").write_text(RULES)
    async with house:
        await lived_in(house)
        yield house


async def lived_in(house: House) -> None:
    """A host that is in trouble now, whose agent came through a proxy; people who spoke of it; what holds for it."""
    agent = await house.enrol(mark("hostname"), **{mark("labelname"): mark("labelvalue")})
    await pushed(house, agent)
    desk = house.parts.access.desk
    act, store = house.parts.evaluator.act, house.parts.store
    [incident] = await store.incidents.open()
    await act(Publish(incident.id, mark("user"), f"{TOLD}\nWe look into it."))
    await act(Note(incident.id, mark("user"), mark("note")))
    await act(Assign(incident.id, mark("user"), mark("assignee")))
    own = await act(Open(mark("title"), "warning", mark("user"), mark("text"), ("shop", mark("inner"))))
    await act(Publish(own.id, mark("user"), "Mail was late"))
    await act(Resolve(own.id, mark("user"), mark("note")))
    text = mark("postmortem")
    await house.do("PATCH", f"/incidents/{own.id}", {"postmortem": text})
    soon, later = (time.strftime("%Y-%m-%d %H:%M", time.gmtime(time.time() + s)) for s in (3_600, 7_200))
    work = Planned(
        name=mark("maintenance"), when=f"{soon} to {later}", services=("shop",),
        by=mark("user"), comment=mark("comment"),
    )  # fmt: skip
    await store.policy.add_maintenance(work)
    silence = {
        "rules": [mark("silence")],
        "where": {"host": mark("hostname")},
        "for": "1h",
        "comment": mark("comment"),
    }
    await house.do("POST", "/silences", silence, 201)
    posted = {
        "service": "shop",
        "metrics": [{"name": "orders", "labels": {"kind": mark("posted")}, "value": 3}],
    }
    await house.send("POST", "/api/monitoring/metrics", posted)
    await house.do("POST", "/joins", {"labels": {mark("labelname"): mark("join")}}, 201)
    await desk.add_api_token(LOCAL, mark("token"), ["monitoring.read"])
    await desk.add_user(LOCAL, mark("member"), "viewer", PASSWORD)
    await desk.add_user(LOCAL, mark("user"), "owner", PASSWORD)
    await house.parts.promised.round()


async def pushed(house: House, agent: Agent) -> None:
    """Samples, and then what the agent was asked to look for."""
    check = {
        "id": mark("checkid"), "kind": "http", "state": "bad",
        "detail": f"https://{mark('target')}.example.org ({ADDRESS}): {mark('checktext')}",
    }  # fmt: skip
    samples = {
        series_name("check_state", {"check": mark("checkid"), "kind": "http"}): 2.0,
        series_name("disk_used_pct", {"mount": f"/{mark('mount')}"}): 99.0,
        series_name("orders", {"kind": mark("series")}): 3.0,
    }
    facts = {"os": mark("facts"), "addresses": f"{ADDRESS} {ADDRESS_6}"}
    said = await agent.push(samples, checks=[check], facts=facts)
    about = next(ask["about"] for ask in said["asks"] if ask["kind"] == "evidence")
    program = {"pid": 7, "name": "p", "command": mark("command"), "cpu_pct": 1.0, "memory_bytes": 1}
    now = time.time_ns() // 1_000_000
    found = {
        "about": about, "at": now, "took_ms": 5, "by_cpu": [program], "by_memory": [program],
        "mount": f"/{mark('mount')}", "folders": [{"path": f"/{mark('folder')}", "bytes": 7}],
        "failed_units": [mark("unit")], "kernel": [f"oom {mark('kernel')}"], "unseen": [mark("unseen")],
    }  # fmt: skip
    await agent.push(samples, checks=[check], evidence=found)


# --- every way there is -----------------------------------------------------------------------------------------------


def routes(house: House, number: int = 1) -> Iterator[tuple[str, str, object]]:
    """Method, address and handler of everything that can be asked for, with what a person would fill in."""
    for route in house.parts.server._runner.app.router.routes():
        if route.resource is not None:
            path = route.resource.canonical
            filled = re.sub(r"\{([^}:]+)[^}]*\}", lambda found: FILLED.get(found[1], str(number)), path)
            yield route.method, filled, route.handler


def open_to_all(house: House) -> set[str]:
    return {
        path for method, path, handler in routes(house)
        if method == "GET" and is_declared(handler) and needed_by(handler) is None
    }  # fmt: skip


async def as_stranger(house: House, method: str, path: str, headers: dict[str, str]) -> Said:
    """From elsewhere, through the proxy."""
    async with house.client.request(
        method, path, headers={"X-Forwarded-For": "198.51.100.9", **headers}, allow_redirects=False
    ) as answer:
        return Said(answer.status, answer.headers.copy(), await answer.read())


def leaks(said: Said) -> list[str]:
    """Of which things a marker is in an answer, in whatever of it."""
    headers = "\n".join(f"{name}: {value}" for name, value in said.headers.items())
    everything = said.body.decode(errors="replace").lower() + headers.lower()
    found = [thing for thing in THINGS if mark(thing) in everything]
    return found + [text for text in (ADDRESS, ADDRESS_6, sys.prefix.lower()) if text in everything]


async def test_no_byte_that_strangers_get_carries_the_name_of_a_thing(house: House) -> None:
    opened = open_to_all(house) | set(BESIDES)
    asked = {(method, path) for method, path, _ in routes(house) if method in METHODS}
    asked |= {(method, path) for path in opened for method in METHODS}
    answered: dict[str, set[int]] = {}
    for method, path in sorted(asked):
        for headers in WAYS if path in opened else WAYS[:2]:
            said = await as_stranger(house, method, path, headers)
            assert leaks(said) == [], f"{method} {path} {headers}: {said}"
            assert said.status < 500 or path == "/install", (
                method,
                path,
                said,
            )  # there may be nothing to install
            answered.setdefault(path, set()).add(said.status)
    well = {path for path, statuses in answered.items() if 200 in statuses}
    assert {
        "/status",
        "/status/feed.atom",
        "/status/summary.json",
        "/status/badge/shop.svg",
        "/health",
    } <= well
    assert len(asked) > 150


async def test_what_is_hidden_from_strangers_is_there_to_be_read_by_who_may(house: House) -> None:
    """Without this, the test above could not fail."""
    token = (house.folder / "state" / "local.token").read_text().strip()
    seen: set[str] = set()
    for method, path, handler in [*routes(house, 1), *routes(house, 2)]:
        if method != "GET" or not is_declared(handler) or path.endswith("/events"):
            continue
        said = await as_stranger(house, "GET", path, {"Authorization": f"Bearer {token}"})
        seen |= set(leaks(said))
    assert {*THINGS, ADDRESS} - seen <= NOT_SHOWN_HERE


async def test_what_was_written_for_everybody_is_told_to_everybody(house: House) -> None:
    said = await as_stranger(house, "GET", "/status", {})
    assert TOLD in said.body.decode()


async def test_not_even_when_the_store_fails(house: House) -> None:
    """What it says then names files and addresses."""
    await house.parts.store.close()
    for path in sorted(open_to_all(house)):
        for headers in WAYS[:3]:
            said = await as_stranger(house, "GET", path, headers)
            assert leaks(said) == [], f"{path}: {said}"
            assert str(house.folder) not in said.body.decode(errors="replace")


async def test_without_services_the_page_counts_hosts_and_names_none(tmp_path: Path) -> None:
    async with House(tmp_path, "  access: {status_page: true, trusted_proxies: [127.0.0.1]}\n") as house:
        agent = await house.enrol(mark("hostname"), **{mark("labelname"): mark("labelvalue")})
        await agent.push({series_name("disk_used_pct", {"mount": f"/{mark('mount')}"}): 99.0})
        await house.parts.access.desk.add_user(LOCAL, mark("user"), "owner", PASSWORD)
        for path in sorted(open_to_all(house)):
            assert leaks(await as_stranger(house, "GET", path, {})) == [], path
        assert "<small>of 1</small>" in (await as_stranger(house, "GET", "/status", {})).body.decode()
