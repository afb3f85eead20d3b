"""Who is asked to look at a silent host, and where the answers go."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from agent.wire import AskLook, Looked
from collector.asking.neighbours import ASK_FOR_MS, PER_NEIGHBOUR_MAX, Neighbours
from collector.store import StoreError
from rules.memory.watch import Watch
from rules.model import ChannelView, Host
from tests.rules.house import T0, House, silence


class Desk:
    """Hosts 1 to n, each at an address of its own, and a clock moved by hand."""

    def __init__(self, count: int = 4) -> None:
        hosts = [Host(n, f"h{n}", {}, {"address": f"10.0.0.{n}"}) for n in range(1, count + 1)]
        self.house = House([silence()], hosts=hosts, channels=(ChannelView("mail"),), check_purity=False)
        self.now_s = 0
        self.trouble = False
        self.registry = CollectorRegistry()
        self.neighbours = Neighbours(
            self._watch, now_ms=lambda: T0 + self.now_s * 1000, registry=self.registry
        )

    def _watch(self) -> Watch:
        if self.trouble:
            raise StoreError("not now")
        return self.house.watch

    async def live(self, until_s: int, *dead: int) -> None:
        while self.now_s < until_s:
            if self.now_s % 10 == 0:
                for host in self.house.watch.hosts:
                    if host not in dead:
                        self.house.batch(self.now_s, {"load1": 1}, host=host)
            await self.neighbours.tick()
            self.house.tick(self.now_s)
            self.now_s += 1

    def count(self, reached: str) -> float | None:
        return self.registry.get_sample_value("watchkeeper_looks_total", {"reached": reached})


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_neighbours_are_asked_before_a_host_is_called_silent_and_what_they_say_is_in_the_alert(
    desk: Desk,
) -> None:
    await desk.live(11)
    await desk.live(29, 1)
    assert [desk.neighbours.asks(host) for host in (1, 2, 3, 4)] == [
        [],
        *[[AskLook(1, "10.0.0.1")]] * 3,
    ]
    desk.neighbours.answered(2, [Looked(1, True)])
    desk.neighbours.answered(3, [Looked(1, False)])
    desk.neighbours.answered(4, [Looked(1, None, "no way")])
    assert desk.neighbours.asks(2) == []
    await desk.live(60, 1)
    [alert] = desk.house.open_alerts
    assert alert.summary == "no word from this host; 1 of 2 neighbours reach it: the agent is gone"
    assert [desk.count(reached) for reached in ("yes", "no", "unknown")] == [1, 1, 1]


async def test_who_does_not_answer_is_asked_again_for_a_while(desk: Desk) -> None:
    await desk.live(11)
    await desk.live(28, 1)
    assert desk.neighbours.asks(2) == desk.neighbours.asks(2) != []
    desk.now_s += ASK_FOR_MS // 1000
    assert desk.neighbours.asks(2) == []


async def test_what_was_not_asked_counts_nothing(desk: Desk) -> None:
    await desk.live(11)
    await desk.live(29, 1)
    desk.neighbours.answered(2, [Looked(3, True), Looked(99, False)])
    desk.neighbours.answered(1, [Looked(1, True)])
    assert desk.house.watch.sights[1].saw == {}
    assert desk.count("yes") == 0


async def test_a_host_that_is_heard_again_is_looked_at_no_more(desk: Desk) -> None:
    await desk.live(11)
    await desk.live(29, 1)
    await desk.live(35)
    assert desk.house.watch.sights == {}
    assert desk.neighbours.asks(2) == []


async def test_nobody_is_asked_about_more_than_a_few() -> None:
    desk = Desk(40)
    await desk.live(11)
    await desk.live(29, *range(1, 11))
    assert len(desk.neighbours.asks(11)) == PER_NEIGHBOUR_MAX


async def test_while_the_judge_is_away_nothing_is_asked_and_no_answer_hurts(desk: Desk) -> None:
    await desk.live(11)
    await desk.live(29, 1)
    desk.trouble = True
    await desk.neighbours.tick()
    desk.neighbours.answered(2, [Looked(1, True)])
    assert desk.neighbours.asks(3) == []
