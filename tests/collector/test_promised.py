"""Promises joined with all that judges: a budget that burns becomes an alert by ordinary rules, and is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from collector.api.ticks import Ticks
from collector.app.promises import Promised, accounts
from collector.config import CollectorConfig, Loaded, load, read_rules
from collector.evaluator import Evaluator
from collector.itself.leaps import Leaps
from collector.store import Store
from rules import packs
from rules.model import ChannelView
from tests.collector.promises.house import BAD, HOUR, MIN, OK, T0, TICK, House, opened, shop

PACK = Path(packs.__path__[0]) / "promises.yaml"


class Whole:
    """The parts as the collector joins them, upon one store and one clock."""

    def __init__(self, store: Store) -> None:
        self.store, self.house = store, House(store, [])
        self.evaluator = Evaluator(
            store,
            read_rules(PACK),
            [ChannelView("mail")],
            now_ms=self.now,
            on_commit=lambda outcomes: None,
            registry=CollectorRegistry(),
        )
        self.ticks = Ticks(store.hosts, self.evaluator.take, now_ms=self.now)
        leaps = Leaps(self.now, boot_ms=self.now)
        config = CollectorConfig(services=[shop()])
        self.promised = Promised(store, config, self.ticks, leaps, self.now)

    def now(self) -> int:
        return self.house.now

    async def until(self, end: int) -> None:
        """Rounds, and ticks of what they post."""
        while self.house.now < end:
            self.house.now += 30_000
            await self.store.promises.listened(T0, self.house.now)
            await self.promised.round()
            self.house.now += 15_000
            await self.ticks.flush()

    async def told(self) -> list[tuple[str, str]]:
        return [
            (row.notice.reason, row.notice.severity) for row in reversed(await self.store.notices.recent(9))
        ]


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncGenerator[Whole, None]:
    store = await opened(tmp_path)
    whole = Whole(store)
    await whole.evaluator.start()
    yield whole
    await whole.evaluator.stop()
    await store.close()


async def test_a_budget_that_burns_is_told_and_so_is_the_end_of_it(whole: Whole) -> None:
    host = await whole.house.enrol()
    await whole.house.every_tick(
        host, T0, T0 + 3 * HOUR, lambda at: BAD if 60 <= (at - T0) // MIN < 64 else OK
    )
    whole.house.now = T0 + HOUR
    await whole.until(T0 + HOUR + 36 * MIN)  # two minutes after half an hour without trouble
    *burning, over = await whole.told()
    assert (burning[-1][1], over) == ("critical", ("resolved", "critical"))
    notices = [row.notice for row in await whole.store.notices.recent(9)]
    assert {(notice.incident, notice.host) for notice in notices} == {(1, "service:shop")}
    assert {alert.rule for notice in notices for alert in notice.alerts} == {"budget-burns"}


async def test_services_that_a_reload_brings_are_promised_from_then_on(whole: Whole) -> None:
    host = await whole.house.enrol()
    await whole.house.every_tick(host, T0, T0 + 2 * MIN)
    whole.house.now = T0 + 2 * MIN
    await whole.until(T0 + 4 * MIN)
    whole.promised.configure(CollectorConfig(services=[shop(), shop(name="new")]))
    await whole.until(whole.house.now + MIN)
    assert {one.service for one in await whole.promised.accounts.summaries(None, whole.house.now)} == {
        "shop", "new",
    }  # fmt: skip


async def test_whoever_asks_beside_a_collector_is_told_the_same(whole: Whole, tmp_path: Path) -> None:
    host = await whole.house.enrol()
    await whole.house.every_tick(host, T0, T0 + 2 * MIN)
    whole.house.now = T0 + 2 * MIN - TICK
    await whole.until(T0 + 2 * MIN)
    loaded = load_empty(tmp_path)
    beside = accounts(whole.store, replace(loaded, config=CollectorConfig(services=[shop()])))
    ours, theirs = await asyncio.gather(
        whole.promised.accounts.summaries(None, whole.house.now), beside.summaries(None, whole.house.now)
    )
    assert ours == theirs != []


def load_empty(folder: Path) -> Loaded:
    file = folder / "collector.yaml"
    file.write_text("collector: {}\n")
    return load(file, {})
