"""Hosts taken in, changed and let go over the API; and what every check of the fleet says."""

from __future__ import annotations

from typing import Any

import pytest

from agent.wire import parse_token
from tests.collector.api.house import Agent, House


async def test_a_host_is_taken_in_and_pushes_with_the_token_it_was_given(house: House) -> None:
    made = await house.do("POST", "/hosts", {"name": "web-9", "labels": {"role": "web"}}, 201)
    agent = Agent(house, made["id"], parse_token(made["token"]))
    await agent.push({"cpu_used_pct": 5.0})
    assert (await house.ask("/hosts?label=role=web"))["items"][0]["state"] == "heard"
    said = await house.send("POST", "/api/monitoring/hosts", {"name": "web-9"})
    assert (said.status, said.json["code"]) == (409, "conflict")
    assert "taken" in said.json["message"] or "enrolled already" in said.json["message"]
    trail = (await house.ask("/audit"))["items"]
    assert [row["what"] for row in trail] == ["host.add"]
    assert made["token"] not in str(trail)


async def test_a_host_is_renamed_and_labelled_and_the_judge_follows(house: House) -> None:
    agent = await house.enrol("web-1", role="web")
    await agent.push({"cpu_used_pct": 5.0})
    changed = await house.do("PATCH", "/hosts/1", {"name": "db-1", "labels": {"role": "db", "site": "a"}})
    assert changed == {"id": 1, "name": "db-1", "labels": {"role": "db", "site": "a"}}
    assert house.parts.evaluator.watch.hosts[1].host.name == "db-1"
    assert (await house.do("PATCH", "/hosts/1", {"labels": {"site": None}}))["labels"] == {"role": "db"}
    await house.enrol("web-2")
    assert (await house.send("PATCH", "/api/monitoring/hosts/1", {"name": "web-2"})).status == 409


async def test_whoever_changes_hosts_sees_at_once_what_they_did(house: House) -> None:
    """Though the answers of a moment ago are kept for seconds."""

    async def seen() -> list[str]:
        return [host["name"] for host in (await house.ask("/hosts"))["items"]]

    house.parts.kept.fleet_age_s = 1.0
    assert await seen() == []
    await house.do("POST", "/hosts", {"name": "db-1"}, 201)
    assert await seen() == ["db-1"]
    assert (await house.ask("/hosts/1"))["host"]["name"] == "db-1"
    await house.do("PATCH", "/hosts/1", {"name": "db-2"})
    assert await seen() == ["db-2"]
    assert (await house.ask("/hosts/1"))["host"]["name"] == "db-2"
    await house.do("DELETE", "/hosts/1", None, 204)
    assert await seen() == []
    assert (await house.get("/hosts/1")).status == 404


async def test_a_host_whose_tokens_are_revoked_pushes_no_more(house: House) -> None:
    agent = await house.enrol("web-1")
    assert await house.do("POST", "/hosts/1/revoke", None) == {"tokens": 1}
    assert await house.do("POST", "/hosts/1/revoke", None) == {"tokens": 0}
    with pytest.raises(AssertionError, match="token_revoked"):
        await agent.push({"cpu_used_pct": 5.0})


async def test_a_host_that_is_let_go_is_gone(house: House) -> None:
    agent = await house.enrol("web-1")
    await agent.push({"cpu_used_pct": 95.0})
    await house.do("DELETE", "/hosts/1", None, 204)
    assert (await house.get("/hosts/1")).status == 404
    assert (await house.ask("/incidents"))["items"][0]["id"] == 1
    assert 1 not in house.parts.evaluator.watch.hosts


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/hosts", {"name": "a b"}, 400),
        ("POST", "/hosts", {"name": "../etc"}, 400),
        ("POST", "/hosts", {"name": "x", "labels": {"a-b": "c"}}, 400),
        ("POST", "/hosts", {"name": "x", "labels": {"a": "c" * 201}}, 400),
        ("PATCH", "/hosts/7", {"name": "x"}, 404),
        ("POST", "/hosts/7/revoke", None, 404),
        ("DELETE", "/hosts/7", None, 404),
    ],
)
async def test_what_makes_no_sense_is_refused(
    house: House, method: str, path: str, body: Any, status: int
) -> None:
    assert (await house.send(method, f"/api/monitoring{path}", body)).status == status
    assert await house.parts.store.hosts.all() == []


async def test_every_check_of_the_fleet_is_told(house: House) -> None:
    assert (await house.ask("/checks"))["items"] == []
    for name, state in (("a", 0.0), ("b", 2.0), ("c", None)):
        agent = await house.enrol(name)
        await agent.push({'check_state{check="site",kind="http"}': state, 'http_total_ms{check="site"}': 9.0})

    async def found(query: str) -> list[tuple[str, str]]:
        items = (await house.ask(f"/checks?{query}"))["items"]
        return [(one["host_name"], one["state"]) for one in items]

    assert await found("") == [("a", "ok"), ("b", "bad"), ("c", "unknown")]
    assert await found("sort=state&limit=1") == [("b", "bad")]
    assert await found("state=bad&kind=http&check=site&host=2") == [("b", "bad")]
    assert await found("kind=tcp") == []
    assert (await house.ask("/checks?host=1"))["items"][0]["ms"] == 9.0
