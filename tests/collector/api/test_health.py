"""/health, /health/detailed, /ready and /metrics, asked over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.parser import text_string_to_metric_families

from collector.api import health as health_api
from collector.api.health import Health
from collector.health import Component
from collector.server import Server
from tests.collector.door import Answer, Door, MemoryHosts, open_door


def store() -> Component:
    return Component("store", "ok", "12 MB in one file.")


async def notifier() -> Component:
    await asyncio.sleep(0)
    return Component("notifier", "degraded", "The channel ops has failed since 12:03.")


def broken() -> Component:
    raise RuntimeError("no idea")


async def mute() -> Component:
    await asyncio.sleep(3_600)
    return store()


@contextlib.asynccontextmanager
async def served(*components: Any, **settings: Any) -> AsyncIterator[Door]:
    """The health routes alone, on a server of their own."""
    registry = CollectorRegistry()
    Counter("watchkeeper_something", "Something", registry=registry).inc(3)
    app = web.Application()
    app.add_routes(Health(components, registry, **settings).routes())
    server = Server(app, "127.0.0.1", 0, registry=registry)
    await server.start()
    door = Door(MemoryHosts(), None, [0])  # type: ignore[arg-type]
    door.port, door.registry = server.addresses[0][1], registry
    try:
        yield door
    finally:
        await server.stop()


def metrics(answer: Answer) -> dict[str, dict[tuple[str, ...], float]]:
    """What Prometheus' own parser reads: by sample name, then by the values of its labels."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(answer.body.decode()):
        for sample in family.samples:
            key = tuple(sample.labels.values())
            assert key not in found.setdefault(sample.name, {}), sample
            found[sample.name][key] = sample.value
    return found


async def test_it_is_alive_whatever_its_parts_say() -> None:
    async with served(broken) as door:
        answer = await door.get("/health")
        assert (answer.status, answer.json) == (200, {"status": "ok"})
        assert answer.headers["cache-control"] == "no-store"


async def test_every_part_says_how_it_is_and_the_worst_comes_on_top() -> None:
    async with served(store, notifier) as door:
        answer = await door.get("/health/detailed")
        assert answer.status == 200
        assert answer.json == {
            "state": "degraded",
            "components": [
                {"name": "store", "state": "ok", "detail": "12 MB in one file."},
                {
                    "name": "notifier",
                    "state": "degraded",
                    "detail": "The channel ops has failed since 12:03.",
                },
            ],
        }


async def test_a_part_that_is_bad_makes_the_whole_bad() -> None:
    async with served(store, lambda: Component("evaluator", "bad", "Not judging.")) as door:
        answer = await door.get("/health/detailed")
        assert (answer.status, answer.json["state"]) == (503, "bad")


async def test_a_part_that_cannot_say_how_it_is_is_bad_and_hides_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with served(broken, store) as door:
        answer = await door.get("/health/detailed")
        assert answer.status == 503
        first, second = answer.json["components"]
        assert first == {"name": "broken", "state": "bad", "detail": "It could not say how it is: no idea"}
        assert second["state"] == "ok"
        assert door.count("health_errors_total") == 1
    assert "no idea" in caplog.text


async def test_a_part_that_does_not_answer_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_api, "ASK_TIMEOUT_S", 0.05)
    async with served(mute) as door:
        answer = await door.get("/health/detailed")
        assert (answer.status, answer.json["components"][0]["name"]) == (503, "mute")
        assert "did not say how it is" in answer.json["components"][0]["detail"]


async def test_it_is_ready_until_there_is_a_reason_why_not() -> None:
    reasons = ["the store is being opened", None, "stopping: what was taken in is being kept"]
    async with served(not_ready=lambda: reasons[0]) as door:
        answer = await door.get("/ready")
        assert (answer.status, answer.json["code"], answer.json["message"]) == (
            503,
            "not_ready",
            reasons.pop(0),
        )
        assert (await door.get("/ready")).status == 200
        reasons.pop(0)
        assert (await door.get("/ready")).status == 503


async def test_metrics_begin_with_our_own_health_and_are_read_by_prometheus() -> None:
    fleet = {"ok": 3, "firing": 1, "silent": 0}
    async with served(store, notifier, broken, hosts_by_state=lambda: fleet) as door:
        answer = await door.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        read = metrics(answer)
        assert read["watchkeeper_component_state"] == {("store",): 0, ("notifier",): 1, ("broken",): 2}
        assert read["watchkeeper_hosts"] == {("ok",): 3, ("firing",): 1, ("silent",): 0}
        assert read["watchkeeper_something_total"] == {(): 3}
        assert answer.body.startswith(b"# HELP watchkeeper_component_state")


async def test_all_that_the_door_counts_is_read_by_prometheus() -> None:
    async with open_door() as door:
        await door.push(door.batch({"a": 1.0, "b": 2.0}), door.batch({"a\n": 1.0}))
        await door.post(b"no json")
        read = metrics(await door.get("/metrics"))
        assert read["watchkeeper_component_state"] == {("ingest",): 0, ("http",): 0}
        assert read["watchkeeper_ingest_pushes_total"] == {(): 1}
        assert read["watchkeeper_ingest_batches_total"] == {(): 2}
        assert read["watchkeeper_ingest_samples_total"] == {(): 2}
        refused = read["watchkeeper_ingest_refused_total"]
        assert (refused[("not_json",)], refused[("gzip",)]) == (1, 0)
        assert sum(read["watchkeeper_ingest_left_out_total"].values()) == 1
        assert read["watchkeeper_ingest_seconds_count"] == {(): 1}
        assert read["watchkeeper_ingest_seconds_bucket"][("+Inf",)] == 1
        assert read["watchkeeper_http_connections"][()] >= 1
