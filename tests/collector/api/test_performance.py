"""How fast things answer, over the API: percentiles, endpoints, errors, checks, what to do, and what is kept."""

from __future__ import annotations

import time
from typing import Any

import pytest

from collector.api.views import moment
from collector.stores.sqlite import slow
from tests.collector.api.house import House


async def shop(house: House) -> None:
    """A service with one slow endpoint, that posted a while ago."""
    values: list[dict[str, Any]] = [
        {"name": "response_time_ms", "value": value, "labels": {"path": path}}
        for path, value, times in (("/cart", 20, 90), ("/pay", 3_000, 10))
        for _ in range(times)
    ]
    values += [{"name": "errors_count", "value": 7}]
    await house.do("POST", "/metrics", {"service": "shop", "metrics": values}, 202)
    await house.parts.ticks.close()


async def test_nothing_is_slow_yet(house: House) -> None:
    times = await house.ask("/performance/response-times")
    assert (times["services"], times["checks"]) == ([], [])
    summary = await house.ask("/performance/summary")
    assert (summary["requests"], summary["p95_ms"], summary["throughput_per_s"]) == (0, None, None)
    assert "response_time_ms" in summary["why"]
    found = await house.ask("/performance/optimize")
    assert (found["findings"], found["looked_at"]["services"]) == ([], 0)
    assert await house.ask("/metrics") == []


async def test_a_service_is_told_with_its_slowest_endpoints(house: House) -> None:
    await shop(house)
    [times] = (await house.ask("/performance/response-times?service=shop&range=5m"))["services"]
    assert times["count"] == 100
    assert times["p50_ms"] == pytest.approx(20, rel=0.05)
    assert times["p99_ms"] == pytest.approx(3_000, rel=0.05)
    assert times["throughput_per_s"] == pytest.approx(100 / 300, rel=0.01)
    assert times["error_rate_pct"] == pytest.approx(7, rel=0.01)
    assert [(one["labels"], one["count"]) for one in times["slowest"]] == [
        ({"path": "/pay"}, 10), ({"path": "/cart"}, 90),
    ]  # fmt: skip
    summary = await house.ask("/performance/summary?range=5m")
    assert (summary["services"], summary["requests"], summary["why"]) == (1, 100, "")
    assert summary["error_rate_pct"] == pytest.approx(7, rel=0.01)
    [posting] = await house.ask("/metrics")
    assert posting["service"] == "shop"
    assert {"response_time_ms", "errors_count"} <= set(posting["metrics"])


async def test_requests_are_what_a_service_counts_where_it_counts_them(house: House) -> None:
    values = [{"name": "requests_count", "value": 600}, {"name": "errors_count", "value": 6}]
    await house.do("POST", "/metrics", {"service": "api", "metrics": values}, 202)
    await house.parts.ticks.close()
    [times] = (await house.ask("/performance/response-times?range=5m"))["services"]
    assert (times["p50_ms"], times["error_rate_pct"]) == (None, 1.0)
    assert times["throughput_per_s"] == pytest.approx(2, rel=0.01)


async def test_what_was_counted_before_the_range_is_not_in_it(house: House) -> None:
    early = moment(time.time_ns() // 1_000_000 - 90 * 60_000).isoformat()
    values = [{"name": "requests_count", "value": 600, "at": early}, {"name": "requests_count", "value": 60}]
    await house.do("POST", "/metrics", {"service": "api", "metrics": values}, 202)
    await house.parts.ticks.close()
    [hour] = (await house.ask("/performance/response-times?range=1h"))["services"]
    [day] = (await house.ask("/performance/response-times?range=1d"))["services"]
    assert hour["throughput_per_s"] == pytest.approx(60 / 3_600, rel=0.02)
    assert day["throughput_per_s"] == pytest.approx(660 / 86_400, rel=0.02)


async def test_checks_are_told_the_slowest_first(house: House) -> None:
    agent = await house.enrol("web-1")
    for ago_s, ms in ((20, 100.0), (10, 300.0)):
        await agent.push({'http_total_ms{check="a"}': ms, 'tcp_connect_ms{check="b"}': 1.0}, ago_s=ago_s)
    checks = (await house.ask("/performance/response-times"))["checks"]
    shown = [(one["check"], one["mean_ms"], one["highest_ms"], one["newest_ms"]) for one in checks]
    assert shown == [("a", 200.0, 300.0, 300.0), ("b", 1.0, 1.0, 1.0)]
    await shop(house)
    assert (await house.ask("/performance/response-times?service=shop"))["checks"] == []


async def test_what_is_slow_comes_with_what_to_do(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow, "SLOW_S", 0.0)
    await shop(house)
    agent = await house.enrol("web-1")
    await agent.push(
        {
            'http_total_ms{check="site"}': 6_000.0,
            'http_phase_ms{check="site",phase="first_byte"}': 5_800.0,
            'http_phase_ms{check="site",phase="tls"}': 100.0,
        }
    )
    await house.ask("/hosts")
    found = await house.ask("/performance/optimize?range=15m")
    by_kind = {one["kind"]: one for one in reversed(found["findings"])}
    check = by_kind["check"]
    assert (check["severity"], check["subject"], check["limit"]) == ("critical", "site from web-1", 5000)
    assert "server at work" in check["advice"]
    service = by_kind["service"]
    assert service["subject"] == "shop"
    assert any("path=/pay" in line for line in service["evidence"]) or service["unit"] == "%"
    assert by_kind["store"]["evidence"]
    assert found["slow_queries"][0]["plan"] is not None
    assert found["findings"][0]["severity"] == "critical"


async def test_an_answer_that_was_given_is_at_hand_until_it_is_cleared(house: House) -> None:
    await house.enrol("web-1")
    before = await house.ask("/performance/cache/stats")
    for _ in range(3):
        await house.ask("/hosts")
    stats = await house.ask("/performance/cache/stats")
    assert (stats["hits"] - before["hits"], stats["misses"] - before["misses"]) == (2, 1)
    assert stats["size_bytes"] > 0
    cleared = await house.do("POST", "/performance/cache/clear", None)
    assert cleared["entries"] == stats["entries"]
    assert (await house.ask("/performance/cache/stats"))["entries"] == 0


@pytest.mark.parametrize(
    ("query", "status"), [("?service=moon", 404), ("?range=500d", 400), ("?range=soon", 400), ("?x=1", 400)]
)
@pytest.mark.parametrize("path", ["response-times", "summary", "optimize"])
async def test_a_question_that_makes_no_sense_is_refused(
    house: House, path: str, query: str, status: int
) -> None:
    assert (await house.get(f"/performance/{path}{query}")).status == status
