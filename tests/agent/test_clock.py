"""How moments are dated when clocks jump and hosts start again."""

from __future__ import annotations

import time

import pytest

from agent.clock import SETTLE_MS, Ages, Moment, dated, system_clock

DAY_MS = 86_400_000
NOON = 1_790_000_000_000


def test_the_clock_of_this_host_knows_its_boot_and_the_time() -> None:
    now = system_clock()()
    assert len(now.boot_id) == 36
    assert abs(now.wall_ms - time.time() * 1000) < 1_000
    assert 0 < now.boot_ms < now.wall_ms


@pytest.mark.parametrize("step_ms", [0, 3_600_000, -3_600_000, NOON])
def test_a_step_of_the_clock_changes_no_distance_within_a_boot(step_ms: int) -> None:
    then = Moment("a", 10_000, NOON)
    now = Moment("a", 70_000, NOON + 60_000 + step_ms)
    assert dated(then, now) == now.wall_ms - 60_000


def test_what_a_board_sampled_in_1970_is_dated_right_once_its_clock_is_set() -> None:
    assert dated(Moment("a", 5_000, 5_000), Moment("a", 65_000, NOON)) == NOON - 60_000


def test_no_time_lies_before_1970() -> None:
    assert dated(Moment("a", 1_000, 0), Moment("a", 90_000, 2_000)) == 0


def test_another_boot_is_dated_by_what_the_clock_said_then() -> None:
    assert dated(Moment("a", 5_000, NOON), Moment("b", 1_000, NOON + 90_000)) == NOON


def test_another_boot_is_dated_by_the_last_that_is_known_of_its_clock() -> None:
    ages = Ages(7 * DAY_MS, Moment("b", 0, NOON))
    ages.learn(Moment("a", 60_000, NOON - 40_000))
    ages.learn(Moment("a", 30_000, 30_000))
    assert ages.redated(Moment("a", 10_000, 10_000), Moment("b", 5_000, NOON)).wall_ms == NOON - 90_000


THIS, OTHER = "b", "a"


@pytest.mark.parametrize(
    ("boot", "age_ms", "running_ms", "too_old", "because"),
    [
        (THIS, 7 * DAY_MS, 8 * DAY_MS, False, "it is just young enough"),
        (THIS, 7 * DAY_MS + 1, 8 * DAY_MS, True, "time since boot cannot be wrong"),
        (OTHER, 8 * DAY_MS, SETTLE_MS, False, "our clock may not be set yet"),
        (OTHER, 8 * DAY_MS, SETTLE_MS + 1, True, "our clock has had time to be set"),
        (OTHER, 6 * DAY_MS, 8 * DAY_MS, False, "it is young enough"),
        (OTHER, -DAY_MS, 6 * DAY_MS, False, "our clock may be behind and be set later"),
        (OTHER, -DAY_MS, 7 * DAY_MS + 1, True, "it has waited for the clock as long as anything may wait"),
    ],
)
def test_what_is_too_old(boot: str, age_ms: int, running_ms: int, too_old: bool, because: str) -> None:
    started = Moment(THIS, 10 * DAY_MS, NOON)
    now = Moment(THIS, started.boot_ms + running_ms, NOON + running_ms)
    then = Moment(boot, now.boot_ms - age_ms, now.wall_ms - age_ms)
    assert Ages(7 * DAY_MS, started).too_old(then, now) is too_old, because
