"""Who is asked to look closer, how often, and what becomes of the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from msgspec import structs
from prometheus_client import CollectorRegistry

from agent.wire import AskEvidence, AskSample, Evidence
from collector.asking.inquiries import ASK_FOR_MS, FRESH_MS, HOSTS_PER_INCIDENT_MAX, SAMPLINGS_MAX, Inquiries
from collector.store import EvidenceRow, StoreError
from rules.model import Alert, Outcome
from tests.collector.stores.builders import NOW, alert, arrival, incident


class Desk:
    """Inquiries at a clock that is moved by hand; `kept` is what was to be stored."""

    def __init__(self) -> None:
        self.now = NOW
        self.kept: list[EvidenceRow] = []
        self.trouble: str | None = None
        self.registry = CollectorRegistry()
        self.inquiries = Inquiries(self, now_ms=lambda: self.now, registry=self.registry)

    async def add_evidence(self, row: EvidenceRow) -> None:
        if self.trouble:
            raise StoreError(self.trouble)
        self.kept.append(row)

    def happens(self, *alerts: Alert, resolved: Sequence[int] = ()) -> None:
        over = [incident(number, resolved_at=self.now) for number in resolved]
        self.inquiries.committed([Outcome(alerts=list(alerts), incidents=over, judged_at=self.now)])

    def asked(self, host: int = 1) -> list[int]:
        asks = self.inquiries.asks(host)
        assert all(isinstance(ask, AskEvidence) for ask in asks)
        return [ask.about for ask in asks if isinstance(ask, AskEvidence)]

    async def answers(self, about: int, host: int = 1) -> None:
        await self.inquiries.answered(host, Evidence(about, NOW, 10), self.now)

    def count(self, name: str) -> float | None:
        return self.registry.get_sample_value(f"watchkeeper_{name}_total")


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_the_agent_of_a_host_with_a_new_alert_is_asked_until_it_answers(desk: Desk) -> None:
    assert desk.asked() == []
    desk.happens(alert(5, of=3))
    assert [desk.asked(), desk.asked(), desk.asked(host=2)] == [[5], [5], []]
    await desk.answers(5)
    assert desk.kept == [EvidenceRow(5, 3, 1, NOW, Evidence(5, NOW, 10))]
    assert desk.asked() == []
    assert desk.count("evidence") == 1


async def test_nobody_is_asked_for_ever(desk: Desk) -> None:
    desk.happens(alert(5, of=3))
    desk.now += ASK_FOR_MS
    assert desk.asked() == []
    await desk.answers(5)
    assert (desk.kept, desk.count("evidence_unasked")) == ([], 1)


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"subject": "host:1"}, "a silent host cannot look closer"),
        ({"resolved_at": NOW}, "it is over"),
        ({"fired_at": NOW - FRESH_MS}, "it was told of late, or is only a new version of what stands"),
    ],
)
def test_what_nobody_is_asked_about(desk: Desk, changes: dict[str, object], because: str) -> None:
    desk.happens(structs.replace(alert(5, of=3), **changes))
    assert desk.asked() == [], because


async def test_an_incident_is_looked_at_once_on_each_host_and_again_when_it_comes_back(desk: Desk) -> None:
    desk.happens(alert(5, of=3), alert(6, of=3), alert(7, of=3, host=2))
    assert [desk.asked(1), desk.asked(2)] == [[5], [7]]
    await desk.answers(5)
    desk.happens(alert(8, of=3))
    assert desk.asked(1) == []
    desk.happens(resolved=[3])
    desk.happens(alert(9, of=3))
    assert desk.asked(1) == [9]


async def test_an_agent_cannot_speak_of_another_hosts_alert(desk: Desk) -> None:
    desk.happens(alert(5, of=3, host=1))
    await desk.answers(5, host=2)
    assert (desk.kept, desk.asked(1)) == ([], [5])


def test_a_storm_asks_only_so_many(desk: Desk) -> None:
    desk.happens(*(alert(number, of=number) for number in range(1, 20)))
    assert desk.asked() == [1, 2, 3]
    desk.happens(*(alert(100 + host, of=99, host=host) for host in range(2, 80)))
    assert sum(bool(desk.asked(host)) for host in range(2, 80)) == HOSTS_PER_INCIDENT_MAX


async def test_what_the_store_cannot_keep_now_is_asked_for_again(desk: Desk) -> None:
    desk.happens(alert(5, of=3))
    desk.trouble = "the disk is full"
    with pytest.raises(StoreError):
        await desk.answers(5)
    assert desk.asked() == [5]
    desk.trouble = None
    await desk.answers(5)
    assert len(desk.kept) == 1


# --- sample now -------------------------------------------------------------------------------------------------------


def came(desk: Desk, host: int, *, late: bool = False) -> None:
    desk.inquiries.committed([Outcome(arrival=arrival(host, desk.now), late=late, judged_at=desk.now)])


async def test_hosts_are_asked_to_sample_until_a_batch_came_after_they_were_told(desk: Desk) -> None:
    sampling = desk.inquiries.sample_now([1, 2])
    came(desk, 1)  # on its way before anybody told its agent
    assert sampling.waiting == {1, 2}
    assert [desk.inquiries.asks(1), desk.inquiries.asks(3)] == [[AskSample()], []]
    came(desk, 1, late=True)
    assert sampling.waiting == {1, 2}
    came(desk, 1)
    assert sampling.waiting == {2}
    assert desk.inquiries.asks(1) == []
    assert desk.inquiries.asks(2) == [AskSample()]
    came(desk, 2)
    async with asyncio.timeout(1):
        await sampling.wait(60)


async def test_two_who_want_samples_at_once_are_served_by_one_ask(desk: Desk) -> None:
    first, second = desk.inquiries.sample_now([1]), desk.inquiries.sample_now([1])
    assert desk.inquiries.asks(1) == [AskSample()]
    came(desk, 1)
    assert (first.waiting, second.waiting) == (set(), set())


async def test_a_host_that_stays_away_is_not_asked_for_ever(desk: Desk) -> None:
    sampling = desk.inquiries.sample_now([1])
    await sampling.wait(0.01)
    assert sampling.waiting == {1}
    desk.now += ASK_FOR_MS
    assert desk.inquiries.asks(1) == []


async def test_of_many_askings_the_oldest_is_let_go_of(desk: Desk) -> None:
    first = desk.inquiries.sample_now([1])
    for _ in range(SAMPLINGS_MAX):
        desk.inquiries.sample_now([2])
    assert desk.inquiries.asks(1) == []
    assert first.waiting == {1}
