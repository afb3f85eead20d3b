"""A day in buckets as bytes: lowest, highest and count exactly, the mean nearly, single series alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.store import StoreError
from collector.stores.sqlite import days
from collector.stores.sqlite.days import (
    BUCKET_MS,
    NOT_NAMED,
    STEPS,
    Day,
    PackedDay,
    pack_day,
    summed_up,
    together,
)
from collector.stores.sqlite.sheets import Sheet, joined
from tests.collector.stores.builders import DAY, NOW

MIDNIGHT = NOW // DAY * DAY
finite = st.floats(allow_nan=False, allow_infinity=False)
samples = st.lists(
    st.tuples(st.integers(0, DAY // 60_000 - 1), st.one_of(finite, st.just(math.nan))),
    min_size=1,
    max_size=80,
)


def sheet(minutes: list[int], values: list[float], name: str = "x") -> Sheet:
    at = MIDNIGHT + np.array(sorted(minutes), dtype=np.int64) * 60_000
    return Sheet(at, at, at, (name,), np.array([values]))


def back(day: Day) -> Day:
    return PackedDay(pack_day(day, MIDNIGHT), MIDNIGHT).day()


@given(samples)
def test_what_was_packed_is_unpacked(drawn: list[tuple[int, float]]) -> None:
    day = summed_up(sheet([minute for minute, _ in drawn], [value for _, value in drawn]), BUCKET_MS)
    found = back(day)
    for column in ("at", "batches", "counts", "low", "high"):
        np.testing.assert_array_equal(getattr(found, column), getattr(day, column))
    with np.errstate(over="ignore"):
        off = (
            np.abs(found.mean / 2 - day.mean / 2)
            <= (day.high / 2 - day.low / 2) / STEPS + np.abs(day.mean) * 1e-12
        )
    assert (off | np.isnan(day.mean)).all()
    assert ((found.mean >= found.low) & (found.mean <= found.high) | (found.counts <= 0)).all()


@pytest.mark.parametrize("wild", [math.inf, -math.inf])
def test_what_is_infinite_does_no_harm(wild: float) -> None:
    day = back(summed_up(sheet([0, 1, 2], [1.0, wild, -wild]), BUCKET_MS))
    assert (day.low[0, 0], day.high[0, 0], day.counts[0, 0]) == (-math.inf, math.inf, 3)


def test_a_series_is_read_alone_and_one_that_is_not_there_is_none() -> None:
    names = tuple(f"s{number:03}" for number in range(300))
    at = MIDNIGHT + np.arange(1_440) * 60_000
    values = np.random.default_rng(3).random((300, 1_440)).round(2)
    data = pack_day(summed_up(Sheet(at, at, at, names, values), BUCKET_MS), MIDNIGHT)
    packed = PackedDay(data, MIDNIGHT)
    steps = packed.series("s123")
    assert steps is not None
    np.testing.assert_array_equal(steps.high, values[123].reshape(96, 15).max(axis=1))
    np.testing.assert_allclose(steps.mean, values[123].reshape(96, 15).mean(axis=1), atol=1 / STEPS)
    assert packed.series("s3000") is None


def test_parts_of_a_day_are_added_up_whatever_each_has() -> None:
    parts = [sheet([0, 1, 20], [1.0, 5.0, 7.0]), sheet([2, 700], [3.0, math.nan]), sheet([0], [9.0], "y")]
    whole = together([summed_up(part, BUCKET_MS) for part in parts])
    at_once = summed_up(joined(parts), BUCKET_MS)
    assert whole.names == at_once.names
    for column in ("at", "counts", "low", "high", "mean", "batches"):
        np.testing.assert_array_equal(getattr(whole, column), getattr(at_once, column))
    assert whole.counts.tolist() == [[3, 1, 0], [1, NOT_NAMED, NOT_NAMED]]


def test_a_day_of_too_many_series_keeps_those_that_were_there_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(days, "NAMES_MAX", 3)
    parts = [sheet([hour * 60], [1.0], name) for hour in range(8) for name in ("steady", f"odd_{hour}")]
    whole = together([summed_up(part, BUCKET_MS) for part in parts])
    assert whole.names == ("odd_0", "odd_1", "steady")
    assert len(whole.at) == 8


@pytest.mark.parametrize("place", [0, 4, 30, -1])
def test_a_damaged_day_is_said_to_be(place: int) -> None:
    data = bytearray(pack_day(summed_up(sheet([0, 1, 2], [1.0, 2.0, 3.5]), BUCKET_MS), MIDNIGHT))
    data[place] ^= 0x55
    with pytest.raises(StoreError, match="damaged"):
        PackedDay(bytes(data), MIDNIGHT).day()


@pytest.mark.parametrize("length", [0, 5, 9, 11, 30])
def test_a_day_cut_short_is_said_to_be_damaged(length: int) -> None:
    data = pack_day(summed_up(sheet([0, 1, 2], [1.0, 2.0, 3.5]), BUCKET_MS), MIDNIGHT)
    with pytest.raises(StoreError, match="damaged"):
        PackedDay(data[:length], MIDNIGHT).series("x")
