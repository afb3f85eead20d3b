"""Burn rates against the published table of multi-window alerts, for 99.9 % over thirty days."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.sla.burn import PAIRS, WINDOWS, Rates, burn_rate, rates
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
    assert share * 30 * DAY_MS / WINDOWS[long] == pytest.approx(rate)
    assert (long, short, rate) in PAIRS
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


@pytest.mark.parametrize(
    ("burning", "worst", "sentence"),
    [
        ({"1h": 20, "5m": 30, "30m": 20, "6h": 3, "3d": 0.3}, 20, "an hour and five minutes tell"),
        ({"1h": 20, "5m": 0, "30m": 2, "6h": 3, "3d": 0.3}, 1, "five minutes of peace: nothing is told"),
        ({"1h": 10, "5m": 10, "30m": 10, "6h": 2, "3d": 0.2}, 1, "ten times, but not for long"),
        ({"1h": 10, "5m": 10, "30m": 10, "6h": 8, "3d": 0.8}, 8, "six hours and thirty minutes tell"),
        ({"1h": 14, "5m": 14, "30m": 20, "6h": 20, "3d": 2}, 14.4, "they tell no more than they may"),
        ({"1h": 0, "5m": 0, "30m": 0, "6h": 7, "3d": 9}, 6, "three days tell, and no more than they may"),
        ({"1h": 0, "5m": 0, "30m": 0, "6h": 0.4, "3d": 0.7}, 0.4, "all is well"),
        ({"1h": None, "5m": None, "30m": None, "6h": None, "3d": 2}, None, "nothing is known of late"),
    ],
)
def test_one_number_tells_what_any_of_the_pairs_tells(
    burning: dict[str, float | None], worst: float | None, sentence: str
) -> None:
    assert Rates(burning).worst == worst, sentence


@given(st.fixed_dictionaries({name: st.floats(0, 100) for name in WINDOWS}))
def test_it_passes_a_limit_only_where_that_pair_or_a_graver_one_does(
    burning: dict[str, float | None],
) -> None:
    worst = Rates(burning).worst
    assert worst is not None
    telling = [rate for long, short, rate in PAIRS if (Rates(burning).both(long, short) or 0) > rate]
    passed = [rate for _, _, rate in PAIRS if worst > rate]
    assert max(passed, default=0) == max(telling, default=0)


def test_each_window_is_looked_at_up_to_now() -> None:
    asked: list[int] = []

    def tally(start: int, end: int) -> Tally:
        assert end == T0
        asked.append(end - start)
        return Tally(up=end - start)

    assert rates(PROMISE, T0, tally).by_window == dict.fromkeys(WINDOWS, 0.0)
    assert sorted(asked) == sorted(WINDOWS.values())
