"""Rules that look at a long past, over the real store: what is read, what follows, and what a rule that fails costs."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from rules.kinds import forecast
from tests.collector.evaluator.house import CPU, OPS, House
from tests.collector.stores.builders import NOW, arrival

DISK = 'disk_used_pct{mount="/"}'
MINUTE_MS = 60_000


def filling(**options: Any) -> forecast.Rule:
    given = {
        "name": "disk-filling",
        "metric": "disk_used_pct",
        "reaches": 100.0,
        "within_s": 86_400.0,
        **options,
    }
    return forecast.Rule(forecast.Options(**given))


async def fill(house: House, minutes: int, per_hour: float) -> None:
    """A sample a minute, all of them on disk."""
    pushes = [
        arrival(
            house.host.id,
            NOW + minute * MINUTE_MS,
            {DISK: 60 + per_hour * minute / 60},
            seq=minute,
            every_ms=MINUTE_MS,
        )
        for minute in range(minutes)
    ]
    await house.evaluator.take(pushes)
    house.clock.ms = NOW + (minutes - 1) * MINUTE_MS + 1_000


async def test_a_disk_that_runs_full_is_told_of_at_the_next_look(house: House) -> None:
    house.evaluator.replace_rules([CPU, filling()], [OPS])
    await fill(house, 180, 5)
    assert await house.reasons() == []
    await house.evaluator.look_far_back()
    await house.evaluator.stop()
    (alert,) = await house.store.incidents.open_alerts()
    assert (alert.rule, alert.subject) == ("disk-filling", house.host.series_subject(DISK))
    assert "disk / will be at 100 % in about 5 h" in alert.summary
    assert await house.reasons() == ["first"]


async def test_it_goes_on_where_it_was_after_a_start(house: House) -> None:
    house.evaluator.replace_rules([filling()], [OPS])
    await fill(house, 180, 5)
    await house.evaluator.look_far_back()
    await house.evaluator.stop()
    house.registry = CollectorRegistry()
    again = house.make([filling()])
    await again.start()
    (state,) = again.watch.hosts[house.host.id].states()
    assert (state.rule, state.state) == ("disk-filling", "firing")
    await again.stop()


async def test_a_disk_that_stands_still_costs_one_look_an_hour_and_no_commit(house: House) -> None:
    house.evaluator.replace_rules([filling(only_from=50.0)], [OPS])
    await fill(house, 120, 0)
    before = len(house.told)
    for _ in range(30):
        await house.evaluator.look_far_back()
        house.clock.ms += 10_000
    assert len(house.told) == before


async def test_a_rule_that_fails_at_a_past_is_counted_and_hinders_no_other_host(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = filling()
    monkeypatch.setattr(rule, "foretell", lambda past, now: 1 / 0)
    house.evaluator.replace_rules([rule], [OPS])
    await fill(house, 60, 5)
    await house.evaluator.look_far_back()
    assert house.registry.get_sample_value("watchkeeper_unjudged_total") == 1
    assert "ZeroDivisionError" in house.evaluator.health().detail
    await house.evaluator.look_far_back()
    assert house.registry.get_sample_value("watchkeeper_unjudged_total") == 1, "it is tried again in an hour"
