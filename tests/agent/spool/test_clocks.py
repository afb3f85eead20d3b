"""Clocks that jump, stand at 1970 or are not set yet: nothing of the spool is given up for that."""

from __future__ import annotations

from agent.spool import Spool
from tests.agent.spool.life import HOUR_MS, NOON, TICK_MS, Clock, again, everything, fill, loads


def test_a_clock_that_jumps_ahead_gives_up_nothing_of_this_boot(spool: Spool, clock: Clock) -> None:
    fill(spool, clock, 20)
    clock.wall_ms += 365 * 24 * HOUR_MS
    fill(spool, clock, 5)
    assert (len(everything(spool, clock.now())), spool.dropped.total()) == (25, 0)


def test_a_board_that_boots_in_1970_loses_nothing_though_it_lost_power(spool: Spool, clock: Clock) -> None:
    clock.wall_ms = 5_000
    fill(spool, clock, 20)
    clock.wall_ms = NOON
    fill(spool, clock, 1)
    sampled = clock.wall_ms - 2 * TICK_MS
    later = again(spool, clock.reboot())
    held = everything(later, clock.now())
    assert len(held) == 19
    assert held[-1].then.wall_ms == sampled  # by the clock as it was once it was set
    assert held[0].then.wall_ms == sampled - 18 * TICK_MS


def test_batches_of_an_earlier_boot_wait_until_the_clock_is_set(spool: Spool, clock: Clock) -> None:
    fill(spool, clock, 10)
    spool.flush(clock.now())
    right = clock.wall_ms
    clock.wall_ms = 0
    later = again(spool, clock.reboot(5_000))
    fill(later, clock, 3)
    assert loads(everything(later, clock.now())) == [0, 1, 2]  # of this boot only
    clock.wall_ms = right + 60_000
    assert len(everything(later, clock.now())) == 13
    assert later.floor == 0


def test_what_is_too_old_for_the_collector_waits_while_the_clock_may_be_wrong(
    spool: Spool, clock: Clock
) -> None:
    fill(spool, clock, 10)
    spool.flush(clock.now())
    right = clock.wall_ms
    later = again(spool, clock.reboot(30 * 24 * HOUR_MS))
    assert everything(later, clock.now()) == []
    assert later.batches == 10
    clock.wall_ms = right + 60_000
    assert len(everything(later, clock.now())) == 10
    clock.wall_ms = right + 30 * 24 * HOUR_MS
    later.keep(clock.pass_(11 * 60_000))
    assert (later.batches, later.dropped) == (0, {"old": 10})
