"""Percentiles from buckets are those of the values, within the error that is promised, however they were split."""

from __future__ import annotations

import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from rules.histograms import ERROR, HIGHEST, LOWEST, UPTO, bucket_in, bucket_of, label_of, merged, percentiles
from rules.model import Series

durations = st.one_of(
    st.floats(LOWEST, HIGHEST, exclude_min=True), st.floats(0.1, 10_000), st.sampled_from(UPTO[1:])
)


def true_percentile(values: list[float], percent: float) -> float:
    return sorted(values)[max(1, -(-len(values) * int(percent * 10) // 1000)) - 1]


@given(st.lists(st.lists(durations, max_size=50), min_size=1, max_size=10).filter(any))
def test_merged_they_are_as_near_as_promised_however_they_were_split(ticks: list[list[float]]) -> None:
    counts = merged(Counter(map(bucket_of, tick)) for tick in ticks)
    values = [value for tick in ticks for value in tick]
    assert sum(counts.values()) == len(values)
    wanted = [50, 95, 99, 99.9, 100]
    found = percentiles(counts, wanted)
    assert found is not None
    for percent, value in zip(wanted, found, strict=True):
        true = true_percentile(values, percent)
        assert abs(value - true) <= ERROR * true


@given(durations)
def test_a_value_lies_in_its_bucket(value: float) -> None:
    bucket = bucket_of(value)
    assert UPTO[bucket - 1] < value <= UPTO[bucket]
    assert UPTO[bucket] / UPTO[bucket - 1] < (1 + ERROR) / (1 - ERROR)


def test_the_end_of_a_bucket_is_what_its_label_says_and_leads_back_to_it() -> None:
    for bucket, upto in enumerate(UPTO):
        assert float(label_of(bucket)) == upto
        name = f'took_ms_bucket{{path="/",upto="{label_of(bucket)}"}}'
        assert bucket_in(Series.parse(name), Series.parse("took_ms")) == bucket


def test_labels_narrow_what_is_counted() -> None:
    series = Series.parse('took_ms_bucket{code="200",path="/a",upto="1.1"}')
    assert bucket_in(series, Series.parse('took_ms{path="/a"}')) is not None
    assert bucket_in(series, Series.parse('took_ms{path="/b"}')) is None
    assert bucket_in(series, Series.parse("other_ms")) is None
    assert bucket_in(Series.parse('took_ms_bucket{upto="7.77"}'), Series.parse("took_ms")) is None


def test_nothing_at_all_takes_no_time_and_of_nothing_there_is_no_percentile() -> None:
    assert percentiles({bucket_of(0.0): 3}, [50]) == [0.0]
    assert percentiles({}, [50]) is None
    assert percentiles({5: 0}, [50]) is None
    assert math.isclose((percentiles({bucket_of(100): 1}, [1]) or [0])[0], 100, rel_tol=ERROR)
