"""Services of the config and services made since, and maintenance that holds for them."""

from __future__ import annotations

import pytest

from collector.config import CollectorConfig
from collector.promises import Works
from collector.store import Store
from collector.store.promises import Promise
from collector.who import Refusal
from rules.policy import Maintenance, Planned
from rules.sla.model import CheckPart, LatencyOptions, ServicePart
from tests.collector.promises.house import DAY, HOUR, MIN, T0, House, shop

TOP = shop(name="top", checks=[], depends_on=ServicePart(services=["made"]))
MADE = shop(
    name="made", checks=[CheckPart(id="x", where={"a": "b"}, need=2)], latency=LatencyOptions(limit_ms=5)
)


async def test_what_is_made_at_run_time_comes_back_as_it_was(store: Store) -> None:
    services = House(store, [shop()]).services
    await services.put(MADE, "ada", T0)
    await services.put(TOP, "token:ci", T0)
    assert await services.all() == [shop(), MADE, TOP]
    assert (await store.promises.all())[0].changed_by == "ada"


async def test_what_stands_in_the_config_is_not_changed_at_run_time(store: Store) -> None:
    services = House(store, [shop()]).services
    for refused in (services.put(shop(title="x"), "ada", T0), services.remove("shop")):
        with pytest.raises(Refusal, match="stands in the config"):
            await refused


async def test_one_that_does_not_fit_the_others_is_refused(store: Store) -> None:
    services = House(store, [shop()]).services
    with pytest.raises(Refusal, match='"top" depends on "made"'):
        await services.put(TOP, "ada", T0)
    await services.put(MADE, "ada", T0)
    await services.put(TOP, "ada", T0)
    with pytest.raises(Refusal, match='"top" depends on "made"'):
        await services.remove("made")
    assert await services.remove("top")
    assert await services.remove("made")
    assert not await services.remove("made")


async def test_the_config_goes_before_what_was_said(store: Store) -> None:
    services = House(store, []).services
    await services.put(shop(title="of ada"), "ada", T0)
    services.replace([shop(title="of the file")])
    assert [one.title for one in await services.all()] == ["of the file"]


async def test_what_no_longer_fits_the_config_is_left_out_and_said_once(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    services = House(store, [MADE]).services
    await services.put(TOP, "ada", T0)
    await store.promises.put(Promise("odd", '{"name": 1}', T0, "ada"))
    services.replace([shop()])
    for _ in range(3):
        assert await services.all() == [shop()]
    assert caplog.text.count("are left out") == 1


async def test_maintenance_that_names_a_service_does_not_count(store: Store) -> None:
    house = House(store, [shop(), shop(name="mail")])
    tonight = "2026-11-20 02:10 to 02:20"
    house.works.configure(
        CollectorConfig(
            maintenance=[
                Maintenance(name="tills", when=tonight, services=("sh*",)),
                Maintenance(name="some hosts", when=tonight, where={"role": "web"}),
            ]
        )
    )
    await store.policy.add_maintenance(Planned(name="all", when="2026-11-20 02:30 to 02:31", by="ada"))
    host = await house.enrol()
    await house.every_tick(host, T0, T0 + HOUR)
    await house.settle(T0 + HOUR)
    assert [(row[0], row[1], row[3]) for row in await house.told("shop") if row[2] != "up"] == [
        (600, 1200, "maintenance, tills"),
        (1800, 1860, "maintenance, all"),
    ]
    assert [row[3] for row in await house.told("mail") if row[2] != "up"] == ["maintenance, all"]


async def test_a_window_that_is_set_afterwards_bends_nothing(store: Store) -> None:
    house = House(store, [shop()])
    host = await house.enrol()
    await house.every_tick(host, T0, T0 + 10 * MIN)
    await house.settle(T0 + 10 * MIN)
    before = await house.told()
    house.works.configure(
        CollectorConfig(maintenance=[Maintenance(name="late", when="2026-11-20 02:00 to 02:05")])
    )
    await house.rounds_until(house.now + 2 * MIN)
    assert (await house.told())[: len(before) - 1] == before[:-1]


async def test_windows_are_told_by_the_zone_of_the_config(store: Store) -> None:
    written = [Maintenance(name="night", when="daily 03:00 to 04:00")]
    works = Works(CollectorConfig(zone="Europe/Paris", maintenance=written), store.policy)
    spans = (await works.all()).spans("shop", T0, T0 + DAY)
    assert spans == {"maintenance, night": [(T0, T0 + HOUR)]}
