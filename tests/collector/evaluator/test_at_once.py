"""Many hosts silent at once, through the store: one problem before a restart and after it."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from rules.judging.acts import Resolve
from tests.collector.evaluator.house import CPU, SILENT, House, pass_time
from tests.collector.stores.builders import TICK, arrival, enrolled


class Fleet:
    """The host of the house and three more, which report with every tick unless they are away."""

    def __init__(self, house: House, hosts: list[int]) -> None:
        self.house, self.hosts, self._seq = house, hosts, 0

    @classmethod
    async def of(cls, house: House) -> Fleet:
        more = [await enrolled(house.store, name) for name in ("bob", "carol", "dave")]
        return cls(house, [house.host.id, *(host.id for host in more)])

    async def live(self, ticks: int, *, away: bool = False) -> None:
        for _ in range(ticks):
            if not away:
                at = self.house.clock.ms
                sent = [arrival(host, at, seq=self._seq, arrived_at=at) for host in self.hosts]
                for one in sent:
                    assert await self.house.evaluator.take([one]) == ["ok"]
                self._seq += 1
            pass_time(self.house, TICK // 1_000)
        await self.house.evaluator.take([])

    async def restart(self) -> None:
        await self.house.evaluator.stop()
        self.house.registry = CollectorRegistry()
        self.house.evaluator = self.house.make([CPU, SILENT])
        await self.house.evaluator.start()


async def test_one_incident_holds_all_of_them_back_over_a_restart_and_ends_with_them(house: House) -> None:
    fleet = await Fleet.of(house)
    await fleet.live(3)
    await fleet.live(8, away=True)
    [incident] = await house.store.incidents.open()
    assert incident.key == "collector"
    assert incident.title.startswith("4 of 4 hosts silent at once")
    alerts = await house.store.incidents.alerts(incident.id)
    assert sorted(alert.host for alert in alerts) == [0, *fleet.hosts]
    await fleet.restart()
    await fleet.live(8, away=True)
    assert await house.reasons() == ["first"]
    await fleet.live(10)
    assert await house.reasons() == ["first", "resolved"]
    assert await house.store.incidents.open() == []
    assert await house.store.incidents.open_alerts() == []
    assert (await house.store.remember(house.clock.ms)).states == []


async def test_resolved_by_hand_it_stays_so_over_a_restart_until_each_was_heard(house: House) -> None:
    fleet = await Fleet.of(house)
    await fleet.live(3)
    await fleet.live(8, away=True)
    await house.evaluator.act(Resolve(1, "ada"))
    await fleet.restart()
    await fleet.live(20, away=True)
    assert await house.reasons() == ["first", "resolved"]
    await fleet.live(3)
    await fleet.live(8, away=True)
    assert await house.reasons() == ["first", "resolved", "first"]
