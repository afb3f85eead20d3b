"""The median of all slopes: what it is of a line, how little it minds what is wrong, and how wide its range is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.capacity.slope import POINTS_MAX, theil_sen, thinned

AT = np.arange(0, 100_000, 1_000, dtype=np.int64)
RISING = (5 + 0.002 * AT).astype(np.float64)


def test_of_a_line_it_is_the_line() -> None:
    found = theil_sen(AT, RISING, until=200_000)
    assert found is not None
    assert (found.per_ms, found.low, found.high) == pytest.approx((0.002, 0.002, 0.002))
    assert found.level == pytest.approx(405)
    assert found.value(0) == pytest.approx(5)


def test_a_fifth_of_wild_points_moves_it_hardly() -> None:
    values = RISING.copy()
    values[::5] = 10_000
    found = theil_sen(AT, values, until=0)
    assert found is not None
    assert found.per_ms == pytest.approx(0.002, rel=0.05)
    assert np.polyfit(AT, values, 1)[0] != pytest.approx(0.002, rel=0.05), "the plain fit minds"


def test_the_range_holds_the_true_slope_about_19_times_of_20() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        found = theil_sen(AT, 0.0001 * AT + rng.normal(0, 3, len(AT)), until=0)
        assert found is not None
        held += found.low <= 0.0001 <= found.high
    assert 180 <= held <= 199


def test_points_that_wander_together_make_the_range_wide() -> None:
    rng = np.random.default_rng(2)
    noise = rng.normal(0, 1, len(AT))
    apart, together = theil_sen(AT, noise, 0), theil_sen(AT, np.cumsum(noise), 0)
    assert apart is not None
    assert together is not None
    assert together.high - together.low > 3 * (apart.high - apart.low)


@pytest.mark.parametrize(
    ("at", "values"), [([], []), ([1, 2], [1.0, 2.0]), ([5, 5, 5, 5], [1.0, 2.0, 3.0, 4.0])]
)
def test_too_few_times_make_no_line(at: list[int], values: list[float]) -> None:
    assert theil_sen(np.array(at, np.int64), np.array(values), until=10) is None


@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=60), st.floats(-100, 100), st.integers(1, 10_000))
def test_the_guess_lies_in_its_range_and_leans_with_the_points(
    values: list[float], lean: float, apart: int
) -> None:
    at = np.arange(len(values), dtype=np.int64) * apart
    plain = theil_sen(at, np.array(values), 0)
    leaning = theil_sen(at, np.array(values) + lean * at, 0)
    assert plain is not None
    assert leaning is not None
    assert plain.low <= plain.per_ms <= plain.high
    assert leaning.per_ms == pytest.approx(plain.per_ms + lean, abs=1e-3)


def test_thinning_keeps_the_ends_and_leaves_out_what_gave_no_answer() -> None:
    at, values = np.arange(5_000, dtype=np.int64), np.arange(5_000, dtype=np.float64)
    values[7] = math.nan
    some_at, some = thinned(at, values)
    assert len(some_at) == POINTS_MAX
    assert (some_at[0], some_at[-1]) == (0, 4_999)
    assert not np.isnan(some).any()
    twice_at, twice = thinned(np.repeat(at[:5], 2), np.arange(10, dtype=np.float64))
    assert (twice_at.tolist(), twice.tolist()) == ([0, 1, 2, 3, 4], [0, 2, 4, 6, 8])
    few_at, _ = thinned(at[:10], values[:10])
    assert 7 not in few_at
    assert len(few_at) == 9
