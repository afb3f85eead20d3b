"""Few enough points to draw, and no spike or gap lost."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from collector.store import Points
from collector.web.thinning import Line, in_buckets, thin
from collector.web.words import DAY_MS, HOUR_MS

START = 1_795_140_000_000
EVERY = 10_000


def series(values: list[float], every_ms: int = EVERY, without: range = range(0)) -> Points:
    kept = [at for at in range(len(values)) if at not in without]
    at = np.array([START + n * every_ms for n in kept], dtype=np.int64)
    return Points(at, np.array([values[n] for n in kept], dtype=np.float64))


def test_few_points_are_drawn_as_they_are() -> None:
    line = thin(series([1.0, 2.0, 3.0] * 120), HOUR_MS, EVERY)
    assert not line.thinned
    assert line.mean.tolist() == [1.0, 2.0, 3.0] * 120
    assert line.begins.tolist() == [True] + [False] * 359


def test_a_spike_of_one_sample_survives_a_week() -> None:
    values = [5.0] * 60_480
    values[31_415] = 99.0
    line = thin(series(values), 7 * DAY_MS, EVERY)
    assert line.thinned
    assert len(line.at) <= 600
    assert line.high.max() == 99.0
    assert line.low.min() == 5.0
    assert line.mean.max() < 10


def test_missing_batches_are_a_gap() -> None:
    line = thin(series([1.0] * 100, without=range(40, 50)), HOUR_MS, EVERY)
    assert np.flatnonzero(line.begins).tolist() == [0, 40]


def test_one_missing_batch_is_none() -> None:
    line = thin(series([1.0] * 100, without=range(40, 41)), HOUR_MS, EVERY)
    assert np.flatnonzero(line.begins).tolist() == [0]


def test_no_answer_is_a_gap_however_short() -> None:
    values = [1.0] * 100
    values[40] = float("nan")
    line = thin(series(values), HOUR_MS, EVERY)
    assert len(line.at) == 99
    assert np.flatnonzero(line.begins).tolist() == [0, 40]


def test_a_gap_stays_a_gap_when_points_are_thinned() -> None:
    line = thin(series([1.0] * 8_640, without=range(3_000, 4_000)), DAY_MS, EVERY)
    assert line.thinned
    assert line.begins.sum() == 2


def test_a_host_that_reported_more_seldom_before_has_no_gaps_for_it() -> None:
    line = thin(series([1.0] * 60, every_ms=60_000), HOUR_MS, EVERY)
    assert line.begins.sum() == 1


def test_a_series_without_an_answer_draws_nothing() -> None:
    for points in (series([]), series([float("nan")] * 5)):
        assert len(thin(points, HOUR_MS, EVERY).at) == 0
        assert len(in_buckets(points, 60_000).at) == 0


def test_buckets_stay_where_they_are_as_time_goes_on() -> None:
    whole = series([float(n % 7) for n in range(8_700)])
    earlier, later = (Points(whole.at[n : n + 8_640], whole.values[n : n + 8_640]) for n in (0, 6))
    first, second = (dict(zip(line.at, line.mean, strict=True)) for line in map(bucketed, (earlier, later)))
    ends = {min(first), max(first), min(second), max(second)}
    assert {at: first[at] for at in first if at not in ends} == {
        at: second[at] for at in second if at not in ends
    }


def bucketed(points: Points) -> Line:
    return in_buckets(points, 300_000)


@given(
    st.lists(st.floats(-1e9, 1e9) | st.just(float("nan")), min_size=1, max_size=300),
    st.sampled_from([1_000, 60_000, 900_000]),
)
def test_buckets_keep_the_lowest_the_highest_and_what_lies_between(
    values: list[float], bucket_ms: int
) -> None:
    points = series(values)
    answered = points.values[np.isfinite(points.values)]
    line = in_buckets(points, bucket_ms)
    if not len(answered):
        assert len(line.at) == 0
        return
    assert line.low.min() == answered.min()
    assert line.high.max() == answered.max()
    assert (line.low <= line.mean).all()
    assert (line.mean <= line.high).all()
    assert (np.diff(line.at) > 0).all()
