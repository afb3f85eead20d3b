"""What becomes of each host's room, from what real hosts pushed into a real store."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from collector.advice.capacity import Capacity, look_at
from collector.store import Store
from rules.capacity.report import CapacityOptions, HostReport
from rules.capacity.sizing import Prices
from rules.model import Host
from tests.collector.stores.builders import DAY, HOUR, NOW, batch

ROOT = 'disk_used_pct{mount="/"}'
DATA = 'disk_used_pct{mount="/data"}'


async def lived(
    store: Store, name: str, samples: Callable[[float], dict[str, float]], days: float = 30, **facts: str
) -> Host:
    """A host that pushed every hour for so many days; `samples` is asked with days, 0 for now."""
    host = await store.hosts.enrol(name, {}, f"token-{name}", b"s" * 32, NOW - round(days * DAY))
    hours = range(-round(days * 24), 1)
    await store.commit(
        [
            batch(host.id, NOW + hour * HOUR, samples(hour / 24), seq=number, every_ms=HOUR)
            for number, hour in enumerate(hours)
        ]
    )
    known = {one.id: one for one in await store.hosts.all()}[host.id]
    known.facts.update(facts)
    return known


async def report(store: Store, host: Host, options: CapacityOptions | None = None) -> HostReport:
    return await look_at(store.samples, host, options or CapacityOptions(), NOW + 1)


async def test_a_disk_that_fills_is_first_and_has_its_day(store: Store) -> None:
    host = await lived(store, "db", lambda day: {ROOT: 40.0, DATA: 85 + day, "load1": 1})
    found = await report(store, host)
    first, second = found.fillings
    assert (first.series, first.metric, first.limit, first.forecast.outlook) == (
        DATA, "disk_used_pct", 100, "fills",
    )  # fmt: skip
    assert first.forecast.days == pytest.approx(15, abs=1)
    assert second.forecast.outlook == "steady"


async def test_a_limit_of_ones_own_makes_any_series_fill(store: Store) -> None:
    host = await lived(store, "db", lambda day: {"queue_length": 800 + 10 * day})
    assert (await report(store, host)).fillings == ()
    found = await report(store, host, CapacityOptions(limits={"queue_length": 1_000}))
    assert found.fillings[0].forecast.days == pytest.approx(20, abs=1)


async def test_what_runs_away_since_hours_is_seen_though_the_past_is_long(store: Store) -> None:
    def runaway(day: float) -> dict[str, float]:
        return {ROOT: 40 + 10 * max(0.0, 24 * day + 5)}

    host = await lived(store, "db", runaway)
    minutes = range(-300, 0)
    await store.commit(
        [
            batch(host.id, NOW + minute * 60_000 + 5_000, runaway(minute / 1_440), seq=2_000 + minute)
            for minute in minutes
        ]
    )
    (filling,) = (await report(store, host)).fillings
    assert filling.forecast.outlook == "fills"
    assert filling.forecast.days is not None
    assert filling.forecast.days * 24 < 3


async def test_a_new_host_has_a_short_past_and_that_is_said(store: Store) -> None:
    host = await lived(store, "new", lambda day: {ROOT: 40.0}, days=0.1)
    (filling,) = (await report(store, host)).fillings
    assert filling.forecast.outlook == "unknown"


async def test_an_idle_host_is_too_large_and_what_that_costs_stands_beside(store: Store) -> None:
    def idle(day: float) -> dict[str, float]:
        return {"cpu_used_pct": 4.0, "memory_used_pct": 15.0}

    host = await lived(store, "big", idle, cores="8", memory_bytes=str(32 * 1024**3))
    found = await report(store, host, CapacityOptions(prices=Prices(core=10, gib=1)))
    assert (found.sizing.fit, found.sizing.wanted and found.sizing.wanted.cores) == ("too_large", 1)
    assert found.sizing.per_month is not None
    assert found.sizing.per_month < -70
    host.labels["price_core"] = "100"
    dear = await report(store, host, CapacityOptions(prices=Prices(core=10, gib=1)))
    assert dear.sizing.per_month is not None
    assert dear.sizing.per_month < -700, "a host's own labels say what it costs"


async def test_what_holds_it_back_now_is_said(store: Store) -> None:
    host = await lived(store, "slow", lambda day: {"cpu_steal_pct": 30.0, "load1": 1.0}, days=0.2)
    (found,) = (await report(store, host)).bottlenecks
    assert found.words == "the hypervisor gave 30 % of the processors' time to others"


async def test_each_host_is_looked_at_once_an_hour_in_a_minute_of_its_own(store: Store) -> None:
    hosts = [await lived(store, f"h{number}", lambda day: {ROOT: 50.0}, days=0.1) for number in range(6)]
    now = NOW
    capacity = Capacity(store.samples, lambda: hosts, CapacityOptions(), now_ms=lambda: now)
    await capacity.round()
    assert [one.name for one in capacity.reports()] == [f"h{number}" for number in range(6)]
    looked = dict.fromkeys(range(6), 0)
    for _ in range(60):
        now += 60_000
        before = {one.name: one.at for one in capacity.reports()}
        await capacity.round()
        for number in looked:
            looked[number] += (
                next(r.at for r in capacity.reports() if r.name == f"h{number}") != before[f"h{number}"]
            )
    assert set(looked.values()) == {1}
    assert len({one.at for one in capacity.reports()}) > 3, "not all at once"
    del hosts[0]
    await capacity.round()
    assert "h0" not in [one.name for one in capacity.reports()]


async def test_a_host_that_was_never_heard_is_not_spoken_of(store: Store) -> None:
    host = await store.hosts.enrol("mute", {}, "token", b"s" * 32, NOW)
    capacity = Capacity(store.samples, lambda: [host], CapacityOptions(), now_ms=lambda: NOW)
    await capacity.round()
    assert capacity.reports() == []
    assert (await report(store, host)).sizing.fit == "unknown"
