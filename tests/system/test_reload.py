"""SIGHUP: how long things are kept changes while the collector runs, and a mistake changes nothing."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import yaml

from collector.store import DAY_MS
from collector.stores.sqlite import open_store
from tests.collector.stores.builders import batch, enrolled, incident, sealed
from tests.system.harness import Collector, Stage
from tests.system.programs import wait_until

HOUR_MS = 3_600_000
DAYS = 8


async def lived_in(state: Path, now: int) -> None:
    """Eight days of one host, packed and summed up, and an incident that was over on the first of them."""
    store = await open_store(state, role="collector")
    try:
        host = await enrolled(store)
        first = now - DAYS * DAY_MS
        outcomes = [
            batch(host.id, first + hour * HOUR_MS, {"load1": float(hour)}, arrived_at=first + hour * HOUR_MS)
            for hour in range(DAYS * 24)
        ]
        outcomes[0].incidents = [incident(1, opened_at=first, resolved_at=first + 1)]
        await store.commit(outcomes)
        await sealed(store, now)
    finally:
        await store.close()


def reload(collector: Collector, **settings: str) -> None:
    section = yaml.safe_load(collector.config.read_text())["collector"]
    collector.config.write_text(yaml.safe_dump({"collector": section | settings}))
    collector.send(signal.SIGHUP)


def kept(collector: Collector) -> dict[str, int]:
    """How many days of each there are, and how many incidents."""
    return {
        "samples": collector.ask_one(f"SELECT count(DISTINCT start / {DAY_MS}) FROM blocks"),
        "rollups": collector.ask_one("SELECT count(*) FROM days"),
        "incidents": collector.ask_one("SELECT count(*) FROM incidents"),
    }


def test_what_is_kept_is_changed_by_a_reload_and_a_mistake_changes_nothing(stage: Stage) -> None:
    collector = stage.collector(settings={"keep": "14d"})
    asyncio.run(lived_in(Path(collector.database).parent, time.time_ns() // 1_000_000))
    collector.start()
    before = kept(collector)
    assert before["samples"] >= DAYS
    assert before["rollups"] >= DAYS - 1
    assert before["incidents"] == 1

    reload(collector, keep="2 potatoes", keep_rollups="3d")
    wait_until("the mistake to be said", lambda: "2 potatoes" in collector.said)
    assert "left as they were" in collector.said
    reload(collector, keep="14d", keep_rollups="400d", url="http://elsewhere")
    wait_until("what waits for a restart", lambda: "restart for them: url" in collector.said)
    assert kept(collector) == before

    reload(collector, keep="3d")
    wait_until("samples to go", lambda: kept(collector)["samples"] <= 4)
    assert kept(collector)["rollups"] == before["rollups"]

    reload(collector, keep_rollups="5d", keep_history="4d")
    wait_until("rollups to go", lambda: kept(collector)["rollups"] <= 5)
    wait_until("the incident to go", lambda: not kept(collector)["incidents"])
    assert kept(collector)["samples"] in (3, 4)

    reload(collector, disk_budget="1GiB")
    wait_until("the budget to hold", lambda: "of 1,024 MiB" in collector.get("/health/detailed")[1])
    assert collector.get("/ready")[0] == 200
    assert collector.stop() == 0
