"""Scaling over the API: advice, limits, hooks, loads that are played, and the layers that services stand on."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collector.app import now_ms
from collector.desks.plays import AT_ONCE_MAX, Plays, Tried
from collector.who import Refusal
from rules.capacity.slope import Numbers, Times
from tests.collector.api.house import House

SCALING = f"""  scaling:
    - {{service: web, where: {{role: web}}, min: 1, max: 4, targets: {{cpu_used_pct: 50}}, look_ahead: null}}
    - service: jobs
      current: 3
      hook: {{command: [{sys.executable}, "-c", "pass"], dry_run: true}}
"""


async def web(house: House, *used: float) -> None:
    for number, cpu in enumerate(used):
        agent = await house.enrol(f"web-{number}", ago_s=3_600, role="web")
        await agent.push({"cpu_used_pct": cpu, "memory_used_pct": 20.0})
    await house.parts.advisor.round()
    await house.parts.capacity.round()


@pytest.mark.parametrize("path", ["analyze", "config", "load-balancer", "database", "microservices"])
async def test_with_nothing_configured_that_is_said_plainly(house: House, path: str) -> None:
    shown = await house.ask(f"/scalability/{path}")
    assert shown["why"]
    assert not shown.get("services")
    assert shown.get("configured") in (None, False)


async def test_a_service_is_told_what_it_should_have_and_why(tmp_path: Path) -> None:
    async with House(tmp_path, SCALING) as house:
        before = {one["service"]: one for one in (await house.ask("/scalability/analyze"))["services"]}
        assert (before["web"]["direction"], before["web"]["current"]) == ("unknown", None)
        await web(house, 95.0, 97.0)
        shown = await house.ask("/scalability/analyze?service=web")
        [advice] = shown["services"]
        assert (advice["direction"], advice["current"], advice["wanted"]) == ("up", 2, 4)
        assert advice["reason"]
        assert advice["evidence"][0]["metric"] == "cpu_used_pct"
        assert {room["name"] for room in shown["hosts"]} == {"web-0", "web-1"}
        [config] = (await house.ask("/scalability/config?service=web"))["services"]
        assert (config["current"], config["min"], config["max"], config["hook"]) == (2, 1, 4, "none")
        assert (await house.get("/scalability/config?service=moon")).status == 404


async def test_scaling_is_switched_for_one_or_for_all_that_have_a_hook(tmp_path: Path) -> None:
    async with House(tmp_path, SCALING) as house:
        switched = await house.do("POST", "/scalability/auto-scaling", {"enabled": True, "service": "jobs"})
        assert switched["services"] == [{"service": "jobs", "auto": True, "why": ""}]
        everything = {
            one["service"]: one
            for one in (await house.do("POST", "/scalability/auto-scaling", {"enabled": True}))["services"]
        }
        assert (everything["jobs"]["auto"], everything["web"]["auto"]) == (True, False)
        assert "no hook" in everything["web"]["why"]
        views = {one["service"]: one for one in (await house.ask("/scalability/config"))["services"]}
        assert (views["jobs"]["auto"], views["jobs"]["auto_by"], views["jobs"]["hook"]) == (
            True, "local", "command",
        )  # fmt: skip
        for body, status in (
            ({"enabled": True, "service": "web"}, 409),
            ({"enabled": True, "service": "moon"}, 404),
            ({"service": "jobs"}, 400),
            ({"enabled": "yes"}, 400),
        ):
            assert (
                await house.send("POST", "/api/monitoring/scalability/auto-scaling", body)
            ).status == status
        trail = [row.what for row in await house.parts.store.people.audit(10)]
        assert trail == ["scaling.auto"] * 2


async def test_with_no_policy_there_is_nothing_to_switch(house: House) -> None:
    shown = await house.do("POST", "/scalability/auto-scaling", {"enabled": True})
    assert shown["services"] == []
    assert "scaling:" in shown["why"]


async def test_thresholds_hold_for_services_with_no_gates_of_their_own(tmp_path: Path) -> None:
    own = SCALING + "    - {service: own, current: 2, gates: {up: {cpu_used_pct: 66}, down: {}}}\n"
    async with House(tmp_path, own) as house:
        new = {"cpu_up_pct": 70, "response_time_up_ms": 500}
        shown = await house.do("PUT", "/scalability/thresholds", new)
        assert (shown["cpu_up_pct"], shown["response_time_up_ms"], shown["memory_up_pct"]) == (70, 500, 80)
        views = {one["service"]: one for one in (await house.ask("/scalability/config"))["services"]}
        assert views["web"]["up"] == {"cpu_used_pct": 70, "memory_used_pct": 80, "http_total_ms": 500}
        assert views["own"]["up"] == {"cpu_used_pct": 66}
        assert (await house.do("PUT", "/scalability/thresholds", {"cpu_up_pct": None}))["cpu_up_pct"] == 80
        for body, status in (
            ({}, 422),
            ({"cpu_up_pct": 20}, 422),
            ({"cpu_up_pct": 500}, 400),
            ({"x": 1}, 400),
        ):
            assert (await house.send("PUT", "/api/monitoring/scalability/thresholds", body)).status == status


async def test_a_load_is_played_upon_a_policy(tmp_path: Path) -> None:
    async with House(tmp_path, SCALING) as house:
        load = [0.4] * 10 + [1.8] * 10
        played = await house.do("POST", "/scalability/simulate", {"service": "web", "load": load, "start": 1})
        assert (played["steps"], played["step_ms"]) == (20, 300_000)
        runs = {run["name"]: run for run in played["runs"]}
        assert set(runs) == {"policy", "reactive HPA", "nothing"}
        assert runs["nothing"]["highest"] == 1
        assert runs["policy"]["highest"] > 1
        assert runs["policy"]["above_target_s"] < runs["nothing"]["above_target_s"]
        more = await house.do(
            "POST", "/scalability/simulate", {"service": "web", "load": load, "max": 2, "cpu_target_pct": 90}
        )
        assert max(run["highest"] for run in more["runs"]) <= 2


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"service": "moon", "load": [1, 1]}, 404),
        ({"service": "web"}, 422),
        ({"service": "web", "load": [1, 1], "range": "1h"}, 422),
        ({"service": "web", "load": [1]}, 422),
        ({"service": "web", "load": [1e9]}, 400),
        ({"service": "web", "load": [1] * 2001}, 400),
        ({"service": "web", "load": [1, 1], "min": 9}, 422),
        ({"service": "web", "range": "1h"}, 422),
        ({"service": "web", "range": "28d", "step": "1s"}, 422),
        ({"service": "web", "range": "100d", "step": "1d"}, 400),
    ],
)
async def test_a_load_that_cannot_be_played_is_refused(tmp_path: Path, body: Any, status: int) -> None:
    async with House(tmp_path, SCALING) as house:
        said = await house.send("POST", "/api/monitoring/scalability/simulate", body)
        assert said.status == status, said


async def test_load_balancers_are_told_by_role_or_by_the_name_of_a_check(tmp_path: Path) -> None:
    async with House(tmp_path, SCALING) as house:
        balancer = await house.enrol("edge-1", role="lb")
        await balancer.push({"cpu_used_pct": 5.0, 'tcp_sockets{state="established"}': 900.0})
        watcher = await house.enrol("watcher")
        await watcher.push(
            {
                'check_state{check="haproxy-stats",kind="http"}': 1.0,
                'http_total_ms{check="haproxy-stats"}': 12.0,
                'check_state{check="album",kind="http"}': 0.0,
            }
        )
        await web(house, 20.0, 80.0)
        shown = await house.ask("/scalability/load-balancer")
        assert (shown["configured"], shown["why"]) == (True, "")
        [host] = shown["hosts"]
        assert (host["name"], host["connections"], host["state"]) == ("edge-1", 900.0, "heard")
        [check] = shown["checks"]
        assert (check["check"], check["state"], check["ms"]) == ("haproxy-stats", "warn", 12.0)
        balance = {one["service"]: one for one in shown["balance"]}
        assert (balance["web"]["instances"], balance["web"]["spread_pct"], balance["web"]["busiest"]) == (
            2, 60.0, "web-1",
        )  # fmt: skip
        assert balance["jobs"]["mean_pct"] is None


async def test_databases_are_told_the_collectors_own_among_them(house: House) -> None:
    own = (await house.ask("/scalability/database"))["own"]
    assert own["state"] == "ok"
    assert own["size_bytes"] > 0
    agent = await house.enrol("store-1", role="Database")
    await agent.push({"memory_used_pct": 60.0, 'check_state{check="up",kind="tcp"}': 2.0})
    shown = await house.ask("/scalability/database")
    assert (shown["configured"], shown["hosts"][0]["memory_pct"]) == (True, 60.0)
    assert [(check["check"], check["state"]) for check in shown["checks"]] == [("up", "bad")]


async def test_services_are_told_with_what_they_stand_on(house: House) -> None:
    await house.do("PUT", "/services/pay", {"name": "pay", "checks": [{"id": "pay"}]})
    await house.do("PUT", "/services/shop", {"name": "shop", "depends_on": {"services": ["pay"]}})
    values = [{"name": "response_time_ms", "value": 20}] * 10
    await house.do("POST", "/metrics", {"service": "shop", "metrics": values}, 202)
    await house.parts.ticks.close()
    shown = {one["service"]: one for one in (await house.ask("/scalability/microservices"))["services"]}
    assert (shown["shop"]["depends_on"], shown["pay"]["needed_by"]) == (["pay"], ["shop"])
    assert (shown["shop"]["times"]["count"], shown["pay"]["times"]) == (10, None)


async def test_while_the_past_is_read_for_some_no_more_are_let_in(tmp_path: Path) -> None:
    """A store that takes its time: one question reads, a few wait, and whoever comes then is told to come again."""
    reading, may_go_on = 0, asyncio.Event()

    async def past(service: str, end: int, past_ms: int, step_ms: int) -> tuple[Times, Numbers]:
        nonlocal reading
        reading += 1
        await may_go_on.wait()
        return np.array([end - step_ms, end], np.int64), np.array([1.0, 2.0])

    async with House(tmp_path, SCALING) as house:
        plays = Plays(house.parts.advisor, past, now_ms)
        asked = [asyncio.create_task(plays.play_past("web", 600_000, 300_000, Tried())) for _ in range(6)]
        done, waiting = await asyncio.wait(asked, return_when=asyncio.ALL_COMPLETED, timeout=0.2)
        assert (reading, len(waiting)) == (1, AT_ONCE_MAX)
        for task in done:
            with pytest.raises(Refusal, match="several loads are being played already"):
                task.result()
        may_go_on.set()
        for task in waiting:
            assert len((await task).runs) > 1
