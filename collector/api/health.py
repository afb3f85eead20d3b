"""How the collector is: /health and /ready for supervisors, /health/detailed for people, /metrics for Prometheus."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Literal

import msgspec
from aiohttp import web
from msgspec import Struct
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric

from agent import wire
from collector.health import Component
from collector.who import needs

ASK_TIMEOUT_S = 2.0
RANK = {"ok": 0, "degraded": 1, "bad": 2}

Ask = Callable[[], Component | Awaitable[Component]]

log = logging.getLogger(__name__)
encode = msgspec.json.Encoder().encode


class Report(Struct, frozen=True):
    """The whole is as well as its worst part."""

    state: Literal["ok", "degraded", "bad"]
    components: list[Component]


class Health:
    """Asks each part how it is, and says so.

    `not_ready` gives the reason why no work should be sent here now (starting, draining), or None. `hosts_by_state`
    counts the fleet for /metrics; it must be cheap, as it is called at every scrape.
    """

    def __init__(
        self,
        components: Sequence[Ask],
        registry: CollectorRegistry,
        *,
        not_ready: Callable[[], str | None] = lambda: None,
        hosts_by_state: Callable[[], Mapping[str, int]] | None = None,
    ) -> None:
        self._components = tuple(components)
        self._registry = registry
        self._not_ready = not_ready
        self._errors = Counter(
            "watchkeeper_health_errors", "Parts that could not say how they are", registry=registry
        )
        self._own = CollectorRegistry()
        self._report = Report("ok", [])
        self._own.register(_Gauges(lambda: self._report.components, hosts_by_state))

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/health", needs(None, self._alive)),
            web.get("/health/detailed", needs("monitoring.read", self._detailed)),
            web.get("/ready", needs(None, self._ready)),
            web.get("/metrics", needs("monitoring.read", self._metrics)),
        ]

    async def report(self) -> Report:
        """Every part asked at once; one that fails or does not answer is bad."""
        components = await asyncio.gather(*(self._ask(ask) for ask in self._components))
        worst = max(components, key=lambda component: RANK[component.state], default=None)
        return Report(worst.state if worst else "ok", list(components))

    async def _ask(self, ask: Ask) -> Component:
        try:
            answer = ask()
            if inspect.isawaitable(answer):
                async with asyncio.timeout(ASK_TIMEOUT_S):
                    answer = await answer
        except TimeoutError:
            return self._no_answer(ask, f"It did not say how it is within {ASK_TIMEOUT_S:g} s.")
        except Exception as error:
            log.exception("A part of the collector could not say how it is.")
            return self._no_answer(ask, f"It could not say how it is: {error}")
        return answer

    def _no_answer(self, ask: Ask, why: str) -> Component:
        self._errors.inc()
        return Component(getattr(ask, "__qualname__", repr(ask)), "bad", why)

    async def _alive(self, request: web.Request) -> web.Response:
        return _json(200, {"status": "ok"})

    async def _ready(self, request: web.Request) -> web.Response:
        why = self._not_ready()
        if why is None:
            return _json(200, {"status": "ready"})
        return _json(503, wire.Problem("not_ready", why))

    async def _detailed(self, request: web.Request) -> web.Response:
        report = await self.report()
        return _json(503 if report.state == "bad" else 200, report)

    async def _metrics(self, request: web.Request) -> web.Response:
        self._report = await self.report()
        text = generate_latest(self._own) + generate_latest(self._registry)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


class _Gauges:
    """The health of the parts and the size of the fleet, as metrics of their own."""

    def __init__(
        self,
        components: Callable[[], Sequence[Component]],
        hosts_by_state: Callable[[], Mapping[str, int]] | None,
    ) -> None:
        self._components = components
        self._hosts_by_state = hosts_by_state

    def collect(self) -> Iterable[Metric]:
        health = GaugeMetricFamily(
            "watchkeeper_component_state", "How each part is: 0 ok, 1 degraded, 2 bad", labels=["component"]
        )
        for component in self._components():
            health.add_metric([component.name], RANK[component.state])
        yield health
        if self._hosts_by_state is not None:
            hosts = GaugeMetricFamily("watchkeeper_hosts", "Enrolled hosts by their state", labels=["state"])
            for state, count in self._hosts_by_state().items():
                hosts.add_metric([state], count)
            yield hosts


def _json(status: int, value: object) -> web.Response:
    response = web.Response(status=status, body=encode(value), content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response
