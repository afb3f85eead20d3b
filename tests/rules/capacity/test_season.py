"""What comes back every day or week is found, foretold, and not made up where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from rules.capacity.season import DAY_MS, HOUR_MS, WEEK_MS, find_season
from rules.capacity.slope import Numbers

AT = np.arange(0, 28 * DAY_MS, HOUR_MS, dtype=np.int64)
T = AT / DAY_MS
RNG = np.random.default_rng(4)
BY_DAY = 10 * np.sin(2 * np.pi * T)
BY_WEEK = np.where(T % 7 < 5, 10.0, -10.0)


@pytest.mark.parametrize(
    ("values", "period_ms", "sentence"),
    [
        (BY_DAY, DAY_MS, "a wave by the day"),
        (BY_DAY + RNG.normal(0, 3, len(T)), DAY_MS, "... in noise"),
        (BY_WEEK, WEEK_MS, "working days and others"),
        (BY_DAY + BY_WEEK, WEEK_MS, "a week has its days within"),
        (RNG.normal(0, 3, len(T)), None, "noise has no season"),
        (10 * np.sin(2 * np.pi * T / 2.6), None, "nor has what comes back at another pace"),
        (np.zeros(len(T)), None, "nor has nothing"),
    ],
)
def test_a_season(values: Numbers, period_ms: int | None, sentence: str) -> None:
    found = find_season(AT, values, least=0.1)
    assert (found and found.period_ms) == period_ms, sentence
    if found and found.strength > 0.99:
        assert found.values(AT + found.period_ms) == pytest.approx(found.values(AT)), sentence


def test_the_profile_is_what_comes_back() -> None:
    found = find_season(AT, BY_DAY, least=0.1)
    assert found is not None
    assert found.name == "daily"
    later = AT[:24] + 90 * DAY_MS
    assert np.abs(found.values(later + HOUR_MS // 2) - BY_DAY[:24]).max() < 3


def test_one_day_is_no_pattern_yet() -> None:
    assert find_season(AT[:30], BY_DAY[:30], least=0.1) is None


def test_a_swing_that_does_not_matter_is_none() -> None:
    assert find_season(AT, BY_DAY, least=30) is None
