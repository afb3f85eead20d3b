"""A real store with hosts whose checks say what a test wants, a clock that it moves, and who keeps the promises."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agent.wire import series_name
from collector.config import CollectorConfig
from collector.promises import Accounts, Keeping, Services, Works
from collector.promises.keeping import GRACE_MS
from collector.store import Store
from collector.stores.sqlite import open_store
from rules.model import Arrival, CheckAnswer, Host, Outcome
from rules.sla.model import CheckPart, Interval, ServiceOptions

T0 = 1_795_140_000_000
"""2026-11-20 02:00:00 UTC, a Friday"""
TICK, MIN, HOUR, DAY = 10_000, 60_000, 3_600_000, 86_400_000
OK, WARN, BAD, NONE = 0.0, 1.0, 2.0, float("nan")


def shop(**options: Any) -> ServiceOptions:
    return ServiceOptions(**{"name": "shop", "checks": [CheckPart(id="web")], **options})


class House:
    def __init__(self, store: Store, services: Sequence[ServiceOptions], now: int = T0) -> None:
        self.store, self.now = store, now
        self.services = Services(services, store.promises)
        self.works = Works(CollectorConfig(), store.policy)
        self.accounts = Accounts(store, self.services.all, self.works)
        self.doubt = False
        self._seq: dict[int, int] = {}
        self.start_collector()

    def start_collector(self) -> None:
        """It listens from now on."""
        self._since = self.now
        self.keeping = Keeping(
            self.store,
            self.services,
            works=self.works,
            now_ms=lambda: self.now,
            in_doubt=lambda: self.doubt,
        )

    async def enrol(self, name: str = "h1", **labels: str) -> Host:
        return await self.store.hosts.enrol(name, labels, f"token-{name}", b"s" * 32, self.now)

    async def said(
        self,
        host: Host,
        at: int,
        states: Mapping[str, float] | None = None,
        *,
        arrived: int | None = None,
        **ms: float,
    ) -> None:
        """A batch sampled at `at`; `states` by check; `web=120` is how long check `web` took."""
        states = {"web": OK} if states is None else states
        samples = {series_name("check_state", {"check": id, "kind": "http"}): states[id] for id in states}
        samples |= {series_name("http_total_ms", {"check": id}): took for id, took in ms.items()}
        layout = tuple(sorted(samples))
        seq = self._seq[host.id] = self._seq.get(host.id, -1) + 1
        came = at + 100 if arrived is None else arrived
        arrival = Arrival(
            host.id, "5" * 32, seq, 0, at, came, TICK, 0, layout, np.array([samples[name] for name in layout])
        )
        newest = host.last_at is None or at > host.last_at
        if newest:
            host.last_at, host.arrived_at = at, came
        checks = [CheckAnswer(id, "http", "ok", at) for id in states] if newest else []
        await self.store.commit([Outcome(arrival=arrival, checks=checks)])

    async def every_tick(
        self, host: Host, start: int, end: int, state: Callable[[int], float] | float = OK, **more: Any
    ) -> None:
        for at in range(start, end, TICK):
            value = state(at) if callable(state) else state
            await self.said(host, at, {"web": value}, **more)

    async def rounds_until(self, end: int, every: int = 30_000) -> None:
        while self.now < end:
            self.now = min(self.now + every, end)
            await self.round()

    async def round(self) -> None:
        """Note that the collector is there, and have written down what there is."""
        await self.store.promises.listened(self._since, self.now)
        await self.keeping.round()

    async def settle(self, at: int) -> None:
        """Rounds until all that was before `at` is written down."""
        await self.rounds_until(at + GRACE_MS)

    async def told(self, service: str = "shop") -> list[tuple[float, float, str, str, bool]]:
        """What is written down, in seconds after T0."""
        return [told(one) for one in await self.store.promises.intervals(service, 0, 2**60)]


def told(one: Interval) -> tuple[float, float, str, str, bool]:
    return (one.start - T0) / 1000, (one.end - T0) / 1000, one.state, one.cause, one.repaired


async def opened(folder: Path) -> Store:
    return await open_store(folder, role="collector")
