"""Few enough points to draw, and no spike or gap lost."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from collector.store import Points
from collector.web.thinning import Line, line_of, longer, steps_of, too_close
from collector.web.words import DAY_MS, HOUR_MS

START = 1_795_140_000_000
EVERY = 10_000


def series(values: list[float], every_ms: int = EVERY, without: range = range(0)) -> Points:
    kept = [at for at in range(len(values)) if at not in without]
    at = np.array([START + n * every_ms for n in kept], dtype=np.int64)
    return Points(at, np.array([values[n] for n in kept], dtype=np.float64))


def test_few_points_are_drawn_as_they_are() -> None:
    line = line_of(series([1.0, 2.0, 3.0] * 120), HOUR_MS, EVERY)
    assert line.step_ms == 0
    assert line.mean.tolist() == [1.0, 2.0, 3.0] * 120
    assert line.begins.tolist() == [True] + [False] * 359


def test_a_spike_of_one_sample_survives_a_week() -> None:
    values = [5.0] * 60_480
    values[31_415] = 99.0
    line = line_of(series(values), 7 * DAY_MS, EVERY)
    assert line.step_ms
    assert len(line.at) <= 600
    assert line.high.max() == 99.0
    assert line.low.min() == 5.0
    assert line.mean.max() < 10


def test_missing_batches_are_a_gap() -> None:
    line = line_of(series([1.0] * 100, without=range(40, 50)), HOUR_MS, EVERY)
    assert np.flatnonzero(line.begins).tolist() == [0, 40]


def test_one_missing_batch_is_none() -> None:
    line = line_of(series([1.0] * 100, without=range(40, 41)), HOUR_MS, EVERY)
    assert np.flatnonzero(line.begins).tolist() == [0]


def test_no_answer_is_a_gap_however_short() -> None:
    values = [1.0] * 100
    values[40] = float("nan")
    line = line_of(series(values), HOUR_MS, EVERY)
    assert len(line.at) == 99
    assert np.flatnonzero(line.begins).tolist() == [0, 40]


def test_a_gap_stays_a_gap_when_points_are_thinned() -> None:
    line = line_of(series([1.0] * 8_640, without=range(3_000, 4_000)), DAY_MS, EVERY)
    assert line.step_ms
    assert line.begins.sum() == 2


def test_a_host_that_reported_more_seldom_before_has_no_gaps_for_it() -> None:
    line = line_of(series([1.0] * 60, every_ms=60_000), HOUR_MS, EVERY)
    assert line.begins.sum() == 1


def test_a_series_without_an_answer_draws_nothing() -> None:
    for points in (series([]), series([float("nan")] * 5)):
        assert len(line_of(points, HOUR_MS, EVERY).at) == 0
        assert len(line_of(steps_of(points, 60_000), HOUR_MS, EVERY).at) == 0


def test_steps_stay_where_they_are_as_time_goes_on() -> None:
    whole = series([float(n % 7) for n in range(8_700)])
    earlier, later = (Points(whole.at[n : n + 8_640], whole.values[n : n + 8_640]) for n in (0, 6))
    first, second = (dict(zip(line.at, line.mean, strict=True)) for line in map(of_a_day, (earlier, later)))
    ends = {min(first), max(first), min(second), max(second)}
    assert {at: first[at] for at in first if at not in ends} == {
        at: second[at] for at in second if at not in ends
    }


def of_a_day(points: Points) -> Line:
    return line_of(points, DAY_MS, EVERY)


def test_a_step_in_which_nothing_was_answered_is_a_gap() -> None:
    values = [1.0] * 600
    values[300:330] = [float("nan")] * 30
    line = line_of(steps_of(series(values), 60_000), DAY_MS, EVERY)
    assert line.begins.sum() == 2


def test_samples_are_drawn_one_by_one_only_where_they_can_be_told_apart() -> None:
    assert not too_close(HOUR_MS, EVERY)
    assert too_close(6 * HOUR_MS, EVERY)
    assert not too_close(6 * HOUR_MS, 60_000)


ANYTHING = st.lists(st.floats(-1e9, 1e9) | st.just(float("nan")), min_size=1, max_size=300)


@given(ANYTHING, st.sampled_from([1_000, 60_000, 900_000]))
def test_steps_keep_the_lowest_the_highest_and_what_lies_between(values: list[float], step_ms: int) -> None:
    points = series(values)
    answered = points.values[np.isfinite(points.values)]
    steps = steps_of(points, step_ms)
    assert steps.count.sum() == len(answered)
    assert (steps.at % step_ms == 0).all()
    assert (np.diff(steps.at) > 0).all()
    if len(answered):
        line = line_of(steps, DAY_MS, EVERY)
        assert line.low.min() == answered.min()
        assert line.high.max() == answered.max()
        assert (line.low <= line.mean).all()
        assert (line.mean <= line.high).all()


@given(ANYTHING)
def test_longer_steps_say_the_same_whichever_way_they_are_made(values: list[float]) -> None:
    points = series(values)
    at_once, by_and_by = steps_of(points, 600_000), longer(steps_of(points, 60_000), 600_000)
    for field in ("at", "low", "high", "count"):
        assert np.array_equal(getattr(at_once, field), getattr(by_and_by, field), equal_nan=True)
    assert np.allclose(at_once.mean, by_and_by.mean, equal_nan=True, rtol=1e-9, atol=1e-3)
