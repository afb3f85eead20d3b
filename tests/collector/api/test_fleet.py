"""How the fleet is: measured where it is measured, null with a reason where it is not, and fresh on request."""

from __future__ import annotations

import asyncio

from tests.collector.api.house import House
from tests.waiting import until_it_is

MEASURES = (
    "cpu", "memory", "disk", "network_latency", "response_time", "active_connections", "error_rate", "throughput",
)  # fmt: skip


async def test_with_no_host_every_number_is_null_and_says_why(house: House) -> None:
    health = await house.ask("/health")
    assert (health["status"], health["open_alerts"]) == ("unknown", 0)
    assert health["hosts"] == {
        "heard": 0, "silent": 0, "restarting": 0, "stopped": 0, "never_heard": 0,
    }  # fmt: skip
    for name in MEASURES:
        assert health[name]["value"] is None
        assert health[name]["why"]


async def test_every_number_is_made_of_what_hosts_and_services_sampled_last(house: House) -> None:
    for name, cpu, state in (("web-1", 20.0, 0.0), ("web-2", 95.0, 2.0)):
        agent = await house.enrol(name)
        await agent.push(
            {
                "cpu_used_pct": cpu,
                "memory_used_pct": 50.0,
                'disk_used_pct{mount="/"}': 40.0,
                'disk_used_pct{mount="/var"}': 80.0,
                'icmp_rtt_avg_ms{check="gw"}': 2.0,
                'http_total_ms{check="shop"}': 120.0,
                'tcp_sockets{state="established"}': 30.0,
                'tcp_sockets{state="listen"}': 9.0,
                'check_state{check="shop",kind="http"}': state,
            }
        )
    health = await house.ask("/health")
    assert health["status"] == "warning"
    assert health["hosts"]["heard"] == 2
    assert (health["cpu"]["value"], health["cpu"]["highest"], health["cpu"]["where"]) == (57.5, 95.0, "web-2")
    assert (health["memory"]["value"], health["disk"]["value"], health["disk"]["of"]) == (50.0, 60.0, 4)
    assert (health["network_latency"]["value"], health["response_time"]["value"]) == (2.0, 120.0)
    assert (health["active_connections"]["value"], health["active_connections"]["highest"]) == (60.0, 30.0)
    assert health["error_rate"]["value"] == 50.0
    assert health["throughput"]["value"] is None


async def test_throughput_and_errors_come_from_services_that_count_them(house: House) -> None:
    values = [{"name": "response_time_ms", "value": 20}] * 50 + [{"name": "errors_count", "value": 5}]
    await house.do("POST", "/metrics", {"service": "shop", "metrics": values}, 202)
    await house.parts.ticks.close()
    health = await house.ask("/health")
    assert health["throughput"] | {"where": ""} == {
        "value": 5.0, "unit": "1/s", "highest": 5.0, "where": "", "of": 1, "why": "",
    }  # fmt: skip
    assert health["error_rate"]["value"] == 10.0
    assert 19 < health["response_time"]["value"] < 21
    assert health["hosts"]["heard"] == 0


async def test_what_was_sampled_long_ago_says_nothing_about_now(house: House) -> None:
    await (await house.enrol("web-1")).push({"cpu_used_pct": 20.0}, ago_s=120)
    assert (await house.ask("/health"))["cpu"]["value"] is None


async def test_the_dashboard_has_the_gravest_of_what_is_open(house: House) -> None:
    assert (await house.ask("/health/dashboard"))["incidents"] == []
    for name, cpu in (("a", 95.0), ("b", 99.5), ("c", 96.0)):
        await (await house.enrol(name)).push({"cpu_used_pct": cpu})
    shown = await house.ask("/health/dashboard")
    assert [alert["host_name"] for alert in shown["alerts"]] == ["b", "c", "a"]
    assert [one["severity"] for one in shown["incidents"]] == ["critical", "warning", "warning"]
    assert shown["health"]["status"] == "critical"


async def test_hosts_sample_at_once_when_they_are_asked_and_whoever_waits_hears_of_it(house: House) -> None:
    agent = await house.enrol("web-1")
    assert await house.do("POST", "/health/collect", None, 202) == {"asked": 0, "came": 0, "waiting": []}
    await agent.push({"cpu_used_pct": 1.0})
    house.parts.kept.clear()
    waiting = asyncio.create_task(house.do("POST", "/health/collect?wait=15s", None, 200))
    await until_it_is(lambda: house.parts.inquiries._samplings)
    answer = await agent.push({"cpu_used_pct": 2.0})
    assert answer["asks"] == [{"kind": "sample"}]
    assert not waiting.done()
    assert "asks" not in await agent.push({"cpu_used_pct": 3.0})
    assert await waiting == {"asked": 1, "came": 1, "waiting": []}


async def test_whoever_does_not_wait_is_told_how_many_were_asked(house: House) -> None:
    await (await house.enrol("web-1")).push({"cpu_used_pct": 1.0})
    collected = await house.do("POST", "/health/collect", None, 202)
    assert collected == {"asked": 1, "came": 0, "waiting": ["web-1"]}
    assert (await house.do("POST", "/health/collect?wait=1s", None, 202))["came"] == 0


async def test_nobody_waits_for_ever(house: House) -> None:
    said = await house.send("POST", "/api/monitoring/health/collect?wait=1h")
    assert (said.status, said.json["code"]) == (400, "wait")
