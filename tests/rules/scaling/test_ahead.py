"""A load that comes back is seen coming; one that does not is not made up; and what it says of itself is true."""

from __future__ import annotations

import numpy as np
import pytest

from rules.scaling.ahead import find_pattern, foresee, study
from rules.scaling.model import Foreseen
from tests.rules.scaling.curves import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    START,
    before,
    curve,
    daily,
    flash_crowd,
    slow_growth,
)

BY_MS = 30 * MINUTE_MS
PAST = before(daily)


def seen_at(hour: float) -> Foreseen | None:
    """What is foreseen at an hour of the first day after the past."""
    now = START + round(hour * HOUR_MS)
    recent = curve(daily, -1, hour / 24, 15 * MINUTE_MS)
    return foresee(study(PAST.at, PAST.load, BY_MS), recent.at[-4:], recent.load[-4:], now, BY_MS)


def test_the_morning_is_seen_coming() -> None:
    found = seen_at(8)
    assert found is not None
    assert found.needed == pytest.approx(3.5, abs=0.5)
    assert found.at == START + round(8.5 * HOUR_MS)
    assert found.trust_pct >= 90


def test_in_the_evening_nothing_is_seen_coming() -> None:
    found = seen_at(22)
    assert found is not None
    assert found.needed < 1.5


def test_it_does_better_on_the_past_than_saying_all_stays_as_it_is() -> None:
    test = study(PAST.at, PAST.load, BY_MS).test
    assert test is not None
    assert test.foretold >= 0.9 * test.peaks >= 6
    assert test.error_pct < test.naive_error_pct


@pytest.mark.parametrize("shape", [flash_crowd, slow_growth])
def test_where_nothing_comes_back_nothing_is_foreseen(shape: object) -> None:
    past = before(shape)  # type: ignore[arg-type]
    learnt = study(past.at, past.load, BY_MS)
    assert learnt.pattern is None
    assert "stands out" in learnt.reason
    assert foresee(learnt, past.at, past.load, START, BY_MS) is None


def test_two_days_teach_nothing() -> None:
    short = PAST.at > START - 2 * DAY_MS
    assert "fewer than 3 days" in study(PAST.at[short], PAST.load[short], BY_MS).reason


def test_a_pattern_that_has_ended_is_no_longer_trusted() -> None:
    load = PAST.load.copy()
    ended = PAST.at > START - 7 * DAY_MS
    load[ended] = np.random.default_rng(1).normal(2, 0.1, int(ended.sum()))
    learnt = study(PAST.at, load, BY_MS)
    trust = learnt.test.trust_pct if learnt.test else 0
    assert learnt.pattern is None or trust < 50


def test_holes_in_the_past_are_no_load() -> None:
    load = PAST.load.copy()
    load[200:320] = np.nan
    learnt = study(PAST.at, load, BY_MS)
    assert learnt.test is not None
    assert learnt.test.trust_pct >= 80


def test_a_day_that_is_busier_than_usual_is_seen_to_be() -> None:
    pattern = find_pattern(PAST.at, PAST.load)
    assert pattern is not None
    learnt = study(PAST.at, PAST.load, BY_MS)
    now = START + 12 * HOUR_MS
    at = now - MINUTE_MS * np.arange(45, -1, -15, dtype=np.int64)
    usual = foresee(learnt, at, pattern.values(at), now, BY_MS)
    busy = foresee(learnt, at, pattern.values(at) + 2, now, BY_MS)
    assert usual is not None
    assert busy is not None
    assert busy.needed == pytest.approx(usual.needed + 2)
