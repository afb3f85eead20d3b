"""Services post metrics over HTTP: they are judged and kept like the samples of any host."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from collector.api import ticks
from collector.api.kept import Kept
from collector.api.metrics import Metrics
from collector.api.performance import Performance
from collector.api.router import Router
from collector.api.ticks import FADE_MS, GAUGE_HOLDS_MS, IDLE_MS, TICK_MS, Ticks
from collector.api.views import moment
from collector.evaluator import Evaluator
from collector.server import Server
from collector.store import Store, StoreError
from collector.stores.sqlite import open_store
from rules.histograms import ERROR
from rules.judging.engine import Rule
from rules.kinds import absence, threshold
from rules.model import Arrival, ChannelView, Host
from tests.collector.api.house import everybody_is_local
from tests.collector.door import Answer, Door, MemoryHosts
from tests.collector.stores.builders import DAY, HOUR, NOW, sealed

START = NOW // TICK_MS * TICK_MS
SLOW = threshold.Rule(
    threshold.Options(name="slow", metric='response_time_ms{quantile="0.95"}', above=1_000, for_s=20)
)
SILENT = absence.Rule(absence.Options(name="silent"))
PATH = "/api/monitoring/metrics"


class House:
    """A store, an evaluator upon it, and the routes on a server; the clock is moved by hand."""

    def __init__(self, store: Store, rules: list[Rule]) -> None:
        self.store, self.ms = store, START
        self.registry = CollectorRegistry()
        self.trouble = ""
        self.evaluator = Evaluator(
            store, rules, [ChannelView("ops")], now_ms=self.now_ms, on_commit=lambda _: None,
            registry=self.registry, monotonic=lambda: self.ms / 1000,
        )  # fmt: skip
        self.restart()
        self.door = Door(MemoryHosts(), None, [0])  # type: ignore[arg-type]

    def restart(self) -> None:
        """What is in memory only is gone."""
        self.ticks = Ticks(self.store.hosts, self._take, now_ms=self.now_ms)
        self.registry = CollectorRegistry()
        self.metrics = Metrics(
            self.ticks, self.store.samples, now_ms=self.now_ms, registry=self.registry, late_ms_max=DAY
        )

    def now_ms(self) -> int:
        return self.ms

    async def _take(self, arrivals: Any) -> Any:
        if self.trouble:
            raise StoreError(self.trouble)
        return await self.evaluator.take(arrivals)

    async def post(self, *values: dict[str, Any], service: str = "shop") -> Answer:
        return await self.send(json.dumps({"service": service, "metrics": list(values)}))

    async def send(self, text: str, kind: str = "application/json") -> Answer:
        body = text.encode()
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return (await self.door.say(head.encode() + body))[0]

    async def pass_ticks(self, count: int = 1) -> None:
        for _ in range(count * TICK_MS // 1_000):
            self.ms += 1_000
            await self.ticks.flush()
            self.evaluator.tick()

    async def shop(self) -> Host:
        return next(host for host in await self.store.hosts.all() if host.name == "service:shop")

    async def rows(self) -> list[tuple[int, dict[str, float]]]:
        """The batches of the shop: how many ticks after START, and the samples but those of buckets."""
        rows = await self.store.samples.rows((await self.shop()).id, 0, 2**62, 10_000)
        return [
            (
                (row.at - START) // TICK_MS,
                {
                    name: value
                    for name, value in zip(row.layout, row.values.tolist(), strict=True)
                    if "_bucket" not in name and name != "posted_values"
                },
            )
            for row in rows
        ]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncGenerator[House, None]:
    store = await open_store(tmp_path, role="collector")
    house = House(store, [SLOW, SILENT])
    await house.evaluator.start()
    await house.ticks.start()
    app = web.Application(middlewares=[everybody_is_local])
    performance = Performance(store, house.ticks, Kept(time.monotonic), house.now_ms)
    doors = [*house.metrics.doors(), *performance.doors()]
    app.add_routes(Router(doors, Kept(time.monotonic), registry=CollectorRegistry()).routes())
    server = Server(app, "127.0.0.1", 0, registry=CollectorRegistry())
    await server.start()
    house.door.port = server.addresses[0][1]
    yield house
    await server.stop()
    await house.evaluator.stop()
    await store.close()


def iso(ms: int) -> str:
    return moment(ms).isoformat().replace("+00:00", "Z")


def metric(name: str, value: float, **more: Any) -> dict[str, Any]:
    return {"name": name, "value": value, **more}


async def test_counts_are_added_up_and_a_gauge_is_its_last_value(house: House) -> None:
    answer = await house.post(metric("orders_count", 2), metric("queue", 7), metric("queue", 5))
    assert answer.status == 202
    assert answer.json == {"accepted": 3, "refused": [], "on_disk_at": iso(START + TICK_MS + 2_000)}
    await house.post(metric("orders_count", 1, labels={"pay": "card"}), metric("orders_count", 40))
    await house.pass_ticks(3)
    first, second = (await house.rows())[:2]
    assert first == (0, {"orders_count": 42.0, 'orders_count{pay="card"}': 1.0, "queue": 5.0})
    assert second == (1, {"orders_count": 0.0, 'orders_count{pay="card"}': 0.0, "queue": 5.0})


async def test_what_is_said_to_be_on_disk_is_on_disk(house: House) -> None:
    answer = await house.post(metric("queue", 7))
    while iso(house.ms) < answer.json["on_disk_at"]:
        house.ms += 1_000
        await house.ticks.flush()
    house.restart()
    assert (await house.rows())[-1] == (0, {"queue": 7.0})


async def test_a_gauge_that_nobody_renews_is_no_answer_after_a_while(house: House) -> None:
    await house.post(metric("queue", 7))
    await house.pass_ticks(GAUGE_HOLDS_MS // TICK_MS + 3)
    values = [samples["queue"] for _, samples in await house.rows()]
    assert values[GAUGE_HOLDS_MS // TICK_MS] == 7
    assert np.isnan(values[-1])


async def test_a_rule_about_a_percentile_fires_and_resolves(house: House) -> None:
    for number in range(16):
        slow = 3_000 if number < 6 else 20
        await house.post(*[metric("response_time_ms", 10)] * 90, *[metric("response_time_ms", slow)] * 10)
        await house.pass_ticks()
    await house.pass_ticks(2)
    reasons = [row.notice.reason for row in await house.store.notices.recent(10)]
    assert sorted(reasons) == ["first", "resolved"]
    [notice, *_] = await house.store.notices.recent(10)
    assert notice.notice.host == "service:shop"


async def test_percentiles_are_those_of_all_that_was_posted(house: House) -> None:
    for number in range(1, 101):
        await house.post(metric("response_time_ms", number, labels={"path": f"/{number % 3}"}))
        if number % 10 == 0:
            await house.pass_ticks()
    await house.pass_ticks(2)
    path = "/api/monitoring/performance/response-times?service=shop&range=15m"
    answer = await house.door.get(path)
    assert answer.status == 200
    [shop] = answer.json["services"]
    assert shop["count"] == 100
    shares = [shop[name] for name in ("p50_ms", "p95_ms", "p99_ms")]
    assert shares == pytest.approx([50, 95, 99], rel=ERROR)
    house.ms += 2 * DAY
    await sealed(house.store, house.ms)
    [later] = (await house.door.get(path.replace("15m", "3d"))).json["services"]
    assert [later[name] for name in ("p50_ms", "p95_ms", "p99_ms")] == shares
    [none] = (await house.door.get(path.replace("15m", "16m"))).json["services"]
    assert (none["count"], none["p50_ms"]) == (0, None)


async def test_values_of_earlier_ticks_are_kept_where_they_belong(house: House) -> None:
    await house.post(metric("response_time_ms", 5))
    await house.pass_ticks(3)
    earlier = [metric("response_time_ms", 500, at=iso(START - n * 60_000)) for n in (0, 3)]
    assert (await house.post(*earlier)).json["accepted"] == 2
    await house.pass_ticks(2)
    counts = {(at, samples["response_time_ms_count"]) for at, samples in await house.rows()}
    assert {(-18, 1.0), (0, 1.0)} <= counts
    shop = await house.shop()
    found = await house.store.samples.histogram(shop.id, "response_time_ms", START - HOUR, START + TICK_MS)
    assert sorted(found.values()) == [1, 2]


async def test_what_cannot_be_kept_now_waits_and_is_there_once(house: House) -> None:
    await house.post(metric("orders_count", 3))
    house.trouble = "the disk is full"
    await house.pass_ticks(3)
    assert house.ticks.health().state == "degraded"
    await house.post(metric("orders_count", 4))
    house.trouble = ""
    await house.pass_ticks(2)
    assert house.ticks.health().state == "ok"
    assert sum(samples["orders_count"] for _, samples in await house.rows()) == 7


async def test_when_too_much_waits_services_are_told_to_come_later(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticks, "CELLS_MAX", 1)
    await house.post(metric("a", 1))
    answer = await house.post(metric("b", 1))
    assert (answer.status, answer.json["refused"][0]["code"]) == (503, "busy")
    assert int(answer.headers["retry-after"]) > 0


async def test_a_stop_keeps_the_tick_that_is_not_over_and_a_start_adds_the_rest(house: House) -> None:
    await house.post(metric("orders_count", 3))
    await house.ticks.close()
    old = house.ticks
    house.restart()
    await house.ticks.start()
    house.ticks.add(await house.ticks.service("shop"), ticks.Value("orders_count", {}, "count", 4, house.ms))
    await house.pass_ticks(2)
    assert sum(samples.get("orders_count", 0) for _, samples in await house.rows()) == 7
    assert old is not house.ticks


async def test_a_service_that_posts_no_more_fades_and_its_alerts_end(house: House) -> None:
    for _ in range(4):
        await house.post(metric("response_time_ms", 5_000))
        await house.pass_ticks()
    assert len(await house.store.incidents.open()) == 1
    await house.pass_ticks((IDLE_MS + FADE_MS) // TICK_MS + 2)
    assert not await house.store.incidents.open()
    rows = len(await house.rows())
    await house.pass_ticks(5)
    assert len(await house.rows()) == rows
    assert "0 sources" in house.ticks.health().detail
    await house.post(metric("response_time_ms", 5))
    await house.pass_ticks(2)
    assert len(await house.rows()) > rows


async def test_a_clock_that_was_ahead_for_a_while_holds_nothing_up(house: House) -> None:
    await house.post(metric("orders_count", 1))
    await house.pass_ticks(2)
    house.ms += 30 * DAY
    await house.post(metric("orders_count", 2))
    house.ms -= 30 * DAY
    for _ in range(3):
        await house.post(metric("orders_count", 4), metric("response_time_ms", 9_000))
        await house.pass_ticks()
    await house.pass_ticks(2)
    assert sum(samples.get("orders_count", 0) for _, samples in await house.rows()) == 15
    assert len(await house.store.incidents.open()) == 1
    assert "1 source" in house.ticks.health().detail


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (metric("response_time_ms", -1), "value"),
        (metric("response_time_ms", 1e13), "value"),
        (metric("orders_count", -2), "value"),
        (metric("x_bucket", 1), "name"),
        (metric("posted_values", 1), "name"),
        (metric("x", 1, labels={"quantile": "0.5"}), "name"),
        (metric("x" * 90, 1, labels={f"l{n}": "y" * 200 for n in range(3)}), "name"),
        (metric("x", 1, at="2300-01-01T00:00:00Z"), "time"),
        (metric("x", 1, at="2001-01-01T00:00:00Z"), "time"),
    ],
)
async def test_a_value_that_is_wrong_is_refused_with_its_place_and_the_others_are_taken(
    house: House, value: dict[str, Any], code: str
) -> None:
    answer = await house.post(metric("queue", 1), value)
    assert (answer.status, answer.json["accepted"]) == (202, 1)
    [refusal] = answer.json["refused"]
    assert (refusal["place"], refusal["code"]) == (1, code)
    assert (await house.post(value)).status == 422


async def test_one_series_is_of_one_kind(house: House) -> None:
    await house.post(metric("took_ms", 1))
    answer = await house.post(metric("took_ms_count", 1))
    assert "is a duration here already, of took_ms" in answer.json["refused"][0]["message"]


async def test_a_service_has_no_more_series_than_a_host(house: House) -> None:
    values = [metric("x", 1, labels={"n": str(n)}) for n in range(2_400)]
    await house.post(*values[:800])
    await house.post(*values[800:1_600])
    answer = await house.post(*values[1_600:])
    assert {refusal["code"] for refusal in answer.json["refused"]} == {"series"}
    await house.pass_ticks(2)
    assert len((await house.rows())[0][1]) == 1_999


@pytest.mark.parametrize(
    ("text", "kind", "status", "code"),
    [
        ("{", "application/json", 400, "not_json"),
        ('{"x":' + "[" * 100_000, "application/json", 400, "not_json"),
        ("{}", "application/json", 400, "shape"),
        ('{"service": "a/b", "metrics": [{"name": "x", "value": 1}]}', "application/json", 400, "shape"),
        ('{"service": "a", "metrics": [{"name": "x y", "value": 1}]}', "application/json", 400, "shape"),
        ('{"service": "a", "metrics": [{"name": "x", "value": "1"}]}', "application/json", 400, "shape"),
        ('{"service": "a", "metrics": []}', "application/json", 400, "shape"),
        ('{"service": "a", "metrics": [{"name": "x", "value": 1}]}', "text/plain", 415, "encoding"),
        (" " * 1_100_000, "application/json", 413, "too_large"),
    ],
)
async def test_what_is_no_post_of_metrics_is_refused_whole(
    house: House, text: str, kind: str, status: int, code: str
) -> None:
    answer = await house.send(text, kind)
    assert (answer.status, answer.json["code"]) == (status, code)
    assert not await house.store.hosts.all()


@pytest.mark.parametrize(
    ("query", "status"), [("", 200), ("?service=moon", 404), ("?service=shop&range=soon", 400),
                          ("?service=shop&range=500d", 400), ("?service=shop", 200)],
)  # fmt: skip
async def test_a_question_about_response_times_is_checked(house: House, query: str, status: int) -> None:
    await house.post(metric("queue", 1))
    assert (await house.door.get("/api/monitoring/performance/response-times" + query)).status == status


async def test_no_value_makes_a_layout_of_its_own(house: House) -> None:
    """A layout is kept in the store and has its rules bound: a new one for each tick would cost both."""
    seen: set[tuple[str, ...]] = set()
    take = house.ticks._take

    async def counted(arrivals: Any) -> Any:
        seen.update(arrival.layout for arrival in arrivals if isinstance(arrival, Arrival))
        return await take(arrivals)

    house.ticks._take = counted
    for number in range(100):
        await house.post(metric("response_time_ms", 10 + number % 5))
        await house.pass_ticks()
    assert len(seen) <= 6
