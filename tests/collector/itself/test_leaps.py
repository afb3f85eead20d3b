"""A date that is wrong for a while costs nothing."""

from __future__ import annotations

import pytest

from collector.itself.leaps import DAY_MS, Leaps

NOW = 1_795_140_000_000


class Clocks:
    """The wall clock can be set, the other cannot."""

    def __init__(self) -> None:
        self.boot_ms, self.set_by_ms = 1_000, 0
        self.leaps = Leaps(lambda: NOW + self.boot_ms + self.set_by_ms, lambda: self.boot_ms)

    def in_doubt(self, *, after_ms: int = 60_000, set_by_ms: int = 0) -> bool:
        self.boot_ms += after_ms
        self.set_by_ms += set_by_ms
        return self.leaps.in_doubt()


def test_a_clock_that_goes_on_as_clocks_do_is_trusted() -> None:
    clocks = Clocks()
    assert not any(clocks.in_doubt() for _ in range(100))


def test_a_clock_that_is_corrected_a_little_is_trusted() -> None:
    clocks = Clocks()
    assert not clocks.in_doubt(set_by_ms=3_600_000)
    assert not clocks.in_doubt(set_by_ms=-7_200_000)


def test_a_machine_that_slept_is_trusted() -> None:
    assert not Clocks().in_doubt(after_ms=10 * DAY_MS)


def test_a_date_a_year_ahead_is_in_doubt_for_a_day_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    clocks = Clocks()
    assert clocks.in_doubt(set_by_ms=365 * DAY_MS)
    assert clocks.in_doubt(after_ms=DAY_MS - 120_000)
    assert not clocks.in_doubt(after_ms=120_000)
    assert ["365 days ahead" in record.message for record in caplog.records] == [True]


def test_a_date_that_is_put_right_is_trusted_at_once() -> None:
    clocks = Clocks()
    assert clocks.in_doubt(set_by_ms=365 * DAY_MS)
    assert not clocks.in_doubt(set_by_ms=-365 * DAY_MS)


def test_a_board_that_wakes_in_1970_doubts_the_present_for_a_day_and_loses_nothing_by_it() -> None:
    clocks = Clocks()
    clocks.set_by_ms = -NOW
    clocks.leaps = Leaps(lambda: NOW + clocks.boot_ms + clocks.set_by_ms, lambda: clocks.boot_ms)
    assert clocks.in_doubt(set_by_ms=NOW)
    assert not clocks.in_doubt(after_ms=DAY_MS)
