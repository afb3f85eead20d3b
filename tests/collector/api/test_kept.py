"""Answers that still hold: given again until a commit touches what they are made of, and never too many of them."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from collector.api.kept import INCIDENTS, Kept, Made, of_host
from rules.model import Outcome, Transition
from tests.collector.stores.builders import NOW, batch, incident

STEP = Transition("cpu", "host:1/series:cpu", "ok", "pending", NOW, NOW)


class Desk:
    """A cache at a clock that is moved by hand, before a source that counts how often it is asked."""

    def __init__(self, **bounds: int) -> None:
        self.now, self.made = 0.0, 0
        self.kept = Kept(lambda: self.now, age_s_max=5, fleet_age_s=0, **bounds)

    async def make(self) -> Made:
        self.made += 1
        return Made.of(b"x" * 100)

    async def ask(self, key: str, *topics: str) -> Made:
        return await self.kept.get(key, topics, self.make)


async def test_what_is_asked_again_is_made_once() -> None:
    desk = Desk()
    assert await desk.ask("a", INCIDENTS) == await desk.ask("a", INCIDENTS)
    assert await desk.ask("b", INCIDENTS)
    stats = desk.kept.stats()
    assert (desk.made, stats.hits, stats.misses, stats.entries, stats.size_bytes) == (2, 1, 2, 2, 200)


@pytest.mark.parametrize(
    ("topic", "outcome", "holds"),
    [
        (of_host(1), batch(1, NOW), False),
        (of_host(1), batch(2, NOW), True),
        ("samples", batch(2, NOW), False),
        (INCIDENTS, batch(1, NOW), True),
        (INCIDENTS, Outcome(incidents=[incident(1)]), False),
        (INCIDENTS, Outcome(transitions=[STEP]), True),
        (INCIDENTS, Outcome(transitions=[replace(STEP, alert=7)]), False),
        ("samples", Outcome(incidents=[incident(1)]), True),
    ],
)
async def test_a_commit_lets_go_of_what_it_touches(topic: str, outcome: Outcome, holds: bool) -> None:
    desk = Desk()
    await desk.ask("a", topic)
    desk.kept.committed([outcome])
    await desk.ask("a", topic)
    assert desk.made == (1 if holds else 2)


async def test_what_is_made_of_the_whole_fleet_may_be_a_second_old() -> None:
    desk = Desk()
    desk.kept.fleet_age_s = 1.0
    await desk.ask("a", "samples")
    await desk.ask("b", "samples", INCIDENTS)
    desk.kept.committed([batch(1, NOW)])
    desk.now = 0.9
    await desk.ask("a", "samples")
    assert desk.made == 2
    desk.kept.committed([Outcome(incidents=[incident(1)])])
    await desk.ask("b", "samples", INCIDENTS)
    assert desk.made == 3
    desk.now = 1.0
    await desk.ask("a", "samples")
    assert desk.made == 4


async def test_what_was_begun_before_a_commit_is_not_given_to_those_who_ask_after_it() -> None:
    desk = Desk()
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def slow() -> Made:
        begun.set()
        await may_end.wait()
        return Made.of(b"old")

    first = asyncio.create_task(desk.kept.get("a", [INCIDENTS], slow))
    await begun.wait()
    desk.kept.committed([Outcome(incidents=[incident(1)])])
    second = await desk.ask("a", INCIDENTS)
    may_end.set()
    assert (await first).body == b"old"
    assert second.body != b"old"
    assert await desk.ask("a", INCIDENTS) == second


async def test_what_is_old_is_made_anew_for_other_hands_may_have_changed_it() -> None:
    desk = Desk()
    await desk.ask("a")
    desk.now = 5.0
    await desk.ask("a")
    assert desk.made == 2


async def test_a_failure_is_told_to_all_who_wait_and_not_kept() -> None:
    desk = Desk()

    async def broken() -> Made:
        raise ValueError("no")

    asked = [desk.kept.get("a", [INCIDENTS], broken) for _ in range(3)]
    assert [str(error) for error in await asyncio.gather(*asked, return_exceptions=True)] == ["no"] * 3
    assert desk.kept.stats().entries == 0
    assert await desk.ask("a", INCIDENTS)


@pytest.mark.parametrize("bounds", [{"entries_max": 3}, {"bytes_max": 300}])
async def test_what_was_asked_longest_ago_goes_when_there_is_too_much(bounds: dict[str, int]) -> None:
    desk = Desk(**bounds)
    for key in ("a", "b", "c", "a", "d"):
        await desk.ask(key, INCIDENTS)
    assert desk.kept.stats().entries == 3
    assert desk.made == 4
    await desk.ask("a", INCIDENTS)
    assert desk.made == 4
    await desk.ask("b", INCIDENTS)
    assert desk.made == 5


async def test_all_is_let_go_of_on_request() -> None:
    desk = Desk()
    await desk.ask("a", INCIDENTS, of_host(1))
    assert desk.kept.clear().entries == 1
    assert (desk.kept.stats().entries, desk.kept.stats().size_bytes) == (0, 0)
    desk.kept.committed([batch(1, NOW)])
