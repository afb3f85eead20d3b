"""What is said of a service from what its hosts push, what is kept of it, and what people may do."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from collector.store.advice import HookRun
from collector.who import Refusal
from rules.scaling.model import CPU, Change
from tests.collector.advice.house import House, hook
from tests.collector.stores.builders import batch
from tests.waiting import until_it_is


async def test_busy_hosts_ask_for_more(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        await house.join("a", "b", "c")
        said = await house.look(a=95, b=97, c=99)
        assert (said.direction, said.current, said.wanted) == ("up", 3, 5)
        assert "97 % on average over 3 instances" in said.reason


@pytest.mark.parametrize(
    ("minutes", "direction", "current", "sentence"),
    [
        (0.2, "up", 3, "heard a moment ago"),
        (5, "unknown", 3, "silent for minutes: who knows"),
        (90, "unknown", 0, "silent for more than an hour: gone"),
    ],
)
async def test_silence(tmp_path: Path, minutes: float, direction: str, current: int, sentence: str) -> None:
    async with House(tmp_path) as house:
        await house.join("a", "b", "c")
        await house.push(a=95, b=97, c=99)
        house.later(minutes)
        said = await house.look()
        assert (said.direction, said.current) == (direction, current), sentence


async def test_none_is_taken_away_while_one_is_silent(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        await house.join("a", "b", "c", "d", "e", "f")
        await house.push(a=5, b=5, c=5, d=5, e=5, f=5)
        for _ in range(10):
            house.later(1)
            said = await house.look(a=5, b=5, c=5, d=5, e=5)
        assert said.direction == "hold"
        assert "1 is unknown" in said.reason


async def test_only_what_counts_is_counted(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        await house.join("a", "b", "resting", "stopped", "silent")
        await house.join("db", labels={"role": "db"})
        await house.store.hosts.add_service("shop", house.now)
        await house.push(a=50, b=50, resting=50, stopped=50, db=99)
        house.resting = {"resting"}
        said = await house.look()
        assert said.current == 3
        next(host for host in house.hosts if host.name == "stopped").flags = ("shutdown",)
        await house.advisor.round()
        standing = house.advisor.standing("shop")
        assert standing is not None
        assert standing.recommendation is not None
        assert standing.recommendation.current == 2


async def test_a_number_of_the_service_itself_counts_for_all(tmp_path: Path) -> None:
    async with House(tmp_path, targets={"queue_length": 10.0}, gates=None) as house:
        await house.join("a", "b")
        source = await house.store.hosts.add_service("shop", house.now)
        await house.push(a=50, b=50)
        await house.store.commit([batch(source.id, house.now, {"queue_length": 30.0})])
        said = await house.look()
        assert (said.direction, said.wanted) == ("up", 6)


async def test_what_goes_on_is_one_row_and_what_became_of_it_stands_beside(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        await house.join("a", "b")
        began = house.now
        await house.look(a=95, b=97)
        house.later(1)
        await house.look(a=95, b=97)
        await house.join("c", "d")
        house.later(1)
        await house.look(a=60, b=60, c=60, d=60)
        hold, up = await house.advisor.history("shop", 10)
        assert (up.direction, up.since, up.until, up.before, up.wanted, up.became) == (
            "up", began, began + 120_000, 2, 3, 4,
        )  # fmt: skip
        assert up.evidence[0].metric == CPU
        assert (hold.direction, hold.before, hold.became) == ("hold", 4, 4)
        assert await house.store.advice.changes("shop", 0) == [Change(house.now, 2, 4)]


async def test_after_a_restart_nothing_is_taken_away_at_once(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        await house.join("a", "b", "c", "d")
        idle = {"a": 5.0, "b": 5.0, "c": 5.0, "d": 5.0}
        for _ in range(7):
            said = await house.look(**idle)
            house.later(1)
        assert said.direction == "down"
        await house.restart()
        said = await house.look(**idle)
        assert (said.direction, said.reason.endswith("not for long enough")) == ("hold", True)
        for _ in range(7):
            house.later(1)
            said = await house.look(**idle)
        assert said.direction == "down"


async def test_a_service_without_a_policy_is_not_spoken_of(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        assert house.advisor.standing("mail") is None
        with pytest.raises(Refusal, match=r'"mail" has no scaling policy; there are: shop'):
            await house.advisor.scale("mail", 3, "ada")
        house.advisor.replace({})
        await house.advisor.round()
        assert house.advisor.services == []


async def test_by_hand_the_hook_is_run_at_once_and_noted(tmp_path: Path) -> None:
    async with House(tmp_path, hook=hook(tmp_path)) as house:
        await house.join("a", "b")
        await house.push(a=50, b=50)
        run = await house.advisor.scale("shop", 4, "ada")
        assert (run.state, run.answer, run.by, run.before, run.wanted) == (
            "done", "exit code 0: done", "ada", 2, 4,
        )  # fmt: skip
        assert house.told == ["shop 2 4"]
        assert await house.advisor.runs("shop", 10) == [run]


async def test_a_dry_run_does_nothing_and_says_what_it_would(tmp_path: Path) -> None:
    async with House(tmp_path, hook=hook(tmp_path)) as house:
        run = await house.advisor.scale("shop", 4, "ada", dry_run=True)
        assert (run.state, run.dry_run) == ("done", True)
        assert run.answer == f"dry run: would run {tmp_path / 'hook'} shop 0 4"
        assert house.told == []


@pytest.mark.parametrize(
    ("replicas", "with_hook", "code"),
    [(11, True, "out_of_bounds"), (1, True, "out_of_bounds"), (4, False, "no_hook")],
)
async def test_what_cannot_be_done_is_refused(
    tmp_path: Path, replicas: int, with_hook: bool, code: str
) -> None:
    async with House(tmp_path, hook=hook(tmp_path) if with_hook else None) as house:
        with pytest.raises(Refusal) as refused:
            await house.advisor.scale("shop", replicas, "ada")
        assert refused.value.code == code
        assert house.told == []


async def test_one_at_a_time(tmp_path: Path) -> None:
    async with House(tmp_path, hook=hook(tmp_path, "sleep 0.5")) as house:
        first = asyncio.create_task(house.advisor.scale("shop", 4, "ada"))
        await until_it_is(lambda: house.told)
        with pytest.raises(Refusal, match="being run"):
            await house.advisor.scale("shop", 5, "bob")
        assert isinstance(await first, HookRun)


async def test_what_is_advised_becomes_series_that_rules_are_about(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        await house.join("web-1", "web-2")
        said = await house.look(**{"web-1": 95.0, "web-2": 95.0})
        assert (said.direction, said.current, said.wanted) == ("up", 2, 3)
        assert house.posted == {
            "instances": 2.0,
            "instances_wanted": 3.0,
            "instances_to_add": 1.0,
            "instances_to_remove": 0.0,
        }


async def test_where_it_is_scaled_anyway_nobody_is_advised(tmp_path: Path) -> None:
    async with House(tmp_path, auto=True, hook=hook(tmp_path)) as house:
        await house.join("web-1", "web-2")
        await house.look(**{"web-1": 95.0, "web-2": 95.0})
        assert (house.posted["instances_wanted"], house.posted["instances_to_add"]) == (3.0, 0.0)
