"""Burn rates against the published table of multi-window alerts, for 99.9 % over thirty days."""

from __future__ import annotations

import pytest

from rules.sla.burn import PAIRS, WINDOWS, Rates, burn_rate, rate_at, rates
from rules.sla.model import ServiceOptions, Tally
from rules.sla.periods import DAY_MS, HOUR_MS
from tests.rules.sla.house import T0, service

PROMISE = service(objective_pct=99.9)


@pytest.mark.parametrize(
    ("share", "long", "short", "rate"),
    [(0.02, "1h", "5m", 14.4), (0.05, "6h", "30m", 6.0), (0.10, "3d", "6h", 1.0)],
)
def test_the_published_table_for_thirty_days(share: float, long: str, short: str, rate: float) -> None:
    """Share of the budget, long and short window, burn rate, as in the Site Reliability Workbook, chapter 5."""
    assert rate_at(share, WINDOWS[long], 30 * DAY_MS) == pytest.approx(rate)
    assert (long, short) in PAIRS
    assert WINDOWS[short] == WINDOWS[long] / 12


@pytest.mark.parametrize(
    ("down_s", "window", "rate"),
    [
        (3.6, "1h", 1.0),  # 0.1 % of an hour: exactly what is allowed
        (51.84, "1h", 14.4),  # 1.44 % of an hour down
        (4.32, "5m", 14.4),
        (129.6, "6h", 6.0),
        (10.8, "30m", 6.0),
        (259.2, "3d", 1.0),
        (3600, "1h", 1000.0),  # all of it: the budget of thirty days is gone in 43.2 minutes
    ],
)
def test_the_rate_is_the_share_that_is_down_by_the_share_that_may_be(
    down_s: float, window: str, rate: float
) -> None:
    whole, down = WINDOWS[window], round(down_s * 1000)
    assert burn_rate(PROMISE, Tally(up=whole - down, down=down)) == pytest.approx(rate)


def test_what_does_not_count_thins_the_window() -> None:
    """Half an hour of maintenance, one minute of the other half down: 3.33 %, by 0.1 % that may be."""
    tally = Tally(up=29 * 60_000, down=60_000, maintenance=30 * 60_000)
    assert burn_rate(PROMISE, tally) == pytest.approx(1000 / 30)


def test_what_is_not_known_stays_in_the_window() -> None:
    """One minute down of the two that are known of an hour: 1/60, by 0.1 % that may be."""
    tally = Tally(up=60_000, down=60_000, unknown=58 * 60_000)
    assert burn_rate(PROMISE, tally) == pytest.approx(1000 / 60)


@pytest.mark.parametrize(
    ("shop", "tally"),
    [(PROMISE, Tally(unknown=HOUR_MS)), (service(objective_pct=None), Tally(up=HOUR_MS))],
)
def test_of_nothing_there_is_no_rate(shop: ServiceOptions, tally: Tally) -> None:
    assert burn_rate(shop, tally) is None


def test_an_alert_on_two_windows_is_one_on_the_lower_rate() -> None:
    found = Rates({"1h": 20.0, "5m": 3.0, "6h": None, "30m": 9.0})
    assert found.both("1h", "5m") == 3.0
    assert found.both("6h", "30m") is None


def test_each_window_is_looked_at_up_to_now() -> None:
    asked: list[int] = []

    def tally(start: int, end: int) -> Tally:
        assert end == T0
        asked.append(end - start)
        return Tally(up=end - start)

    assert rates(PROMISE, T0, tally).by_window == dict.fromkeys(WINDOWS, 0.0)
    assert sorted(asked) == sorted(WINDOWS.values())
