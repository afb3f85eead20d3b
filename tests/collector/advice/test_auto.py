"""Scaling without being asked: switched on and off, not too soon, not too often, and sound through a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from collector.store.advice import HookRun
from collector.who import LOCAL, Refusal
from tests.collector.advice.far import Far
from tests.collector.advice.house import House, hook, webhook
from tests.waiting import found, until_it_is

BUSY = {"a": 95.0, "b": 95.0}


async def runs(house: House, count: int) -> list[HookRun]:
    """The runs once there are so many and all have ended."""
    return await found(
        lambda: house.advisor.runs("shop", 100),
        lambda runs: len(runs) >= count and all(run.state != "running" for run in runs),
    )


async def test_switched_off_it_only_advises(tmp_path: Path) -> None:
    async with House(tmp_path, hook=hook(tmp_path)) as house:
        await house.join("a", "b")
        assert (await house.look(**BUSY)).direction == "up"
        assert await house.advisor.runs("shop", 10) == []


async def test_switched_on_the_hook_is_told(tmp_path: Path) -> None:
    async with House(tmp_path, hook=hook(tmp_path)) as house:
        await house.join("a", "b")
        await house.advisor.switch(LOCAL, "shop", True)
        standing = house.advisor.standing("shop")
        assert standing is not None
        assert (standing.auto, standing.auto_by, standing.hook) == (True, "local", "command")
        await house.look(**BUSY)
        (run,) = await runs(house, 1)
        assert (run.by, run.before, run.wanted, run.state) == ("auto", 2, 3, "done")
        assert house.told == ["shop 2 3"]


async def test_a_switch_outlives_a_restart_and_wins_over_the_config(tmp_path: Path) -> None:
    async with House(tmp_path, hook=hook(tmp_path), auto=True) as house:
        assert house.advisor.is_auto("shop")
        await house.advisor.switch(LOCAL, "shop", False)
        await house.restart()
        assert not house.advisor.is_auto("shop")


async def test_nothing_can_be_switched_on_that_has_no_hook(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        with pytest.raises(Refusal, match="nothing that could be run"):
            await house.advisor.switch(LOCAL, "shop", True)


async def test_after_one_run_it_waits_restart_or_not(tmp_path: Path) -> None:
    async with House(tmp_path, hook=hook(tmp_path, cooldown_s=300), auto=True) as house:
        await house.join("a", "b")
        await house.look(**BUSY)
        await runs(house, 1)
        house.later(2)
        await house.look(**BUSY)
        await house.restart()
        house.later(2)
        await house.look(**BUSY)
        await asyncio.sleep(0.1)
        assert len(house.told) == 1
        house.later(2)
        await house.look(**BUSY)
        await runs(house, 2)
        assert len(house.told) == 2


async def test_in_an_hour_only_so_many(tmp_path: Path) -> None:
    async with House(tmp_path, hook=hook(tmp_path, cooldown_s=0, per_hour_max=2), auto=True) as house:
        await house.join("a", "b")
        for number in range(1, 5):
            await house.look(**BUSY)
            await runs(house, min(number, 2))
            house.later(1)
        assert len(house.told) == 2
        house.later(60)
        await house.look(**BUSY)
        await runs(house, 3)
        assert len(house.told) == 3


async def test_a_clock_that_was_set_back_keeps_nothing_waiting(tmp_path: Path) -> None:
    async with House(tmp_path, hook=hook(tmp_path, cooldown_s=300, per_hour_max=1), auto=True) as house:
        await house.join("a", "b")
        await house.look(**BUSY)
        await runs(house, 1)
        house.later(-2)
        await house.look(**BUSY)
        await runs(house, 2)
        assert len(house.told) == 2


async def test_a_dry_run_by_config_tells_nobody(tmp_path: Path) -> None:
    async with House(tmp_path, hook=hook(tmp_path, dry_run=True), auto=True) as house:
        await house.join("a", "b")
        await house.look(**BUSY)
        (run,) = await runs(house, 1)
        assert (run.dry_run, run.state) == (True, "done")
        assert run.answer.startswith("dry run: would run")
        assert house.told == []


async def test_one_that_fails_is_noted_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with House(tmp_path, hook=hook(tmp_path, "echo no quota; exit 4"), auto=True) as house:
        await house.join("a", "b")
        await house.look(**BUSY)
        (run,) = await runs(house, 1)
        assert (run.state, run.answer) == ("failed", "exit code 4: no quota")
        await until_it_is(lambda: "The hook of shop, 2 to 3: exit code 4: no quota" in caplog.text)


async def test_one_that_hangs_holds_up_nothing(tmp_path: Path) -> None:
    async with House(tmp_path, hook=hook(tmp_path, "sleep 600", timeout_s=1), auto=True) as house:
        await house.join("a", "b")
        async with asyncio.timeout(1):
            await house.look(**BUSY)
            await house.look()
        (run,) = await runs(house, 1)
        assert run.state == "unsure"


async def test_one_that_was_cut_short_by_our_stop_is_unsure(tmp_path: Path) -> None:
    async with House(tmp_path, hook=hook(tmp_path, "sleep 600"), auto=True) as house:
        await house.join("a", "b")
        await house.look(**BUSY)
        await until_it_is(lambda: house.told)
        await house.restart()
        (run,) = await runs(house, 1)
        assert (run.state, "stopped before it knew" in run.answer) == ("unsure", True)


async def test_a_webhook_is_told_with_reason_and_signature(tmp_path: Path, far: Far) -> None:
    async with House(tmp_path, hook=webhook(f"{far.url}/hooks/sesame"), auto=True) as house:
        await house.join("a", "b")
        await house.look(**BUSY)
        (run,) = await runs(house, 1)
        assert (run.state, run.answer) == ("done", "200 OK scaling")
    ((headers, body),) = far.taken
    assert b'"from":2,"to":3,"direction":"up"' in body
    assert headers["X-Watchkeeper-Signature"].startswith("sha256=")
