"""How services stand, as series; and what the rules that come with Watchkeeper make of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.wire import series_name
from collector.config import read_rules
from collector.promises import Numbers
from collector.store import Store, StoreError
from rules import packs
from rules.model import Host
from rules.sla.model import LatencyOptions
from tests.collector.promises.house import BAD, HOUR, MIN, OK, T0, House, shop
from tests.rules.house import House as RulesHouse

PACK = Path(packs.__path__[0]) / "promises.yaml"


async def posted(house: House) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}

    async def post(service: str, numbers: Sequence[tuple[str, dict[str, str], float]]) -> None:
        found[service] = {series_name(metric, labels): value for metric, labels, value in numbers}

    await Numbers(house.accounts, post, lambda: house.now).round()
    return found


async def test_a_service_that_promises_something_has_series(store: Store) -> None:
    latency = LatencyOptions(limit_ms=300)
    house = House(store, [shop(latency=latency), shop(name="counted", objective_pct=None)])
    host = await house.enrol()
    house.now = T0 + HOUR
    house.start_collector()
    await house.every_tick(host, T0, T0 + HOUR, lambda at: BAD if at >= T0 + 54 * MIN else OK)
    await house.round()
    found = await posted(house)
    assert set(found) == {"shop"}
    numbers = found["shop"]
    assert numbers['sla_availability_pct{window="30d"}'] == pytest.approx(90)
    assert numbers['sla_budget_left_pct{window="30d"}'] == pytest.approx(100 * (1 - 6 / 43.2))
    assert numbers['sla_latency_left_pct{window="30d"}'] == 100
    assert numbers['sla_burn_rate{window="5m"}'] == pytest.approx(1000)
    assert numbers['sla_burn_rate{window="1h"}'] == pytest.approx(100)
    assert numbers['sla_burn_rate_both{long="1h",short="5m"}'] == pytest.approx(100)
    assert numbers['sla_burn_rate_both{long="6h",short="30m"}'] == pytest.approx(6 / 360 / 0.001)
    assert numbers["sla_burn_rate_worst"] == pytest.approx(100)


async def test_a_promise_about_speed_alone_has_its_series_and_no_budget(store: Store) -> None:
    house = House(store, [shop(objective_pct=None, latency=LatencyOptions(limit_ms=300))])
    host = await house.enrol()
    for n in range(6):
        await house.said(host, T0 + n * 10_000, {"web": OK}, web=100 if n % 2 else 400)
    await house.settle(T0 + MIN)
    numbers = (await posted(house))["shop"]
    assert numbers['sla_within_limit_pct{window="30d"}'] == pytest.approx(50, abs=10)
    assert not [name for name in numbers if "budget" in name or "burn" in name]


async def test_what_is_not_known_has_no_answer(store: Store) -> None:
    house = House(store, [shop()])
    host = await house.enrol()
    await house.said(host, T0, {"web": math.nan})
    await house.settle(T0 + MIN)
    numbers = (await posted(house))["shop"]
    assert math.isnan(numbers['sla_availability_pct{window="30d"}'])
    assert math.isnan(numbers['sla_burn_rate_both{long="1h",short="5m"}'])
    assert math.isnan(numbers["sla_burn_rate_worst"])


async def test_one_that_cannot_be_posted_holds_up_no_other(store: Store) -> None:
    house = House(store, [shop(name="first"), shop(name="second")])
    host = await house.enrol()
    await house.every_tick(host, T0, T0 + MIN)
    await house.settle(T0 + MIN)
    heard = []

    async def post(service: str, numbers: Sequence[tuple[str, dict[str, str], float]]) -> None:
        heard.append(service)
        if service == "first":
            raise StoreError("no room")

    with pytest.raises(StoreError, match="no room"):
        await Numbers(house.accounts, post, lambda: house.now).round()
    assert heard == ["first", "second"]


@pytest.mark.parametrize(
    ("series", "value", "told"),
    [
        ("sla_burn_rate_worst", 14.5, ["critical"]),
        ("sla_burn_rate_worst", 14.4, ["warning"]),
        ("sla_burn_rate_worst", 6.0, []),  # info: on the page, no message
        ("sla_burn_rate_worst", 1.0, []),
        ('sla_budget_left_pct{window="30d"}', -0.1, ["warning"]),
        ('sla_budget_left_pct{window="30d"}', 0.1, []),
        ('sla_latency_left_pct{window="30d"}', -1, ["warning"]),
        ('sla_burn_rate{window="1h"}', 1000, []),  # one window alone says nothing
    ],
)
def test_the_pack_of_promises(series: str, value: float, told: list[str]) -> None:
    source = Host(1, "service:shop", {"service": "shop"})
    house = RulesHouse(read_rules(PACK), hosts=[source], check_purity=False)
    house.batch(0, {series: value})
    house.batch(10, {series: value})
    assert [severity for _, _, severity in house.told] == told
    for notice in house.notices:
        assert "shop" in notice.title + notice.text
